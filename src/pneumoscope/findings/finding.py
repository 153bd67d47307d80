"""The noun `Finding` and how a heat map gives some."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from pneumoscope.heatmap import Heatmap
from pneumoscope.lung_fields import LungFields
from pneumoscope.radiograph import Region

_FINEST = 512
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

    On large radiographs every second, third, … pixel of each side is looked at, so that at least 512 of the longer side are:
    edges, area and peak are then that coarse. A heat map has no detail that fine.
    """
    step = max(1, max(heatmap.values.shape) // _FINEST)
    values = heatmap.values[step // 2 :: step, step // 2 :: step]
    labels, _ = ndimage.label(values >= heatmap.threshold, np.ones((3, 3)))
    found = []
    for index, (rows, cols) in enumerate(ndimage.find_objects(labels), start=1):
        inside = labels[rows, cols] == index
        area = int(inside.sum()) * step**2
        if area < MIN_AREA_SHARE * heatmap.values.size:
            continue
        part = np.where(inside, values[rows, cols], -1)
        row, col = (int(v) for v in np.unravel_index(part.argmax(), part.shape))
        peak = (rows.start + row) * step + step // 2, (cols.start + col) * step + step // 2
        side, zone = (lung_fields and lung_fields.where(peak[0] + 0.5, peak[1] + 0.5)) or ("", "")
        rating = round(probability * min(float(part.max()), 1.0), 4)
        found.append(Finding(_box(rows, cols, step, heatmap.values.shape), area, peak, rating, side, zone))
    return tuple(sorted(found, key=lambda f: -f.rating))


def _box(rows: slice, cols: slice, step: int, shape: tuple[int, ...]) -> Region:
    """The pixels that the samples of a slice stand for, cut at the edge of the radiograph."""
    bottom, right = min(rows.stop * step, shape[0]), min(cols.stop * step, shape[1])
    return Region(float(rows.start * step), float(cols.start * step), float(bottom), float(right))
