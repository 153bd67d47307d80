"""The noun `ReferenceRegions`: where radiologists saw an opacity, read from boxes or masks onto each radiograph's own grid.

Read are a CSV of boxes (RSNA's, NIH's or our own), COCO JSON, a folder of mask PNGs, and binary DICOM SEG; which of them a
source is shows in its content. Coordinates are those of `pneumoscope.radiograph.Region`: pixel (r, c) covers
[r, r + 1) × [c, c + 1) and belongs to an outline that has its centre inside.
"""

import csv
import io
import json
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal, get_args

import numpy as np
import pydicom
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.pixels.utils import pixel_array
from scipy import ndimage

from pneumoscope import radiograph
from pneumoscope.cohort import Case, Cohort
from pneumoscope.evaluation.errors import EvaluationError
from pneumoscope.radiograph import Region, dicom
from pneumoscope.radiograph.limits import MAX_PIXELS
from pneumoscope.radiograph.quiet import quiet

Consensus = Literal["union", "majority", "intersection"]
"""Which pixels count where several read one radiograph: marked by anyone, by strictly more than half, by all."""
Mask = NDArray[np.bool_]

MIN_PART_SHARE = 0.0005
"""Share of the radiograph below which a part of a mask is a slip of the brush and gets no box."""
ASPECT_TOLERANCE = 0.02
"""By how much height over width of a mask may differ from the radiograph's before it shows something else."""

_IMAGE_COLUMNS = ("path", "image", "nih_image", "patientId", "Image Index")
_CHALLENGE_SPACE = (1024.0, 1024.0)
_READER_FOLDER = "reader-"
_KINDS = "a CSV of boxes, COCO JSON, a folder of mask PNGs, or DICOM SEG"
_Four = tuple[float, float, float, float]


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


@dataclass(frozen=True, eq=False)
class _Outline:
    """A box (left, top, right, bottom) and what fills it, in a space of (width, height); None is the file's own pixels.

    Polygons have the shape (n, 2), x before y; without any the box itself is filled.
    """

    box: _Four
    space: tuple[float, float] | None
    polygons: tuple[NDArray[np.float64], ...] = ()


@dataclass(frozen=True)
class _Frames:
    """Some frames of a SEG file, counted from 0."""

    file: Path
    numbers: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class _Mark:
    """One entry of a source.

    `where` names it in errors by its place, because file names may identify patients; `cases` are the paths of those it
    belongs to. A `content` of None says that the reader marked nothing; masks stay in their files until they are drawn.
    """

    where: str
    reader: str
    cases: tuple[str, ...]
    content: _Outline | _Frames | Path | None


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
    of_case: dict[str, list[_Mark]] = defaultdict(list)
    for mark in marks:
        for path in mark.cases:
            of_case[path].append(mark)
    found = {case.path: _regions(cohort.file(case), of_case[case.path], consensus) for case in cases if case.path in of_case}
    return {path: regions for path, regions in found.items() if regions is not None}


def _regions(file: Path, marks: Sequence[_Mark], consensus: Consensus) -> ReferenceRegions | None:
    contents = [_load(mark) for mark in marks]
    if all(content is None for content in contents):
        return None
    seen = radiograph.read(file)
    grid = seen.rows, seen.cols
    by_reader = {mark.reader: np.zeros(grid, bool) for mark in marks}
    drawn: list[Region] = []
    for mark, content in zip(marks, contents, strict=True):
        if isinstance(content, _Outline):
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


def _scale(outline: _Outline, grid: tuple[int, int]) -> NDArray[np.float64]:
    """Pixels of the grid (x, y) per unit of the outline's space."""
    rows, cols = grid
    return np.array([1.0, 1.0]) if outline.space is None else np.array([cols, rows]) / outline.space


def _on_grid(outline: _Outline, grid: tuple[int, int], where: str) -> Region:
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


def _filled(outline: _Outline, grid: tuple[int, int], where: str) -> Mask:
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


