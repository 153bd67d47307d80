"""The empirical AUC of every reader in every modality, with three covariances."""

from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

from pneumoscope.statistics.errors import StatisticsError
from pneumoscope.statistics.metrics import Array
from pneumoscope.statistics.multireader.comparisons import quotient
from pneumoscope.statistics.multireader.jackknife import Jackknife
from pneumoscope.statistics.multireader.ratings import Bools, ReaderRatings


@dataclass(frozen=True, eq=False)
class Placements:
    """The share of the other class that each case is rated on the right side of.

    Parameters
    ----------
    nondiseased
        Mean comparison of each non-diseased case with all diseased ones (DeLong's V01), (modalities, readers, cases); NaN if it
        was not read.
    diseased
        Mean comparison of each diseased case with all non-diseased ones (DeLong's V10), likewise.
    """

    nondiseased: Array
    diseased: Array


def placements(ratings: ReaderRatings) -> Placements:
    """Compute the placement values of all cases from ranks, in O(n log n).

    Parameters
    ----------
    ratings
        Any design.

    Returns
    -------
    Placements
        Cases of a class in their order.

    References
    ----------
    DeLong, DeLong & Clarke-Pearson 1988, Biometrics 44:837; by mid-ranks: Sun & Xu 2014, IEEE Signal Processing Letters 21:1389.

    Examples
    --------
    >>> cube = np.array([[[1.0, 2.0, 2.0, 3.0]]])
    >>> both = placements(ReaderRatings(cube, np.array([False, False, True, True]), ("CR",), ("r",), (1, 2, 3, 4)))
    >>> both.nondiseased.tolist(), both.diseased.tolist()
    ([[[1.0, 0.75]]], [[[0.75, 1.0]]])
    """
    nondiseased, diseased = ratings.rating[..., ~ratings.truth], ratings.rating[..., ratings.truth]
    return Placements(1 - _share_below(nondiseased, diseased), _share_below(diseased, nondiseased))


def _share_below(values: Array, others: Array) -> Array:
    """Share of the others that are below each value, ties one half; NaN where the value or all others are missing."""
    if not others.shape[-1]:
        return np.full(values.shape, np.nan)
    together = rankdata(np.concatenate([values, others], -1), axis=-1, nan_policy="omit")[..., : values.shape[-1]]
    n_others = (~np.isnan(others)).sum(-1, keepdims=True)
    below = together - rankdata(values, axis=-1, nan_policy="omit") if values.shape[-1] else together
    return quotient(below, np.broadcast_to(n_others, values.shape))


def _mean(values: Array) -> Array:
    read = ~np.isnan(values)
    return quotient(np.where(read, values, 0.0).sum(-1), read.sum(-1))


def empirical_auc(ratings: ReaderRatings) -> Jackknife:
    """Compute the empirical AUC, the mean comparison of diseased with non-diseased cases (s = 1, ½, 0).

    Parameters
    ----------
    ratings
        Any design.

    Returns
    -------
    Jackknife
        With the AUC without each case: (n·AUC − placement) / (n − 1) for a case of a class with n cases. NaN without a case of a
        class; leaving out the only case of a class is undefined too.

    References
    ----------
    Bamber 1975, Journal of Mathematical Psychology 12:387.

    Examples
    --------
    >>> cube = np.array([[[1.0, 2.0, 2.0, 3.0]]])
    >>> jackknife = empirical_auc(ReaderRatings(cube, np.array([False, False, True, True]), ("CR",), ("r",), (1, 2, 3, 4)))
    >>> jackknife.value.tolist(), jackknife.left_out.tolist()
    ([[0.875]], [[[0.75, 1.0, 1.0, 0.75]]])
    """
    both = placements(ratings)
    value = _mean(both.diseased)
    left_out = np.empty(ratings.rating.shape)
    for members, placement in ((~ratings.truth, both.nondiseased), (ratings.truth, both.diseased)):
        left_out[..., members] = _without(value, placement)
    return Jackknife(value, left_out)


def mean_and_without(values: Array) -> Jackknife:
    """Compute the mean over cases, and without each case.

    Parameters
    ----------
    values
        Shape (modalities, readers, cases); NaN for a case that was not read.

    Returns
    -------
    Jackknife
        A case that was not read leaves the mean as it is.
    """
    value = _mean(values)
    return Jackknife(value, _without(value, values))


def _without(value: Array, placement: Array) -> Array:
    """The mean of placements without each of them; unchanged where a case was not read."""
    read = ~np.isnan(placement)
    n_cases = read.sum(-1, keepdims=True)
    whole = np.broadcast_to(value[..., None], placement.shape)
    shorter = quotient(n_cases * whole - placement, np.broadcast_to(n_cases - 1, placement.shape))
    return np.where(read, shorter, whole)


def delong_covariance(ratings: ReaderRatings) -> Array:
    """Compute DeLong's covariance of the empirical AUCs: S10 / n1 + S01 / n0 of the placement values.

    Parameters
    ----------
    ratings
        Fully crossed.

    Returns
    -------
    Array
        Shape (cells, cells); cell = modality · readers + reader. NaN with fewer than two cases of a class.

    Raises
    ------
    StatisticsError
        If readings are missing: the covariance of placements needs the same cases in both cells.

    References
    ----------
    DeLong, DeLong & Clarke-Pearson 1988, Biometrics 44:837.
    """
    if not ratings.complete:
        raise StatisticsError("DeLong's covariance of readings that are not fully crossed: use the jackknife or the unbiased one")
    both = placements(ratings)
    return _covariance_of_mean(both.diseased) + _covariance_of_mean(both.nondiseased)


def _covariance_of_mean(placement: Array) -> Array:
    n_cells, n_cases = placement.shape[0] * placement.shape[1], placement.shape[2]
    if n_cases < 2:
        return np.full((n_cells, n_cells), np.nan)
    return np.asarray(np.atleast_2d(np.cov(placement.reshape(n_cells, n_cases))) / n_cases, np.float64)


def defined(ratings: ReaderRatings) -> Bools:
    """Whether the AUC of a reader in a modality is defined: a case of each class was read.

    Parameters
    ----------
    ratings
        Any design.

    Returns
    -------
    Bools
        Shape (modalities, readers).
    """
    return ratings.read.any(-1) & ~ratings.lacks_class
