"""Define the finding, a marked opacity, and extract findings from a heat map."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pneumoscope.heatmap import Heatmap
from pneumoscope.lung_fields import LungFields
from pneumoscope.lung_fields.lung_fields import Laterality, Zone
from pneumoscope.radiograph import Region
from pneumoscope.readings.connected_regions import connected_regions
from pneumoscope.readings.mark import Mark

_FINEST = 256
MIN_AREA_SHARE = 0.002
"""Share of the radiograph below which a region is not reported."""


@dataclass(frozen=True)
class Finding:
    """An opacity that a model marked.

    Parameters
    ----------
    box : Region
        The smallest rectangle around it, in pixels of the radiograph.
    area_px : int
        Pixels that belong to it, >= 1.
    peak : tuple of int
        (row, col) of the pixel with the highest value of the heat map.
    rating : float
        Confidence in it, in [0, 1]: probability of the target times the highest value of the heat map, cut at full scale.
    laterality : {"right", "left"}, optional
        The patient's side, of the lung at the peak (`LungFields.where`); None where the lungs were not found.
    zone : {"upper", "mid", "lower"}, optional
        Third of that lung's height; None where the lungs were not found.

    Examples
    --------
    >>> Finding(Region(10, 20, 40, 60), area_px=900, peak=(25, 30), rating=0.8).mark
    Mark(row=25.5, col=30.5, rating=0.8, region=Region(top=10, left=20, bottom=40, right=60))
    """

    box: Region
    area_px: int
    peak: tuple[int, int]
    rating: float
    laterality: Laterality | None = None
    zone: Zone | None = None

    @property
    def mark(self) -> Mark:
        """The finding as a reader's mark: at the centre of its peak pixel, with its box."""
        row, col = self.peak
        return Mark(row + 0.5, col + 0.5, self.rating, self.box)


def extract(heatmap: Heatmap, probability: float, lung_fields: LungFields | None = None) -> tuple[Finding, ...]:
    """Extract the connected regions (8 neighbours) at or above the heat map's threshold.

    Large radiographs are sampled at every second, third, … pixel of each axis, so that the longer one has at least 256 samples:
    edges, area and peak are then that coarse. A heat map has no finer detail.

    Parameters
    ----------
    heatmap : Heatmap
        The evidence for the target.
    probability : float
        Calibrated probability of the target, in [0, 1].
    lung_fields : LungFields, optional
        For laterality and zone.

    Returns
    -------
    tuple of Finding
        Highest rating first; regions below `MIN_AREA_SHARE` of the radiograph are left out.
    """
    shape, step = _grid(heatmap)
    values = heatmap.placement.map_to_radiograph(heatmap.cells, step)
    labels, regions = connected_regions(values >= heatmap.threshold)
    findings = []
    for index, (rows, cols) in enumerate(regions, start=1):
        inside = labels[rows, cols] == index
        area = int(inside.sum()) * step**2
        if area < MIN_AREA_SHARE * shape[0] * shape[1]:
            continue
        part = np.where(inside, values[rows, cols], -1)
        row, col = (int(v) for v in np.unravel_index(part.argmax(), part.shape))
        peak = _pixel(rows.start + row, step, shape[0]), _pixel(cols.start + col, step, shape[1])
        where = lung_fields.where(peak[0] + 0.5, peak[1] + 0.5) if lung_fields else None
        laterality, zone = where or (None, None)
        rating = probability * min(float(part.max()), 1.0)
        findings.append(Finding(_box(rows, cols, step, shape), area, peak, rating, laterality, zone))
    return tuple(sorted(findings, key=lambda finding: -finding.rating))


def mask_of(finding: Finding, heatmap: Heatmap) -> NDArray[np.bool_]:
    """Find the pixels that belong to a finding.

    Parameters
    ----------
    finding : Finding
        One that `extract` made of this heat map.
    heatmap : Heatmap
        The heat map.

    Returns
    -------
    ndarray of bool, shape (rows, cols)
        True inside of the finding, on the radiograph's stored grid, as coarse as its box.

    Raises
    ------
    ValueError
        If the heat map is below its threshold at the finding's peak, so that the finding is of another heat map.
    """
    (rows, cols), step = _grid(heatmap)
    labels, _ = connected_regions(heatmap.placement.map_to_radiograph(heatmap.cells, step) >= heatmap.threshold)
    row, col = (min(pixel // step, size - 1) for pixel, size in zip(finding.peak, labels.shape, strict=True))
    if not labels[row, col]:
        raise ValueError(
            f"the heat map is below its threshold at the peak {finding.peak} of the finding; give the one it is from"
        )
    own = (labels == labels[row, col]).repeat(step, 0).repeat(step, 1)[:rows, :cols]
    return np.pad(own, ((0, rows - own.shape[0]), (0, cols - own.shape[1])))


def _grid(heatmap: Heatmap) -> tuple[tuple[int, int], int]:
    """The radiograph's size, and the distance in pixels between its samples."""
    shape = heatmap.placement.rows, heatmap.placement.cols
    return shape, max(1, max(shape) // _FINEST)


def _pixel(sample: int, step: int, size: int) -> int:
    """The pixel that a sample was taken at."""
    return min(sample * step + step // 2, size - 1)


def _box(rows: slice, cols: slice, step: int, shape: tuple[int, ...]) -> Region:
    """The pixels that the samples of a slice stand for, cut at the edge of the radiograph."""
    bottom, right = min(rows.stop * step, shape[0]), min(cols.stop * step, shape[1])
    return Region(float(rows.start * step), float(cols.start * step), float(bottom), float(right))