def _load(mark: _Mark) -> _Outline | Mask | None:
    """What is marked, a mask on a grid of its own; None for nothing."""
    if mark.content is None or isinstance(mark.content, _Outline):
        return mark.content
    mask = _segmented(mark.content, mark.where) if isinstance(mark.content, _Frames) else _painted(mark.content, mark.where)
    return mask if mask.any() else None


# Which case an image's name means


class _Names:
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


# The layouts


def _marks(source: Path, root: Path, paths: Sequence[str], only: Mapping[str, str]) -> list[_Mark]:
    if source.is_dir():
        files: dict[str, list[Path]] = defaultdict(list)
        for file in sorted(path for path in source.rglob("*") if path.is_file()):
            files[_kind(file)].append(file)
        pictures, objects = files["png"], files["dicom"]
    else:
        pictures, objects = [], [source] if _kind(source) == "dicom" else []
    if not source.is_dir() and not objects:
        return _from_text(source, paths, only)
    _no_choice(only, source)
    if pictures and objects:
        raise EvaluationError(
            f"'{source}' holds both PNG and DICOM files; keep the masks of either kind in a folder of their own"
        )
    if pictures:
        return _from_masks(pictures, source, paths)
    if objects:
        return _from_seg(objects, source, root, paths)
    raise EvaluationError(f"'{source}' holds neither mask PNGs nor DICOM SEG files; give {_KINDS}")


def _no_choice(only: Mapping[str, str], source: Path) -> None:
    if only:
        raise EvaluationError(f"rows are chosen by {', '.join(only)}, but '{source}' is no table; choose none, or give a CSV")


def _kind(file: Path) -> Literal["png", "dicom", "text"]:
    try:
        with file.open("rb") as stream:
            head = stream.read(132)
    except OSError as error:
        raise EvaluationError(f"'{file}' cannot be opened ({type(error).__name__}); give {_KINDS}") from error
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    return "dicom" if dicom.looks_like(head) else "text"


def _from_text(source: Path, paths: Sequence[str], only: Mapping[str, str]) -> list[_Mark]:
    try:
        text = source.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise EvaluationError(f"'{source}' is no text; give {_KINDS}") from error
    if not text.lstrip().startswith(("{", "[")):
        return list(_from_table(text, source, _Names(paths), only))
    _no_choice(only, source)
    return list(_from_coco(text, source, _Names(paths)))


@dataclass(frozen=True)
class _Columns:
    """Where a table keeps what; `box` holds the places of the four coordinates, `far` whether two are the far edges."""

    image: int
    box: tuple[int, int, int, int]
    far: bool
    space: tuple[float, float] | None
    size: tuple[int, int] | None
    reader: int | None


def _columns(header: Sequence[str], source: Path) -> _Columns:
    """Recognise the layout; EvaluationError where the header has no image column or no box."""
    at = {name: place for place, name in reversed(list(enumerate(header)))}
    image = next((at[name] for name in _IMAGE_COLUMNS if name in at), None)
    layouts: tuple[tuple[tuple[str, ...], bool, tuple[float, float] | None], ...] = (
        (("x", "y", "w", "h"), False, None),
        (("x", "y", "width", "height"), False, _CHALLENGE_SPACE),
        (("left", "top", "right", "bottom"), True, None),
    )
    box, far, space = next((layout for layout in layouts if set(layout[0]) <= at.keys()), ((), False, _CHALLENGE_SPACE))
    if not box and (len(header) < 3 or not header[2].startswith("Bbox [x")):
        image = None
    if image is None:
        raise EvaluationError(
            f"'{source}' is neither JSON nor a table of boxes; give {_KINDS}, a CSV with one of the columns "
            f"{', '.join(_IMAGE_COLUMNS)}, and with x,y,w,h or x,y,width,height or top,left,bottom,right or NIH's Bbox"
        )
    # NIH's header writes its one box column with commas inside, so its names do not stand above their values.
    first, second, third, fourth = (at[name] for name in box) if box else (2, 3, 4, 5)
    sizes = [at[name] for name in ("orig_width", "orig_height") if name in at]
    if len(sizes) == 1:
        raise EvaluationError(f"'{source}' has one of the columns orig_width and orig_height; give both or neither")
    size = (sizes[0], sizes[1]) if sizes else None
    return _Columns(image, (first, second, third, fourth), far, space, size, at.get("reader"))


