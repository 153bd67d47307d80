"""Metrics as pure functions of (reference, prediction, weights), for one set of weights or for all bootstrap draws at once.

Every metric takes ``reference`` (n,), 0 or 1, and a prediction (n,): a score or probability, or a decision 0 or 1.
``weights`` says how often each case is counted: shape (n,) for one figure, shape (draws, n) for one figure per bootstrap draw;
without weights every case counts once. The result has the shape of the weights without their last axis, so it is a number or an
array (draws,). NaN means that the figure is undefined.
"""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from pneumoscope.statistics.errors import StatisticsError

Array = NDArray[np.float64]
_CLIP = 1e-7
_NEWTON_STEPS = 50
_CONVERGED = 1e-8
_SINGULAR = 1e12


class Metric(Protocol):
    """A figure of a set of cases, as every function of this module is."""

    def __call__(self, reference: Array, prediction: Array, weights: Array | None = None, /) -> Array:
        """Compute the figure.

        Parameters
        ----------
        reference
            Shape (n,), 0 or 1.
        prediction
            Shape (n,).
        weights
            Shape (n,) or (draws, n), at least 0; None counts every case once.

        Returns
        -------
        Array
            Shape () or (draws,).
        """
        ...


def roc_auc(reference: Array, score: Array, weights: Array | None = None) -> Array:
    """Area under the ROC curve: the share of pairs of a positive and a negative in the right order, ties counted one half.

    Does not show: calibration, or any decision.

    Parameters
    ----------
    reference
        Shape (n,), 0 or 1.
    score
        Shape (n,), higher for positives; infinite values are allowed, NaN is not.
    weights
        Shape (n,) or (draws, n); None counts every case once.

    Returns
    -------
    Array
        In [0, 1]; NaN where only one class has weight.

    Raises
    ------
    StatisticsError
        If the lengths differ or a score is NaN.

    References
    ----------
    Hanley & McNeil 1982, Radiology 143:29.

    Examples
    --------
    >>> print(roc_auc(np.array([0, 0, 1, 1.0]), np.array([0.1, 0.4, 0.35, 0.8])))
    0.75
    """
    reference, score, weights = _checked(reference, score, weights)
    order = np.argsort(score, kind="stable")
    starts = _distinct(score[order])
    positive = weights[..., order] * reference[order]
    negative = weights[..., order] - positive
    positives, negatives = (np.add.reduceat(part, starts, axis=-1) if part.shape[-1] else part for part in (positive, negative))
    below = negatives.cumsum(-1) - negatives / 2
    return _ratio((positives * below).sum(-1), positives.sum(-1) * negatives.sum(-1))


def pr_auc(reference: Array, score: Array, weights: Array | None = None) -> Array:
    """Average precision: the area under precision over recall, in steps.

    Does not show: a figure that can be compared between sets of different prevalence.

    Parameters
    ----------
    reference
        Shape (n,), 0 or 1.
    score
        Shape (n,), higher for positives.
    weights
        Shape (n,) or (draws, n); None counts every case once.

    Returns
    -------
    Array
        In [0, 1]; NaN where only one class has weight.

    Raises
    ------
    StatisticsError
        If the lengths differ or a score is NaN.

    Examples
    --------
    >>> print(round(float(pr_auc(np.array([0, 0, 1, 1.0]), np.array([0.1, 0.4, 0.35, 0.8]))), 4))
    0.8333
    """
    reference, score, weights = _checked(reference, score, weights)
    order = np.argsort(-score, kind="stable")
    ends = np.append(_distinct(score[order])[1:], len(score)) - 1
    positive = (weights[..., order] * reference[order]).cumsum(-1)[..., ends]
    counted = weights[..., order].cumsum(-1)[..., ends]
    precision = np.divide(positive, counted, out=np.zeros_like(positive), where=counted > 0)
    area = (np.diff(positive, prepend=0, axis=-1) * precision).sum(-1)
    both = (weights @ reference > 0) & (weights @ (1 - reference) > 0)
    return np.where(both, _ratio(area, weights @ reference), np.nan)[()]


def brier(reference: Array, probability: Array, weights: Array | None = None) -> Array:
    """Mean squared difference between probability and outcome.

    Does not show: whether the order or the scale of the probabilities is at fault.

    Parameters
    ----------
    reference
        Shape (n,), 0 or 1.
    probability
        Shape (n,), in [0, 1].
    weights
        Shape (n,) or (draws, n); None counts every case once.

    Returns
    -------
    Array
        In [0, 1], lower is better.

    Raises
    ------
    StatisticsError
        If the lengths differ or a probability is NaN.

    References
    ----------
    Brier 1950, Monthly Weather Review 78:1.

    Examples
    --------
    >>> print(brier(np.array([0, 1.0]), np.array([0.5, 1.0])))
    0.125
    """
    reference, probability, weights = _checked(reference, probability, weights)
    return _ratio(weights @ (probability - reference) ** 2, weights.sum(-1))


