"""Annotations from a CSV table of boxes: one row a box, or one cell with all boxes of an image."""

import ast
import csv
import io
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pneumoscope.cohort.row_filter import RowFilter
from pneumoscope.reference.annotation import KINDS, Annotation, CaseNames, Corners, Outline
from pneumoscope.reference.box_space import BoxSpace
from pneumoscope.reference.errors import RegionsError

IMAGE_COLUMNS = ("path", "image", "nih_image", "patientId", "Image Index", "image_id", "dicom_id", "id")
"""Columns that may name the image of a row, in order of preference."""
READER_COLUMNS = ("reader", "rad_id")
"""Columns that may name the reader of a row."""
LABEL_COLUMNS = ("class_name", "category_name", "Finding Label", "label", "category")
_NEAR_AND_SIZE = (("x", "y", "w", "h"), ("x", "y", "width", "height"))
_NEAR_AND_FAR = (("left", "top", "right", "bottom"), ("x_min", "y_min", "x_max", "y_max"), ("x1", "y1", "x2", "y2"))
_SIZE_COLUMNS = (("image_width", "image_height"), ("orig_width", "orig_height"), ("original_width", "original_height"))
_NIH_BOX = "Bbox [x"


@dataclass(frozen=True)
class _Layout:
    """Which columns hold what.

    Attributes
    ----------
    image, reader, label: places of these columns, ``None`` where there is none.
    box: places of the four coordinates; empty where `cell` holds all boxes of the image.
    far: whether the third and fourth coordinate are the far edges, not width and height.
    cell: place of a column whose cell lists the boxes of an image.
    size: places of the width and height of the grid that the coordinates refer to.
    """

    image: int
    box: tuple[int, ...]
    far: bool
    cell: int | None
    size: tuple[int, int] | None
    reader: int | None
    label: int | None


@dataclass(frozen=True)
class _Row:
    where: str
    cells: Sequence[str]

    def cell(self, place: int | None) -> str:
        return "" if place is None else self.cells[place]


def from_table(text: str, source: Path, names: CaseNames, only: RowFilter, space: BoxSpace | None) -> Iterator[Annotation]:
    """Read the annotations of a CSV table.

    Parameters
    ----------
    text
        The table.
    source
        Its file, for messages.
    names
        The cases of the cohort by name.
    only
        The rows to take.
    space
        The grid that coordinates refer to, as the user states it; ``None`` to take it from the table's columns.

    Yields
    ------
    Annotation
        One a box, and one without content for a row that has no box.

    Raises
    ------
    RegionsError
        If the layout is unknown, a row is damaged, no row is taken, or the space is stated nowhere or twice.
    """
    numbered = numbered_rows(text, source)
    header = [name.strip() for name in next(numbered, (0, []))[1]]
    layout = _layout(header, source)
    if missing := [column for column in only.accepted if column not in header]:
        raise RegionsError(
            f"rows are chosen by {', '.join(missing)}, but '{source}' has the columns {', '.join(filter(None, header))}; "
            "choose by one of them"
        )
    if layout.size and space is not None:
        raise RegionsError(
            f"'{source}' states the size of each image in {header[layout.size[0]]} and {header[layout.size[1]]}; "
            "leave out --box-space"
        )
    if not layout.size and space is None:
        raise RegionsError(
            f"'{source}' does not state which pixel grid its boxes refer to (no columns such as image_width and image_height); "
            "give --box-space file for the pixels of the image files, or --box-space WIDTHxHEIGHT such as 1024x1024"
        )
    width = max(len(header), *layout.box, layout.image + 1) + 1
    taken = 0
    for number, cells in numbered:
        row = _Row(f"line {number} of '{source}'", [cell.strip() for cell in cells] + [""] * (width - len(cells)))
        if not any(row.cells) or not only.keeps(dict(zip(header, row.cells, strict=False))):
            continue
        taken += 1
        yield from _annotations(row, layout, header, names, space)
    if only and not taken:
        raise RegionsError(f"no row of '{source}' has {only}; choose by values that the table has")


def _layout(header: Sequence[str], source: Path) -> _Layout:
    at = {name: place for place, name in reversed(list(enumerate(header)))}

    def first_of(columns: Sequence[str]) -> int | None:
        return next((at[name] for name in columns if name in at), None)

    def four_of(layouts: Sequence[Sequence[str]]) -> tuple[int, ...]:
        return next((tuple(at[name] for name in names) for names in layouts if set(names) <= at.keys()), ())

    image, cell, far = first_of(IMAGE_COLUMNS), at.get("boxes"), four_of(_NEAR_AND_FAR)
    box = far or four_of(_NEAR_AND_SIZE)
    if not box and cell is None and len(header) > 2 and header[2].startswith(_NIH_BOX):
        # NIH's header writes its one box column with commas inside, so that its names do not stand above their values.
        box = (2, 3, 4, 5)
    if image is None or (not box and cell is None):
        raise RegionsError(
            f"'{source}' is neither JSON nor a table of boxes; give {KINDS}, a CSV with one of the columns "
            f"{', '.join(IMAGE_COLUMNS)}, and with x,y,w,h or x,y,width,height or left,top,right,bottom or "
            "x_min,y_min,x_max,y_max or boxes or NIH's Bbox"
        )
    return _Layout(
        image, box, bool(far), None if box else cell, _size(at, source), first_of(READER_COLUMNS), first_of(LABEL_COLUMNS)
    )


