"""Marks from the local maxima of a heat map."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from pneumoscope.localization.figures import Map, block_mean, reduction_factor
from pneumoscope.readings.mark import Mark

REACH = 0.06
"""Share of the longer side within which a maximum suppresses lower ones."""


def _peaks(values: Map) -> NDArray[np.intp]:
    """Local maxima among 8 neighbours, (row, col) in reading order, (n, 2); of a plateau the pixel nearest its centroid."""
    top = values == ndimage.maximum_filter(values, 3, mode="nearest")
    labels, count = ndimage.label(top, np.ones((3, 3)))
    # A plateau is no maximum if one of its pixels touches a pixel of equal height that itself has a higher neighbour.
    goes_on = top & (ndimage.maximum_filter(np.where(top, -np.inf, values), 3, mode="nearest") == values)
    ends = np.setdiff1d(np.arange(1, count + 1), labels[goes_on])
    if not ends.size:
        return np.empty((0, 2), np.intp)
    pixels = np.argwhere(np.isin(labels, ends))
    of, sizes = np.unique(labels[tuple(pixels.T)], return_inverse=True, return_counts=True)[1:]
    centroid = np.stack([np.bincount(of, pixels[:, axis]) / sizes for axis in (0, 1)], 1)
    distance = ((pixels - centroid[of]) ** 2).sum(1)
    order = np.lexsort((distance, of))
    return pixels[np.sort(order[np.unique(of[order], return_index=True)[1]])]


def marks(values: Map, probability: float, *, max_marks: int = 8, min_height: float = 0.05) -> tuple[Mark, ...]:
    """Turn the local maxima of a heat map into marks, highest first.

    The map is reduced to at most 320 × 320 blocks first. A maximum suppresses lower ones within 6 % of the longer side (greedy;
    of equal ones the first in reading order stays).

    Parameters
    ----------
    values
        Heat map, float32 (rows, cols) ≥ 0, in units of its full scale.
    probability
        The model's probability of the target, in [0, 1].
    max_marks
        Largest number of marks, ≥ 1.
    min_height
        Smallest height of a maximum that becomes a mark, in units of the map's full scale.

    Returns
    -------
    tuple of Mark
        Places in pixels of `values`; the rating is probability × height, not cut at full scale. A flat map gives none.

    Notes
    -----
    Does not show: how large the opacity under a mark is.
    """
    factor = reduction_factor(values.shape)
    small = block_mean(values, factor)
    if small.max() == small.min():
        return ()
    peaks = _peaks(small)
    heights = small[tuple(peaks.T)]
    taken: list[int] = []
    for index in np.argsort(-heights, kind="stable"):
        if heights[index] < min_height or len(taken) == max_marks:
            break
        if (np.hypot(*(peaks[taken] - peaks[index]).T) > REACH * max(small.shape)).all():
            taken.append(int(index))
    # The last block may be cut short by the edge, its centre is then not half a block from its start.
    ends = np.minimum((peaks + 1) * factor, values.shape)
    centres = (peaks * factor + ends) / 2
    return tuple(Mark(float(centres[k, 0]), float(centres[k, 1]), probability * float(heights[k])) for k in taken)