def expected_calibration_error(reference: Array, probability: Array, weights: Array | None = None, *, bins: int = 10) -> Array:
    """Mean difference between observed share and predicted probability over bins of equal width, without regard to sign.

    Does not show: errors that cancel within a bin.

    Parameters
    ----------
    reference
        Shape (n,), 0 or 1.
    probability
        Shape (n,), in [0, 1].
    weights
        Shape (n,) or (draws, n); None counts every case once.
    bins
        Number of bins of equal width.

    Returns
    -------
    Array
        In [0, 1], lower is better.

    Raises
    ------
    StatisticsError
        If the lengths differ or a probability is NaN.

    References
    ----------
    Naeini et al. 2015, AAAI 29.

    Examples
    --------
    >>> print(round(float(expected_calibration_error(np.array([0, 1.0]), np.array([0.25, 0.25]))), 4))
    0.25
    """
    reference, probability, weights = _checked(reference, probability, weights)
    bin_of = np.minimum((probability * bins).astype(int), bins - 1)
    gaps = (bin_of[:, None] == np.arange(bins)) * (reference - probability)[:, None]
    return _ratio(np.abs(weights @ gaps).sum(-1), weights.sum(-1))


def calibration_line(reference: Array, probability: Array, weights: Array | None = None) -> tuple[Array, Array]:
    """Calibration slope and intercept: logistic regression of the outcome on the log-odds.

    Slope 1 and intercept 0 are ideal; a slope below 1 means overconfidence. All draws are fitted together by Newton's method
    with halved steps.

    Parameters
    ----------
    reference
        Shape (n,), 0 or 1.
    probability
        Shape (n,), in [0, 1]; clipped to [1e-7, 1 − 1e-7].
    weights
        Shape (n,) or (draws, n); None counts every case once.

    Returns
    -------
    tuple[Array, Array]
        Slope and intercept; NaN where a class is missing or the classes are separated.

    Raises
    ------
    StatisticsError
        If the lengths differ or a probability is NaN.

    References
    ----------
    Cox 1958, Biometrika 45:562.
    """
    reference, probability, weights = _checked(reference, probability, weights)
    p = np.clip(probability, _CLIP, 1 - _CLIP)
    lines = _logistic_fits(reference, np.log(p / (1 - p)), np.atleast_2d(weights))
    return lines[:, 0].reshape(weights.shape[:-1])[()], lines[:, 1].reshape(weights.shape[:-1])[()]


def _logistic_fits(reference: Array, x: Array, weights: Array) -> Array:
    """Coefficients (draws, 2) of weighted logistic regressions on x and a constant; NaN where there is no finite maximum."""
    fitted = np.full((len(weights), 2), np.nan)
    both = (weights @ reference > 0) & (weights @ (1 - reference) > 0)
    active = np.flatnonzero(both)
    beta = np.zeros((len(active), 2))
    likelihood = _log_likelihood(beta, reference, x, weights[active])
    for _ in range(_NEWTON_STEPS):
        gradient, hessian = _derivatives(beta, reference, x, weights[active])
        regular = np.linalg.cond(hessian) < _SINGULAR
        active, beta, likelihood = active[regular], beta[regular], likelihood[regular]
        if not len(active):
            break
        step = np.linalg.solve(hessian[regular], gradient[regular][..., None])[..., 0]
        done = np.abs(step).max(1) < _CONVERGED
        fitted[active[done]] = beta[done]
        active, beta, likelihood, step = active[~done], beta[~done], likelihood[~done], step[~done]
        beta, likelihood = _climbed(beta, step, likelihood, reference, x, weights[active])
    return fitted


def _derivatives(beta: Array, reference: Array, x: Array, weights: Array) -> tuple[Array, Array]:
    """Gradient (draws, 2) and negative Hessian (draws, 2, 2) of the log-likelihood."""
    p = expit(beta[:, :1] * x + beta[:, 1:])
    residual, curvature = weights * (reference - p), weights * p * (1 - p)
    mixed = curvature @ x
    hessian = np.stack([np.stack([curvature @ x**2, mixed], -1), np.stack([mixed, curvature.sum(-1)], -1)], -1)
    return np.stack([residual @ x, residual.sum(-1)], -1), hessian


def _climbed(beta: Array, step: Array, likelihood: Array, reference: Array, x: Array, weights: Array) -> tuple[Array, Array]:
    """Take a Newton step, halved until it climbs: a whole one may overshoot where probabilities are near 0 or 1."""
    reached = _log_likelihood(beta + step, reference, x, weights)
    while (worse := (reached < likelihood) & (np.abs(step).max(1, initial=0) > _CONVERGED)).any():
        step[worse] /= 2
        reached[worse] = _log_likelihood(beta[worse] + step[worse], reference, x, weights[worse])
    return beta + step, reached


