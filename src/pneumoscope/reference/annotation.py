"""The noun `Annotation`: one entry of a source of reference regions, before it lies on the grid of a radiograph."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from pneumoscope.evaluation.errors import EvaluationError

Mask = NDArray[np.bool_]
KINDS = "a CSV of boxes, COCO JSON, a folder of mask PNGs, or DICOM SEG"
Four = tuple[float, float, float, float]


@dataclass(frozen=True, eq=False)
class Outline:
    """A box (left, top, right, bottom) and what fills it, in a space of (width, height); None is the file's own pixels.

    Polygons have the shape (n, 2), x before y; without any the box itself is filled.
    """

    box: Four
    space: tuple[float, float] | None
    polygons: tuple[NDArray[np.float64], ...] = ()


@dataclass(frozen=True)
class Frames:
    """Some frames of a SEG file, counted from 0."""

    file: Path
    numbers: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Annotation:
    """One entry of a source.

    `where` names it in errors by its place, because file names may identify patients; `cases` are the paths of those it
    belongs to. A `content` of None says that the reader marked nothing; masks stay in their files until they are drawn.
    """

    where: str
    reader: str
    cases: tuple[str, ...]
    content: Outline | Frames | Path | None


# Which case an image's name means


class Names:
    """Cases by what a source may call them: path, file name, path without suffix, stem, in order of preference."""

    def __init__(self, paths: Iterable[str]) -> None:
        self._by: tuple[dict[str, set[str]], ...] = tuple(defaultdict(set) for _ in range(4))
        for path in paths:
            pure = PurePosixPath(path)
            for by, key in zip(self._by, (path, pure.name, str(pure.with_suffix("")), pure.stem), strict=True):
                by[key].add(path)

    def find(self, names: Sequence[PurePosixPath], where: str, *, from_root: bool) -> tuple[str, ...]:
        """The path of the one case that is meant, or nothing; EvaluationError where it may be one of several.

        `from_root` says that the names are paths from the cohort's root, if only with another suffix.
        """
        paths, file_names, trunks, stems = self._by
        stages = [(paths, True), (file_names, False), *([(trunks, True)] if from_root else []), (stems, False)]
        for by, whole in stages:
            for name in names:
                found = by.get(str(name) if whole else name.name, set())
                if len(found) > 1:
                    raise EvaluationError(
                        f"{where} may belong to any of {len(found)} radiographs of one file name or stem; "
                        "name the image by its path in the cohort"
                    )
                if found:
                    return tuple(found)
        return ()

    def named(self, name: str, where: str) -> tuple[str, ...]:
        """What a table's name means: as given, or without its suffix; an identifier with dots has none."""
        pure = PurePosixPath(name.strip().replace("\\", "/"))
        names = (pure, pure.with_suffix("")) if pure.name else (pure,)
        return self.find(names, where, from_root=len(pure.parts) > 1)


def no_choice(only: Mapping[str, str], source: Path) -> None:
    if only:
        raise EvaluationError(f"rows are chosen by {', '.join(only)}, but '{source}' is no table; choose none, or give a CSV")
