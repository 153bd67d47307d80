"""Write a file whole or not at all: under a temporary name, flushed to the disk, then renamed.

A writer that is killed leaves its temporary file, ``.<12 hexadecimal digits>.part``. The next process that writes into the folder
removes it: a writer holds a lock on its temporary file (flock), which the system releases when its process ends.
"""

import contextlib
import functools
import io
import os
import re
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, TextIO

try:
    import fcntl
except ImportError:  # Windows, which removes no file that is open
    fcntl = None  # type: ignore[assignment]  # as above

_PARTIAL = re.compile(r"\.[0-9a-f]{12}\.part")
_MIN_AGE_S = 60.0
"""Age of a temporary file before it is removed: a writer creates it a moment before it locks it."""


@contextmanager
def binary(path: Path) -> Iterator[BinaryIO]:
    """Open a stream whose content replaces the file `path` when the context ends without an exception.

    The content is on the disk before the file is renamed, and the new name is on the disk before the context ends, so that a kill
    or a power cut leaves either the earlier file or the new one. After an exception the earlier file is unchanged and no
    temporary file remains. The first time that a process writes into a folder, it removes the temporary files that killed writers
    left there more than a minute ago.

    Parameters
    ----------
    path : Path
        The file to write. Missing folders are created.

    Yields
    ------
    BinaryIO
        A stream for the new content.

    Raises
    ------
    OSError
        The folder cannot be created, the disk is full, or the name is too long for the file system.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    _sweep_once(path.parent.absolute())
    # A name of its own length: the name of `path` may be as long as the file system allows.
    part = path.with_name(f".{uuid.uuid4().hex[:12]}.part")
    try:
        with part.open("wb") as stream:
            _lock(stream)
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        part.replace(path)
        sync_folder(path.parent)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def text(path: Path) -> Iterator[TextIO]:
    """Open a UTF-8 text stream that replaces the file `path` as `binary` does; line ends are written as given.

    Parameters
    ----------
    path : Path
        The file to write. Missing folders are created.

    Yields
    ------
    TextIO
        A stream for the new text.

    Raises
    ------
    OSError
        As `binary`.
    """
    with binary(path) as stream:
        wrapped = io.TextIOWrapper(stream, encoding="utf-8", newline="")
        yield wrapped
        wrapped.detach()


def remove_partial(folder: Path, *, below: bool) -> None:
    """Remove the temporary files of writers that were killed. No other process may be writing into the folder.

    Parameters
    ----------
    folder : Path
        The folder; it need not exist.
    below : bool
        Whether folders below it are searched as well.
    """
    for file in folder.glob("**/.*.part" if below else ".*.part"):
        if _PARTIAL.fullmatch(file.name):
            file.unlink(missing_ok=True)


@functools.lru_cache(256)
def _sweep_once(folder: Path) -> None:
    """Remove the temporary files of writers that have ended; later calls for the folder do nothing."""
    try:
        files = [Path(entry) for entry in os.scandir(folder) if _PARTIAL.fullmatch(entry.name)]
    except OSError:  # it may be written into, but not listed
        return
    for file in files:
        with contextlib.suppress(OSError):
            if time.time() - file.stat().st_mtime > _MIN_AGE_S and not _is_locked(file):
                file.unlink(missing_ok=True)


def _lock(stream: BinaryIO) -> None:
    if fcntl:
        with contextlib.suppress(OSError):  # a file system without locks
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _is_locked(file: Path) -> bool:
    """Whether a process writes to a file; also true where the file system has no locks."""
    if not fcntl:
        return False
    with file.open("rb") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
    return False


def sync_folder(folder: Path) -> None:
    """Flush the entries of a folder to the disk, where the system can (Windows cannot open a folder).

    Parameters
    ----------
    folder : Path
        The folder whose files were created, renamed or removed.
    """
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
