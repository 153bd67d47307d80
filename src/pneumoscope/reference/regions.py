"""The noun `ReferenceRegions`: where radiologists saw an opacity, read from boxes or masks onto each radiograph's own grid.

Read are a CSV of boxes (RSNA's, NIH's or our own), COCO JSON, a folder of mask PNGs, and binary DICOM SEG; which of them a
source is shows in its content. Coordinates are those of `pneumoscope.radiograph.Region`: pixel (r, c) covers
[r, r + 1) × [c, c + 1) and belongs to an outline that has its centre inside.
"""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from pneumoscope import radiograph
from pneumoscope.cohort import Case, Cohort
from pneumoscope.evaluation.errors import EvaluationError
from pneumoscope.radiograph import Region, dicom
from pneumoscope.reference.annotation import KINDS, Annotation, Frames, Mask, Outline, no_choice
from pneumoscope.reference.box_tables import from_text
from pneumoscope.reference.mask_files import from_masks, from_seg, painted, segmented

Consensus = Literal["union", "majority", "intersection"]
"""Which pixels count where several read one radiograph: marked by anyone, by strictly more than half, by all."""

MIN_PART_SHARE = 0.0005
"""Share of the radiograph below which a part of a mask is a slip of the brush and gets no box."""
ASPECT_TOLERANCE = 0.02
"""By how much height over width of a mask may differ from the radiograph's before it shows something else."""


@dataclass(frozen=True, eq=False)
class ReferenceRegions:
    """What radiologists marked on one radiograph, on its own grid.

    Attributes
    ----------
    mask: bool, shape (rows, cols): the consensus, true somewhere.
    boxes: one `Region` per opacity, in pixels: the boxes as drawn, all readers' one after the other; for masks, and under
        any consensus but the union, the rectangles around connected parts (8 neighbours) of the mask, without parts under
        0.05 % of the image.
    readers: who read the radiograph, sorted, also those who marked nothing on it; one without a name is ``""``.
    """

    mask: Mask
    boxes: tuple[Region, ...]
    readers: tuple[str, ...]


def read(
    source: Path, cohort: Cohort, cases: Sequence[Case], *, only: Mapping[str, str] = {}, consensus: Consensus = "union"
) -> Mapping[str, ReferenceRegions]:
    """Read what is marked on the cases, by `Case.path`, in their order.

    A case on which nothing is marked, or nothing that the consensus keeps, has no key. Marks are matched with the whole
    cohort, so that a mark belongs to the same case whichever of them are asked for; only files of cases with a mark are
    decoded, and boxes are scaled to their grid and cut at its edge.

    `only` keeps the rows of a table that have these values in these columns. EvaluationError where the source is of no
    known layout or damaged, where an image cannot be told from others, where no mark belongs to the cohort, or where a mark
    covers no pixel; RadiographError or OSError where a marked radiograph cannot be read.
    """
    if consensus not in get_args(Consensus):
        raise EvaluationError(f"a consensus is one of {', '.join(get_args(Consensus))}; '{consensus}' is none of them")
    paths = tuple(dict.fromkeys(case.path for case in (*cohort.cases, *cases)))
    marks = _marks(source, cohort.root, paths, only)
    if any(mark.content is not None for mark in marks) and not any(mark.cases for mark in marks):
        raise EvaluationError(
            f"none of the {len(marks)} marks of '{source}' belongs to one of the cohort's {len(paths)} radiographs; "
            "give the marks of this cohort, with images called as its files are"
        )
    of_case: dict[str, list[Annotation]] = defaultdict(list)
    for mark in marks:
        for path in mark.cases:
            of_case[path].append(mark)
    found = {case.path: _regions(cohort.file(case), of_case[case.path], consensus) for case in cases if case.path in of_case}
    return {path: regions for path, regions in found.items() if regions is not None}


def _regions(file: Path, marks: Sequence[Annotation], consensus: Consensus) -> ReferenceRegions | None:
    contents = [_load(mark) for mark in marks]
    if all(content is None for content in contents):
        return None
    seen = radiograph.read(file)
    grid = seen.rows, seen.cols
    by_reader = {mark.reader: np.zeros(grid, bool) for mark in marks}
    drawn: list[Region] = []
    for mark, content in zip(marks, contents, strict=True):
        if isinstance(content, Outline):
            drawn.append(_on_grid(content, grid, mark.where))
            by_reader[mark.reader] |= _filled(content, grid, mark.where)
        elif content is not None:
            by_reader[mark.reader] |= _fitted(content, grid, mark.where)
    mask = _agreed(list(by_reader.values()), consensus)
    if not mask.any():
        return None
    boxes = tuple(drawn) if drawn and consensus == "union" else _parts(mask)
    return ReferenceRegions(mask, boxes, tuple(sorted(by_reader)))


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


# From an outline or a mask to the grid of a radiograph


def _scale(outline: Outline, grid: tuple[int, int]) -> NDArray[np.float64]:
    """Pixels of the grid (x, y) per unit of the outline's space."""
    rows, cols = grid
    return np.array([1.0, 1.0]) if outline.space is None else np.array([cols, rows]) / outline.space


