"""Metrics as pure functions of (reference, probability or decision, weights).

Every function takes arrays of shape (n,) and returns a float, NaN where the figure is undefined. `weights` count how often
each case is taken: all ones for the data as they are, the multiplicity of its patient in a bootstrap draw.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.metrics import average_precision_score, roc_auc_score

Array = NDArray[np.float64]


def roc_auc(reference: Array, probability: Array, weights: Array) -> float:
    """Area under the ROC curve, ties count one half (Hanley & McNeil 1982). Does not show: calibration, or any decision."""
    kept = weights > 0
    if len(np.unique(reference[kept])) < 2:
        return float("nan")
    return float(roc_auc_score(reference[kept], probability[kept], sample_weight=weights[kept]))


def pr_auc(reference: Array, probability: Array, weights: Array) -> float:
    """Average precision, the area under precision over recall in steps. Does not show: a figure comparable across prevalences."""
    kept = weights > 0
    if len(np.unique(reference[kept])) < 2:
        return float("nan")
    return float(average_precision_score(reference[kept], probability[kept], sample_weight=weights[kept]))


def brier(reference: Array, probability: Array, weights: Array) -> float:
    """Mean squared difference of probability and outcome (Brier 1950). Does not show: whether rank or scale is at fault."""
    return float(np.average((probability - reference) ** 2, weights=weights))


def expected_calibration_error(reference: Array, probability: Array, weights: Array, bins: int = 10) -> float:
    """Mean |observed − predicted| over `bins` equally wide bins (Naeini 2015). Does not show: errors that cancel inside a bin."""
    which = np.minimum((probability * bins).astype(int), bins - 1)
    gap = np.bincount(which, weights * (reference - probability), bins)
    return float(np.abs(gap).sum() / weights.sum())


def calibration_line(reference: Array, probability: Array, weights: Array) -> tuple[float, float]:
    """Calibration slope and intercept: logistic regression of the outcome on the log-odds (Cox 1958).

    Slope 1 and intercept 0 are ideal; slope < 1 is over-confidence. NaN where the classes are separated or one is missing.
    """
    if len(np.unique(reference[weights > 0])) < 2:
        return float("nan"), float("nan")
    p = np.clip(probability, 1e-7, 1 - 1e-7)
    design = np.stack([np.log(p / (1 - p)), np.ones_like(p)], 1)
    beta, likelihood = np.zeros(2), _log_likelihood(np.zeros_like(p), reference, weights)
    for _ in range(50):
        fitted = expit(design @ beta)
        gradient = design.T @ (weights * (reference - fitted))
        hessian = (design * (weights * fitted * (1 - fitted))[:, None]).T @ design
        if not np.linalg.cond(hessian) < 1e12:
            return float("nan"), float("nan")
        step = np.linalg.solve(hessian, gradient)
        if np.abs(step).max() < 1e-8:
            return float(beta[0]), float(beta[1])
        # A whole Newton step may overshoot where probabilities are close to 0 and 1: halve it until it climbs.
        while (reached := _log_likelihood(design @ (beta + step), reference, weights)) < likelihood and np.abs(step).max() > 1e-8:
            step = step / 2
        beta, likelihood = beta + step, reached
    return float("nan"), float("nan")


def _log_likelihood(log_odds: Array, reference: Array, weights: Array) -> float:
    return float((weights * (reference * log_odds - np.logaddexp(0, log_odds))).sum())


def calibration_slope(reference: Array, probability: Array, weights: Array) -> float:
    return calibration_line(reference, probability, weights)[0]


def calibration_intercept(reference: Array, probability: Array, weights: Array) -> float:
    return calibration_line(reference, probability, weights)[1]


def confusion(reference: Array, positive: Array, weights: Array) -> tuple[float, float, float, float]:
    """True negatives, false positives, false negatives, true positives."""
    return (
        float((weights * (1 - reference) * (1 - positive)).sum()),
        float((weights * (1 - reference) * positive).sum()),
        float((weights * reference * (1 - positive)).sum()),
        float((weights * reference * positive).sum()),
    )


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else float("nan")


def accuracy(reference: Array, positive: Array, weights: Array) -> float:
    """Share of right decisions. Does not show: which of the two errors is made, and it moves with prevalence."""
    tn, fp, fn, tp = confusion(reference, positive, weights)
    return _ratio(tn + tp, tn + fp + fn + tp)


def sensitivity(reference: Array, positive: Array, weights: Array) -> float:
    """TP / (TP + FN); undefined without positives. Does not show: the price in false alarms."""
    _, _, fn, tp = confusion(reference, positive, weights)
    return _ratio(tp, tp + fn)


def specificity(reference: Array, positive: Array, weights: Array) -> float:
    """TN / (TN + FP); undefined without negatives. Does not show: the price in misses."""
    tn, fp, _, _ = confusion(reference, positive, weights)
    return _ratio(tn, tn + fp)


def balanced_accuracy(reference: Array, positive: Array, weights: Array) -> float:
    """Mean of sensitivity and specificity. Does not show: which of the two is low."""
    return (sensitivity(reference, positive, weights) + specificity(reference, positive, weights)) / 2


def ppv(reference: Array, positive: Array, weights: Array) -> float:
    """TP / (TP + FP), at this data's prevalence; undefined without positive decisions."""
    _, fp, _, tp = confusion(reference, positive, weights)
    return _ratio(tp, tp + fp)


def npv(reference: Array, positive: Array, weights: Array) -> float:
    """TN / (TN + FN), at this data's prevalence; undefined without negative decisions."""
    tn, _, fn, _ = confusion(reference, positive, weights)
    return _ratio(tn, tn + fn)


def f1(reference: Array, positive: Array, weights: Array) -> float:
    """2 TP / (2 TP + FP + FN). Does not show: true negatives, and it moves with prevalence."""
    _, fp, fn, tp = confusion(reference, positive, weights)
    return _ratio(2 * tp, 2 * tp + fp + fn)


def mcc(reference: Array, positive: Array, weights: Array) -> float:
    """Matthews correlation of decision and reference (Matthews 1975); undefined where a margin is empty."""
    tn, fp, fn, tp = confusion(reference, positive, weights)
    return _ratio(tp * tn - fp * fn, float(np.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn))))
