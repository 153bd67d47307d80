"""Fit calibration and operating points; the tune side is where that is done."""

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_expit
from sklearn.isotonic import IsotonicRegression
from sklearn.metrics import roc_curve

from pneumoscope.classifier import Calibration, GreyZone, OperatingPoint
from pneumoscope.classifier.score import CalibrationMethod
from pneumoscope.evaluation.errors import EvaluationError
from pneumoscope.statistics.metrics import Array


def fit(method: CalibrationMethod, reference: Array, log_odds: Array, split: str, split_sha256: str) -> Calibration:
    """Fit a calibration of log-odds, shape (n,), to outcomes; EvaluationError unless both classes are there."""
    _both(reference)
    if method == "temperature":
        return Calibration("temperature", temperature=_temperature(reference, log_odds), split=split, split_sha256=split_sha256)
    if method == "isotonic":
        model = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(log_odds, reference)
        knots = zip(model.X_thresholds_.tolist(), model.y_thresholds_.tolist(), strict=True)
        return Calibration("isotonic", knots=tuple(knots), split=split, split_sha256=split_sha256)
    return Calibration(split=split, split_sha256=split_sha256)


def _temperature(reference: Array, log_odds: Array) -> float:
    """The temperature of least negative log-likelihood (Guo et al. 2017, arXiv 1706.04599), between 1/20 and 20."""
    sign = 2 * reference - 1

    def loss(log_t: float) -> float:
        return float(-log_expit(sign * log_odds / np.exp(log_t)).mean())

    return float(np.exp(minimize_scalar(loss, bounds=(-np.log(20), np.log(20)), method="bounded").x))


def choose(rule: str, reference: Array, probability: Array, side: str, split_sha256: str) -> OperatingPoint:
    """Fix a threshold by a rule: ``youden``, ``sensitivity>=0.95`` or ``specificity>=0.95``.

    ``youden`` maximizes sensitivity + specificity − 1 (Youden 1950). A target takes the threshold that meets it at the least
    cost of the other; EvaluationError where negatives of probability 1 make it unreachable. The threshold lies halfway
    between the two neighbouring probabilities, so that it does not depend on the last digit of one case.
    """
    _both(reference)
    false_alarm, hit, thresholds = roc_curve(reference, probability, drop_intermediate=False)
    if probability.max() >= 1:  # the first threshold of the curve turns every case down; none up to 1 does so here
        false_alarm, hit, thresholds = false_alarm[1:], hit[1:], thresholds[1:]
    if rule == "youden":
        best = int(np.argmax(hit - false_alarm))
    else:
        what, target = _target(rule)
        if what == "sensitivity":
            best = int(np.argmax(hit >= target))
        else:
            n = np.count_nonzero(reference == 0)
            specificity = np.rint((1 - false_alarm) * n) / n  # 1 − 7/100 is less than 0.93 in floating point, 93/100 is not
            if not (specificity >= target).any():
                raise EvaluationError(f"no threshold gives {rule}: too many negatives have probability 1; choose another rule")
            best = int(len(thresholds) - 1 - np.argmax((specificity >= target)[::-1]))
    below = probability[probability < thresholds[best]]
    lower = float(below.max()) if below.size else 0.0
    upper = float(min(thresholds[best], 1.0))
    between = max((upper + lower) / 2, float(np.nextafter(lower, upper)))  # above `lower` also where nothing lies between
    return OperatingPoint(between, rule, side, split_sha256)


def grey_zone(reference: Array, probability: Array, side: str, split_sha256: str) -> GreyZone:
    """From where 99 in 100 positives lie at or above, up to where 99 in 100 negatives lie below; empty where these cross."""
    low = choose("sensitivity>=0.99", reference, probability, side, split_sha256).threshold
    try:
        high = choose("specificity>=0.99", reference, probability, side, split_sha256).threshold
    except EvaluationError:  # too many negatives at 1: nothing is ruled in
        high = float(np.nextafter(1.0, 2.0))
    return GreyZone(low, high, "sensitivity>=0.99, specificity>=0.99", side, split_sha256)


def _target(rule: str) -> tuple[str, float]:
    what, _, text = rule.partition(">=")
    try:
        target = float(text)
    except ValueError:
        target = -1.0
    if what not in ("sensitivity", "specificity") or not 0 < target <= 1:
        raise EvaluationError(f"'{rule}' is no rule for an operating point; say youden, sensitivity>=0.95 or specificity>=0.95")
    return what, target


def _both(reference: Array) -> None:
    if len(np.unique(reference)) < 2:
        raise EvaluationError("one class only: neither calibration nor a threshold can be fitted; use a split with both")