def _log_likelihood(beta: Array, reference: Array, x: Array, weights: Array) -> Array:
    log_odds = beta[:, :1] * x + beta[:, 1:]
    return np.asarray((weights * (reference * log_odds - np.logaddexp(0, log_odds))).sum(-1))


def calibration_slope(reference: Array, probability: Array, weights: Array | None = None) -> Array:
    """The slope of `calibration_line`; both together cost one fit.

    Parameters
    ----------
    reference, probability, weights
        As in `calibration_line`.

    Returns
    -------
    Array
        1 is ideal.
    """
    return calibration_line(reference, probability, weights)[0]


def calibration_intercept(reference: Array, probability: Array, weights: Array | None = None) -> Array:
    """The intercept of `calibration_line`; both together cost one fit.

    Parameters
    ----------
    reference, probability, weights
        As in `calibration_line`.

    Returns
    -------
    Array
        0 is ideal.
    """
    return calibration_line(reference, probability, weights)[1]


def confusion(reference: Array, positive: Array, weights: Array | None = None) -> tuple[Array, Array, Array, Array]:
    """Count true negatives, false positives, false negatives and true positives.

    Parameters
    ----------
    reference
        Shape (n,), 0 or 1.
    positive
        Decisions, shape (n,), 0 or 1.
    weights
        Shape (n,) or (draws, n); None counts every case once.

    Returns
    -------
    tuple[Array, Array, Array, Array]
        Summed weights in this order.

    Raises
    ------
    StatisticsError
        If the lengths differ or a decision is NaN.

    Examples
    --------
    >>> tn, fp, fn, tp = confusion(np.array([0, 0, 1, 1.0]), np.array([0, 1, 1, 1.0]))
    >>> print(tn, fp, fn, tp)
    1.0 1.0 0.0 2.0
    """
    reference, positive, weights = _checked(reference, positive, weights)
    return (
        weights @ ((1 - reference) * (1 - positive)),
        weights @ ((1 - reference) * positive),
        weights @ (reference * (1 - positive)),
        weights @ (reference * positive),
    )


def accuracy(reference: Array, positive: Array, weights: Array | None = None) -> Array:
    """Share of right decisions.

    Does not show: which of the two errors is made; it changes with prevalence.

    Parameters
    ----------
    reference, positive, weights
        As in `confusion`.

    Returns
    -------
    Array
        In [0, 1].

    Examples
    --------
    >>> print(accuracy(np.array([0, 0, 1, 1.0]), np.array([0, 1, 1, 1.0])))
    0.75
    """
    tn, fp, fn, tp = confusion(reference, positive, weights)
    return _ratio(tn + tp, tn + fp + fn + tp)


def sensitivity(reference: Array, positive: Array, weights: Array | None = None) -> Array:
    """Share of positives that are called positive, TP / (TP + FN).

    Does not show: the price in false alarms.

    Parameters
    ----------
    reference, positive, weights
        As in `confusion`.

    Returns
    -------
    Array
        In [0, 1]; NaN without a positive.

    Examples
    --------
    >>> print(sensitivity(np.array([0, 0, 1, 1.0]), np.array([0, 1, 0, 1.0])))
    0.5
    """
    _, _, fn, tp = confusion(reference, positive, weights)
    return _ratio(tp, tp + fn)


def specificity(reference: Array, positive: Array, weights: Array | None = None) -> Array:
    """Share of negatives that are called negative, TN / (TN + FP).

    Does not show: the price in misses.

    Parameters
    ----------
    reference, positive, weights
        As in `confusion`.

    Returns
    -------
    Array
        In [0, 1]; NaN without a negative.

    Examples
    --------
    >>> print(specificity(np.array([0, 0, 1, 1.0]), np.array([0, 1, 1, 1.0])))
    0.5
    """
    tn, fp, _, _ = confusion(reference, positive, weights)
    return _ratio(tn, tn + fp)


def balanced_accuracy(reference: Array, positive: Array, weights: Array | None = None) -> Array:
    """Mean of sensitivity and specificity.

    Does not show: which of the two is low.

    Parameters
    ----------
    reference, positive, weights
        As in `confusion`.

    Returns
    -------
    Array
        In [0, 1]; NaN where a class is missing.
    """
    return (sensitivity(reference, positive, weights) + specificity(reference, positive, weights)) / 2


def ppv(reference: Array, positive: Array, weights: Array | None = None) -> Array:
    """Positive predictive value, TP / (TP + FP), at the prevalence of these cases.

    Parameters
    ----------
    reference, positive, weights
        As in `confusion`.

    Returns
    -------
    Array
        In [0, 1]; NaN where nothing is called positive.
    """
    _, fp, _, tp = confusion(reference, positive, weights)
    return _ratio(tp, tp + fp)


