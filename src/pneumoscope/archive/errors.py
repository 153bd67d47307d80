"""What can be wrong with the input or the output folder of an archive.

PneumoscopeError
├── UnexpectedError               a file met an error that no one foresaw
└── ArchiveError                  nothing to read, two files of one name, or a folder with other readings
    ├── FolderInUseError          another process is writing to the output folder
    ├── CredentialsError          a store does not accept the credentials, whatever file is asked for
    └── SourceError               one file of a manifest cannot be read from where it lies
        ├── MissingSourceError      it is no longer there
        ├── ChangedSourceError      it is no longer the file that the manifest describes
        ├── RefusedSourceError      it may not be opened: permission, encryption, or an archive made to do harm
        ├── UnavailableSourceError  its store did not answer, also after retries
        └── QuarantinedError        reading it ended the process that read it
"""

from pneumoscope import PneumoscopeError
from pneumoscope.limited_process import UnexpectedFailureError


class ArchiveError(PneumoscopeError):
    """The files cannot be read into this output folder."""


class FolderInUseError(ArchiveError):
    """Another process is writing to the output folder."""


class CredentialsError(ArchiveError):
    """A store does not accept the credentials, or the time of the request: no file can be read, so that the run must stop."""


class SourceError(ArchiveError):
    """A file of a manifest cannot be read from where it lies."""


class MissingSourceError(SourceError):
    """The file is no longer there."""


class ChangedSourceError(SourceError):
    """The file is no longer the one that the manifest describes."""


class RefusedSourceError(SourceError):
    """The file may not be opened: permission is denied, it is encrypted, or its archive is made to do harm."""


class UnavailableSourceError(SourceError):
    """The store of the file did not answer, also after retries."""


class QuarantinedError(SourceError):
    """Reading the file ended the process that read it, three times."""


class DamagedResultsError(ArchiveError):
    """A file of results is not the one that was written."""


class UnexpectedError(PneumoscopeError):
    """A file met an error that no one foresaw; the message leaves out its text, which may quote the file's header."""

    def __init__(self, kind: str) -> None:
        super().__init__(f"it could not be read because of an unexpected {kind}; please report this with the kind of the file")


def error_of_file(error: Exception) -> PneumoscopeError:
    """Make the error of a file from whatever was raised while it was read.

    Parameters
    ----------
    error : Exception
        What was raised.

    Returns
    -------
    PneumoscopeError
        The same, or an `UnexpectedError` if no one foresaw it.
    """
    if isinstance(error, UnexpectedFailureError):
        return UnexpectedError(error.kind)
    return error if isinstance(error, PneumoscopeError) else UnexpectedError(type(error).__name__)
