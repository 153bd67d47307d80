"""The range of grey levels that the bulk of a radiograph spans, and the rule where it contradicts a stated grey scale.

The *bulk* lies between the 0.5 and 99.5 percentiles of the pixels, without padding. *Extremes* are values further from the bulk
than a quarter of its range, such as burned-in characters. A stated grey scale (a window, a VOI LUT, the white of a 16 bit
picture) counts as wrong if it spreads the bulk over less than one eighth of the display (32 of 256 grey levels), as a window far
wider than the data does; then the scale is the range of the data without extremes. Where no scale is stated it is the range of
the data, without extremes if that is more than twice the range of the bulk.
"""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

Source = Literal["header", "range", "bulk"]
"""What the grey scale spans: what the header or the format states, the range of the data, or that range without extremes."""
BULK = 0.005, 0.995
"""Quantiles between which the bulk of the pixels lies."""
LEAST_SPREAD = 1 / 8
"""Share of the display below which the spread of the bulk contradicts a stated grey scale."""
FENCE = 1 / 4
"""Share of the range of the bulk beyond which values are extremes."""
WIDEST_RANGE = 2.0
"""Range of the data over range of its bulk, above which the extremes are left out of a scale that no header states."""

Values = NDArray[np.float64]
Counts = NDArray[np.int64]


def stated_or_bulk(shown: Values, values: Values, counts: Counts) -> tuple[Values, Source]:
    """Keep a stated grey scale unless the data contradict it.

    Parameters
    ----------
    shown : ndarray of float64, shape (levels,)
        Display values in [0, 1] by the stated scale, of the values that occur.
    values : ndarray of float64, shape (levels,)
        The values themselves, for a scale that shows them all alike.
    counts : ndarray of int64, shape (levels,)
        How many pixels have each value; 0 for padding.

    Returns
    -------
    shown : ndarray of float64, shape (levels,)
        Display values in [0, 1].
    source : {"header", "bulk"}
        What the scale spans.
    """
    low, high = bulk(shown, counts)
    if not high - low < LEAST_SPREAD:  # of values that are not numbers, too
        return shown, "header"
    if high > low:
        return spread(shown, *without_extremes(shown, counts)), "bulk"
    low, high = without_extremes(values, counts)
    return (spread(values, low, high), "bulk") if high > low else (shown, "header")


def range_or_bulk(values: Values, counts: Counts) -> tuple[Values, Source]:
    """Spread values for which no grey scale is stated.

    Parameters
    ----------
    values : ndarray of float64, shape (levels,)
        Values that occur.
    counts : ndarray of int64, shape (levels,)
        How many pixels have each value; 0 for padding.

    Returns
    -------
    shown : ndarray of float64, shape (levels,)
        Display values in [0, 1].
    source : {"range", "bulk"}
        What the scale spans.
    """
    inside = values[counts > 0]
    lowest, highest = float(inside.min()), float(inside.max())
    low, high = bulk(values, counts)
    if highest - lowest > WIDEST_RANGE * (high - low) > 0:
        return spread(values, *without_extremes(values, counts)), "bulk"
    return spread(values, lowest, highest), "range"


def without_extremes(values: Values, counts: Counts) -> tuple[float, float]:
    """Find the range of values that are no extremes.

    Parameters
    ----------
    values : ndarray of float64, shape (levels,)
        Values that occur, in any order.
    counts : ndarray of int64, shape (levels,)
        How many pixels have each value, at least one of them not 0.

    Returns
    -------
    low, high : float
        The lowest and the highest value that occurs within `FENCE` of the bulk.
    """
    low, high = bulk(values, counts)
    beyond = FENCE * (high - low)
    inside = values[(counts > 0) & (values >= low - beyond) & (values <= high + beyond)]
    return float(inside.min()), float(inside.max())


def bulk(values: Values, counts: Counts) -> tuple[float, float]:
    """Find the quantiles `BULK`, as values that occur.

    Parameters
    ----------
    values : ndarray of float64, shape (levels,)
        Values that occur, in any order.
    counts : ndarray of int64, shape (levels,)
        How many pixels have each value, at least one of them not 0.

    Returns
    -------
    low, high : float
        The 0.5 and 99.5 percentiles.
    """
    order = np.argsort(values, kind="stable")
    share = np.cumsum(counts[order]) / int(counts.sum())
    low, high = (min(int(np.searchsorted(share, q)), len(order) - 1) for q in BULK)
    return float(values[order[low]]), float(values[order[high]])


def spread(values: Values, low: float, high: float) -> Values:
    """Spread values linearly so that `low` is black and `high` is white.

    Parameters
    ----------
    values : ndarray of float64
        Any values.
    low, high : float
        Values of black and of white.

    Returns
    -------
    ndarray of float64, in [0, 1]
        Of the shape of `values`.
    """
    return np.asarray(np.clip((values - low) / max(high - low, 1e-9), 0, 1))
