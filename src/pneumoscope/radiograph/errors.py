"""What can be wrong with a file that should be a radiograph.

PneumoscopeError
└── RadiographError
    ├── UnreadableFileError   not a regular file, truncated, corrupt, or no image at all
    ├── NotARadiographError   a CT, a multi-frame object, a colour photograph
    ├── EmptyImageError       zero rows or columns, or one grey level everywhere
    ├── TooLargeError         more bytes or pixels than any radiograph has (a decompression bomb)
    ├── ReducedError          the pixels of a radiograph that was decoded at a reduced scale
    └── NotAcceptedError      a radiograph that the acceptance policy refuses, such as a lateral view
        └── NotAChestError    of another part of the body
"""

from pneumoscope import PneumoscopeError


class RadiographError(PneumoscopeError):
    """A file could not be read as a radiograph."""


class UnreadableFileError(RadiographError):
    """The file cannot be opened, or its bytes are truncated, corrupt, or of no format that is read here."""


class NotARadiographError(RadiographError):
    """The image is intact but not a single grey projection radiograph."""


class EmptyImageError(RadiographError):
    """The image has no pixels, or all of them are the same."""


class TooLargeError(RadiographError):
    """The file or the image is larger than a radiograph can be."""


class ReducedError(RadiographError):
    """The radiograph was decoded at a reduced scale, which does not give its pixels."""


class NotAcceptedError(RadiographError):
    """The image is a radiograph, but the acceptance policy refuses it."""


class NotAChestError(NotAcceptedError):
    """The radiograph states that it shows another part of the body."""
