"""The noun `Annotation`: one entry of a source of reference regions, before it lies on the grid of a radiograph."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from pneumoscope.reference.errors import RegionsError

Mask = NDArray[np.bool_]
KINDS = "a CSV of boxes, COCO JSON, CheXlocalize JSON, a folder of mask PNGs, or DICOM SEG"
Corners = tuple[float, float, float, float]


@dataclass(frozen=True, eq=False)
class Outline:
    """A box and the polygons that fill it.

    Attributes
    ----------
    box
        (left, top, right, bottom) in pixels of `space`.
    space
        (width, height) of the grid that the coordinates refer to, in pixels; ``None`` for the grid of the image file.
    polygons
        Each of shape (n, 2), x before y, in pixels of `space`; the box itself is filled where there is none.
    """

    box: Corners
    space: tuple[float, float] | None
    polygons: tuple[NDArray[np.float64], ...] = ()


@dataclass(frozen=True)
class SegmentFrames:
    """Frames of a DICOM SEG file.

    Attributes
    ----------
    file
        The SEG file.
    numbers
        Frame numbers, from 0.
    """

    file: Path
    numbers: tuple[int, ...]


@dataclass(frozen=True)
class RunLengths:
    """A run-length encoded mask, as COCO defines it.

    Attributes
    ----------
    rows, cols
        Size of the mask in pixels.
    counts
        Run lengths in column-major order: compressed text, or whole numbers.
    """

    rows: int
    cols: int
    counts: str | tuple[int, ...]


Content = Outline | SegmentFrames | RunLengths | Path
"""What an annotation holds: coordinates, or where its mask is (a `Path` is a mask PNG)."""


@dataclass(frozen=True, eq=False)
class Annotation:
    """One entry of a source of reference regions.

    Attributes
    ----------
    where
        The place of the entry in its source, for messages: file names may identify patients.
    reader
        Who drew it; empty where the source does not name readers.
    cases
        Paths of the cases that the entry belongs to; empty if it belongs to no case of the cohort.
    content
        What was drawn; ``None`` states that the reader saw the image and drew nothing.
    label
        The class that the source gives the region; empty where it gives none.
    """

    where: str
    reader: str
    cases: tuple[str, ...]
    content: Content | None
    label: str = ""


class CaseNames:
    """Find the case that a source means by an image's name: its path, file name, path without suffix, or stem.

    Parameters
    ----------
    paths
        The paths of all cases of the cohort.
    """

    def __init__(self, paths: Iterable[str]) -> None:
        self._by: tuple[dict[str, set[str]], ...] = tuple(defaultdict(set) for _ in range(4))
        for path in paths:
            pure = PurePosixPath(path)
            for by, key in zip(self._by, (path, pure.name, str(pure.with_suffix("")), pure.stem), strict=True):
                by[key].add(path)

    def find(self, names: Sequence[PurePosixPath], where: str, *, from_root: bool) -> tuple[str, ...]:
        """Return the path of the one case that is meant.

        Parameters
        ----------
        names
            Candidate names, in order of preference.
        where
            The place of the entry in its source, for the message.
        from_root
            Whether the names are paths from the cohort's root, apart from the suffix.

        Returns
        -------
        tuple of str
            One path, or nothing if no case has such a name.

        Raises
        ------
        RegionsError
            If the name may mean one of several cases.
        """
        paths, file_names, trunks, stems = self._by
        stages = [(paths, True), (file_names, False), *([(trunks, True)] if from_root else []), (stems, False)]
        for by, whole in stages:
            for name in names:
                matches = by.get(str(name) if whole else name.name, set())
                if len(matches) > 1:
                    raise RegionsError(
                        f"{where} may belong to any of {len(matches)} radiographs of one file name or stem; "
                        "name the image by its path in the cohort"
                    )
                if matches:
                    return tuple(matches)
        return ()

    def named(self, name: str, where: str) -> tuple[str, ...]:
        """Return the path of the case that a table's cell names, with or without its suffix.

        Parameters
        ----------
        name
            The cell: a path, a file name or an identifier, which may itself contain dots.
        where
            The place of the entry in its source, for the message.

        Returns
        -------
        tuple of str
            One path, or nothing if no case has such a name.

        Raises
        ------
        RegionsError
            If the name may mean one of several cases.
        """
        pure = PurePosixPath(name.strip().replace("\\", "/"))
        names = (pure, pure.with_suffix("")) if pure.name else (pure,)
        return self.find(names, where, from_root=len(pure.parts) > 1)
