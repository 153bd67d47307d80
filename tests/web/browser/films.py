"""Write films, heat maps and regions for the test page, and draw them with NumPy as the viewport must."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pneumoscope.radiograph import Film, Region
from pneumoscope.radiograph.radiograph import Grey
from pneumoscope.readings import ModelReading

Json = dict[str, Any]


def write_film(folder: Path, name: str, film: Film) -> str:
    """Write a film as NAME.json with its arrays as files beside it, and return the name of the JSON file."""
    image = film.radiograph
    arrays = {
        "levels": film.levels.astype("<u2"),
        "shown": film.shown.astype("<f4"),
        "values": film.values.astype("<f4"),
        "padding": film.padding.astype("u1"),
    }
    for key, values in arrays.items():
        (folder / f"{name}.{key}").write_bytes(values.tobytes())
    edges, (flip_rows, flip_cols) = image.orientation.edges, image.orientation.flipped
    letters = {side: getattr(edges, side) for side in ("left", "right", "top", "bottom")}
    facts = {
        "rows": image.rows,
        "cols": image.cols,
        "inverse": film.inverse,
        "window": film.window and {"centre": film.window.centre, "width": film.window.width, "function": film.window.function},
        "spacing": image.spacing and {"row_mm": image.spacing.row_mm, "col_mm": image.spacing.col_mm, "kind": image.spacing.kind},
        "aspect": film.aspect,
        "orientation": {
            "transposed": image.orientation.transposed,
            "flip_rows": flip_rows,
            "flip_cols": flip_cols,
            **letters,
        },
        "lossy": film.lossy,
    }
    (folder / f"{name}.json").write_text(json.dumps(facts), encoding="utf-8")
    return f"{name}.json"


def map_layer(cells: Grey, rectangle: Region, threshold: float = 0.5, looked: NDArray[np.bool_] | None = None) -> Json:
    """A heat map for the test page, from cells of shape (h, w) in displayed order."""
    return {
        "id": "map",
        "name": "evidence",
        "cells": cells.ravel().tolist(),
        "cell_rows": cells.shape[0],
        "cell_cols": cells.shape[1],
        "rectangle": _box(rectangle),
        "looked": None if looked is None else looked.astype(int).ravel().tolist(),
        "threshold": threshold,
        "full_scale": 1.0,
        "unit": "probability",
        "method": "evidence",
    }


def reading_layer(reading: ModelReading) -> Json:
    """The heat map of a reading for the test page."""
    heatmap = reading.heatmap
    return map_layer(heatmap.cells, heatmap.placement.rectangle, heatmap.threshold)


def finding_shapes(reading: ModelReading) -> list[Json]:
    """The boxes of a reading's findings for the test page."""
    return [
        {
            "id": f"finding-{number}",
            "kind": "finding",
            "label": f"{number} · {finding.rating:.2f} {finding.laterality or ''} {finding.zone or ''}".rstrip(),
            "box": _box(finding.box),
            "outline": None,
        }
        for number, finding in enumerate(reading.findings, start=1)
    ]


def _box(region: Region) -> Json:
    return {side: float(getattr(region, side)) for side in ("top", "left", "bottom", "right")}


def shapes_box(kind: str, label: str, corners: Sequence[float]) -> Json:
    """A region (top, left, bottom, right) for the test page."""
    top, left, bottom, right = corners
    box = {"top": top, "left": left, "bottom": bottom, "right": right}
    return {"id": label, "kind": kind, "label": label, "box": box, "outline": None}
