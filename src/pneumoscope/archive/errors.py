"""What can be wrong with the input or the output folder of an archive.

PneumoscopeError
└── ArchiveError             nothing to read, two files of one name, or a folder with other readings
    └── FolderInUseError     another process is writing to the output folder
"""

from pneumoscope import PneumoscopeError


class ArchiveError(PneumoscopeError):
    """The files cannot be read into this output folder."""


class FolderInUseError(ArchiveError):
    """Another process is writing to the output folder."""