def npv(reference: Array, positive: Array, weights: Array | None = None) -> Array:
    """Negative predictive value, TN / (TN + FN), at the prevalence of these cases.

    Parameters
    ----------
    reference, positive, weights
        As in `confusion`.

    Returns
    -------
    Array
        In [0, 1]; NaN where nothing is called negative.
    """
    tn, _, fn, _ = confusion(reference, positive, weights)
    return _ratio(tn, tn + fn)


def f1(reference: Array, positive: Array, weights: Array | None = None) -> Array:
    """Harmonic mean of sensitivity and PPV, 2 TP / (2 TP + FP + FN).

    Does not show: true negatives; it changes with prevalence.

    Parameters
    ----------
    reference, positive, weights
        As in `confusion`.

    Returns
    -------
    Array
        In [0, 1]; NaN where there is neither a positive nor a positive decision.
    """
    _, fp, fn, tp = confusion(reference, positive, weights)
    return _ratio(2 * tp, 2 * tp + fp + fn)


def mcc(reference: Array, positive: Array, weights: Array | None = None) -> Array:
    """Matthews correlation coefficient of decision and reference.

    Parameters
    ----------
    reference, positive, weights
        As in `confusion`.

    Returns
    -------
    Array
        In [−1, 1]; NaN where a class or a decision is missing.

    References
    ----------
    Matthews 1975, Biochimica et Biophysica Acta 405:442.
    """
    tn, fp, fn, tp = confusion(reference, positive, weights)
    return _ratio(tp * tn - fp * fn, np.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn)))


def mean(reference: Array, values: Array, weights: Array | None = None) -> Array:
    """Weighted mean of the values of the cases, in the form of a metric.

    Parameters
    ----------
    reference
        Shape (n,), not used.
    values
        Shape (n,), without NaN.
    weights
        Shape (n,) or (draws, n); None counts every case once.

    Returns
    -------
    Array
        NaN where nothing has weight.

    Examples
    --------
    >>> print(mean(np.zeros(2), np.array([0.0, 1.0]), np.array([1.0, 3.0])))
    0.75
    """
    _, values, weights = _checked(reference, values, weights)
    return _ratio(weights @ values, weights.sum(-1))


def mean_over_folds(metric: Metric, folds: NDArray[np.generic]) -> Metric:
    """Make a metric that is the mean of another over the folds of a cross-validation.

    Models of different folds are different models: to rank their scores together compares what has no common scale, which
    biases the area under the curve.

    Parameters
    ----------
    metric
        What is computed in each fold.
    folds
        The fold of each case, shape (n,).

    Returns
    -------
    Metric
        NaN where the figure of any fold is undefined.

    References
    ----------
    Airola et al. 2011, Computational Statistics & Data Analysis 55:1828; LeDell, Petersen & van der Laan 2015, Electronic
    Journal of Statistics 9:1583.

    Examples
    --------
    >>> by_fold = mean_over_folds(roc_auc, np.array([1, 1, 2, 2]))
    >>> print(by_fold(np.array([0, 1, 0, 1.0]), np.array([0.1, 0.2, 0.8, 0.9])))
    1.0
    """
    parts = [np.flatnonzero(folds == fold) for fold in np.unique(folds)]

    def of_folds(reference: Array, prediction: Array, weights: Array | None = None) -> Array:
        reference, prediction, weights = _checked(reference, prediction, weights)
        values = [metric(reference[part], prediction[part], weights[..., part]) for part in parts]
        return np.asarray(np.mean(values, axis=0))[()]

    return of_folds


def _checked(reference: Array, prediction: Array, weights: Array | None) -> tuple[Array, Array, Array]:
    """The arguments of a metric as float arrays, all cases counted once if no weights are given."""
    reference, prediction = np.asarray(reference, np.float64), np.asarray(prediction, np.float64)
    counted = np.ones(len(reference)) if weights is None else np.asarray(weights, np.float64)
    if not len(reference) == len(prediction) == counted.shape[-1]:
        lengths = f"{len(reference)}, {len(prediction)} and {counted.shape[-1]}"
        raise StatisticsError(f"reference, prediction and weights are of {lengths} cases; give as many of each")
    if np.isnan(prediction).any():
        raise StatisticsError(
            f"{int(np.isnan(prediction).sum())} of {len(prediction)} predictions are NaN; leave these cases out"
        )
    return reference, prediction, counted


def _distinct(ordered: Array) -> NDArray[np.intp]:
    """Where each run of equal values starts in an ordered array."""
    return np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1])[: len(ordered)])


def _ratio(part: Array, whole: Array) -> Array:
    """The quotient, NaN where the denominator is 0."""
    part, whole = np.asarray(part, np.float64), np.asarray(whole, np.float64)
    quotient: Array = np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole != 0)[()]
    return quotient
