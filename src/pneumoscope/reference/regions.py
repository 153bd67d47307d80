"""The noun `ReferenceRegions`: where radiologists saw an opacity, on the grid of each radiograph.

Coordinates are those of `pneumoscope.radiograph.Region`: pixel (r, c) covers [r, r + 1) × [c, c + 1).
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from scipy import ndimage

from pneumoscope.cohort import Case, Cohort
from pneumoscope.cohort.row_filter import RowFilter
from pneumoscope.radiograph import Region
from pneumoscope.reference.annotation import Annotation, Mask, Outline, RunLengths, SegmentFrames
from pneumoscope.reference.box_space import BoxSpace
from pneumoscope.reference.box_tables import LABEL_COLUMNS
from pneumoscope.reference.errors import RegionsError
from pneumoscope.reference.grid_size import grid_size
from pneumoscope.reference.json_files import CATEGORY
from pneumoscope.reference.lesions import LesionRule, merge
from pneumoscope.reference.mask_files import decoded, painted
from pneumoscope.reference.rasterization import ASPECT_TOLERANCE, Grid, box_on_grid, filled, fitted
from pneumoscope.reference.seg_files import segmented
from pneumoscope.reference.sources import annotations_of

Consensus = Literal["union", "majority", "intersection"]
"""Which pixels count where several read one radiograph: drawn by anyone, by strictly more than half, by all."""
MIN_PART_SHARE = 0.0005
"""Share of the radiograph below which a part of a mask is a slip of the brush and gets no box."""
_ENOUGH_BOXES = 10
_USED_EXTENT = 0.6
"""Lungs reach beyond this share of a frontal radiograph's width and height: so do ten boxes of opacities, in the right space."""


@dataclass(frozen=True, eq=False)
class ReferenceRegions:
    """What radiologists drew on one radiograph, on its own grid.

    Attributes
    ----------
    mask
        bool (rows, cols): the pixels that the consensus keeps, true somewhere.
    boxes
        One `Region` a lesion, in pixels: the drawn boxes under the rule for lesions (`pneumoscope.reference.lesions.merge`); for
        masks, and under any consensus but the union, the rectangles around the connected parts (8 neighbours) of `mask`,
        without parts under 0.05 % of the image.
    readers
        Who read the radiograph, sorted, with those who drew nothing on it; one without a name is ``""``.
    """

    mask: Mask
    boxes: tuple[Region, ...]
    readers: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class ReferenceSet(Mapping[str, ReferenceRegions]):
    """The reference regions of the cases of a cohort, drawn when they are asked for.

    A mapping from the path of a case to its `ReferenceRegions`; a case on which nothing is drawn, or nothing that the consensus
    keeps, has no key. Only annotations stay in memory, no mask.

    Attributes
    ----------
    source
        Where the annotations were read from.
    files
        The file of each annotated case, by path.
    annotations
        The annotations of each annotated case, by path.
    grids
        (rows, cols) of each annotated case's file, in pixels.
    consensus, lesions
        The rules for several readers.
    spaces
        How many images have boxes in which stated space, by a text for people.
    """

    source: Path
    files: Mapping[str, Path]
    annotations: Mapping[str, tuple[Annotation, ...]]
    grids: Mapping[str, Grid]
    consensus: Consensus
    lesions: LesionRule
    spaces: Mapping[str, int]

    def __getitem__(self, path: str) -> ReferenceRegions:
        regions = self.drawn(path, self.grids[path])
        if regions is None:
            raise KeyError(path)
        return regions

    @cached_property
    def _paths(self) -> tuple[str, ...]:
        if self.consensus == "union" and all(isinstance(one.content, Outline) for one in self._drawn_annotations()):
            return tuple(path for path in self.grids if any(one.content for one in self.annotations[path]))
        return tuple(path for path in self.grids if self.drawn(path, self.grids[path]) is not None)

    def __iter__(self) -> Iterator[str]:
        return iter(self._paths)

    def __len__(self) -> int:
        return len(self._paths)

    def drawn(self, path: str, grid: Grid) -> ReferenceRegions | None:
        """Draw the annotations of a case on the grid of its radiograph.

        Parameters
        ----------
        path
            Path of the case.
        grid
            Size of its radiograph, (rows, cols) in pixels.

        Returns
        -------
        ReferenceRegions or None
            ``None`` if nothing is drawn on the case, or nothing that the consensus keeps.

        Raises
        ------
        RegionsError
            If a mask is damaged or of another aspect ratio, or an annotation covers no pixel.
        """
        annotations = self.annotations.get(path, ())
        by_reader = {one.reader: np.zeros(grid, bool) for one in annotations}
        boxes: list[tuple[str, Region]] = []
        for one in annotations:
            if isinstance(one.content, Outline):
                boxes.append((one.reader, box_on_grid(one.content, grid, one.where)))
                by_reader[one.reader] |= filled(one.content, grid, one.where)
            elif (mask := _mask(one)) is not None and mask.any():
                by_reader[one.reader] |= fitted(mask, grid, one.where)
        agreed = _agreed(list(by_reader.values()), self.consensus) if by_reader else np.zeros(grid, bool)
        if not agreed.any():
            return None
        regions = merge(boxes, self.lesions) if boxes and self.consensus == "union" else _parts(agreed)
        return ReferenceRegions(agreed, regions, tuple(sorted(by_reader)))

    def _drawn_annotations(self) -> list[Annotation]:
        return [one for annotations in self.annotations.values() for one in annotations if one.content is not None]

    def summary(self) -> tuple[str, ...]:
        """Say in a few lines what was read and what was assumed.

        Returns
        -------
        tuple of str
            Lines for a person: annotations, images, readers, classes, the space of the coordinates, and lesions.
        """
        drawn = self._drawn_annotations()
        readers = sorted({one.reader for annotations in self.annotations.values() for one in annotations} - {""})
        classes = Counter(one.label or "no class" for one in drawn)
        lines = [
            f"reference regions: {len(drawn)} annotations on {len(self.annotations)} images",
            f"  readers: {len(readers) or 'not named'}",
            "  classes: " + ", ".join(f"{label} {count}" for label, count in classes.most_common()),
        ]
        lines += [f"  coordinates refer to {space}: {count} images" for space, count in self.spaces.items()]
        outlines = [one for one in drawn if isinstance(one.content, Outline)]
        if outlines and self.consensus == "union":
            lesions = sum(len(merge(self._boxes(path), self.lesions)) for path in self.grids)
            lines.append(f"  lesions: {lesions} from {len(outlines)} boxes ({self.lesions})")
        return tuple(lines)

    def _boxes(self, path: str) -> list[tuple[str, Region]]:
        grid = self.grids[path]
        return [
            (one.reader, box_on_grid(one.content, grid, one.where))
            for one in self.annotations[path]
            if isinstance(one.content, Outline)
        ]


