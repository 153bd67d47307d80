"""Intervals: the patient-clustered bootstrap, DeLong for single patients, Clopper–Pearson at the boundary."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from pneumoscope.statistics.estimate import EQUAL_DRAWS, Estimate, undefined
from pneumoscope.statistics.metrics import Array

Metric = Callable[[Array, Array, Array], float]
LEVEL = 0.95
DRAWS = 2000


def patient_weights(patients: Sequence[str], draws: int, rng: np.random.Generator) -> Array:
    """How often each case is taken in each bootstrap draw of patients with replacement, shape (draws, n)."""
    names, index = np.unique(np.asarray(patients), return_inverse=True)
    counts = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), size=draws)
    return counts[:, index].astype(np.float64)


def bootstrap(
    metric: Metric,
    reference: Array,
    prediction: Array,
    patients: Sequence[str],
    weights: Array,
    *,
    share_of: NDArray[np.bool_] | None = None,
) -> Estimate:
    """Percentile bootstrap over patients (Efron 1979; Field & Welsh 2007 for clusters).

    `weights` are the draws of `patient_weights`. Draws in which the metric is undefined are left out and counted. `share_of`
    says which cases are the denominator, shape (n,), where the metric is a share of cases; n is then their patients. A share of
    0 or 1, where every draw is the same and the bootstrap would claim certainty, gets the exact interval of Clopper &
    Pearson 1934 on those patients; another figure that is the same in every draw gets none.
    """
    counted = np.asarray(patients) if share_of is None else np.asarray(patients)[share_of]
    n = len(np.unique(counted))
    value = metric(reference, prediction, np.ones(len(reference)))
    if np.isnan(value):
        return undefined(n, "not defined on these cases")
    if share_of is not None and value in (0.0, 1.0):
        low, high = clopper_pearson(round(value * n), n)
        return Estimate(value, low, high, n, "patient", "Clopper–Pearson on patients (share at the boundary)")
    return percentile(value, np.array([metric(reference, prediction, w) for w in weights]), n)


def percentile(value: float, drawn: NDArray[np.float64], n: int) -> Estimate:
    """A figure of `n` patients with the interval of its bootstrap draws, of which some may be undefined (NaN)."""
    kept = drawn[~np.isnan(drawn)]
    if len(kept) < len(drawn) / 2:
        return Estimate(value, np.nan, np.nan, n, "patient", "bootstrap", "undefined in most bootstrap draws")
    if np.ptp(kept) < 1e-12:
        return Estimate(value, np.nan, np.nan, n, "patient", "bootstrap", EQUAL_DRAWS)
    low, high = np.quantile(kept, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    lost = f", {len(drawn) - len(kept)} draws undefined" if len(kept) < len(drawn) else ""
    return Estimate(value, float(low), float(high), n, "patient", f"patient bootstrap, {len(drawn)} draws{lost}")


def clopper_pearson(hits: int, n: int) -> tuple[float, float]:
    """Exact interval of a share, Clopper & Pearson 1934."""
    interval = stats.binomtest(hits, n).proportion_ci(LEVEL, "exact")
    return float(interval.low), float(interval.high)


def delong_components(reference: Array, probability: Array) -> tuple[float, NDArray[np.float64], NDArray[np.float64]]:
    """AUC and its structural components over positives and negatives (DeLong et al. 1988; ranks by Sun & Xu 2014)."""
    positive, negative = probability[reference == 1], probability[reference == 0]
    m, n = len(positive), len(negative)
    pooled = stats.rankdata(np.concatenate([positive, negative]))
    v10 = (pooled[:m] - stats.rankdata(positive)) / n
    v01 = 1 - (pooled[m:] - stats.rankdata(negative)) / m
    return float(v10.mean()), v10, v01


def delong(reference: Array, probability: Array) -> Estimate:
    """ROC-AUC with DeLong's interval on the logit scale, for data where every patient gives one case.

    The logit keeps the interval inside (0, 1) (Pepe 2003, section 5.2); at an AUC of exactly 1 there is no variance to use and
    the interval is undefined.
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
