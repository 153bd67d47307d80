"""Rank correlation and weighted kappa with weights of cases, for one set of weights or for all bootstrap draws at once.

Each function is a `pneumoscope.statistics.metrics.Metric` of two ordinal variables in place of reference and prediction.
"""

import numpy as np

from pneumoscope.statistics.metrics import Array


def spearman(first: Array, second: Array, weights: Array | None = None) -> Array:
    """Spearman's rank correlation: Pearson's correlation of the mid-ranks.

    Parameters
    ----------
    first, second
        Shape (n,), finite.
    weights
        Shape (n,) or (draws, n), whole numbers >= 0: how often each case is counted; None counts every case once.

    Returns
    -------
    Array
        In [-1, 1], shape () or (draws,); NaN where one variable is constant.

    References
    ----------
    Spearman 1904, American Journal of Psychology 15:72; ties by mid-ranks, Kendall 1945, Biometrika 33:239.

    Examples
    --------
    >>> print(f"{spearman(np.array([1, 2, 3, 4.0]), np.array([1, 3, 2, 4.0])):.2f}")
    0.80
    """
    rows, one = _rows(first, weights)
    x, y = _mid_ranks(first, rows), _mid_ranks(second, rows)
    x, y = x - _mean(x, rows)[:, None], y - _mean(y, rows)[:, None]
    spread = np.sqrt(_mean(x * x, rows) * _mean(y * y, rows))
    with np.errstate(invalid="ignore"):
        # Below 1e-9 squared ranks, a spread is the rounding error of a constant.
        value = np.where(spread > 1e-9, np.clip(_mean(x * y, rows) / spread, -1, 1), np.nan)
    return np.asarray(value[0] if one else value)


def quadratic_kappa(first: Array, second: Array, weights: Array | None = None) -> Array:
    """Cohen's kappa of two raters with quadratic weights.

    Parameters
    ----------
    first, second
        Category of each case as a number, shape (n,), finite.
    weights
        Shape (n,) or (draws, n), >= 0: how often each case is counted; None counts every case once.

    Returns
    -------
    Array
        At most 1, shape () or (draws,); NaN where both raters use one and the same category only.

    Notes
    -----
    The value of `pneumoscope.statistics.multireader.agreement.cohen`, from the moments instead of the table: the observed
    disagreement is the mean squared difference, and the expected one that of independent raters with the same marginals.

    References
    ----------
    Cohen 1968, Psychological Bulletin 70:213; in moments Fleiss & Cohen 1973, Educational and Psychological Measurement 33:613.

    Examples
    --------
    >>> print(f"{quadratic_kappa(np.array([0, 1, 2, 3.0]), np.array([0, 1, 3, 3.0])):.4f}")
    0.9167
    """
    rows, one = _rows(first, weights)
    x, y = np.broadcast_to(first, rows.shape), np.broadcast_to(second, rows.shape)
    observed = _mean((x - y) ** 2, rows)
    expected = _mean(x * x, rows) + _mean(y * y, rows) - 2 * _mean(x, rows) * _mean(y, rows)
    with np.errstate(invalid="ignore", divide="ignore"):
        value = np.where(expected > 1e-12, 1 - observed / expected, np.nan)
    return np.asarray(value[0] if one else value)


def _rows(values: Array, weights: Array | None) -> tuple[Array, bool]:
    """Weights as (draws, n), and whether they are one set."""
    given = np.ones(len(values)) if weights is None else np.asarray(weights, np.float64)
    return np.atleast_2d(given), given.ndim == 1


def _mean(values: Array, weights: Array) -> Array:
    total = weights.sum(1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray((values * weights).sum(1) / np.where(total > 0, total, np.nan))


def _mid_ranks(values: Array, weights: Array) -> Array:
    """Mid-rank of each case among the cases as often as they are counted, (draws, n)."""
    if not values.size:
        return weights
    order = np.argsort(values, kind="stable")
    _, first, group = np.unique(values[order], return_index=True, return_inverse=True)
    counts = np.add.reduceat(weights[:, order], first, axis=1)
    ranks = np.empty_like(weights)
    ranks[:, order] = (np.cumsum(counts, 1) - (counts - 1) / 2)[:, group]
    return ranks
