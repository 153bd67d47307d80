"""The noun `Finding` and how a heat map gives some."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from pneumoscope.heatmap import Heatmap
from pneumoscope.radiograph import Region

THRESHOLD = 0.5
"""Share of the heat map's fixed full scale from which a pixel belongs to a finding."""
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
    """

    box: Region
    area_px: int
    peak: tuple[int, int]
    rating: float


def extract(heatmap: Heatmap, probability: float, threshold: float = THRESHOLD) -> tuple[Finding, ...]:
    """Connected regions (8 neighbours) at or above the threshold, highest rating first; none where the map is flat zero."""
    labels, _ = ndimage.label(heatmap.values >= threshold, np.ones((3, 3)))
    minimum = MIN_AREA_SHARE * heatmap.values.size
    found = []
    for index, (rows, cols) in enumerate(ndimage.find_objects(labels), start=1):
        inside = labels[rows, cols] == index
        area = int(inside.sum())
        if area < minimum:
            continue
        values = np.where(inside, heatmap.values[rows, cols], -1)
        row, col = (int(v) for v in np.unravel_index(values.argmax(), values.shape))
        found.append(
            Finding(
                Region(float(rows.start), float(cols.start), float(rows.stop), float(cols.stop)),
                area,
                (rows.start + row, cols.start + col),
                round(probability * min(float(values.max()), 1.0), 4),
            )
        )
    return tuple(sorted(found, key=lambda f: -f.rating))
