"""The spool: the folder of received files, each written whole and safe on the disk before anybody is told that it is there."""

import contextlib
import errno
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from typing import BinaryIO

from pneumoscope.atomic_files import sync_folder
from pneumoscope.pacs.errors import SpoolError, SpoolFullError
from pneumoscope.pacs.settings import Limits

INCOMING, INSTANCES = "incoming", "instances"
_MEASURED_EVERY_S = 5.0
_ORPHAN_AGE_S = 3600.0
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class Level(IntEnum):
    """How full the spool is."""

    OPEN = 0
    HIGH = 1
    """From `Limits.pause_polls_at` on: nothing is fetched, and what is sent is taken."""
    FULL = 2
    """From `Limits.refuse_at` on: senders wait, and are refused when it lasts."""


@dataclass
class _Measured:
    at: float = float("-inf")
    level: Level = Level.OPEN


@dataclass(frozen=True)
class Spool:
    """The folder of received files; safe to be used by several threads and processes.

    Parameters
    ----------
    folder : Path
        The folder.
    limits : Limits
        Its quota and its watermarks.
    """

    folder: Path
    limits: Limits = field(default_factory=Limits)
    _measured: _Measured = field(default_factory=_Measured, repr=False, compare=False)
    _one_measures: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    @property
    def incoming(self) -> Path:
        """Folder of the files that are being received; what lies here was acknowledged to nobody."""
        return self.folder / INCOMING

    def prepare(self) -> None:
        """Create the folders.

        Raises
        ------
        SpoolError
            If they cannot be created or written.
        """
        with _named():
            self.incoming.mkdir(parents=True, exist_ok=True)
            for digit in "0123456789abcdef":
                (self.folder / INSTANCES / digit).mkdir(parents=True, exist_ok=True)
            for folder in (self.folder / INSTANCES, self.folder):
                sync_folder(folder)
            with tempfile.TemporaryFile(dir=self.incoming):
                pass

    @contextmanager
    def new_file(self) -> Iterator[tuple[Path, BinaryIO]]:
        """Open a temporary file in the folder of incoming files; it is removed at the end unless `keep` took it.

        Yields
        ------
        tuple of Path and BinaryIO
            The file and a stream to write it.

        Raises
        ------
        SpoolFullError
            If the disk is full.
        SpoolError
            If the file cannot be written.
        """
        with _named():
            handle, name = tempfile.mkstemp(dir=self.incoming, suffix=".dcm")
            file = Path(name)
            stream = os.fdopen(handle, "wb")
            try:
                yield file, stream
            finally:
                with contextlib.suppress(OSError):  # an earlier error of writing says why
                    stream.close()
                file.unlink(missing_ok=True)

    def keep(self, file: Path, sha256: str) -> str:
        """Make a complete incoming file permanent: its content, its new name and the old one are on the disk afterwards.

        Parameters
        ----------
        file : Path
            A file below `incoming`, written to its end and flushed to the system.
        sha256 : str
            Hash of its data set, which is its new name.

        Returns
        -------
        str
            Its path relative to the spool folder.

        Raises
        ------
        SpoolFullError
            If the disk is full.
        SpoolError
            If the file cannot be made permanent.
        """
        path = f"{INSTANCES}/{sha256[0]}/{sha256}.dcm"
        with _named():
            handle = os.open(file, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)
            file.replace(self.folder / path)
            sync_folder((self.folder / path).parent)
        return path

    def remove(self, path: str) -> None:
        """Remove a file; it is gone from the disk when this returns. A file that is not there is no error.

        Parameters
        ----------
        path : str
            The file, relative to the spool folder.

        Raises
        ------
        SpoolError
            If the file cannot be removed.
        """
        file = self.folder / path
        with _named(), contextlib.suppress(FileNotFoundError):
            file.unlink()
            sync_folder(file.parent)

    def level(self) -> Level:
        """Say how full the spool is, measured every few seconds.

        Returns
        -------
        Level
            The level.

        Raises
        ------
        SpoolError
            If the folder cannot be listed.
        """
        with self._one_measures:
            if time.monotonic() - self._measured.at >= _MEASURED_EVERY_S:
                self._measured.level = self._level_now()
                self._measured.at = time.monotonic()
            return self._measured.level

    def _level_now(self) -> Level:
        with _named():
            free, share = shutil.disk_usage(self.folder).free, self.used_bytes() / self.limits.spool_bytes
        if free < self.limits.spool_free_bytes or share >= self.limits.refuse_at:
            return Level.FULL
        return Level.HIGH if share >= self.limits.pause_polls_at else Level.OPEN

    def used_bytes(self) -> int:
        """Add up the sizes of all files of the spool.

        Returns
        -------
        int
            Bytes.
        """
        return sum(size for _, size in _sizes(self.folder))

    def clear_incoming(self) -> int:
        """Remove what an earlier process was receiving when it was killed. No process may be receiving.

        Returns
        -------
        int
            Number of files.

        Raises
        ------
        SpoolError
            If a file cannot be removed.
        """
        with _named():
            files = list(self.incoming.iterdir())
            for file in files:
                file.unlink(missing_ok=True)
        return len(files)

    def remove_orphans(self, known: set[str], *, older_than_s: float = _ORPHAN_AGE_S) -> int:
        """Remove files that no row of the ledger names: the process was killed between the file and the row.

        Nobody was told that they had arrived, so that their senders send them again.

        Parameters
        ----------
        known : set of str
            Paths that rows name, relative to the spool folder.
        older_than_s : float
            Only files that were written before this many seconds.

        Returns
        -------
        int
            Number of files.

        Raises
        ------
        SpoolError
            If a file cannot be removed.
        """
        before, removed = time.time() - older_than_s, 0
        with _named():
            for file in (self.folder / INSTANCES).glob("?/*.dcm"):
                if file.relative_to(self.folder).as_posix() not in known and file.stat().st_mtime <= before:
                    file.unlink()
                    removed += 1
        return removed


def _sizes(folder: Path) -> Iterator[tuple[str, int]]:
    """Sizes of the files below a folder; a file that goes away meanwhile has none."""
    with os.scandir(folder) as entries:
        for entry in entries:
            with contextlib.suppress(FileNotFoundError):
                if entry.is_dir(follow_symlinks=False):
                    yield from _sizes(Path(entry.path))
                else:
                    yield entry.path, entry.stat(follow_symlinks=False).st_size


@contextmanager
def _named() -> Iterator[None]:
    """Name the errors of the file system, whose texts quote paths."""
    try:
        yield
    except OSError as error:
        raise spool_error(error) from None


def spool_error(error: OSError) -> SpoolError:
    """Name an error of the file system.

    Parameters
    ----------
    error : OSError
        The error, whose text may quote a path.

    Returns
    -------
    SpoolError
        A `SpoolFullError` where the disk or a quota is full.
    """
    if error.errno in _FULL:
        return SpoolFullError("the disk of the spool folder is full; free some space, or move the spool to a larger disk")
    reason = os.strerror(error.errno) if error.errno else type(error).__name__
    return SpoolError(f"the spool folder cannot be used ({reason}); check its disk and its permissions")
