"""The noun `Finding` and how a heat map gives some."""

from dataclasses import dataclass

import numpy as np
from mahotas import labeled
from numpy.typing import NDArray

from pneumoscope.heatmap import Heatmap
from pneumoscope.lung_fields import LungFields
from pneumoscope.radiograph import Region

_FINEST = 256
MIN_AREA_SHARE = 0.002
"""Share of the radiograph below which a region is not reported."""


@dataclass(frozen=True)
class Finding:
    """A marked opacity.

    Attributes
    ----------
    box: smallest rectangle around it, in pixels of the radiograph.
    area_px: pixels that belong to it.
    peak: (row, col) of its highest value.
    rating: the reader's confidence in it, in [0, 1]: probability of the target times the region's highest value
        (cut at full scale).
    side, zone: of the lung at the peak (`LungFields.where`), empty where the lungs were not found.
    """

    box: Region
    area_px: int
    peak: tuple[int, int]
    rating: float
    side: str = ""
    zone: str = ""


def extract(heatmap: Heatmap, probability: float, lung_fields: LungFields | None = None) -> tuple[Finding, ...]:
    """Connected regions (8 neighbours) at or above the heat map's threshold, highest rating first.

    On large radiographs every second, third, … pixel of each side is looked at, so that at least 256 of the longer side are:
    edges, area and peak are then that coarse. A heat map has no detail that fine.
    """
    shape = heatmap.placement.rows, heatmap.placement.cols
    step = max(1, max(shape) // _FINEST)
    values = heatmap.placement.map_to_radiograph(heatmap.cells, step)
    labels, regions = _regions(values >= heatmap.threshold)
    found = []
    for index, (rows, cols) in enumerate(regions, start=1):
        inside = labels[rows, cols] == index
        area = int(inside.sum()) * step**2
        if area < MIN_AREA_SHARE * shape[0] * shape[1]:
            continue
        part = np.where(inside, values[rows, cols], -1)
        row, col = (int(v) for v in np.unravel_index(part.argmax(), part.shape))
        at = ((rows.start + row) * step + step // 2, (cols.start + col) * step + step // 2)
        peak = min(at[0], shape[0] - 1), min(at[1], shape[1] - 1)
        side, zone = (lung_fields and lung_fields.where(peak[0] + 0.5, peak[1] + 0.5)) or ("", "")
        rating = round(probability * min(float(part.max()), 1.0), 4)
        found.append(Finding(_box(rows, cols, step, shape), area, peak, rating, side, zone))
    return tuple(sorted(found, key=lambda f: -f.rating))


def _regions(inside: NDArray[np.bool_]) -> tuple[NDArray[np.integer], list[tuple[slice, slice]]]:
    """Labels from 1 of the connected regions (8 neighbours) of a mask, and the slices that hold each."""
    labels, _ = labeled.label(inside, np.ones((3, 3), bool))
    boxes = labeled.bbox(labels)[1:]  # of what is no region first
    return labels, [(slice(top, bottom), slice(left, right)) for top, bottom, left, right in boxes.tolist()]


def _box(rows: slice, cols: slice, step: int, shape: tuple[int, ...]) -> Region:
    """The pixels that the samples of a slice stand for, cut at the edge of the radiograph."""
    bottom, right = min(rows.stop * step, shape[0]), min(cols.stop * step, shape[1])
    return Region(float(rows.start * step), float(cols.start * step), float(bottom), float(right))
