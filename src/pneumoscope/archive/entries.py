"""List the files that paths, folders, URLs and prefixes of object stores stand for, one by one, in flat memory."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from pneumoscope.archive import locations, sources
from pneumoscope.archive.errors import ArchiveError
from pneumoscope.archive.sources import Source
from pneumoscope.radiograph.listing import kind_by_name, walk_folder


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
    """

    name: str
    source: Source
    modified: float | None = None
    kind: str = ""


def entries_of(text: str, without: frozenset[Path] = frozenset()) -> Iterator[Entry]:
    """List the files of one source.

    Parameters
    ----------
    text : str
        A path or URL of a file, or of a folder or prefix, which is searched with all folders below.
    without : set of Path
        Resolved folders that are passed over.

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
    if path is not None:
        yield from _of_folder(path, without) if path.is_dir() else _of_file(path)
    else:
        yield from _of_url(text)


def _of_file(path: Path) -> Iterator[Entry]:
    if not path.exists():
        raise ArchiveError(f"'{path}' is no file and no folder; check the path")
    yield _local_entry(path, path.name)


def _of_folder(folder: Path, without: frozenset[Path]) -> Iterator[Entry]:
    for path, kind in walk_folder(folder, without):
        name = os.fsencode(path.relative_to(folder).as_posix()).decode("utf-8", "replace")
        yield Entry(name, Source(""), kind=kind) if kind else _local_entry(path, name)


def _local_entry(path: Path, name: str) -> Entry:
    location = locations.location_of(path)
    stored = sources.stored(location)
    return Entry(name, Source(location, size=stored.size, etag=stored.etag), stored.modified)


def _of_url(url: str) -> Iterator[Entry]:
    with sources.failures(url):
        fs, root = sources.file_system(url)
        scheme = url.partition("://")[0]
        fs.invalidate_cache()
        found: Iterator[tuple[str, dict[str, Any]]]
        if fs.isfile(root):
            found = iter({root: fs.info(root)}.items())
            start = len(root) - len(PurePosixPath(root).name)
        else:
            found = _found(fs, root)
            start = len(root.rstrip("/")) + 1
        for path, details in found:
            stored = sources.stored_of(details)
            source = Source(f"{scheme}://{path}", size=stored.size, etag=stored.etag)
            yield Entry(path[start:], source, stored.modified, kind_by_name(path[start:]))


def _found(fs: Any, root: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Walk a prefix folder by folder, so that no more than one of them is held."""
    for folder, _, files in fs.walk(root, detail=True):
        for name, details in files.items():
            yield f"{folder}/{name}", details