def _from_table(text: str, source: Path, names: _Names, only: Mapping[str, str]) -> Iterator[_Mark]:
    rows = _rows(text, source)
    header = [name.strip() for name in next(rows, (0, []))[1]]
    columns = _columns(header, source)
    missing = [name for name in only if name not in header]
    if missing:
        raise EvaluationError(
            f"rows are chosen by {', '.join(missing)}, but '{source}' has the columns {', '.join(filter(None, header))}; "
            "choose by one of them"
        )
    kept = 0
    for line, cells in rows:
        row = [cell.strip() for cell in cells] + [""] * (max(len(header), *columns.box) + 1 - len(cells))
        if not any(row) or any(row[header.index(name)] != value for name, value in only.items()):
            continue
        kept += 1
        where = f"line {line} of '{source}'"
        if not row[columns.image]:
            raise EvaluationError(f"{where} names no image; fill the column {header[columns.image]}, or leave the row out")
        reader = "" if columns.reader is None else row[columns.reader]
        yield _Mark(where, reader, names.named(row[columns.image], where), _outline(row, columns, where))
    if only and not kept:
        chosen = " and ".join(f"{name} = {value}" for name, value in only.items())
        raise EvaluationError(f"no row of '{source}' has {chosen}; choose by values that the table has")


def _rows(text: str, source: Path) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(text, newline=""))
    try:
        for row in reader:
            yield reader.line_num, row
    except csv.Error as error:
        raise EvaluationError(f"'{source}' is no intact CSV at line {reader.line_num}; export it again") from error


def _outline(row: Sequence[str], columns: _Columns, where: str) -> _Outline | None:
    """The box of a row, or None for a row that says only that its image was read."""
    values = [_number(row[place], where) for place in columns.box]
    if all(value is None for value in values):
        return None
    first, second, third, fourth = (_needed(value, where) for value in values)
    box = (first, second, third, fourth) if columns.far else (first, second, first + third, second + fourth)
    if columns.size is None:
        return _Outline(box, columns.space)
    width, height = (_number(row[place], where) for place in columns.size)
    if width is None and height is None:
        return _Outline(box, columns.space)
    return _Outline(box, _space(_needed(width, where), _needed(height, where), where))


def _number(cell: str, where: str) -> float | None:
    try:
        value = float(cell or "nan")
    except ValueError:
        value = math.inf
    if math.isinf(value):
        raise EvaluationError(f"{where} has a coordinate that is no finite number; correct it, or leave the row out")
    return None if math.isnan(value) else value


def _needed(value: float | None, where: str) -> float:
    if value is None:
        raise EvaluationError(f"{where} has some coordinates and lacks others; fill all of them, or none for an unmarked image")
    return value


def _space(width: float, height: float, where: str) -> tuple[float, float]:
    if not (width > 0 and height > 0):
        raise EvaluationError(f"the image of {where} is said to be {height:g} × {width:g} pixels; both must be above 0")
    return width, height


def _from_coco(text: str, source: Path, names: _Names) -> Iterator[_Mark]:
    try:
        document = json.loads(text)
        images = {image["id"]: image for image in document["images"]}
        annotations = list(document["annotations"])
    except (ValueError, KeyError, TypeError) as error:
        raise EvaluationError(
            f"'{source}' is no COCO JSON with images and annotations ({type(error).__name__}); export it again"
        ) from error
    for number, annotation in enumerate(annotations, start=1):
        where = f"annotation {number} of '{source}'"
        try:
            image = images[annotation["image_id"]]
            name = str(image["file_name"])
            size = float(image["width"]), float(image["height"])
            reader = str(annotation.get("reader") or "").strip()
            polygons = _polygons(annotation.get("segmentation"), where)
            box = _coco_box(annotation, polygons)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise EvaluationError(
                f"{where} has no image_id, bbox or segmentation that can be read, or an image without file_name, width and "
                f"height ({type(error).__name__}); export it again"
            ) from error
        yield _Mark(where, reader, names.named(name, where), _Outline(box, _space(*size, where), polygons))


