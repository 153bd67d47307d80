"""Measures of calibration: how well probabilities agree with the share of positives.

Each function takes the arguments of a `pneumoscope.statistics.metrics.Metric`.
"""

import numpy as np
from scipy.special import expit

from pneumoscope.statistics.metrics import Array, as_arrays, ratio

_CLIP = 1e-7
_NEWTON_STEPS = 50
_CONVERGED = 1e-8
_SINGULAR = 1e12


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
    reference, probability, weights = as_arrays(reference, probability, weights)
    bin_of = np.minimum((probability * bins).astype(int), bins - 1)
    gaps = (bin_of[:, None] == np.arange(bins)) * (reference - probability)[:, None]
    return ratio(np.abs(weights @ gaps).sum(-1), weights.sum(-1))


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
    reference, probability, weights = as_arrays(reference, probability, weights)
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
