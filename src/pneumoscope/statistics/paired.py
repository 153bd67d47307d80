"""Two models on the same cases: their differences with intervals, and tests that keep the cases of a patient together."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from pneumoscope.statistics.estimate import Estimate, undefined
from pneumoscope.statistics.intervals import LEVEL, NOT_DEFINED, delong_components, fold_parts, over_draws, percentile
from pneumoscope.statistics.metrics import Array, Metric

SAME_RANKING = "the two rank the cases alike"
"""The reason for no interval where two models order the cases in the same way."""


@dataclass(frozen=True)
class PairedTest:
    """The result of a paired test.

    Parameters
    ----------
    difference
        First minus second, with its interval.
    p
        Two-sided p value; NaN where the difference says why there is none.
    """

    difference: Estimate
    p: float


@dataclass(frozen=True, eq=False)
class Draws:
    """A figure of one model and its bootstrap draws.

    Parameters
    ----------
    value
        The figure on the data as they are.
    drawn
        The figure in each draw of patients, shape (draws,).
    """

    value: float
    drawn: Array


def draws_of(metric: Metric, reference: Array, prediction: Array, weights: Array) -> Draws:
    """Compute a figure and its bootstrap draws, to be paired with those of another model.

    Parameters
    ----------
    metric
        The figure.
    reference
        Shape (n,), 0 or 1.
    prediction
        Shape (n,), probabilities or decisions, as the metric takes them.
    weights
        Shape (draws, n), as `intervals.patient_weights` gives them; the same for both models.

    Returns
    -------
    Draws
        The figure and its draws.
    """
    return Draws(float(metric(reference, prediction)), over_draws(metric, reference, prediction, weights))


def difference(first: Draws, second: Draws, patients: Sequence[str]) -> Estimate:
    """Estimate the difference of a figure, first minus second, by a bootstrap that draws each patient for both models at once.

    Parameters
    ----------
    first, second
        The figure of either model, on the same draws.
    patients
        The patient of each case.

    Returns
    -------
    Estimate
        With a percentile interval.
    """
    value, n = first.value - second.value, len(set(patients))
    if np.isnan(value):
        return undefined(n, NOT_DEFINED)
    return percentile(value, first.drawn - second.drawn, n)


def delong(
    reference: Array,
    first: Array,
    second: Array,
    patients: Sequence[str],
    *,
    folds: NDArray[np.generic] | None = None,
) -> PairedTest:
    """Test the difference of two correlated ROC-AUC: DeLong's test with the variance for clusters of cases.

    Where every patient has one case the test is DeLong's own. With folds the difference is the mean of the folds' differences,
    and its variance comes from the variances within folds: scores of different folds belong to different models and are never
    ranked together. With several seeds the area of a model is the mean of the areas of its seeds, and so is each case's
    component: seeds add no patients. Two models that rank all cases alike do not differ: p is 1.

    Parameters
    ----------
    reference
        Shape (n,), 0 or 1.
    first, second
        Scores of the two models, shape (n,), or (seeds, n) for models that were trained several times.
    patients
        The patient of each case, length n.
    folds
        The fold of each case, shape (n,); None for one model tested on all cases.

    Returns
    -------
    PairedTest
        Undefined if a fold has fewer than two patients of a class.

    Raises
    ------
    StatisticsError
        If a patient has cases in two folds.

    References
    ----------
    DeLong et al. 1988, Biometrics 44:837; Obuchowski 1997, Biometrics 53:567. For folds Airola et al. 2011, Computational
    Statistics & Data Analysis 55:1828; LeDell et al. 2015, Electronic Journal of Statistics 9:1583.
    """
    names, n = np.asarray(patients), len(set(patients))
    parts = fold_parts(patients, folds)
    if any(_too_few(reference[part], names[part]) for part in parts):
        where = "" if folds is None else " in a fold"
        return PairedTest(undefined(n, f"fewer than two patients of a class{where}"), np.nan)
    first, second = np.atleast_2d(first), np.atleast_2d(second)
    gaps, variances = zip(*(_gap(reference[p], first[:, p], second[:, p], names[p]) for p in parts), strict=True)
    gap, variance = float(np.mean(gaps)), sum(variances) / len(parts) ** 2
    method = "DeLong" if n == len(reference) else "DeLong, clustered by patient (Obuchowski)"
    method += "" if folds is None else f", mean over {len(parts)} folds"
    method += f", mean over {len(first)} seeds" if len(first) > 1 else ""
    if variance < 1e-16:
        same = max(map(abs, gaps)) < 1e-12
        reason = SAME_RANKING if same else "no variance of the difference"
        return PairedTest(Estimate(gap, np.nan, np.nan, n, "patient", method, reason), 1.0 if same else np.nan)
    error = float(np.sqrt(variance))
    half = float(stats.norm.ppf((1 + LEVEL) / 2)) * error
    shown = Estimate(gap, gap - half, gap + half, n, "patient", method)
    return PairedTest(shown, float(2 * stats.norm.sf(abs(gap) / error)))


def _too_few(reference: Array, patients: NDArray[np.str_]) -> bool:
    return min(len(np.unique(patients[reference == label])) for label in (0, 1)) < 2


def _gap(reference: Array, first: Array, second: Array, patients: NDArray[np.str_]) -> tuple[float, float]:
    """The difference of two ROC-AUC on the same cases, each a mean over the rows of its scores, and its variance."""
    names, of_patient = np.unique(patients, return_inverse=True)
    positive, parts = reference == 1, [_mean_components(reference, scores) for scores in (first, second)]
    gap = parts[0][0] - parts[1][0]
    of_positives = _summed(parts[0][1] - parts[1][1] - gap, of_patient[positive], len(names))
    of_negatives = _summed(parts[0][2] - parts[1][2] - gap, of_patient[~positive], len(names))
    return gap, _variance(of_positives, of_negatives, of_patient, positive)


def _mean_components(reference: Array, scores: Array) -> tuple[float, NDArray[np.float64], NDArray[np.float64]]:
    areas, of_positives, of_negatives = zip(*(delong_components(reference, row) for row in scores), strict=True)
    return float(np.mean(areas)), np.mean(of_positives, axis=0), np.mean(of_negatives, axis=0)


def _summed(values: NDArray[np.float64], groups: NDArray[np.intp], count: int) -> NDArray[np.float64]:
    return np.asarray(np.bincount(groups, values, count), np.float64)


def _variance(
    of_positives: NDArray[np.float64],
    of_negatives: NDArray[np.float64],
    of_patient: NDArray[np.intp],
    positive: NDArray[np.bool_],
) -> float:
    """Obuchowski 1997, equations 4 to 6, of components that are centred and summed by patient."""
    m, n = int(positive.sum()), int((~positive).sum())
    with_positives, with_negatives = len(set(of_patient[positive])), len(set(of_patient[~positive]))
    count = len(of_positives)
    s10 = with_positives / (with_positives - 1) / m * float((of_positives**2).sum())
    s01 = with_negatives / (with_negatives - 1) / n * float((of_negatives**2).sum())
    s11 = count / (count - 1) * float((of_positives * of_negatives).sum())
    return s10 / m + s01 / n + 2 * s11 / (m * n)


def mcnemar(reference: Array, first: Array, second: Array, patients: Sequence[str]) -> float:
    """Test whether two models decide rightly equally often: McNemar's exact test, for clusters of cases.

    Under the hypothesis the decisions of the two models could be exchanged within each patient. The p value is exact over all
    exchanges: a sign test of each patient's surplus of right decisions. Where every patient has one case it is McNemar's exact
    test. Cases of several folds may be given together, since decisions, unlike scores, are never compared between cases.

    Parameters
    ----------
    reference
        Shape (n,), 0 or 1.
    first, second
        Decisions of the two models, shape (n,), 0 or 1.
    patients
        The patient of each case, length n.

    Returns
    -------
    float
        Two-sided p value; 1 where no patient has a surplus.

    References
    ----------
    McNemar 1947, Psychometrika 12:153.

    Examples
    --------
    >>> reference, first = np.ones(5), np.ones(5)
    >>> mcnemar(reference, first, np.zeros(5), list("abcde"))
    0.0625
    """
    of_patients = surplus(reference, first, second, patients)
    steps = [round(abs(s)) for s in of_patients if s]
    reach = sum(steps)
    chance = np.zeros(2 * reach + 1)  # of each sum from -reach to reach
    chance[reach] = 1.0
    for step in steps:
        chance = (np.roll(chance, step) + np.roll(chance, -step)) / 2
    sums = np.abs(np.arange(-reach, reach + 1))
    return float(min(1.0, chance[sums >= abs(round(of_patients.sum()))].sum()))


def surplus(reference: Array, first: Array, second: Array, patients: Sequence[str]) -> NDArray[np.float64]:
    """Count the right decisions of the first model minus those of the second one, by patient.

    Parameters
    ----------
    reference
        Shape (n,), 0 or 1.
    first, second
        Decisions of the two models, shape (n,), 0 or 1.
    patients
        The patient of each case, length n.

    Returns
    -------
    NDArray[np.float64]
        Whole numbers, one for each patient in the order of their names.

    Examples
    --------
    >>> surplus(np.ones(3), np.array([1.0, 1, 0]), np.array([0.0, 0, 1]), ["a", "a", "b"]).tolist()
    [2.0, -1.0]
    """
    _, of_patient = np.unique(np.asarray(patients), return_inverse=True)
    right = (first == reference).astype(float) - (second == reference).astype(float)
    return np.asarray(np.bincount(of_patient, right), np.float64)


def holm(values: Sequence[float]) -> list[float]:
    """Adjust p values for their number.

    Parameters
    ----------
    values
        p values in [0, 1]; NaN stays NaN and does not count.

    Returns
    -------
    list[float]
        Adjusted p values in the same order.

    References
    ----------
    Holm 1979, Scandinavian Journal of Statistics 6:65.

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    adjusted = [float("nan")] * len(values)
    known = sorted((p, k) for k, p in enumerate(values) if not np.isnan(p))
    highest = 0.0
    for rank, (p, k) in enumerate(known):
        highest = max(highest, min(1.0, (len(known) - rank) * p))
        adjusted[k] = highest
    return adjusted
