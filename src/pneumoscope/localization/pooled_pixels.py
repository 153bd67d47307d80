"""Average precision over the pixels of all radiographs together (PxAP), from histograms that are made case by case.

``values`` is a heat map, float32 (rows, cols) ≥ 0 in units of its fixed scale; ``reference`` is bool of the same shape.
"""

import numpy as np

from pneumoscope.localization.figures import Map, Mask
from pneumoscope.statistics.metrics import Array


def pixel_edges(highest: float, levels: int) -> Array:
    """Make the bin edges for `pixel_histogram`.

    Parameters
    ----------
    highest
        The highest threshold, in units of the map's scale.
    levels
        Number of thresholds, equally spaced over [0, highest].

    Returns
    -------
    ndarray
        float64 (levels + 1,): the thresholds and an open end.
    """
    return np.append(np.linspace(0, highest, levels), np.inf)


def pixel_histogram(values: Map, reference: Mask, edges: Array) -> tuple[Array, Array]:
    """Count the reference pixels and the other pixels in bins of the map.

    Parameters
    ----------
    values, reference
        The map and its reference, of one shape.
    edges
        Edges of the bins, (bins + 1,).

    Returns
    -------
    tuple of ndarray
        Reference pixels and other pixels per bin, each float64 (bins,).

    Notes
    -----
    Does not show: the order of pixels within a bin.
    """
    foreground, background = (np.histogram(values[mask], edges)[0].astype(np.float64) for mask in (reference, ~reference))
    return foreground, background


def pxap(foreground: Array, background: Array) -> float:
    """Compute PxAP, the average precision over the pixels of all radiographs together, from a pooled histogram.

    Parameters
    ----------
    foreground, background
        Sums over cases of `pixel_histogram`, (bins,), each case as often as it counts.

    Returns
    -------
    float
        Σ PxPrec(τ) · (PxRec(τ) − PxRec(next higher τ)) over all thresholds τ, in [0, 1]; NaN without a reference pixel.

    Notes
    -----
    Source: Choe et al. 2020 (CVPR, equation 4), who first divide each map by its own maximum.

    Does not show: cases equally: one with more pixels, or a larger region, weighs more.
    """
    true, false = (counts[::-1].cumsum() for counts in (foreground, background))
    if not true[-1]:
        return float("nan")
    precision = true / np.maximum(true + false, np.finfo(float).tiny)
    return float((precision * np.diff(true, prepend=0)).sum() / true[-1])
