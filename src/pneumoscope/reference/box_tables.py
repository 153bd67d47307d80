"""Marks from text: a CSV of boxes (RSNA's, NIH's or our own) or COCO JSON."""

import csv
import io
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pneumoscope.evaluation.errors import EvaluationError
from pneumoscope.reference.annotation import KINDS, Annotation, Four, Names, Outline, no_choice

_IMAGE_COLUMNS = ("path", "image", "nih_image", "patientId", "Image Index")
_CHALLENGE_SPACE = (1024.0, 1024.0)


def from_text(source: Path, paths: Sequence[str], only: Mapping[str, str]) -> list[Annotation]:
    try:
        text = source.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise EvaluationError(f"'{source}' is no text; give {KINDS}") from error
    if not text.lstrip().startswith(("{", "[")):
        return list(_from_table(text, source, Names(paths), only))
    no_choice(only, source)
    return list(_from_coco(text, source, Names(paths)))


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
            f"'{source}' is neither JSON nor a table of boxes; give {KINDS}, a CSV with one of the columns "
            f"{', '.join(_IMAGE_COLUMNS)}, and with x,y,w,h or x,y,width,height or top,left,bottom,right or NIH's Bbox"
        )
    # NIH's header writes its one box column with commas inside, so its names do not stand above their values.
    first, second, third, fourth = (at[name] for name in box) if box else (2, 3, 4, 5)
    sizes = [at[name] for name in ("orig_width", "orig_height") if name in at]
    if len(sizes) == 1:
        raise EvaluationError(f"'{source}' has one of the columns orig_width and orig_height; give both or neither")
    size = (sizes[0], sizes[1]) if sizes else None
    return _Columns(image, (first, second, third, fourth), far, space, size, at.get("reader"))


def _from_table(text: str, source: Path, names: Names, only: Mapping[str, str]) -> Iterator[Annotation]:
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
        yield Annotation(where, reader, names.named(row[columns.image], where), _outline(row, columns, where))
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


def _outline(row: Sequence[str], columns: _Columns, where: str) -> Outline | None:
    """The box of a row, or None for a row that says only that its image was read."""
    values = [_number(row[place], where) for place in columns.box]
    if all(value is None for value in values):
        return None
    first, second, third, fourth = (_needed(value, where) for value in values)
    box = (first, second, third, fourth) if columns.far else (first, second, first + third, second + fourth)
    if columns.size is None:
        return Outline(box, columns.space)
    width, height = (_number(row[place], where) for place in columns.size)
    if width is None and height is None:
        return Outline(box, columns.space)
    return Outline(box, _space(_needed(width, where), _needed(height, where), where))


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


def _from_coco(text: str, source: Path, names: Names) -> Iterator[Annotation]:
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
        yield Annotation(where, reader, names.named(name, where), Outline(box, _space(*size, where), polygons))


def _polygons(segmentation: Any, where: str) -> tuple[NDArray[np.float64], ...]:
    if isinstance(segmentation, dict):
        raise EvaluationError(f"{where} has a run-length segmentation, which is not read; export polygons or mask PNGs")
    polygons = tuple(np.array(polygon, float).reshape(-1, 2) for polygon in segmentation or ())
    if any(len(points) < 3 or not np.isfinite(points).all() for points in polygons):
        raise ValueError("a polygon has three points or more")
    return polygons


def _coco_box(annotation: Mapping[str, Any], polygons: Sequence[NDArray[np.float64]]) -> Four:
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
