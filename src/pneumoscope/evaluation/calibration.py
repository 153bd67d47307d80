"""Fit calibrations, operating points and grey zones, all on the tune split."""

import dataclasses

import numpy as np
from scipy.optimize import minimize, minimize_scalar
from scipy.special import expit, log_expit, logit
from sklearn.isotonic import IsotonicRegression
from sklearn.metrics import roc_curve

from pneumoscope.classifier import Calibration, GreyZone, OperatingPoint
from pneumoscope.classifier.score import CalibrationMethod
from pneumoscope.evaluation.errors import EvaluationError
from pneumoscope.statistics.metrics import Array


def fit(method: CalibrationMethod, reference: Array, log_odds: Array, split: str, split_sha256: str) -> Calibration:
    """Fit a calibration of log-odds to outcomes.

    Parameters
    ----------
    method
        ``temperature``, ``logistic``, ``isotonic`` or ``none``.
    reference
        Shape (n,), 0 or 1.
    log_odds
        Log-odds of the target, shape (n,), finite.
    split, split_sha256
        The part of the split that the cases are of, and SHA-256 of the split.

    Returns
    -------
    Calibration
        With the part of the split that it was fitted on.

    Raises
    ------
    EvaluationError
        If only one class is present, a log-odds is not finite, or the log-odds of the positives do not tend to be higher than
        those of the negatives (``logistic``).

    References
    ----------
    Guo et al. 2017, arXiv 1706.04599 (temperature); Platt 1999, "Probabilistic outputs for support vector machines", with the
    targets of its section 2.2 (logistic); Zadrozny & Elkan 2002, doi 10.1145/775047.775151 (isotonic).
    """
    _check(reference, log_odds)
    if method == "temperature":
        return Calibration("temperature", temperature=_temperature(reference, log_odds), split=split, split_sha256=split_sha256)
    if method == "logistic":
        slope, intercept = _platt(reference, log_odds)
        if not slope > 0:
            raise EvaluationError(
                "the log-odds of the positives are not higher than those of the negatives, so no increasing calibration fits; "
                "check the labels, or train the model for these patients"
            )
        return Calibration("logistic", temperature=1 / slope, split=split, split_sha256=split_sha256, intercept=intercept)
    if method == "isotonic":
        model = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(log_odds, reference)
        knots = zip(model.X_thresholds_.tolist(), model.y_thresholds_.tolist(), strict=True)
        return Calibration("isotonic", knots=tuple(knots), split=split, split_sha256=split_sha256)
    return Calibration(split=split, split_sha256=split_sha256)


def at_prevalence(fitted: Calibration, sampled: float, prevalence: float) -> Calibration:
    """Move a logistic calibration to patients among whom the target is more or less frequent than among those it was fitted on.

    Only the intercept changes, by the difference of the log-odds of the two prevalences; sensitivity and specificity at a
    threshold that is moved along stay the same.

    Parameters
    ----------
    fitted
        A logistic calibration.
    sampled
        Share of positives among the cases that it was fitted on, in (0, 1).
    prevalence
        Share of positives that the probabilities are to be right for, in (0, 1).

    Returns
    -------
    Calibration
        The moved calibration.

    Raises
    ------
    EvaluationError
        If a share lies outside (0, 1), or the calibration is not logistic.

    References
    ----------
    King & Zeng 2001, doi 10.1093/oxfordjournals.pan.a004868, eq. 7 (prior correction).
    """
    if not (0 < sampled < 1 and 0 < prevalence < 1):
        raise EvaluationError(
            f"a prevalence must lie between 0 and 1, not at {prevalence:g} (images: {sampled:g}); give such a share"
        )
    if fitted.method != "logistic":
        raise EvaluationError(f"only a logistic calibration can be moved to a prevalence, not '{fitted.method}'; use logistic")
    return dataclasses.replace(fitted, intercept=fitted.intercept + float(logit(prevalence) - logit(sampled)))


def _temperature(reference: Array, log_odds: Array) -> float:
    """The temperature of the lowest negative log-likelihood, between 1/20 and 20."""
    sign = 2 * reference - 1

    def loss(log_t: float) -> float:
        return float(-log_expit(sign * log_odds / np.exp(log_t)).mean())

    return float(np.exp(minimize_scalar(loss, bounds=(-np.log(20), np.log(20)), method="bounded").x))