def read(
    source: Path,
    cohort: Cohort,
    cases: Sequence[Case],
    *,
    only: RowFilter | None = None,
    consensus: Consensus = "union",
    box_space: BoxSpace | None = None,
    lesions: LesionRule = "merged",
) -> ReferenceSet:
    """Read the reference regions of cases.

    Annotations are matched with the whole cohort, so that one belongs to the same case whichever cases are asked for. Files are
    opened for their size alone.

    Parameters
    ----------
    source
        A CSV of boxes (RSNA, NIH, VinDr-CXR, MS-CXR, SIIM-FISABIO-RSNA COVID-19 or our own columns), COCO JSON, CheXlocalize
        JSON, a folder of mask PNGs, a DICOM SEG file or a folder of them.
    cohort
        The cohort that the cases belong to.
    cases
        The cases to read.
    only
        The rows (by column), or the annotations of JSON (by ``category`` and ``reader``), to take; all if ``None``.
    consensus
        Which pixels count where several readers read one radiograph.
    box_space
        The pixel grid that the coordinates of a table refer to, needed unless its columns state the size of each image.
    lesions
        How boxes of several readers become lesions.

    Returns
    -------
    ReferenceSet
        In the order of `cases`.

    Raises
    ------
    RegionsError
        If the source is of no known layout or damaged, an image may be one of several, no annotation belongs to the cohort,
        several classes are annotated and none is chosen, or boxes do not fit their space.
    UnreadableFileError
        If the header of an annotated radiograph cannot be read.
    """
    if consensus not in get_args(Consensus):
        raise RegionsError(f"a consensus is one of {', '.join(get_args(Consensus))}; '{consensus}' is none of them")
    paths = tuple(dict.fromkeys(case.path for case in (*cohort.cases, *cases)))
    annotations = annotations_of(source, cohort.root, paths, only or RowFilter(), box_space)
    drawn = [one for one in annotations if one.content is not None]
    if drawn and not any(one.cases for one in annotations):
        raise RegionsError(
            f"none of the {len(annotations)} annotations of '{source}' belongs to one of the cohort's {len(paths)} radiographs; "
            "give the annotations of this cohort, with images called as its files are"
        )
    if not (only and set(only.accepted) & {*LABEL_COLUMNS, CATEGORY}):
        _one_class(drawn, source)
    of_case: dict[str, list[Annotation]] = defaultdict(list)
    for one in annotations:
        for path in one.cases:
            of_case[path].append(one)
    asked = {case.path: cohort.file(case) for case in cases if any(one.content is not None for one in of_case[case.path])}
    grids = {path: grid_size(file) for path, file in asked.items()}
    kept = {path: tuple(of_case[path]) for path in asked}
    _boxes_fit(kept, grids, box_space, source)
    return ReferenceSet(source, asked, kept, grids, consensus, lesions, _spaces(kept, grids))


