"""Other figures of the empirical ROC curve, and of decisions, of every reader in every modality.

The empirical curve joins its points by straight lines.
"""

import itertools

import numpy as np

from pneumoscope.statistics.errors import StatisticsError
from pneumoscope.statistics.metrics import Array
from pneumoscope.statistics.multireader.auc import mean_and_without
from pneumoscope.statistics.multireader.jackknife import Jackknife, by_deletion
from pneumoscope.statistics.multireader.ratings import ReaderRatings


def sensitivity(ratings: ReaderRatings, threshold: float) -> Jackknife:
    """Compute the share of diseased cases with a rating of at least a threshold.

    Parameters
    ----------
    ratings
        Any design.
    threshold
        The lowest rating that is called positive.

    Returns
    -------
    Jackknife
        Only diseased cases are left out. NaN for a reader without one.
    """
    called = ratings.decisions(threshold).rating
    return mean_and_without(called[..., ratings.truth])


def specificity(ratings: ReaderRatings, threshold: float) -> Jackknife:
    """Compute the share of non-diseased cases with a rating below a threshold.

    Parameters
    ----------
    ratings
        Any design.
    threshold
        The lowest rating that is called positive.

    Returns
    -------
    Jackknife
        Only non-diseased cases are left out. NaN for a reader without one.
    """
    called = ratings.decisions(threshold).rating
    return mean_and_without(1 - called[..., ~ratings.truth])


def _in_unit(name: str, *values: float) -> None:
    if not all(0 <= value <= 1 for value in values) or any(b <= a for a, b in itertools.pairwise(values)):
        raise StatisticsError(f"{name} {', '.join(map(str, values))}: give values from 0 to 1, the lower one first")


def _curve(nondiseased: Array, diseased: Array) -> tuple[Array, Array]:
    """False-positive and true-positive fraction from (0, 0) to (1, 1); NaN without a case of a class."""
    if not (len(nondiseased) and len(diseased)):
        return np.array([np.nan]), np.array([np.nan])
    thresholds = np.append(np.inf, np.unique(np.concatenate([nondiseased, diseased]))[::-1])
    no, yes = np.sort(nondiseased), np.sort(diseased)
    return 1 - np.searchsorted(no, thresholds) / len(no), 1 - np.searchsorted(yes, thresholds) / len(yes)


def _height(x: Array, y: Array, at: float) -> float:
    """A nondecreasing curve at a place: the upper end of a vertical step."""
    place = int(np.searchsorted(x, at, side="right")) - 1
    if np.isnan(x[0]) or x[place] == at or place + 1 == len(x):
        return float(y[place])
    return float(y[place] + (at - x[place]) / (x[place + 1] - x[place]) * (y[place + 1] - y[place]))


def _area_between(x: Array, y: Array, low: float, high: float) -> float:
    """The area under a curve between two places."""
    if np.isnan(x[0]):
        return float("nan")
    inside = (x > low) & (x < high)
    at_low = _height(x, y, low)
    # The lower end at the right border: a vertical step there has no area.
    ends_x, ends_y = (
        np.concatenate([[low], x[inside], [high]]),
        np.concatenate([[at_low], y[inside], [_lower_height(x, y, high)]]),
    )
    return float(np.trapezoid(ends_y, ends_x))


def _lower_height(x: Array, y: Array, at: float) -> float:
    place = int(np.searchsorted(x, at, side="left"))
    if place == 0 or x[place] == at:
        return float(y[place])
    return float(y[place - 1] + (at - x[place - 1]) / (x[place] - x[place - 1]) * (y[place] - y[place - 1]))


def partial_auc_of_specificity(ratings: ReaderRatings, low: float, high: float = 1.0) -> Jackknife:
    """Compute the area under the ROC curve where the specificity is between two values.

    Parameters
    ----------
    ratings
        Any design.
    low, high
        Specificities, in [0, 1].

    Returns
    -------
    Jackknife
        From 0 to high − low: not divided by the width.

    References
    ----------
    McClish 1989, Medical Decision Making 9:190.
    """
    _in_unit("specificities", low, high)
    return by_deletion(ratings, lambda no, yes: _area_between(*_curve(no, yes), 1 - high, 1 - low))


def partial_auc_of_sensitivity(ratings: ReaderRatings, low: float, high: float = 1.0) -> Jackknife:
    """Compute the area to the right of the ROC curve where the sensitivity is between two values.

    Parameters
    ----------
    ratings
        Any design.
    low, high
        Sensitivities, in [0, 1].

    Returns
    -------
    Jackknife
        The integral of the specificity over the sensitivity, from 0 to high − low.

    References
    ----------
    Jiang, Metz & Nishikawa 1996, Radiology 201:745.
    """
    _in_unit("sensitivities", low, high)

    def of_reader(nondiseased: Array, diseased: Array) -> float:
        false, true = _curve(nondiseased, diseased)
        return (high - low) - _area_between(true, false, low, high)

    return by_deletion(ratings, of_reader)


def sensitivity_at_specificity(ratings: ReaderRatings, specificity: float) -> Jackknife:
    """Compute the sensitivity of the ROC curve at a specificity.

    Parameters
    ----------
    ratings
        Any design.
    specificity
        In [0, 1].

    Returns
    -------
    Jackknife
        Interpolated between points; the largest sensitivity where the curve is vertical.
    """
    _in_unit("specificity", specificity)
    return by_deletion(ratings, lambda no, yes: _height(*_curve(no, yes), 1 - specificity))


def specificity_at_sensitivity(ratings: ReaderRatings, sensitivity: float) -> Jackknife:
    """Compute the specificity of the ROC curve at a sensitivity.

    Parameters
    ----------
    ratings
        Any design.
    sensitivity
        In [0, 1].

    Returns
    -------
    Jackknife
        Interpolated between points; the largest specificity where the curve is horizontal.
    """
    _in_unit("sensitivity", sensitivity)

    def of_reader(nondiseased: Array, diseased: Array) -> float:
        false, true = _curve(nondiseased, diseased)
        return 1 - _lower_height(true, false, sensitivity) if not np.isnan(true[0]) else float("nan")

    return by_deletion(ratings, of_reader)


def expected_utility(ratings: ReaderRatings, slope: float = 1.0) -> Jackknife:
    """Compute the expected utility at the best point of the ROC curve: the maximum of sensitivity − slope · (1 − specificity).

    Parameters
    ----------
    ratings
        Any design.
    slope
        Of the lines of equal utility, above 0: (odds of no disease) · (cost of a false positive) / (benefit of a true positive).

    Returns
    -------
    Jackknife
        In [0, 1]; 0 for a curve below the line.

    Raises
    ------
    StatisticsError
        If the slope is not above 0.

    References
    ----------
    Abbey, Samuelson & Gallas 2013, Academic Radiology 20:798.
    """
    if not slope > 0:
        raise StatisticsError(f"a slope of {slope}: give one above 0")

    def of_reader(nondiseased: Array, diseased: Array) -> float:
        false, true = _curve(nondiseased, diseased)
        return float((true - slope * false).max())

    return by_deletion(ratings, of_reader)
