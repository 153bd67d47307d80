"""List the files that files, folders and patterns stand for."""

import glob
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pneumoscope.archive.errors import ArchiveError
from pneumoscope.radiograph.listing import Listing, list_folder

OVERLAYS = "overlays"
"""Folder of the overlays in the output folder; they are PNG files, but not radiographs."""
MAPS = "maps"
"""Folder of the heat maps in the output folder."""
OBJECTS = "objects"
"""Folder of further files in the output folder, such as DICOM objects, which are no radiographs to read."""


@dataclass(frozen=True)
class Item:
    """A file to read.

    Parameters
    ----------
    name : str
        Its name in every output: relative, with forward slashes.
    file : Path
        Where it lies.
    """

    name: str
    file: Path


@dataclass(frozen=True)
class Manifest:
    """The files to read, and the number of other files by kind.

    Parameters
    ----------
    items : tuple of Item
        The files, in order.
    left_out : mapping of str to int
        Number of other files in the folders that were searched, by kind.
    unlisted : int
        Number of folders whose content could not be listed.
    """

    items: tuple[Item, ...]
    left_out: Mapping[str, int]
    unlisted: int

    def __str__(self) -> str:
        """What was left out, in one line; empty where nothing was."""
        return str(Listing((), self.left_out, self.unlisted))


def find(inputs: Sequence[str], out: Path) -> Manifest:
    """List the files of FILE, FOLDER and GLOB arguments in order, each once.

    Parameters
    ----------
    inputs : sequence of str
        Files, folders (searched with all folders below) and glob patterns.
    out : Path
        The output folder; nothing that an earlier run left in it is listed.

    Returns
    -------
    Manifest
        Names are relative to the folder given; those of single files, also of a pattern, to the folder that they have in common.

    Raises
    ------
    ArchiveError
        An input is no file, no folder and no pattern that matches one; nothing was found; or two files would have one name.
    """
    out = _real(out)
    files: list[Path] = []
    items: list[Item] = []
    left_out: Counter[str] = Counter()
    unlisted = 0
    for text in inputs:
        path = Path(text)
        if path.is_dir():
            listing = list_folder(path, {out, out / OVERLAYS, out / MAPS, out / OBJECTS})
            items += [Item(_name(f.relative_to(path)), f) for f in listing.files]
            left_out.update(listing.left_out)
            unlisted += listing.unlisted
        elif path.exists():
            files.append(path)
        else:
            matches = [Path(m) for m in sorted(glob.glob(text, recursive=True))]  # noqa: PTH207 - the pattern may be absolute
            if not matches:
                raise ArchiveError(f"'{text}' is no file, no folder, and no pattern that matches one")
            files += [m for m in matches if m.is_file()]
    items += _named([f for f in files if not {out / OVERLAYS, out / OBJECTS} & {*_real(f).parents}])
    if not items:
        counts = str(Listing((), dict(left_out.most_common()), unlisted))
        raise ArchiveError(f"no radiograph lies below {', '.join(inputs)}" + (f" ({counts})" if counts else ""))
    return Manifest(tuple(_unique(items)), dict(left_out.most_common()), unlisted)


def _real(path: Path) -> Path:
    """The path without links; unlike `Path.resolve`, of a link to itself too."""
    return Path(os.path.realpath(path))


def _named(files: Sequence[Path]) -> list[Item]:
    if not files:
        return []
    absolute = [Path(os.path.normpath(f.absolute())) for f in files]
    common = Path(os.path.commonpath([f.parent for f in absolute]))
    return [Item(_name(whole.relative_to(common)), f) for whole, f in zip(absolute, files, strict=True)]


def _name(path: Path) -> str:
    """With forward slashes, and Unicode also where the file system holds other bytes."""
    return os.fsencode(path.as_posix()).decode("utf-8", "replace")


def _unique(items: Iterable[Item]) -> Iterator[Item]:
    seen: dict[str, Path] = {}
    for item in items:
        file = _real(item.file)
        if item.name not in seen:
            seen[item.name] = file
            yield item
        elif seen[item.name] != file:
            raise ArchiveError(f"two inputs would both be called '{item.name}'; read their folders one at a time")