def _platt(reference: Array, log_odds: Array) -> tuple[float, float]:
    """Slope and intercept of the highest likelihood for targets (n₊ + 1) / (n₊ + 2) and 1 / (n₋ + 2), which keep both finite."""
    n_positive, n_negative = np.count_nonzero(reference == 1), np.count_nonzero(reference == 0)
    target = np.where(reference == 1, (n_positive + 1) / (n_positive + 2), 1 / (n_negative + 2))
    mean, scale = log_odds.mean(), log_odds.std() or 1.0
    z = (log_odds - mean) / scale

    def loss(line: Array) -> tuple[float, Array]:
        calibrated = line[0] * z + line[1]
        residual = expit(calibrated) - target
        value = -(target * log_expit(calibrated) + (1 - target) * log_expit(-calibrated)).mean()
        return float(value), np.array([(residual * z).mean(), residual.mean()])

    slope, intercept = minimize(loss, np.zeros(2), jac=True, method="BFGS", options={"gtol": 1e-10}).x
    return float(slope / scale), float(intercept - slope * mean / scale)


def choose(rule: str, reference: Array, probability: Array, split: str, split_sha256: str) -> OperatingPoint:
    """Choose an operating point by a rule.

    The threshold lies halfway between two neighbouring probabilities, so that it does not depend on the last digit of one case.

    Parameters
    ----------
    rule
        ``youden`` maximizes sensitivity + specificity − 1. ``sensitivity>=0.95`` (any target above 0) meets the target with the
        highest specificity, ``specificity>=0.95`` with the highest sensitivity.
    reference
        Shape (n,), 0 or 1.
    probability
        Calibrated probability of the target, shape (n,), in [0, 1].
    split, split_sha256
        The part of the split that the cases are of, and SHA-256 of the split.

    Returns
    -------
    OperatingPoint
        Its threshold, with the rule and the part of the split.

    Raises
    ------
    EvaluationError
        If only one class is present, a probability is not finite, the rule is unknown, or negatives of probability 1 make the
        specificity unreachable.

    References
    ----------
    Youden 1950, Cancer 3:32.
    """
    _check(reference, probability)
    false_alarms, sensitivity, thresholds = roc_curve(reference, probability, drop_intermediate=False)
    if probability.max() >= 1:  # the first threshold of the curve calls every case negative; none up to 1 does so here
        false_alarms, sensitivity, thresholds = false_alarms[1:], sensitivity[1:], thresholds[1:]
    if rule == "youden":
        best = int(np.argmax(sensitivity - false_alarms))
    else:
        figure, target = _target(rule)
        if figure == "sensitivity":
            best = int(np.argmax(sensitivity >= target))
        else:
            n = np.count_nonzero(reference == 0)
            specificity = np.rint((1 - false_alarms) * n) / n  # 1 − 7/100 is less than 0.93 in floating point, 93/100 is not
            if not (specificity >= target).any():
                raise EvaluationError(f"no threshold gives {rule}: too many negatives have probability 1; choose another rule")
            best = int(len(thresholds) - 1 - np.argmax((specificity >= target)[::-1]))
    below = probability[probability < thresholds[best]]
    lower = float(below.max()) if below.size else 0.0
    upper = float(min(thresholds[best], 1.0))
    between = max((upper + lower) / 2, float(np.nextafter(lower, upper)))  # above `lower` also where nothing lies between
    return OperatingPoint(between, rule, split, split_sha256)


def grey_zone(reference: Array, probability: Array, split: str, split_sha256: str) -> GreyZone:
    """Choose the probabilities that a model abstains from.

    The zone starts at the threshold that 99 in 100 positives reach and ends at the threshold that 99 in 100 negatives stay
    below; it is empty if the end does not exceed the start.

    Parameters
    ----------
    reference, probability, split, split_sha256
        As in `choose`.

    Returns
    -------
    GreyZone
        The zone, with the part of the split.

    Raises
    ------
    EvaluationError
        If only one class is present or a probability is not finite.
    """
    low = choose("sensitivity>=0.99", reference, probability, split, split_sha256).threshold
    try:
        high = choose("specificity>=0.99", reference, probability, split, split_sha256).threshold
    except EvaluationError:  # too many negatives at 1: nothing is ruled in
        high = float(np.nextafter(1.0, 2.0))
    return GreyZone(low, high, "sensitivity>=0.99, specificity>=0.99", split, split_sha256)


def _target(rule: str) -> tuple[str, float]:
    figure, _, text = rule.partition(">=")
    try:
        target = float(text)
    except ValueError:
        target = -1.0
    if figure not in ("sensitivity", "specificity") or not 0 < target <= 1:
        raise EvaluationError(
            f"'{rule}' is not a rule for an operating point; use youden, sensitivity>=0.95 or specificity>=0.95"
        )
    return figure, target


def _check(reference: Array, scores: Array) -> None:
    if wrong := int((~np.isfinite(scores)).sum()):
        raise EvaluationError(f"{wrong} of {len(scores)} scores are not finite numbers; train or export the model again")
    if len(np.unique(reference)) < 2:
        raise EvaluationError("one class only: neither calibration nor a threshold can be fitted; use a split with both")
