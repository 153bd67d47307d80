"""Marks on radiographs and the figures of the free-response paradigm: any number of marks, each with a rating.

Figures take, per case, the ratings of its regions and of its false marks as `match` gives them, and `weights` (n_cases,): how
often each case is taken, as in a bootstrap of patients. NaN means undefined.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from pneumoscope.evaluation.localization import Map, block_mean, reduction_factor
from pneumoscope.evaluation.metrics import Array, roc_auc
from pneumoscope.radiograph import Region

Ratings = Sequence[Array]
REACH = 0.06
"""Share of the longer side within which a maximum suppresses lower ones."""
RATES = (1 / 8, 1 / 4, 1 / 2, 1.0, 2.0, 4.0, 8.0)
"""False marks per image of the FROC score (Setio et al. 2017, LUNA16)."""


@dataclass(frozen=True)
class Mark:
    """A place that a reader points at: in pixels of the radiograph (0.5 is the first pixel's centre), with a rating."""

    row: float
    col: float
    rating: float


@dataclass(frozen=True, eq=False)
class Froc:
    """The points of an FROC curve, each (n_points,), from the strictest threshold (+∞, no mark) on.

    Attributes
    ----------
    threshold: marks rated at least this count.
    false_per_image: false marks per image over all images (NLF), ≥ 0.
    sensitivity: share of the regions that are hit (LLF), in [0, 1]; NaN without a region.
    """

    threshold: Array
    false_per_image: Array
    sensitivity: Array


def _peaks(values: Map) -> NDArray[np.intp]:
    """(row, col) of the local maxima among 8 neighbours, (n, 2), in reading order; a plateau's pixel nearest its centroid."""
    top = values == ndimage.maximum_filter(values, 3, mode="nearest")
    labels, count = ndimage.label(top, np.ones((3, 3)))
    # A plateau is no maximum if it goes on, through a pixel that is not a candidate itself, to something higher.
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


def marks(values: Map, probability: float, *, most: int = 8, smallest: float = 0.05) -> tuple[Mark, ...]:
    """The map's local maxima as marks, highest first, at most `most`; `values` float32 (rows, cols) ≥ 0, in units of its scale.

    The map is reduced to at most 320 px first; a maximum suppresses lower ones within 6 % of the longer side (greedy, of equal
    ones the first in reading order stays); only maxima ≥ `smallest` count; the rating is probability × value, not cut at full
    scale. A flat map points nowhere and gives none. Does not show: how large the opacity under a mark is.
    """
    factor = reduction_factor(values.shape)
    small = block_mean(values, factor)
    if small.max() == small.min():
        return ()
    peaks = _peaks(small)
    heights = small[tuple(peaks.T)]
    kept: list[int] = []
    for index in np.argsort(-heights, kind="stable"):
        if heights[index] < smallest or len(kept) == most:
            break
        if (np.hypot(*(peaks[kept] - peaks[index]).T) > REACH * max(small.shape)).all():
            kept.append(int(index))
    # The last block may be cut short by the edge, its centre is then not half a block from its start.
    ends = np.minimum((peaks + 1) * factor, values.shape)
    centres = (peaks * factor + ends) / 2
    return tuple(Mark(float(centres[k, 0]), float(centres[k, 1]), probability * float(heights[k])) for k in kept)


def match(marks: Sequence[Mark], boxes: Sequence[Region]) -> tuple[Array, Array]:
    """Ratings of the regions (n_boxes,) and of the false marks (k,) of one case.

    A mark hits a box it lies in; a box's rating is its highest hit, −∞ if none; marks in no box are false. Further marks in a
    box that is hit are neither true nor false (Chakraborty 1989; Chakraborty & Berbaum 2004). Does not show: how near a false
    mark came to a box.
    """
    ratings = np.array([m.rating for m in marks], np.float64)
    inside = np.array(
        [[b.top <= m.row < b.bottom and b.left <= m.col < b.right for m in marks] for b in boxes], np.bool_
    ).reshape(len(boxes), len(marks))
    return np.where(inside, ratings, -np.inf).max(1, initial=-np.inf), ratings[~inside.any(0)]


def _spread(ratings: Ratings, weights: Array) -> tuple[Array, Array]:
    """All ratings in a row, and the weight of the case of each."""
    return np.concatenate([np.empty(0), *ratings]), np.repeat(weights, [len(r) for r in ratings])


def _at_least(ratings: Array, weights: Array, thresholds: Array) -> Array:
    """Summed weight of the ratings ≥ each threshold, (n_thresholds,)."""
    order = np.argsort(ratings)
    below = np.append(0.0, weights[order].cumsum())
    return np.asarray(below[-1] - below[np.searchsorted(ratings[order], thresholds, "left")], np.float64)


def froc(lesions: Ratings, false: Ratings, weights: Array) -> Froc:
    """Share of regions hit against false marks per image over ALL images, with and without regions (Bunch et al. 1978).

    One point per distinct rating of a case with weight. Does not show: how images without regions fare on their own
    (see `afroc_auc`).
    """
    (hits, of_hit), (misses, of_miss) = _spread(lesions, weights), _spread(false, weights)
    rated = np.concatenate([hits[of_hit > 0], misses[of_miss > 0]])
    thresholds = np.append(np.inf, np.unique(rated[np.isfinite(rated)])[::-1])
    regions, images = float(of_hit.sum()), float(weights.sum())
    return Froc(
        thresholds,
        _at_least(misses, of_miss, thresholds) / (images or np.nan),
        np.minimum(_at_least(hits, of_hit, thresholds) / (regions or np.nan), 1.0),
    )


def _within(curve: Froc, marks_per_image: float) -> float:
    # "Not more" instead of "at most", so that NaN stays NaN; the margin is for the rounding of weights like 0.1.
    return float(curve.sensitivity[~(curve.false_per_image > marks_per_image * (1 + 1e-9))].max(initial=0.0))


def sensitivity_at(lesions: Ratings, false: Ratings, weights: Array, marks_per_image: float) -> float:
    """Share of regions hit with at most `marks_per_image` false marks per image over all images, in [0, 1].

    The largest that an actual threshold reaches, without interpolation between thresholds; where the reader never makes so many
    false marks, that of all its marks. NaN without a region. Does not show: which threshold that is.
    """
    return _within(froc(lesions, false, weights), marks_per_image)


def froc_score(lesions: Ratings, false: Ratings, weights: Array) -> float:
    """Mean of `sensitivity_at` 1/8, 1/4, 1/2, 1, 2, 4 and 8 false marks per image, in [0, 1] (CPM of Setio et al. 2017).

    Setio interpolates between thresholds, here none is. NaN without a region. Does not show: the rates that matter for a
    reader of few marks: from its last false mark on, all rates count the same.
    """
    curve = froc(lesions, false, weights)
    return float(np.mean([_within(curve, rate) for rate in RATES]))


def afroc_auc(lesions: Ratings, false: Ratings, weights: Array) -> float:
    """Area under the AFROC curve, in [0, 1] (Chakraborty & Winter 1990): regions hit against images falsely marked.

    The latter are the images WITHOUT regions, each by its highest false mark; trapezoids, with a straight line from the last
    point to (1, 1). It is the chance that a region is rated above an unaffected image's highest mark, ties (also of what is
    not marked at all, −∞) count one half. NaN without a region or without an unaffected image. Does not show: false marks on
    images with regions, nor all but the highest on the others.
    """
    hits, of_hit = _spread(lesions, weights)
    unaffected = [k for k, r in enumerate(lesions) if not len(r)]
    highest = np.array([false[k].max(initial=-np.inf) for k in unaffected], np.float64)
    # Ranks instead of ratings, since −∞ is no number to scikit-learn.
    ranks = np.unique(np.append(hits, highest), return_inverse=True)[1].astype(np.float64)
    reference = np.repeat([1.0, 0.0], [len(hits), len(highest)])
    return roc_auc(reference, ranks, np.append(of_hit, weights[unaffected]))
