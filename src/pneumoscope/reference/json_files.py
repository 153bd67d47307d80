"""Annotations from JSON: COCO, and the two layouts of CheXlocalize."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pneumoscope.cohort.row_filter import RowFilter
from pneumoscope.reference.annotation import KINDS, Annotation, CaseNames, Corners, Outline, RunLengths
from pneumoscope.reference.box_tables import image_size
from pneumoscope.reference.errors import RegionsError

CATEGORY = "category"
"""The name by which `RowFilter` chooses the class of an annotation."""
_FIELDS = (CATEGORY, "reader")
_CONTOUR_SIZE = "img_size"
_UNREADABLE = (ValueError, KeyError, TypeError, AttributeError, OverflowError)
"""What the values of a damaged document raise; a number of JSON may be larger than any float."""


def from_json(text: str, source: Path, names: CaseNames, only: RowFilter) -> Iterator[Annotation]:
    """Read the annotations of a JSON document.

    Read are COCO (https://cocodataset.org/#format-data), with boxes, polygons or run lengths, and the segmentations
    (run lengths) and contours of CheXlocalize (Saporta et al. 2022, doi 10.1038/s42256-022-00536-x).

    Parameters
    ----------
    text
        The document.
    source
        Its file, for messages.
    names
        The cases of the cohort by name.
    only
        The annotations to take, by ``category`` and ``reader``.

    Yields
    ------
    Annotation
        One a region.

    Raises
    ------
    RegionsError
        If the document is of no known layout or damaged, or no annotation is taken.
    """
    if missing := [field for field in only.accepted if field not in _FIELDS]:
        raise RegionsError(
            f"annotations are chosen by {', '.join(missing)}, but '{source}' is JSON; choose by {' or '.join(_FIELDS)}"
        )
    document = _document(text, source)
    annotations = _from_coco(document, source, names) if "images" in document else _from_chexlocalize(document, source, names)
    taken = 0
    for annotation in annotations:
        if annotation.content is None or only.keeps({CATEGORY: annotation.label, "reader": annotation.reader}):
            taken += annotation.content is not None
            yield annotation
    if only and not taken:
        raise RegionsError(f"no annotation of '{source}' has {only}; choose by values that the file has")


def _document(text: str, source: Path) -> Mapping[str, Any]:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise RegionsError(f"'{source}' is no intact JSON ({type(error).__name__}); export it again") from error
    coco = isinstance(document, dict) and isinstance(document.get("images"), list) and "annotations" in document
    chexlocalize = isinstance(document, dict) and bool(document) and all(isinstance(one, dict) for one in document.values())
    if not (coco or chexlocalize):
        raise RegionsError(f"'{source}' is neither COCO JSON with images and annotations nor CheXlocalize JSON; give {KINDS}")
    return dict(document)


def _from_coco(document: Mapping[str, Any], source: Path, names: CaseNames) -> Iterator[Annotation]:
    try:
        images = {image["id"]: image for image in document["images"]}
        categories = {one["id"]: str(one["name"]) for one in document.get("categories") or ()}
        annotations = list(document["annotations"])
    except _UNREADABLE as error:
        raise RegionsError(
            f"'{source}' is no COCO JSON with images and annotations ({type(error).__name__}); export it again"
        ) from error
    for number, annotation in enumerate(annotations, start=1):
        where = f"annotation {number} of '{source}'"
        try:
            image = images[annotation["image_id"]]
            name, width, height = str(image["file_name"]), float(image["width"]), float(image["height"])
            reader = str(annotation.get("reader") or "").strip()
            label = categories[annotation["category_id"]] if categories else ""
            shape = annotation.get("segmentation")
            run_lengths = _run_lengths(shape) if isinstance(shape, dict) else None
            content = run_lengths or _outline(annotation, shape, (width, height))
        except _UNREADABLE as error:
            raise RegionsError(
                f"{where} has no image_id, category_id, bbox or segmentation that can be read, or an image without file_name, "
                f"width and height ({type(error).__name__}); export it again"
            ) from error
        image_size(width, height, where)
        yield Annotation(where, reader, names.named(name, where), content, label)


def _outline(annotation: Mapping[str, Any], shape: Any, size: tuple[float, float]) -> Outline:
    polygons = _polygons(shape)
    return Outline(_box(annotation, polygons), size, polygons)


def _polygons(shape: Any) -> tuple[NDArray[np.float64], ...]:
    polygons = tuple(np.array(polygon, float).reshape(-1, 2) for polygon in shape or ())
    if any(len(points) < 3 or not np.isfinite(points).all() for points in polygons):
        raise ValueError("a polygon has three points or more")
    return polygons


def _box(annotation: Mapping[str, Any], polygons: Sequence[NDArray[np.float64]]) -> Corners:
    """The box as given, else the one around the polygons."""
    if not annotation.get("bbox") and polygons:
        return _around(polygons)
    left, top, width, height = (float(value) for value in annotation["bbox"])
    if not np.isfinite([left, top, width, height]).all():
        raise ValueError("a box is of finite numbers")
    return left, top, left + width, top + height


def _around(polygons: Sequence[NDArray[np.float64]]) -> Corners:
    points = np.concatenate(polygons)
    (left, top), (right, bottom) = points.min(0).tolist(), points.max(0).tolist()
    return left, top, right, bottom


def _run_lengths(shape: Mapping[str, Any]) -> RunLengths:
    rows, cols = (int(value) for value in shape["size"])
    counts = shape["counts"]
    if rows < 1 or cols < 1:
        raise ValueError("a mask has a row and a column")
    return RunLengths(rows, cols, counts if isinstance(counts, str) else tuple(int(count) for count in counts))


def _from_chexlocalize(document: Mapping[str, Any], source: Path, names: CaseNames) -> Iterator[Annotation]:
    for number, (name, image) in enumerate(document.items(), start=1):
        where = f"image {number} of '{source}'"
        cases = names.named(name, where)
        yield Annotation(where, "", cases, None)
        try:
            if _CONTOUR_SIZE in image:
                height, width = (float(value) for value in image[_CONTOUR_SIZE])
                size = image_size(width, height, where)
                for label, contours in image.items():
                    polygons = _polygons(contours) if label != _CONTOUR_SIZE else ()
                    for points in polygons:
                        yield Annotation(where, "", cases, Outline(_around([points]), size, (points,)), label)
            else:
                for label, shape in image.items():
                    yield Annotation(where, "", cases, _run_lengths(shape), label)
        except _UNREADABLE as error:
            raise RegionsError(
                f"{where} has a mask that is neither run lengths with size and counts nor contours with {_CONTOUR_SIZE} "
                f"({type(error).__name__}); export it again"
            ) from error