def _one_class(drawn: Sequence[Annotation], source: Path) -> None:
    labels = Counter(one.label for one in drawn if one.label)
    if len(labels) > 1:
        counts = ", ".join(f"{label} {count}" for label, count in labels.most_common())
        raise RegionsError(
            f"'{source}' has regions of {len(labels)} classes ({counts}); choose those that are the target's with --only, "
            "once for each"
        )


def _spaces(annotations: Mapping[str, Sequence[Annotation]], grids: Mapping[str, Grid]) -> dict[str, int]:
    spaces: Counter[str] = Counter()
    for path, several in annotations.items():
        for size in {one.content.space for one in several if isinstance(one.content, Outline)}:
            rows, cols = grids[path]
            squashed = size is not None and abs(size[1] * cols / (size[0] * rows) - 1) > ASPECT_TOLERANCE
            stated = BoxSpace() if size is None else BoxSpace(*size)
            spaces[f"{stated}{', another aspect ratio than the file, so each axis is scaled apart' if squashed else ''}"] += 1
    return dict(spaces.most_common())


def _boxes_fit(
    annotations: Mapping[str, Sequence[Annotation]], grids: Mapping[str, Grid], space: BoxSpace | None, source: Path
) -> None:
    """Refuse a stated space that the boxes, or the files, contradict."""
    far_edges = []
    for path, several in annotations.items():
        rows, cols = grids[path]
        for one in several:
            if not isinstance(one.content, Outline):
                continue
            region = box_on_grid(one.content, grids[path], one.where)
            far_edges.append((region.right / cols, region.bottom / rows))
            stated = space.size if space else None
            if stated and abs(stated[1] * cols / (stated[0] * rows) - 1) > ASPECT_TOLERANCE:
                raise RegionsError(
                    f"the space {space} has another aspect ratio than the file of {one.where}, {cols} × {rows}; "
                    "state the size of each image in columns image_width and image_height"
                )
    if len(far_edges) < _ENOUGH_BOXES:
        return
    across, down = np.max(far_edges, axis=0).tolist()
    if max(across, down) < _USED_EXTENT:
        raise RegionsError(
            f"all {len(far_edges)} boxes of '{source}' end within the first {across:.0%} of the width and {down:.0%} of the "
            "height of their images, as boxes of a smaller grid do; state the grid that they refer to with --box-space"
        )


def _mask(annotation: Annotation) -> Mask | None:
    match annotation.content:
        case SegmentFrames():
            return segmented(annotation.content, annotation.where)
        case RunLengths():
            return decoded(annotation.content, annotation.where)
        case Path():
            return painted(annotation.content, annotation.where)
        case _:
            return None


def _agreed(masks: Sequence[Mask], consensus: Consensus) -> Mask:
    votes = np.sum(masks, axis=0, dtype=np.intp)
    least = {"union": 1, "majority": len(masks) // 2 + 1, "intersection": len(masks)}[consensus]
    return np.asarray(votes >= least)


def _parts(mask: Mask) -> tuple[Region, ...]:
    """The rectangles around the connected parts (8 neighbours) of a mask that are not too small to be meant."""
    labels, _ = ndimage.label(mask, np.ones((3, 3)))
    areas = np.bincount(labels.ravel())[1:]
    return tuple(
        Region(float(rows.start), float(cols.start), float(rows.stop), float(cols.stop))
        for area, (rows, cols) in zip(areas, ndimage.find_objects(labels), strict=True)
        if area >= MIN_PART_SHARE * mask.size
    )
