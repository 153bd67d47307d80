"""Figures of the free-response paradigm: any number of marks per image, each with a rating.

Figures take, per case, the ratings of its regions and of its false marks as `pneumoscope.reference.lesion_matching.match` gives
them, and `weights` (n_cases,): how
often each case is taken, as in a bootstrap of patients. NaN means undefined.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pneumoscope.statistics.metrics import Array, roc_auc

Ratings = Sequence[Array]
RATES = (1 / 8, 1 / 4, 1 / 2, 1.0, 2.0, 4.0, 8.0)
"""False marks per image of the FROC score (Setio et al. 2017, LUNA16)."""


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
    reference = np.repeat([1.0, 0.0], [len(hits), len(highest)])
    return float(roc_auc(reference, np.append(hits, highest), np.append(of_hit, weights[unaffected])))
