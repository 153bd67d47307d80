"""Sums of products of comparisons of diseased with non-diseased cases, from which every covariance of AUCs follows.

A comparison is s = 1, ½ or 0: a diseased case is rated above, equal to or below a non-diseased one by one reader in one
modality. A cell is one reader in one modality. Two comparisons of two cells may be of the same two cases, of the same diseased
case, of the same non-diseased case, or of different cases; the sums over these four kinds and their numbers are all that the
unbiased covariance and the moments of Bandos, Dorfman and Gallas need, in any design.
"""

from dataclasses import dataclass

import numpy as np

from pneumoscope.statistics.metrics import Array
from pneumoscope.statistics.multireader.ratings import Bools, ReaderRatings

_BLOCK = 2_000_000
"""Comparisons of one block times cells: 8 MB of float32, and sums of 4 · block < 2²⁴, so that float32 is exact."""


@dataclass(frozen=True, eq=False)
class Comparisons:
    """Sums over pairs of comparisons, for each pair of cells.

    Parameters
    ----------
    sums
        Σ s·s′ over pairs of comparisons of the same two cases, of the same diseased case, of the same non-diseased case, and of
        any cases, each including the kinds before it that it contains; shape (4, cells, cells).
    pairs
        Number of such pairs of comparisons; same shape.
    shape
        (modalities, readers); cell = modality · readers + reader.
    """

    sums: Array
    pairs: Array
    shape: tuple[int, int]

    @property
    def auc(self) -> Array:
        """The empirical AUC of each cell, (modalities, readers); NaN without a comparison."""
        return np.sqrt(quotient(self.sums[3].diagonal(), self.pairs[3].diagonal())).reshape(self.shape)

    @property
    def exclusive(self) -> tuple[Array, Array]:
        """Sums and numbers where each pair of comparisons is of one kind only: both, diseased only, non-diseased only, none."""
        return _only(self.sums), _only(self.pairs)

    @property
    def covariance(self) -> Array:
        """Unbiased covariance of the AUCs of two cells, (cells, cells); NaN where no two comparisons have different cases."""
        sums, pairs = self.exclusive
        means = quotient(sums, pairs)
        shares = pairs / np.where(self.pairs[3] > 0, self.pairs[3], np.nan)
        return np.asarray((shares * np.where(pairs > 0, means, 0.0)).sum(0) - means[3])


def quotient(numerator: Array, denominator: Array) -> Array:
    """Divide two arrays of one shape.

    Parameters
    ----------
    numerator, denominator
        Of one shape.

    Returns
    -------
    Array
        NaN where the denominator is not above 0.
    """
    found = np.full(np.shape(numerator), np.nan)
    np.divide(numerator, denominator, out=found, where=np.asarray(denominator) > 0)
    return found


def _only(inclusive: Array) -> Array:
    both, diseased, nondiseased, every = inclusive
    return np.stack([both, diseased - both, nondiseased - both, every - diseased - nondiseased + both])


def _doubled_comparisons(nondiseased: Array, diseased: Array) -> Array:
    """Twice s as 0, 1 or 2, (cells, diseased, non-diseased); a rating that is missing makes it 0."""
    above = diseased[..., None] > nondiseased[:, None, :]
    return np.add(above, diseased[..., None] >= nondiseased[:, None, :], dtype=np.float32)


def compare(ratings: ReaderRatings) -> Comparisons:
    """Sum the products of comparisons over all pairs of cells.

    Parameters
    ----------
    ratings
        Any design; readings may be missing.

    Returns
    -------
    Comparisons
        Computed in blocks of diseased cases, so that memory does not grow with their number.

    References
    ----------
    Gallas, Bandos, Samuelson & Wagner 2009, Communications in Statistics 38:2586.
    """
    n_modalities, n_readers, n_cases = ratings.rating.shape
    cells = ratings.rating.reshape(-1, n_cases)
    nondiseased, diseased = cells[:, ~ratings.truth], cells[:, ratings.truth]
    both = np.zeros((len(cells), len(cells)))
    of_diseased, of_nondiseased = np.zeros(diseased.shape), np.zeros(nondiseased.shape)
    step = max(1, _BLOCK // max(1, nondiseased.size))
    for start in range(0, diseased.shape[1], step):
        part = slice(start, start + step)
        s = _doubled_comparisons(nondiseased, diseased[:, part])
        flat = s.reshape(len(cells), -1)
        both += flat @ flat.T
        of_diseased[:, part] = s.sum(2)
        of_nondiseased += s.sum(1)
    total = of_diseased.sum(1)
    sums = np.stack([both, of_diseased @ of_diseased.T, of_nondiseased @ of_nondiseased.T, np.outer(total, total)]) / 4
    return Comparisons(sums, _numbers(~np.isnan(nondiseased), ~np.isnan(diseased)), (n_modalities, n_readers))


def _numbers(nondiseased: Bools, diseased: Bools) -> Array:
    """Numbers of pairs of comparisons of each kind, from which cases were read; (4, cells, cells)."""
    no, yes = nondiseased.astype(np.float64), diseased.astype(np.float64)
    shared_no, shared_yes = no @ no.T, yes @ yes.T
    all_no, all_yes = np.outer(no.sum(1), no.sum(1)), np.outer(yes.sum(1), yes.sum(1))
    return np.stack([shared_no * shared_yes, all_no * shared_yes, shared_no * all_yes, all_no * all_yes])
