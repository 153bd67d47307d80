"""Figures of the free-response paradigm: any number of marks per image, each with a rating.

Every figure takes, for each case, the ratings of its lesions (−∞ for a lesion that is not marked) and the ratings of its false
marks, as `pneumoscope.reference.lesion_matching.match` gives them, and weights (n_cases,): how often each case is counted. NaN
means undefined.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pneumoscope.statistics.metrics import Array, roc_auc

Ratings = Sequence[Array]
RATES = (1 / 8, 1 / 4, 1 / 2, 1.0, 2.0, 4.0, 8.0)
"""False marks per image at which the FROC score is averaged."""


@dataclass(frozen=True, eq=False)
class Froc:
    """The points of an FROC curve, from the strictest threshold (+∞, no mark) to the lowest.

    Parameters
    ----------
    threshold
        Marks rated at least this are counted; shape (n_points,).
    false_per_image
        False marks per image over all images (non-lesion localization fraction), at least 0; shape (n_points,).
    sensitivity
        Share of the lesions that are hit (lesion localization fraction), in [0, 1]; NaN without a lesion; shape (n_points,).
    """

    threshold: Array
    false_per_image: Array
    sensitivity: Array


def _spread(ratings: Ratings, weights: Array) -> tuple[Array, Array]:
    """All ratings in one array, and the weight of the case of each."""
    return np.concatenate([np.empty(0), *ratings]), np.repeat(weights, [len(r) for r in ratings])


def _at_least(ratings: Array, weights: Array, thresholds: Array) -> Array:
    """Summed weight of the ratings ≥ each threshold, (n_thresholds,)."""
    order = np.argsort(ratings)
    below = np.append(0.0, weights[order].cumsum())
    return np.asarray(below[-1] - below[np.searchsorted(ratings[order], thresholds, "left")], np.float64)


def froc(lesions: Ratings, false: Ratings, weights: Array) -> Froc:
    """Compute the FROC curve: share of lesions hit over false marks per image, over all images with and without lesions.

    One point per distinct rating of a case with weight. Does not show: false marks on images without lesions on their own
    (see `afroc_auc`).

    Parameters
    ----------
    lesions
        Ratings of the lesions of each case, −∞ for one that is not marked.
    false
        Ratings of the false marks of each case.
    weights
        Shape (n_cases,), at least 0.

    Returns
    -------
    Froc
        The points of the curve.

    References
    ----------
    Bunch et al. 1978, Journal of Applied Photographic Engineering 4:166.

    Examples
    --------
    >>> curve = froc([np.array([0.9]), np.array([])], [np.array([]), np.array([0.4])], np.ones(2))
    >>> curve.sensitivity.tolist(), curve.false_per_image.tolist()
    ([0.0, 1.0, 1.0], [0.0, 0.0, 0.5])
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
    """Share of lesions hit with at most so many false marks per image, over all images.

    The largest share that an actual threshold reaches, without interpolation; where the reader never makes so many false marks,
    the share of all its marks. Does not show: which threshold that is.

    Parameters
    ----------
    lesions, false, weights
        As in `froc`.
    marks_per_image
        The largest number of false marks per image.

    Returns
    -------
    float
        In [0, 1]; NaN without a lesion.

    Examples
    --------
    >>> lesions, false = [np.array([0.9, 0.2]), np.array([])], [np.array([]), np.array([0.4])]
    >>> sensitivity_at(lesions, false, np.ones(2), marks_per_image=0.25)
    0.5
    """
    return _within(froc(lesions, false, weights), marks_per_image)


def froc_score(lesions: Ratings, false: Ratings, weights: Array) -> float:
    """Mean of `sensitivity_at` 1/8, 1/4, 1/2, 1, 2, 4 and 8 false marks per image.

    Setio et al. interpolate between thresholds, this function does not. Does not show: the rates that matter for a reader of few
    marks, since all rates above its last false mark count the same.

    Parameters
    ----------
    lesions, false, weights
        As in `froc`.

    Returns
    -------
    float
        In [0, 1]; NaN without a lesion.

    References
    ----------
    Setio et al. 2017, Medical Image Analysis 42:1 (competition performance metric of LUNA16).
    """
    curve = froc(lesions, false, weights)
    return float(np.mean([_within(curve, rate) for rate in RATES]))


def afroc_auc(lesions: Ratings, false: Ratings, weights: Array) -> float:
    """Area under the AFROC curve: lesions hit against images without lesions that are falsely marked.

    It is the probability that a lesion is rated above the highest mark of an image without lesions; ties count one half, also
    those of what is not marked at all (−∞). Does not show: false marks on images with lesions, nor all but the highest mark on
    the others.

    Parameters
    ----------
    lesions, false, weights
        As in `froc`.

    Returns
    -------
    float
        In [0, 1]; NaN without a lesion or without an image that has none.

    References
    ----------
    Chakraborty & Winter 1990, Radiology 174:873.

    Examples
    --------
    >>> lesions, false = [np.array([0.9, -np.inf]), np.array([])], [np.array([]), np.array([0.4])]
    >>> afroc_auc(lesions, false, np.ones(2))
    0.5
    """
    hits, of_hit = _spread(lesions, weights)
    unaffected = [k for k, r in enumerate(lesions) if not len(r)]
    highest = np.array([false[k].max(initial=-np.inf) for k in unaffected], np.float64)
    reference = np.repeat([1.0, 0.0], [len(hits), len(highest)])
    return float(roc_auc(reference, np.append(hits, highest), np.append(of_hit, weights[unaffected])))
