"""List and read the members of ZIP and TAR archives where they lie; nothing is unpacked to a disk.

Names of members serve as names only, never as paths. Archives are refused that unpack to far more than they hold; members are
left out that are encrypted, links, archives themselves, or have a name that leads out of the archive.
"""

import stat
import tarfile
import threading
import zipfile
import zlib
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import BinaryIO, Literal, cast

from pneumoscope.archive import locations, sources
from pneumoscope.archive.errors import MissingSourceError, RefusedSourceError
from pneumoscope.archive.sources import Source
from pneumoscope.radiograph.errors import TooLargeError, UnreadableFileError
from pneumoscope.radiograph.limits import MAX_FILE_BYTES
from pneumoscope.radiograph.listing import kind_by_name

Kind = Literal["", "ZIP", "TAR", "compressed TAR"]
MAX_RATIO = 200
"""Most bytes that an archive may unpack to for each of its own; deflate reaches 1,032, radiographs stay below 20."""
_FREE_BYTES = 2**30
"""What any archive may unpack to."""
REPEATED = "repeated name in an archive"
"""Kind of a member whose name a later one has: the last counts, as when the archive is unpacked."""
_MOST_OPEN = 4
_BLOCK = 2**16
_DAMAGED = (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError)
"""What `zipfile` and `tarfile` raise of a damaged archive; NotImplementedError of a method of compression that they lack."""


@dataclass(frozen=True)
class Member:
    """A file inside an archive.

    Parameters
    ----------
    name : str
        Its name in the archive.
    size : int
        Its size in bytes, as the archive states it.
    offset : int, optional
        Where its content begins in a TAR archive.
    kind : str
        Why it is left out; empty for a radiograph.
    """

    name: str
    size: int
    offset: int | None = None
    kind: str = ""


def kind_of(name: str) -> Kind:
    """Tell by its name whether a file is an archive.

    Parameters
    ----------
    name : str
        Name, path or URL.

    Returns
    -------
    {"", "ZIP", "TAR", "compressed TAR"}
        Kind of the archive; empty for another file.
    """
    lower = PurePosixPath(locations.shown(name)).name.lower()
    if lower.endswith((".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz", ".tar.zst")):
        return "compressed TAR"
    return "ZIP" if lower.endswith(".zip") else "TAR" if lower.endswith(".tar") else ""


def members(source: Source) -> Iterator[Member]:
    """List the members of an archive.

    Parameters
    ----------
    source : Source
        The archive, with its size.

    Yields
    ------
    Member
        Files in the order of the archive, also those that are left out; no folders.

    Raises
    ------
    RefusedSourceError
        It is a compressed TAR, whose parts cannot be read, or unpacks to far more than it holds.
    UnreadableFileError
        It is damaged.
    SourceError
        It cannot be opened.
    """
    kind = kind_of(source.location)
    if kind == "compressed TAR":
        raise RefusedSourceError("parts of a compressed TAR archive cannot be read: decompress it to .tar, or pack it as .zip")
    with sources.failures(source.location):
        try:
            if kind == "ZIP":
                yield from _zip_members(source)
            else:
                yield from _tar_members(source)
        except _DAMAGED as error:
            raise UnreadableFileError(f"the {kind} archive is damaged or no {kind} archive; fetch it again") from error


def _zip_members(source: Source) -> Iterator[Member]:
    with sources.opened(source.location, source.etag) as stream, zipfile.ZipFile(stream) as archive:
        infos, last = archive.infolist(), archive.NameToInfo
    total = sum(info.file_size for info in infos)
    if source.size is not None and total > max(_FREE_BYTES, MAX_RATIO * source.size):
        raise RefusedSourceError(f"the ZIP archive of {source.size:,} bytes would unpack to {total:,}; it was not opened")
    for info in infos:
        if not info.is_dir():
            is_last = info is last[info.filename]
            yield Member(info.filename, info.file_size, kind=_zip_kind(info) if is_last else REPEATED)


def _zip_kind(info: zipfile.ZipInfo) -> str:
    if info.flag_bits & 1:
        return "encrypted member"
    if stat.S_ISLNK(info.external_attr >> 16):
        return "link in an archive"
    return _name_kind(info.orig_filename)