def _polygons(segmentation: Any, where: str) -> tuple[NDArray[np.float64], ...]:
    if isinstance(segmentation, dict):
        raise EvaluationError(f"{where} has a run-length segmentation, which is not read; export polygons or mask PNGs")
    polygons = tuple(np.array(polygon, float).reshape(-1, 2) for polygon in segmentation or ())
    if any(len(points) < 3 or not np.isfinite(points).all() for points in polygons):
        raise ValueError("a polygon has three points or more")
    return polygons


def _coco_box(annotation: Mapping[str, Any], polygons: Sequence[NDArray[np.float64]]) -> _Four:
    """The box as given, else the one around the polygons."""
    if not annotation.get("bbox") and polygons:
        points = np.concatenate(polygons)
        (left, top), (right, bottom) = points.min(0).tolist(), points.max(0).tolist()
    else:
        left, top, width, height = (float(value) for value in annotation["bbox"])
        right, bottom = left + width, top + height
    if not np.isfinite([left, top, right, bottom]).all():
        raise ValueError("a box is of finite numbers")
    return left, top, right, bottom


def _from_masks(files: Sequence[Path], folder: Path, paths: Sequence[str]) -> list[_Mark]:
    names, marks = _Names(paths), []
    known: set[tuple[str, str]] = set()
    for number, file in enumerate(files, start=1):
        where = f"mask {number} of {len(files)} in '{folder}' (in the order of their paths)"
        relative, reader = PurePosixPath(file.relative_to(folder).as_posix()), ""
        if len(relative.parts) > 1 and relative.parts[0].startswith(_READER_FOLDER):
            reader = relative.parts[0].removeprefix(_READER_FOLDER)
            relative = relative.relative_to(relative.parts[0])
        cases = names.find((relative.with_suffix(""),), where, from_root=True)
        if any((path, reader) in known for path in cases):
            raise EvaluationError(
                f"{where} is the second of one reader for one radiograph; keep one, or give each reader a folder "
                f"{_READER_FOLDER}NAME"
            )
        known.update((path, reader) for path in cases)
        marks.append(_Mark(where, reader, cases, file))
    return marks


def _painted(file: Path, where: str) -> Mask:
    """Where a mask picture is above zero and not transparent, bool (rows, cols)."""
    with quiet():
        try:
            with Image.open(file, formats=["PNG"]) as image:
                if image.width * image.height > MAX_PIXELS:
                    raise ValueError("more pixels than any radiograph has")
                values = np.asarray(image) > 0
                alpha = image.mode in ("LA", "PA", "RGBA")
        except Exception as error:  # Pillow reports damage as OSError, SyntaxError, ValueError, struct.error …
            raise EvaluationError(f"{where} is damaged or larger than any radiograph; save it again as a PNG") from error
    if values.ndim == 2:
        return values
    return np.asarray(values[..., :-1].any(-1) & values[..., -1] if alpha else values.any(-1))


def _from_seg(files: Sequence[Path], source: Path, root: Path, paths: Sequence[str]) -> list[_Mark]:
    found: list[_Segmentation] = []
    for number, file in enumerate(files, start=1):
        segmentation = _segmentation(file, f"DICOM file {number} of {len(files)} in '{source}' (in the order of their paths)")
        # Archives keep the radiographs in one folder with what was drawn on them.
        if segmentation is not None:
            found.append(segmentation)
    if not found:
        raise EvaluationError(f"none of the {len(files)} DICOM files of '{source}' is a SEG; give {_KINDS}")
    instances: dict[str, list[str]] = defaultdict(list)
    for path in paths:
        instances[_instance(root / path)].append(path)
    return [
        _Mark(one.where, one.reader, tuple(instances.get(uid, ())), _Frames(one.file, frames))
        for one in found
        for uid, frames in one.frames.items()
    ]


