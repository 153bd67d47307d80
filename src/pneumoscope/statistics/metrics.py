"""Metrics as pure functions of (reference, prediction, weights), for one set of weights or for all bootstrap draws at once.

Every metric takes ``reference`` (n,), 0 or 1, and a prediction (n,): a score or probability, or a decision 0 or 1.
``weights`` says how often each case is counted: shape (n,) for one figure, shape (draws, n) for one figure per bootstrap draw;
without weights every case counts once. The result has the shape of the weights without their last axis, so it is a number or an
array (draws,). NaN means that the figure is undefined.
"""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pneumoscope.statistics.errors import StatisticsError

Array = NDArray[np.float64]


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
    reference, score, weights = as_arrays(reference, score, weights)
    order = np.argsort(score, kind="stable")
    starts = _distinct(score[order])
    positive = weights[..., order] * reference[order]
    negative = weights[..., order] - positive
    positives, negatives = (np.add.reduceat(part, starts, axis=-1) if part.shape[-1] else part for part in (positive, negative))
    below = negatives.cumsum(-1) - negatives / 2
    return ratio((positives * below).sum(-1), positives.sum(-1) * negatives.sum(-1))


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
    reference, score, weights = as_arrays(reference, score, weights)
    order = np.argsort(-score, kind="stable")
    ends = np.append(_distinct(score[order])[1:], len(score)) - 1
    positive = (weights[..., order] * reference[order]).cumsum(-1)[..., ends]
    counted = weights[..., order].cumsum(-1)[..., ends]
    precision = np.divide(positive, counted, out=np.zeros_like(positive), where=counted > 0)
    area = (np.diff(positive, prepend=0, axis=-1) * precision).sum(-1)
    both = (weights @ reference > 0) & (weights @ (1 - reference) > 0)
    return np.where(both, ratio(area, weights @ reference), np.nan)[()]


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
    reference, probability, weights = as_arrays(reference, probability, weights)
    return ratio(weights @ (probability - reference) ** 2, weights.sum(-1))


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
    reference, positive, weights = as_arrays(reference, positive, weights)
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
    return ratio(tn + tp, tn + fp + fn + tp)


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
    return ratio(tp, tp + fn)


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
    return ratio(tn, tn + fp)


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
    return ratio(tp, tp + fp)


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
    return ratio(tn, tn + fn)


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
    return ratio(2 * tp, 2 * tp + fp + fn)


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
    return ratio(tp * tn - fp * fn, np.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn)))


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
    _, values, weights = as_arrays(reference, values, weights)
    return ratio(weights @ values, weights.sum(-1))


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
        reference, prediction, weights = as_arrays(reference, prediction, weights)
        values = [metric(reference[part], prediction[part], weights[..., part]) for part in parts]
        return np.asarray(np.mean(values, axis=0))[()]

    return of_folds


def as_arrays(reference: Array, prediction: Array, weights: Array | None) -> tuple[Array, Array, Array]:
    """Check the arguments of a metric, and convert them to arrays of numbers.

    Parameters
    ----------
    reference
        Shape (n,), 0 or 1.
    prediction
        Shape (n,).
    weights
        Shape (n,) or (draws, n); None counts every case once.

    Returns
    -------
    tuple[Array, Array, Array]
        Reference, prediction and weights.

    Raises
    ------
    StatisticsError
        If the lengths differ or a prediction is NaN.
    """
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


def ratio(part: Array, whole: Array) -> Array:
    """Divide, with NaN where the denominator is 0.

    Parameters
    ----------
    part, whole
        Of one shape.

    Returns
    -------
    Array
        The quotients, of the same shape.
    """
    part, whole = np.asarray(part, np.float64), np.asarray(whole, np.float64)
    quotient: Array = np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole != 0)[()]
    return quotient