def _tar_members(source: Source) -> Iterator[Member]:
    with sources.opened(source.location, source.etag) as stream, tarfile.open(fileobj=stream, mode="r:") as archive:
        while (info := archive.next()) is not None:
            archive.members.clear()  # type: ignore[attr-defined]  # the list would grow with the archive
            if info.isdir():
                continue
            kind = _name_kind(info.name) if info.isreg() and not info.issparse() else "link or special file in an archive"
            yield Member(info.name, info.size, info.offset_data, kind)
        _require_end_of_tar(stream, archive.offset)


def _require_end_of_tar(stream: BinaryIO, end: int) -> None:
    """Raise unless zeros and nothing else follow the last member: `tarfile` takes a header that it cannot read for the end."""
    stream.seek(end)
    if not stream.read(1):
        raise UnreadableFileError("the TAR archive has no end mark: what followed its last member may be lost; fetch it again")
    stream.seek(end)
    while part := stream.read(_BLOCK):
        if any(part):
            raise UnreadableFileError("the TAR archive is cut or damaged behind the last member that is listed; fetch it again")


def _name_kind(name: str) -> str:
    parts = name.split("/")
    unsafe = name.startswith("/") or ".." in parts or "\\" in name or "\0" in name or ":" in parts[0] or not parts[-1]
    if unsafe or not name.isprintable() or not _is_unicode(name):
        return "unsafe name in an archive"
    if kind_of(name) or PurePosixPath(name).suffix.lower() in (".gz", ".7z", ".rar", ".bz2", ".xz"):
        return "nested archive"
    return kind_by_name(name)


def _is_unicode(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def content(source: Source) -> bytes:
    """Read one member.

    Parameters
    ----------
    source : Source
        The member.

    Returns
    -------
    bytes
        Its content, at most `MAX_FILE_BYTES` bytes.

    Raises
    ------
    ChangedSourceError
        The archive is not the one of the manifest.
    MissingSourceError
        It has no such member.
    RefusedSourceError
        The member is encrypted.
    TooLargeError, UnreadableFileError
        It is larger than any radiograph, or damaged.
    """
    with sources.failures(source.location):
        try:
            return _from_tar(source) if kind_of(source.location) == "TAR" else _from_zip(source)
        except _DAMAGED as error:
            raise UnreadableFileError("the member of the archive is damaged: its content does not fit its checksum") from error


def _from_tar(source: Source) -> bytes:
    if source.offset is None or source.size is None:
        raise MissingSourceError("the TAR archive has no such member; update the manifest")
    with sources.opened(source.location, source.etag) as stream:
        stream.seek(source.offset)
        read = stream.read(source.size)
    if len(read) < source.size:
        raise UnreadableFileError(
            f"the TAR archive is cut: it holds {len(read):,} of the {source.size:,} bytes of this member; fetch the archive "
            "again, and update the manifest"
        )
    return read


def _from_zip(source: Source) -> bytes:
    archive = _open_archives.get(source.location, source.etag)
    try:
        info = archive.getinfo(source.member)
    except KeyError as error:
        raise MissingSourceError("the ZIP archive has no such member; update the manifest") from error
    if info.flag_bits & 1:
        raise RefusedSourceError("the member of the ZIP archive is encrypted; decrypt the archive")
    if info.file_size > MAX_FILE_BYTES:
        raise TooLargeError(f"the member has {info.file_size:,} bytes, more than any radiograph; it was not read")
    with archive.open(info) as stream:
        return sources.bounded(cast(BinaryIO, stream))


class _OpenArchives:
    """The ZIP archives that were read last: their directories are not read again for each member."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._archives: OrderedDict[tuple[str, str], zipfile.ZipFile] = OrderedDict()

    def get(self, location: str, etag: str) -> zipfile.ZipFile:
        with self._lock:
            sources.check_etag(etag, sources.stored(location).etag)
            archive = self._archives.get((location, etag)) or zipfile.ZipFile(self._opened(location))
            self._archives[location, etag] = archive
            self._archives.move_to_end((location, etag))
            while len(self._archives) > _MOST_OPEN:
                self._archives.popitem(last=False)
            return archive

    def _opened(self, location: str) -> "BinaryIO | str":
        path = locations.local_path(location)
        return str(path) if path is not None else sources.open_remote(location)


_open_archives = _OpenArchives()