@dataclass(frozen=True)
class _Segmentation:
    """What the header of a SEG file says: who drew it, and which frames on which SOP instance."""

    where: str
    file: Path
    reader: str
    frames: Mapping[str, tuple[int, ...]]


def _segmentation(file: Path, where: str) -> _Segmentation | None:
    """Read the header of a DICOM file, None if it is no SEG; EvaluationError where it is not binary or tells no source."""
    with quiet():
        try:
            header = pydicom.dcmread(file, force=True, stop_before_pixels=True)
            if header.get("Modality") != "SEG":
                return None
            binary = header.get("SegmentationType") == "BINARY"
            reader = str(header.get("SeriesDescription") or "").strip()
            frames = _references(header)
        except Exception as error:  # pydicom reads values late and raises whatever it likes
            raise EvaluationError(f"{where} is truncated or damaged; send it again from its source") from error
    if not binary:
        raise EvaluationError(f"{where} is a SEG that is not binary; export it with the Segmentation Type BINARY")
    if not frames:
        raise EvaluationError(f"{where} does not tell which radiograph its frames are drawn on; export it with its source images")
    return _Segmentation(where, file, reader, frames)


def _instance(file: Path) -> str:
    """The SOP Instance UID of a DICOM file, from its header; empty for other files and for damaged ones."""
    with file.open("rb") as stream:
        if not dicom.looks_like(stream.read(132)):
            return ""
    with quiet():
        try:
            header = pydicom.dcmread(file, force=True, stop_before_pixels=True, specific_tags=["SOPInstanceUID"])
            return str(header.get("SOPInstanceUID") or "").strip()
        except Exception:  # a file that cannot be read is no reason to refuse the marks of others
            return ""


def _references(header: Dataset) -> Mapping[str, tuple[int, ...]]:
    """Which frames are drawn on which SOP instance (PS3.3 C.7.6.16.2.6); empty where it is not told for all of them."""
    per_frame = header.get("PerFrameFunctionalGroupsSequence") or []
    of_all = _sources(header.get("SharedFunctionalGroupsSequence") or []) or _only_instance(header)
    found: dict[str, tuple[int, ...]] = defaultdict(tuple)
    for frame in range(int(header.get("NumberOfFrames") or 1)):
        drawn_on = _sources(per_frame[frame : frame + 1]) or of_all
        if not drawn_on:
            return {}
        for uid in drawn_on:
            found[uid] += (frame,)
    return found


def _sources(groups: Iterable[Dataset]) -> set[str]:
    return {
        str(image.ReferencedSOPInstanceUID)
        for group in groups
        for derivation in group.get("DerivationImageSequence") or ()
        for image in derivation.get("SourceImageSequence") or ()
    }


def _only_instance(header: Dataset) -> set[str]:
    """The instance that a SEG refers to as a whole; empty where there are several, because a frame may be of any."""
    found = {
        str(instance.ReferencedSOPInstanceUID)
        for series in header.get("ReferencedSeriesSequence") or ()
        for instance in series.get("ReferencedInstanceSequence") or ()
    }
    return found if len(found) == 1 else set()


def _segmented(frames: _Frames, where: str) -> Mask:
    """The frames' pixels together, bool (rows, cols)."""
    with quiet():
        try:
            dataset = pydicom.dcmread(frames.file, force=True)
            if int(dataset.Rows) * int(dataset.Columns) > MAX_PIXELS:
                raise ValueError("more pixels than any radiograph has")
            # Not frame by frame: pydicom 3.0.2 cuts a bit-packed frame short that does not begin and end at a whole byte.
            pixels = pixel_array(dataset).reshape(-1, dataset.Rows, dataset.Columns)
            return np.asarray(pixels[list(frames.numbers)].any(0))
        except Exception as error:  # the decoder plugins raise whatever they like, RuntimeError and struct.error among it
            raise EvaluationError(f"the pixels of {where} cannot be decoded; send it again from its source") from error