def _on_grid(outline: Outline, grid: tuple[int, int], where: str) -> Region:
    """The outline's box, scaled to the grid and cut at its edge; EvaluationError where none of it is left."""
    rows, cols = grid
    scale = _scale(outline, grid)
    (left, top), (right, bottom) = np.clip(np.reshape(outline.box, (2, 2)) * scale, 0, (cols, rows)).tolist()
    if not (right > left and bottom > top):
        raise EvaluationError(
            f"the box of {where} has no area on its radiograph of {rows} × {cols} pixels; correct it, or leave it out"
        )
    return Region(top, left, bottom, right)


def _first_centre(edge: float) -> int:
    """The first pixel whose centre is not before the edge."""
    return math.ceil(edge - 0.5)


def _filled(outline: Outline, grid: tuple[int, int], where: str) -> Mask:
    """The pixels whose centres the outline's polygons hold, or its box where it has none; EvaluationError for no pixel."""
    mask = np.zeros(grid, bool)
    if outline.polygons:
        for points in outline.polygons:
            mask |= _within(points * _scale(outline, grid), grid)
    else:
        box = _on_grid(outline, grid, where)
        mask[_first_centre(box.top) : _first_centre(box.bottom), _first_centre(box.left) : _first_centre(box.right)] = True
    if not mask.any():
        raise EvaluationError(
            f"the mark of {where} covers no pixel of its radiograph of {grid[0]} × {grid[1]} pixels; correct it, or leave it out"
        )
    return mask


def _within(points: NDArray[np.float64], grid: tuple[int, int]) -> Mask:
    """The pixels whose centres lie in a closed polygon of (x, y) points, shape (n, 2), by the even-odd rule.

    Edges are half-open as those of a box are, so that polygons which share an edge share no pixel.
    """
    rows, cols = grid
    crossings = np.zeros((rows, cols + 1), np.intp)
    for start, end in zip(points, np.roll(points, -1, axis=0), strict=True):
        (x0, y0), (x1, y1) = sorted((start.tolist(), end.tolist()), key=lambda point: point[1])
        first, stop = (min(max(_first_centre(y), 0), rows) for y in (y0, y1))
        at = np.arange(first, stop)
        if at.size:
            x = x0 + (at + 0.5 - y0) * (x1 - x0) / (y1 - y0)
            np.add.at(crossings, (at, np.clip(np.ceil(x - 0.5), 0, cols).astype(np.intp)), 1)
    return np.asarray(crossings[:, :cols].cumsum(1) % 2 == 1)


def _fitted(mask: Mask, grid: tuple[int, int], where: str) -> Mask:
    """A mask on the grid of its radiograph, the nearest pixel taken; EvaluationError where it has another shape."""
    rows, cols = mask.shape
    if abs(rows * grid[1] / (cols * grid[0]) - 1) > ASPECT_TOLERANCE:
        raise EvaluationError(
            f"{where} has {rows} × {cols} pixels and its radiograph {grid[0]} × {grid[1]}, which is another aspect ratio; "
            "draw it on the whole radiograph"
        )
    from_row, from_col = (((np.arange(new) + 0.5) * old / new).astype(np.intp) for new, old in zip(grid, mask.shape, strict=True))
    fitted = mask[np.ix_(from_row, from_col)]
    if not fitted.any():
        raise EvaluationError(
            f"{where} marks too little to be seen on its radiograph of {grid[0]} × {grid[1]} pixels; draw it on that grid"
        )
    return fitted


def _load(mark: Annotation) -> Outline | Mask | None:
    """What is marked, a mask on a grid of its own; None for nothing."""
    if mark.content is None or isinstance(mark.content, Outline):
        return mark.content
    mask = segmented(mark.content, mark.where) if isinstance(mark.content, Frames) else painted(mark.content, mark.where)
    return mask if mask.any() else None


# The layouts


def _marks(source: Path, root: Path, paths: Sequence[str], only: Mapping[str, str]) -> list[Annotation]:
    if source.is_dir():
        files: dict[str, list[Path]] = defaultdict(list)
        for file in sorted(path for path in source.rglob("*") if path.is_file()):
            files[_kind(file)].append(file)
        pictures, objects = files["png"], files["dicom"]
    else:
        pictures, objects = [], [source] if _kind(source) == "dicom" else []
    if not source.is_dir() and not objects:
        return from_text(source, paths, only)
    no_choice(only, source)
    if pictures and objects:
        raise EvaluationError(
            f"'{source}' holds both PNG and DICOM files; keep the masks of either kind in a folder of their own"
        )
    if pictures:
        return from_masks(pictures, source, paths)
    if objects:
        return from_seg(objects, source, root, paths)
    raise EvaluationError(f"'{source}' holds neither mask PNGs nor DICOM SEG files; give {KINDS}")


def _kind(file: Path) -> Literal["png", "dicom", "text"]:
    try:
        with file.open("rb") as stream:
            head = stream.read(132)
    except OSError as error:
        raise EvaluationError(f"'{file}' cannot be opened ({type(error).__name__}); give {KINDS}") from error
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    return "dicom" if dicom.looks_like(head) else "text"
