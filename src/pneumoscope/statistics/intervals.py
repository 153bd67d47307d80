"""Intervals: bootstrap over patients, DeLong for patients with one case each, Clopper–Pearson for shares at the boundary."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from pneumoscope.statistics.errors import StatisticsError
from pneumoscope.statistics.estimate import EQUAL_DRAWS, Estimate, undefined
from pneumoscope.statistics.metrics import Array, Metric

LEVEL = 0.95
"""Coverage of every interval."""
DRAWS = 2000
"""Bootstrap draws by default."""
NOT_DEFINED = "not defined on these cases"
"""The reason for no value where the cases do not allow the figure."""
_AT_A_TIME = 1 << 18  # weights that are worked on together: bounds the memory of the temporary arrays

RandomSource = np.random.Generator | int
"""A generator, or the seed of one (numpy.random.default_rng)."""


def patient_weights(
    patients: Sequence[str], draws: int, rng: RandomSource = 0, *, folds: NDArray[np.generic] | None = None
) -> Array:
    """Draw patients with replacement and count how often each case is taken.

    Parameters
    ----------
    patients
        The patient of each case, length n.
    draws
        Number of bootstrap draws, at least 1.
    rng
        A generator or a seed.
    folds
        The fold of each case, shape (n,): patients are then drawn within each fold, as many as it has.

    Returns
    -------
    Array
        Shape (draws, n), whole numbers.

    Raises
    ------
    StatisticsError
        If a patient has cases in two folds.

    Examples
    --------
    >>> patient_weights(["a", "a", "b"], 2, 1).tolist()
    [[1.0, 1.0, 1.0], [2.0, 2.0, 0.0]]
    """
    generator, names = np.random.default_rng(rng), np.asarray(patients)
    if folds is None:
        return _drawn(names, draws, generator)
    weights = np.empty((draws, len(names)))
    for part in fold_parts(patients, folds):
        weights[:, part] = _drawn(names[part], draws, generator)
    return weights


def fold_parts(patients: Sequence[str], folds: NDArray[np.generic] | None) -> list[NDArray[np.intp]]:
    """List the cases of each fold.

    Parameters
    ----------
    patients
        The patient of each case, length n.
    folds
        The fold of each case, shape (n,); None puts all cases into one fold.

    Returns
    -------
    list[NDArray[np.intp]]
        Indices of the cases of each fold, in the order of the folds.

    Raises
    ------
    StatisticsError
        If a patient has cases in two folds.

    Examples
    --------
    >>> [part.tolist() for part in fold_parts(["a", "b", "a"], np.array([1, 2, 1]))]
    [[0, 2], [1]]
    """
    if folds is None:
        return [np.arange(len(patients))]
    fold_of = dict(zip(patients, folds, strict=True))
    if crossing := sum(fold_of[patient] != fold for patient, fold in zip(patients, folds, strict=True)):
        raise StatisticsError(f"{crossing} cases lie in another fold than others of their patient; split the folds by patient")
    return [np.flatnonzero(folds == fold) for fold in np.unique(folds)]


def _drawn(patients: NDArray[np.str_], draws: int, rng: np.random.Generator) -> Array:
    names, index = np.unique(patients, return_inverse=True)
    share, block = np.full(len(names), 1 / len(names)), max(1, _AT_A_TIME // max(1, len(names)))
    weights = np.empty((draws, len(patients)))
    for start in range(0, draws, block):
        part = weights[start : start + block]
        part[:] = rng.multinomial(len(names), share, size=len(part))[:, index]
    return weights


def over_draws(metric: Metric, reference: Array, prediction: Array, weights: Array) -> Array:
    """Compute a metric in every bootstrap draw, in blocks of bounded memory.

    Parameters
    ----------
    metric
        The figure.
    reference, prediction
        Shape (n,).
    weights
        Shape (draws, n), as `patient_weights` gives them.

    Returns
    -------
    Array
        Shape (draws,).
    """
    block = max(1, _AT_A_TIME // max(1, weights.shape[1]))
    parts = [metric(reference, prediction, weights[start : start + block]) for start in range(0, len(weights), block)]
    return np.concatenate(parts)


def bootstrap(
    metric: Metric,
    reference: Array,
    prediction: Array,
    patients: Sequence[str],
    weights: Array,
    *,
    share_of: NDArray[np.bool_] | None = None,
) -> Estimate:
    """Estimate a figure with a percentile bootstrap over patients.

    A share of 0 or 1 is the same in every draw, so that the bootstrap would claim certainty: it gets the exact interval on the
    patients of its denominator instead. Any other figure that is the same in every draw gets no interval.

    Parameters
    ----------
    metric
        The figure.
    reference
        Shape (n,), 0 or 1.
    prediction
        Shape (n,), what the metric takes: probabilities or decisions.
    patients
        The patient of each case, length n.
    weights
        Shape (draws, n), as `patient_weights` gives them.
    share_of
        Shape (n,): the cases of the denominator, where the metric is a share of cases.

    Returns
    -------
    Estimate
        Its n are the patients of the denominator. Draws in which the metric is undefined are left out and counted.

    References
    ----------
    Efron 1979, Annals of Statistics 7:1; for clusters Field & Welsh 2007, JRSS B 69:369.
    """
    counted = np.asarray(patients) if share_of is None else np.asarray(patients)[share_of]
    n = len(np.unique(counted))
    value = float(metric(reference, prediction))
    if np.isnan(value):
        return undefined(n, NOT_DEFINED)
    if share_of is not None and value in (0.0, 1.0):
        low, high = clopper_pearson(round(value * n), n)
        return Estimate(value, low, high, n, "patient", "Clopper–Pearson on patients (share at the boundary)")
    return percentile(value, over_draws(metric, reference, prediction, weights), n)


def percentile(value: float, drawn: NDArray[np.float64], n: int) -> Estimate:
    """Make an estimate of a figure and its bootstrap draws.

    Parameters
    ----------
    value
        The figure on the data as they are.
    drawn
        The figure in each draw, shape (draws,); NaN where undefined.
    n
        Number of patients.

    Returns
    -------
    Estimate
        With the middle 95 % of the defined draws, or without an interval if most draws are undefined or all are equal.

    Examples
    --------
    >>> print(percentile(0.5, np.linspace(0, 1, 101), 20))
    0.5000 (0.0250–0.9750)
    """
    known = drawn[~np.isnan(drawn)]
    if len(known) < len(drawn) / 2:
        return Estimate(value, np.nan, np.nan, n, "patient", "bootstrap", "undefined in most bootstrap draws")
    if np.ptp(known) < 1e-12:
        return Estimate(value, np.nan, np.nan, n, "patient", "bootstrap", EQUAL_DRAWS)
    low, high = np.quantile(known, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    lost = f", {len(drawn) - len(known)} draws undefined" if len(known) < len(drawn) else ""
    return Estimate(value, float(low), float(high), n, "patient", f"patient bootstrap, {len(drawn)} draws{lost}")


def clopper_pearson(hits: int, n: int) -> tuple[float, float]:
    """Exact 95 % interval of a share.

    Parameters
    ----------
    hits
        Number of units that count, 0 to n.
    n
        Number of units, at least 1.

    Returns
    -------
    tuple[float, float]
        Lower and upper end.

    References
    ----------
    Clopper & Pearson 1934, Biometrika 26:404.

    Examples
    --------
    >>> print("{:.4f} {:.4f}".format(*clopper_pearson(10, 10)))
    0.6915 1.0000
    """
    ends = stats.binomtest(hits, n).proportion_ci(LEVEL, "exact")
    return float(ends.low), float(ends.high)


def difference_from_intervals(first: Estimate, second: Estimate, n: int) -> Estimate:
    """Estimate the difference of two figures of different patients from the intervals of both.

    Serves where a bootstrap cannot: a share of 0 or 1 is the same in every draw, so that a bootstrap of the difference would take
    it as certain.

    Parameters
    ----------
    first, second
        The figures with their intervals.
    n
        Number of patients of both.

    Returns
    -------
    Estimate
        First minus second; without an interval if one of the figures has none.

    References
    ----------
    Newcombe 1998, Statistics in Medicine 17:873, method 10, for shares; Zou & Donner 2008, Statistics in Medicine 27:1693.
    """
    value = first.value - second.value
    if not (first.has_interval and second.has_interval):
        why = first.reason if not first.has_interval else second.reason
        return Estimate(value, np.nan, np.nan, n, "patient", "none", f"one of the figures has no interval: {why}")
    below = np.hypot(first.value - first.low, second.high - second.value)
    above = np.hypot(first.high - first.value, second.value - second.low)
    return Estimate(value, float(value - below), float(value + above), n, "patient", "from the intervals of both (Zou & Donner)")


def delong_components(reference: Array, probability: Array) -> tuple[float, NDArray[np.float64], NDArray[np.float64]]:
    """ROC-AUC with its structural components over positives and negatives.

    Parameters
    ----------
    reference
        Shape (n,), 0 or 1, both present.
    probability
        Shape (n,).

    Returns
    -------
    tuple[float, NDArray[np.float64], NDArray[np.float64]]
        The area, a component for each positive and one for each negative.

    References
    ----------
    DeLong et al. 1988, Biometrics 44:837; by ranks after Sun & Xu 2014, IEEE Signal Processing Letters 21:1389.
    """
    positive, negative = probability[reference == 1], probability[reference == 0]
    m, n = len(positive), len(negative)
    pooled = stats.rankdata(np.concatenate([positive, negative]))
    v10 = (pooled[:m] - stats.rankdata(positive)) / n
    v01 = 1 - (pooled[m:] - stats.rankdata(negative)) / m
    return float(v10.mean()), v10, v01


def delong(reference: Array, probability: Array) -> Estimate:
    """Estimate ROC-AUC with DeLong's interval on the logit scale, for data in which every patient has one case.

    The logit keeps the interval inside (0, 1). At an area of exactly 1 there is no variance and so no interval.

    Parameters
    ----------
    reference
        Shape (n,), 0 or 1.
    probability
        Shape (n,).

    Returns
    -------
    Estimate
        Undefined with fewer than two cases of a class.

    References
    ----------
    DeLong et al. 1988, Biometrics 44:837; Pepe 2003, The Statistical Evaluation of Medical Tests, section 5.2.

    Examples
    --------
    >>> print(delong(np.array([0, 0, 0, 1, 1, 1.0]), np.array([0.1, 0.2, 0.6, 0.4, 0.8, 0.9])))
    0.8889 (0.2614–0.9945)
    """
    n = len(reference)
    if len(np.unique(reference)) < 2 or min((reference == 1).sum(), (reference == 0).sum()) < 2:
        return undefined(n, "fewer than two cases of a class")
    auc, v10, v01 = delong_components(reference, probability)
    variance = v10.var(ddof=1) / len(v10) + v01.var(ddof=1) / len(v01)
    if not 0 < auc < 1 or variance == 0:
        return Estimate(auc, np.nan, np.nan, n, "patient", "DeLong", "no variance at this AUC")
    half = stats.norm.ppf((1 + LEVEL) / 2) * np.sqrt(variance) / (auc * (1 - auc))
    low, high = 1 / (1 + np.exp(-(np.log(auc / (1 - auc)) + np.array([-half, half]))))
    return Estimate(auc, float(low), float(high), n, "patient", "DeLong, logit scale")
