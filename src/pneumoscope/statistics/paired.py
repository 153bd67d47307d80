"""Two models on the same cases: their differences with intervals, and tests in which a patient's cases stay together."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from pneumoscope.statistics.estimate import Estimate, undefined
from pneumoscope.statistics.intervals import LEVEL, Metric, delong_components, percentile
from pneumoscope.statistics.metrics import Array


@dataclass(frozen=True)
class Test:
    """A difference, first minus second, with its two-sided p value: NaN where there is none, for the difference's reason."""

    difference: Estimate
    p: float

    __test__ = False  # no test of pytest's


@dataclass(frozen=True, eq=False)
class Drawn:
    """A figure of one model, and what it is in each bootstrap draw of patients, (draws,)."""

    value: float
    draws: Array


def drawn(metric: Metric, reference: Array, prediction: Array, weights: Array) -> Drawn:
    """`prediction`, shape (n,), are probabilities or decisions, as `metric` wants them; `weights` those of `patient_weights`."""
    value = metric(reference, prediction, np.ones(len(reference)))
    return Drawn(value, np.array([metric(reference, prediction, w) for w in weights]))


def difference(first: Drawn, second: Drawn, patients: Sequence[str]) -> Estimate:
    """Of a figure, first minus second, by a percentile bootstrap whose draws take a patient's cases for both models at once."""
    apart, n = first.value - second.value, len(set(patients))
    if np.isnan(apart):
        return undefined(n, "not defined on these cases")
    return percentile(apart, first.draws - second.draws, n)


def delong(reference: Array, first: Array, second: Array, patients: Sequence[str]) -> Test:
    """The test of two correlated ROC-AUC (DeLong et al. 1988) with the variance of Obuchowski 1997 for clusters of cases.

    Where every patient gives one case it is DeLong's own. Where the probabilities are ranked alike there is no variance, and no
    difference either: p is 1.
    """
    names, of_patient = np.unique(np.asarray(patients), return_inverse=True)
    if len(np.unique(reference)) < 2 or min(len(set(of_patient[reference == k])) for k in (0, 1)) < 2:
        return Test(undefined(len(names), "fewer than two patients of a class"), np.nan)
    positive, parts = reference == 1, [delong_components(reference, p) for p in (first, second)]
    apart = parts[0][0] - parts[1][0]
    of_positives = _summed(parts[0][1] - parts[1][1] - apart, of_patient[positive], len(names))
    of_negatives = _summed(parts[0][2] - parts[1][2] - apart, of_patient[~positive], len(names))
    variance = _variance(of_positives, of_negatives, of_patient, positive)
    name = "DeLong" if len(names) == len(reference) else "DeLong, clustered by patient (Obuchowski)"
    if variance < 1e-16:
        same = abs(apart) < 1e-12
        reason = "the two rank the cases alike" if same else "no variance of the difference"
        return Test(Estimate(apart, np.nan, np.nan, len(names), "patient", name, reason), 1.0 if same else np.nan)
    error = float(np.sqrt(variance))
    half = float(stats.norm.ppf((1 + LEVEL) / 2)) * error
    shown = Estimate(apart, apart - half, apart + half, len(names), "patient", name)
    return Test(shown, float(2 * stats.norm.sf(abs(apart) / error)))


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
    """Two-sided p value that two models decide rightly equally often: McNemar's exact test, for clusters.

    `first` and `second` are decisions, 0 or 1, shape (n,). Under the hypothesis the two could be exchanged within each patient:
    the p value is exact over all exchanges (a sign test on each patient's surplus of right decisions). Where every patient gives
    one case it is McNemar's exact test. 1 where no patient has a surplus.
    """
    _, of_patient = np.unique(np.asarray(patients), return_inverse=True)
    surplus = np.bincount(of_patient, (first == reference).astype(float) - (second == reference).astype(float))
    steps = [round(abs(s)) for s in surplus if s]
    reach = sum(steps)
    chance = np.zeros(2 * reach + 1)  # of each sum from -reach to reach
    chance[reach] = 1.0
    for step in steps:
        chance = (np.roll(chance, step) + np.roll(chance, -step)) / 2
    sums = np.abs(np.arange(-reach, reach + 1))
    return float(min(1.0, chance[sums >= abs(round(surplus.sum()))].sum()))


def holm(values: Sequence[float]) -> list[float]:
    """p values adjusted for being so many (Holm 1979), in their order; those that are NaN stay so and do not count."""
    adjusted = [float("nan")] * len(values)
    there = sorted((p, k) for k, p in enumerate(values) if not np.isnan(p))
    highest = 0.0
    for rank, (p, k) in enumerate(there):
        highest = max(highest, min(1.0, (len(there) - rank) * p))
        adjusted[k] = highest
    return adjusted
