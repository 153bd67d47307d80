"""List the files that paths, folders, URLs and prefixes of object stores stand for, one by one, in flat memory."""

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pneumoscope.archive import asking, containers, dicomdirs, http_files, locations, sources, url_tables
from pneumoscope.archive.earlier_archives import CUT
from pneumoscope.archive.errors import ArchiveError, MissingSourceError
from pneumoscope.archive.manifest import kind_of_folder
from pneumoscope.archive.sources import Source, Stored
from pneumoscope.radiograph.errors import RadiographError
from pneumoscope.radiograph.listing import UNLISTED, kind_by_name, walk_folder

_NOUN = re.compile(r"\b(archive|folder|link|member|name)\b")
Known = Callable[[Source], Sequence[tuple[Source, str]]]
UNOPENED = "archive that could not be opened"
"""Kind of an archive whose radiographs are not in the manifest."""
UNREAD = (UNOPENED, CUT, UNLISTED)
"""Kinds of archives and folders that may hold radiographs which are not in the manifest."""


@dataclass(frozen=True)
class Entry:
    """A file that a source holds.

    Parameters
    ----------
    name : str
        Relative to the source, with forward slashes.
    source : Source
        Where it lies.
    modified : float, optional
        Time of its last change, seconds since 1970.
    kind : str
        What it is instead of a radiograph, such as ``CSV``; empty for a radiograph.
    note : str
        What a user should know of it, in one sentence; empty for nothing.
    unanswered : str
        Why its store did not say size and version; empty where it did, or was not asked.
    """

    name: str
    source: Source
    modified: float | None = None
    kind: str = ""
    note: str = ""
    unanswered: str = ""


def kinds_text(kinds: Mapping[str, int]) -> str:
    """Write numbers of files by kind.

    Parameters
    ----------
    kinds : mapping of str to int
        Number of files by kind, such as `UNOPENED`.

    Returns
    -------
    str
        Such as ``2 archives that could not be opened, 1 CSV``.
    """
    plural = {kind: _NOUN.sub(r"\1s", kind, count=1) for kind in kinds}
    return ", ".join(f"{count} {kind if count == 1 else plural[kind]}" for kind, count in kinds.items())


def _nothing(archive: Source) -> Sequence[tuple[Source, str]]:
    return ()


def entries_of(text: str, without: frozenset[Path] = frozenset(), known: Known = _nothing) -> Iterator[Entry]:
    """List the files of one source.

    Parameters
    ----------
    text : str
        A path or URL of a file, or of a folder or prefix, which is searched with all folders below.
    without : set of Path
        Resolved folders that are passed over.
    known : callable
        Called with an archive; gives its members and their kinds where they are known, so that it is not opened.

    Yields
    ------
    Entry
        Radiographs and, with their kind, all other files.

    Raises
    ------
    ArchiveError
        The source does not exist, or its store does not answer.
    """
    path = locations.local_path(text)
    if url_tables.is_table(text):
        yield from _of_table(text)
    elif path is not None and path.is_dir():
        for entry in _of_folder(path, without):
            yield from _opened(entry, known)
    elif path is not None:
        if not path.exists():
            raise ArchiveError(f"'{path}' is no file and no folder; check the path")
        yield from _opened(_local_entry(path, _unicode(Path(path.name))), known)
    elif http_files.serves(text):
        with _there(text):
            stored = sources.stored(text)
        yield from _opened(_remote_entry(text, url_tables.name_of(text), stored), known)
    else:
        for entry in _of_store(text):
            yield from _opened(entry, known)


def _opened(entry: Entry, known: Known) -> Iterator[Entry]:
    """The members of an archive; of another file, the file itself."""
    if not containers.kind_of(entry.source.location):
        yield entry
        return
    archive, count = entry.source, 0
    try:
        for source, kind in known(archive) or _members(archive):
            count += 1
            yield Entry(f"{entry.name}/{source.member}", source, entry.modified, kind)
    except (ArchiveError, RadiographError) as error:
        note = f"'{entry.name}': {error}" + (f" (members listed: {count})" if count else "")
        yield Entry(entry.name, archive, kind=CUT if count else UNOPENED, note=note)


def _members(archive: Source) -> Iterator[tuple[Source, str]]:
    for member in containers.members(archive):
        yield Source(archive.location, member.name, member.offset, member.size, archive.etag), member.kind


def _of_folder(folder: Path, without: frozenset[Path]) -> Iterator[Entry]:
    for path, kind in walk_folder(folder, without, kind_of_folder):
        name = _unicode(path.relative_to(folder))
        is_archive = bool(containers.kind_of(name)) and kind not in ("hidden", "hidden folder", "no regular file")
        if kind and kind != dicomdirs.NAME and not is_archive:
            yield Entry(name, Source(""), kind=kind)
        else:
            yield _local_entry(path, name, "" if is_archive else kind)


def _unicode(path: Path) -> str:
    """A path with forward slashes, and each byte that is no UTF-8 escaped, so that different names stay different."""
    return os.fsencode(path.as_posix()).decode("utf-8", "backslashreplace")


def _local_entry(path: Path, name: str, kind: str = "") -> Entry:
    location = locations.location_of(path)
    try:
        return _remote_entry(location, name, sources.stored(location), kind)
    except MissingSourceError:
        return Entry(name, Source(location), kind=kind)  # a link that leads nowhere, or a file that was removed just now


def _remote_entry(location: str, name: str, stored: Stored, kind: str = "") -> Entry:
    return Entry(name, Source(location, size=stored.size, etag=stored.etag), stored.modified, kind)


def _of_table(text: str) -> Iterator[Entry]:
    for row in asking.completed(url_tables.rows_of(text)):
        yield Entry(row.name, row.source, row.modified, unanswered=row.problem)


def _of_store(url: str) -> Iterator[Entry]:
    found = False
    with _there(url):
        for name, stored in sources.objects_below(url):
            found = True
            yield _remote_entry(f"{url.rstrip('/')}/{name}", name, stored, kind_by_name(name))
        if not found:
            yield _remote_entry(url, url.rpartition("/")[2], sources.stored(url))


@contextmanager
def _there(url: str) -> Iterator[None]:
    """Name the place that a user gave where nothing lies there: the advice for a file of a manifest does not fit."""
    try:
        yield
    except MissingSourceError as error:
        raise ArchiveError(
            f"nothing lies at '{locations.shown(url)}'; check the name of the bucket or server, and the rest"
        ) from error
