"""What can be wrong with a file that should be a radiograph.

PneumoscopeError
└── RadiographError
    ├── UnreadableFileError   truncated, corrupt, or no image at all
    ├── NotARadiographError   a CT, a multi-frame object, a colour photograph
    ├── EmptyImageError       zero rows or columns, or one grey level everywhere
    └── TooLargeError         more pixels than any radiograph has (a decompression bomb)
"""

from pneumoscope import PneumoscopeError


class RadiographError(PneumoscopeError):
    """A file could not be read as a radiograph."""


class UnreadableFileError(RadiographError):
    """The bytes are truncated, corrupt, or of no format that is read here."""


class NotARadiographError(RadiographError):
    """The image is intact but not a single grey projection radiograph."""


class EmptyImageError(RadiographError):
    """The image has no pixels, or all of them are the same."""


class TooLargeError(RadiographError):
    """The image declares more pixels than a radiograph can have."""
