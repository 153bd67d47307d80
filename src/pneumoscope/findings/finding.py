"""The noun `Finding` and how a heat map gives some."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from pneumoscope.heatmap import Heatmap
from pneumoscope.lung_fields import LungFields
from pneumoscope.radiograph import Region

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
    """Connected regions (8 neighbours) at or above the heat map's threshold, highest rating first."""
    labels, _ = ndimage.label(heatmap.values >= heatmap.threshold, np.ones((3, 3)))
    minimum = MIN_AREA_SHARE * heatmap.values.size
    found = []
    for index, (rows, cols) in enumerate(ndimage.find_objects(labels), start=1):
        inside = labels[rows, cols] == index
        area = int(inside.sum())
        if area < minimum:
            continue
        values = np.where(inside, heatmap.values[rows, cols], -1)
        row, col = (int(v) for v in np.unravel_index(values.argmax(), values.shape))
        peak = rows.start + row, cols.start + col
        side, zone = (lung_fields and lung_fields.where(peak[0] + 0.5, peak[1] + 0.5)) or ("", "")
        found.append(
            Finding(
                Region(float(rows.start), float(cols.start), float(rows.stop), float(cols.stop)),
                area,
                peak,
                round(probability * min(float(values.max()), 1.0), 4),
                side,
                zone,
            )
        )
    return tuple(sorted(found, key=lambda f: -f.rating))
