"""Where the bytes of a film come from: the protocol `Source`, files and uploads."""

import hashlib
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from pneumoscope.radiograph.files import content_of


class Source(Protocol):
    """Where the bytes of one film come from: a file, an upload, an instance of a DICOMweb server."""

    @property
    def label(self) -> str:
        """Its name for people; shown only with ``--show-names``, since it may identify a patient."""
        ...

    @property
    def fingerprint(self) -> str:
        """A hash that changes with the content, known without loading it; empty where there is none."""
        ...

    @property
    def version(self) -> str:
        """A mark that changes when the content may have changed, known at once; empty where nothing can be said."""
        ...

    def load(self) -> bytes:
        """Load the content: the bytes of one DICOM, PNG or JPEG file."""
        ...


@dataclass(frozen=True)
class FileSource:
    """A file on this machine.

    Parameters
    ----------
    path : Path
        The file; symbolic links are followed.
    label : str
        Its name for people.
    """

    path: Path = field(repr=False)
    label: str = field(repr=False)

    @property
    def fingerprint(self) -> str:
        """Hash of the path, size and time of the last change; empty where the file is not there."""
        try:
            status = self.path.stat()
        except OSError:
            return ""
        said = f"{os.path.realpath(self.path)}\n{status.st_size}\n{status.st_mtime_ns}"
        return hashlib.sha256(said.encode("utf-8", "surrogateescape")).hexdigest()

    @property
    def version(self) -> str:
        """Device, inode, size and times of the file: the time of the last change of the inode cannot be set back by a program."""
        try:
            status = self.path.stat()
        except OSError:
            return ""
        return f"{status.st_dev} {status.st_ino} {status.st_size} {status.st_mtime_ns} {status.st_ctime_ns}"

    def load(self) -> bytes:
        """Read the file.

        Returns
        -------
        bytes
            Its content.

        Raises
        ------
        RadiographError
            If it is no regular file, or too large.
        OSError
            If it cannot be opened.
        """
        return content_of(self.path)


@dataclass(frozen=True)
class UploadSource:
    """A file that a client sent, in memory.

    Parameters
    ----------
    content : bytes
        The file.
    label : str
        Its name for people; empty where the client sent none.
    """

    content: bytes = field(repr=False)
    label: str = field(default="", repr=False)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the content."""
        return hashlib.sha256(self.content).hexdigest()

    @property
    def version(self) -> str:
        """Empty: the bytes stay as they were sent."""
        return ""

    def load(self) -> bytes:
        """Return the content.

        Returns
        -------
        bytes
            The file.
        """
        return self.content
