"""The noun `Listing`: the radiographs below a folder, and by kind what else lies there."""

import os
import stat
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pneumoscope.radiograph.dicom_prefix import looks_like_dicom
from pneumoscope.radiograph.pictures import JPEG_PREFIX, PNG_PREFIX

SUFFIXES = frozenset({".dcm", ".dic", ".dicom", ".jfif", ".jpe", ".jpeg", ".jpg", ".png"})
"""Suffixes by which a file of any content counts as a radiograph, so that a damaged one is reported."""
_KINDS = (
    (b"II*\0", "TIFF"), (b"MM\0*", "TIFF"), (b"GIF8", "GIF"), (b"BM", "BMP"), (b"%PDF", "PDF"), (b"PK\x03\x04", "zip archive"),
    (b"\x1f\x8b", "gzip archive"), (b"\0\0\0\x0cjP  ", "JPEG 2000"), (b"RIFF", "RIFF"), (b"<?xml", "XML"), (b"<html", "HTML"),
    (b"\x93NUMPY", "NumPy array"), (b"PAR1", "Parquet"),
)  # fmt: skip
_NAMES = {
    ".gz": "gzip archive", ".7z": "7z archive", ".rar": "RAR archive",
    ".csv": "CSV", ".tsv": "TSV", ".txt": "text", ".md": "text", ".json": "JSON", ".jsonl": "JSON", ".xml": "XML",
    ".nii": "NIfTI", ".html": "HTML", ".htm": "HTML", ".pdf": "PDF", ".doc": "document", ".docx": "document", ".ini": "text",
    ".inf": "text", ".exe": "program", ".dll": "program", ".parquet": "Parquet", ".xlsx": "spreadsheet", ".py": "program",
    ".npy": "NumPy array",
}  # fmt: skip
_HEAD_BYTES = 140
UNLISTED = "folder that could not be listed"
"""Kind of a folder whose content could not be listed."""


@dataclass(frozen=True)
class Listing:
    """Files below a folder.

    Parameters
    ----------
    files : tuple of Path
        Files that are taken for radiographs, in the order of their folders and names.
    left_out : mapping of str to int
        Number of other files by kind, such as ``CSV`` or ``hidden``, most frequent first.
    unlisted : int
        Number of folders whose content could not be listed.
    """

    files: tuple[Path, ...]
    left_out: Mapping[str, int]
    unlisted: int

    def __str__(self) -> str:
        """What was left out, in one line; empty where nothing was."""
        parts = [f"{count} {kind}" for kind, count in self.left_out.items()]
        if self.unlisted:
            parts.append(f"{self.unlisted} folder(s) that could not be listed")
        return f"left out: {', '.join(parts)}" if parts else ""


def list_folder(folder: Path, without: Collection[Path] = ()) -> Listing:
    """List the radiographs below a folder, by content or by suffix, and count the other files.

    A file counts as a radiograph if it begins as PNG, JPEG or DICOM does (with or without preamble), or has one of the
    `SUFFIXES`. The directory of a DICOM medium (PS3.10 8.6) holds no image. Linked folders are followed, each folder once;
    hidden files and folders, and `without`, are left out.

    Parameters
    ----------
    folder : Path
        The folder.
    without : collection of Path
        Resolved folders that are passed over, and not counted.

    Returns
    -------
    Listing
        Files and counts.
    """
    left_out: Counter[str] = Counter()
    files: list[Path] = []
    for file, kind in walk_folder(folder, without):
        if kind:
            left_out[kind] += 1
        else:
            files.append(file)
    unlisted = left_out.pop(UNLISTED, 0)
    by_count = sorted(left_out.items(), key=lambda kind_count: (-kind_count[1], kind_count[0]))
    return Listing(tuple(files), dict(by_count), unlisted)


def _searched(_: Path) -> str:
    return ""


def walk_folder(
    folder: Path, without: Collection[Path] = (), kind_of_folder: Callable[[Path], str] = _searched
) -> Iterator[tuple[Path, str]]:
    """Walk the files below a folder as `list_folder` does, one by one.

    Parameters
    ----------
    folder : Path
        The folder.
    without : collection of Path
        Resolved folders that are passed over, and not counted.
    kind_of_folder : callable
        Tells of a folder below what it is instead of one to search, in a few words; empty for one to search, as all are by
        default.

    Yields
    ------
    tuple of Path and str
        A file, and what kind of file it is instead of a radiograph: empty for a radiograph. A folder that is hidden, that
        `kind_of_folder` names, or whose content could not be listed (`UNLISTED`), comes with its kind too.
    """
    seen = {_real(folder), *without}
    unlisted: list[OSError] = []
    for root, folders, names in os.walk(folder, followlinks=True, onerror=unlisted.append):
        here, entered = Path(root), []
        for name in sorted(folders):
            real = _real(here / name)
            if name.startswith(".") or name == "__MACOSX":
                yield here / name, "hidden folder"
            elif real not in seen:
                seen.add(real)
                if kind := kind_of_folder(here / name):
                    yield here / name, kind
                else:
                    entered.append(name)
        folders[:] = entered
        for name in sorted(names):
            yield here / name, _kind(here / name)
    for error in unlisted:
        yield Path(error.filename or folder), UNLISTED


def kind_by_name(name: str) -> str:
    """Tell by its name alone what kind of file is no radiograph, for stores in which opening every file costs too much.

    Parameters
    ----------
    name : str
        Name of the file, with forward slashes.

    Returns
    -------
    str
        Such as ``CSV``, ``hidden`` or ``DICOMDIR``; empty for a radiograph, and for a name that tells nothing, such as a UID.
    """
    parts = name.split("/")
    if any(part.startswith(".") or part == "__MACOSX" for part in parts[:-1]):
        return "hidden folder"
    if parts[-1].startswith("."):
        return "hidden"
    if parts[-1].upper() == "DICOMDIR":
        return "DICOMDIR"
    return _NAMES.get(Path(parts[-1]).suffix.lower(), "")


def _real(path: Path) -> Path:
    """The path without links; unlike `Path.resolve`, of a link to itself too."""
    return Path(os.path.realpath(path))


def _kind(file: Path) -> str:
    """What kind of file is left out; empty for a radiograph."""
    if file.name.startswith("."):
        return "hidden"
    if file.name == "DICOMDIR":
        return "DICOMDIR"
    suffix = file.suffix.lower()
    try:
        if not stat.S_ISREG(file.stat().st_mode):
            return "" if suffix in SUFFIXES else "no regular file"
        if suffix in SUFFIXES:
            return ""
        with file.open("rb") as stream:
            head = stream.read(_HEAD_BYTES)
    except OSError:
        return "" if suffix in SUFFIXES else "unreadable"
    if head.startswith((PNG_PREFIX, JPEG_PREFIX)) or looks_like_dicom(head):
        return ""
    if not head:
        return "empty"
    return next((kind for prefix, kind in _KINDS if head.startswith(prefix)), _NAMES.get(suffix, "other"))