def _size(at: Mapping[str, int], source: Path) -> tuple[int, int] | None:
    for pair in _SIZE_COLUMNS:
        present = [at[name] for name in pair if name in at]
        if len(present) == 1:
            raise RegionsError(f"'{source}' has one of the columns {pair[0]} and {pair[1]}; give both or neither")
        if present:
            return present[0], present[1]
    return None


def numbered_rows(text: str, source: Path) -> Iterator[tuple[int, list[str]]]:
    """Split a CSV table into rows.

    Parameters
    ----------
    text
        The table.
    source
        Its file, for the message.

    Yields
    ------
    int
        Number of the row's last line, from 1.
    list of str
        Its cells.

    Raises
    ------
    RegionsError
        If the text is no intact CSV.
    """
    reader = csv.reader(io.StringIO(text, newline=""))
    try:
        for row in reader:
            yield reader.line_num, row
    except csv.Error as error:
        raise RegionsError(f"'{source}' is no intact CSV at line {reader.line_num}; export it again") from error


def _annotations(
    row: _Row, layout: _Layout, header: Sequence[str], names: CaseNames, space: BoxSpace | None
) -> Iterator[Annotation]:
    if not row.cells[layout.image]:
        raise RegionsError(f"{row.where} names no image; fill the column {header[layout.image]}, or leave the row out")
    name = row.cells[layout.image]
    # SIIM-FISABIO-RSNA COVID-19 writes the identifier of an image with the word image behind it.
    cases = names.named(name, row.where) or names.named(name.removesuffix("_image"), row.where)
    reader, label = row.cell(layout.reader), row.cell(layout.label)
    boxes = _boxes(row, layout)
    if not boxes:
        yield Annotation(row.where, reader, cases, None, label)
        return
    size = _stated_size(row, layout, space)
    for box in boxes:
        yield Annotation(row.where, reader, cases, Outline(box, size), label)


def _boxes(row: _Row, layout: _Layout) -> list[Corners]:
    """The boxes of a row; none if the row states only that its image was seen."""
    if layout.cell is not None:
        return _listed_boxes(row.cells[layout.cell], row.where)
    values = [_number(row.cells[place], row.where) for place in layout.box]
    if all(value is None for value in values):
        return []
    first, second, third, fourth = (_required(value, row.where) for value in values)
    return [(first, second, third, fourth) if layout.far else (first, second, first + third, second + fourth)]


def _listed_boxes(cell: str, where: str) -> list[Corners]:
    """Boxes of one cell such as ``[{'x': 1, 'y': 2, 'width': 3, 'height': 4}]``."""
    if not cell or cell.lower() == "nan":
        return []
    try:
        boxes = [tuple(float(box[key]) for key in ("x", "y", "width", "height")) for box in ast.literal_eval(cell)]
    except (ValueError, SyntaxError, TypeError, KeyError, MemoryError, RecursionError) as error:
        raise RegionsError(
            f"{where} has a list of boxes that cannot be read ({type(error).__name__}); write each as x, y, width, height"
        ) from error
    if not all(math.isfinite(value) for box in boxes for value in box):
        raise RegionsError(f"{where} has a coordinate that is no finite number; correct it, or leave the row out")
    return [(x, y, x + width, y + height) for x, y, width, height in boxes]


def _stated_size(row: _Row, layout: _Layout, space: BoxSpace | None) -> tuple[float, float] | None:
    if layout.size is None:
        assert space is not None
        return space.size
    width, height = (_number(row.cells[place], row.where) for place in layout.size)
    if width is None and height is None:
        raise RegionsError(f"{row.where} has a box and no size of its image; fill both columns, or leave the row out")
    return image_size(_required(width, row.where), _required(height, row.where), row.where)


def _number(cell: str, where: str) -> float | None:
    try:
        value = float(cell or "nan")
    except ValueError:
        value = math.inf
    if math.isinf(value):
        raise RegionsError(f"{where} has a coordinate that is no finite number; correct it, or leave the row out")
    return None if math.isnan(value) else value


def _required(value: float | None, where: str) -> float:
    if value is None:
        raise RegionsError(f"{where} has some coordinates and lacks others; fill all of them, or none for an unmarked image")
    return value


def image_size(width: float, height: float, where: str) -> tuple[float, float]:
    """Check the stated size of an image.

    Parameters
    ----------
    width, height
        Size in pixels.
    where
        The place of the entry in its source, for the message.

    Returns
    -------
    tuple of float
        (width, height).

    Raises
    ------
    RegionsError
        If one of them is not above 0.
    """
    if not (width > 0 and height > 0):
        raise RegionsError(f"the image of {where} is said to be {height:g} × {width:g} pixels; both must be above 0")
    return width, height
