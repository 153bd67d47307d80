"""List the files that files, folders and patterns stand for."""

import glob
import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pneumoscope.archive.errors import ArchiveError
from pneumoscope.archive.items import Item, Items
from pneumoscope.radiograph.listing import UNLISTED, Listing, walk_folder

OVERLAYS = "overlays"
"""Folder of the overlays in the output folder; they are PNG files, but not radiographs."""
MAPS = "maps"
"""Folder of the heat maps in the output folder."""
OBJECTS = "objects"
"""Folder of further files in the output folder, such as DICOM objects, which are no radiographs to read."""
LINES_NAME = "readings.jsonl"
RUN_NAME = "run.json"
"""Model and options of the lines in a folder."""
EARLIER_RESULTS = "folder of earlier results"
"""Kind of a folder that is left out, since ``pneumoscope read`` has written it."""
_MOST_RECORD_BYTES = 2**20


@dataclass(frozen=True)
class Manifest:
    """The files to read, and the number of other files by kind.

    Parameters
    ----------
    items : Items
        The files, in order.
    left_out : mapping of str to int
        Number of other files in the folders that were searched, by kind.
    unlisted : int
        Number of folders whose content could not be listed.
    """

    items: Items
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
    left_out: Counter[str] = Counter()
    items = Items(_found(inputs, _real(out), left_out))
    unlisted = left_out.pop(UNLISTED, 0)
    by_count = dict(sorted(left_out.items(), key=lambda kind_count: (-kind_count[1], kind_count[0])))
    if not items:
        counts = str(Listing((), by_count, unlisted))
        raise ArchiveError(f"no radiograph lies below {', '.join(inputs)}" + (f" ({counts})" if counts else ""))
    return Manifest(_unique(items), by_count, unlisted)


def kind_of_folder(folder: Path) -> str:
    """Tell whether a folder holds overlays, heat maps or further files of an earlier run, which are no radiographs to read.

    Parameters
    ----------
    folder : Path
        Any folder below one that is searched.

    Returns
    -------
    str
        `EARLIER_RESULTS` for one of their names next to the lines and the record of a run, else empty: it is to be searched.
    """
    return EARLIER_RESULTS if folder.name in {OVERLAYS, MAPS, OBJECTS} and _holds_run(folder.parent) else ""


def _holds_run(folder: Path) -> bool:
    """Whether a folder holds the lines of a run, of this or an earlier version, and its record."""
    record = folder / RUN_NAME
    try:
        if not (folder / LINES_NAME).is_file() or not record.is_file() or record.stat().st_size > _MOST_RECORD_BYTES:
            return False
        run = json.loads(record.read_bytes())
    except (OSError, ValueError, RecursionError):
        return False
    model = run.get("model") if isinstance(run, dict) else None
    return isinstance(model, dict) and "sha256" in model and "options" in run


def _found(inputs: Sequence[str], out: Path, left_out: Counter[str]) -> Iterator[Item]:
    """The files of each folder as it is walked, then the single files; other files are counted."""
    files: list[Path] = []
    for text in inputs:
        path = Path(text)
        if path.is_dir():
            for file, kind in walk_folder(path, {out, out / OVERLAYS, out / MAPS, out / OBJECTS}, kind_of_folder):
                if kind:
                    left_out[kind] += 1
                else:
                    yield Item(_name(file.relative_to(path)), file)
        elif path.exists():
            files.append(path)
        else:
            matches = [Path(m) for m in sorted(glob.glob(text, recursive=True))]  # noqa: PTH207 - the pattern may be absolute
            if not matches:
                raise ArchiveError(f"'{text}' is no file, no folder, and no pattern that matches one")
            files += [m for m in matches if m.is_file()]
    yield from _named([f for f in files if not {out / OVERLAYS, out / OBJECTS} & {*_real(f).parents}])


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


def _unique(items: Items) -> Items:
    """Each file once; two files of one name are refused."""
    repeated: set[int] = set()
    for first, *others in sorted(items.of_one_name()):
        if any(_real(items[other].file) != _real(items[first].file) for other in others):
            raise ArchiveError(f"two inputs would both be called '{items[first].name}'; read their folders one at a time")
        repeated.update(others)
    return Items(item for k, item in enumerate(items) if k not in repeated) if repeated else items
