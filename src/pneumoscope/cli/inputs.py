"""Which files a user means by files, folders and patterns."""

import glob
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from pneumoscope.radiograph.files import SUFFIXES


@dataclass(frozen=True)
class Item:
    """A file to read, and its name in every output: relative, with forward slashes."""

    name: str
    file: Path


def find(inputs: Sequence[str], out: Path) -> list[Item]:
    """List the files of FILE, FOLDER and GLOB arguments in order, each once; nothing below `out`.

    Names are relative to the folder given; single files (also those of a pattern) to the folder that they have in common.
    """
    files: list[Path] = []
    items: list[Item] = []
    for text in inputs:
        path = Path(text)
        if path.is_dir():
            items += [Item(f.relative_to(path).as_posix(), f) for f in _below(path, out.resolve())]
        elif path.exists():
            files.append(path)
        else:
            matches = [Path(m) for m in sorted(glob.glob(text, recursive=True))]  # noqa: PTH207 - the pattern may be absolute
            if not matches:
                raise click.UsageError(f"'{text}' is no file, no folder, and no pattern that matches one")
            files += [m for m in matches if m.is_file()]
    items += _named(files)
    return list(_unique(items))


def _below(folder: Path, out: Path) -> Iterator[Path]:
    for root, folders, names in os.walk(folder):
        here = Path(root)
        folders[:] = sorted(f for f in folders if not f.startswith(".") and (here / f).resolve() != out)
        for name in sorted(names):
            file = here / name
            if not name.startswith(".") and (file.suffix.lower() in SUFFIXES or _has_dicom_prefix(file)):
                yield file


def _has_dicom_prefix(file: Path) -> bool:
    """DICOM files often have no suffix, or the end of a UID for one."""
    try:
        with file.open("rb") as stream:
            return stream.read(132)[128:] == b"DICM"
    except OSError:
        return False


def _named(files: Sequence[Path]) -> list[Item]:
    if not files:
        return []
    common = Path(os.path.commonpath([f.absolute().parent for f in files]))
    return [Item(f.absolute().relative_to(common).as_posix(), f) for f in files]


def _unique(items: Iterable[Item]) -> Iterator[Item]:
    seen: dict[str, Path] = {}
    for item in items:
        file = item.file.resolve()
        if item.name not in seen:
            seen[item.name] = file
            yield item
        elif seen[item.name] != file:
            raise click.UsageError(f"two inputs would both be called '{item.name}'; read their folders one at a time")
