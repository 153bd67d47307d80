"""The one-shot estimate of Gallas: the variance of an AUC over random readers and cases, in any design, by U-statistics.

The AUC of a modality is the mean of all comparisons that exist: readers with more cases count more. Moments follow Bandos,
Dorfman and Gallas (BDG): M1…M4 are mean products of two comparisons of the same reader, M5…M8 of two readers; within each four,
of the same two cases, of the same diseased case only, of the same non-diseased case only, and of no common case.
"""

import math
from dataclasses import dataclass

import numpy as np

from pneumoscope.statistics.metrics import Array
from pneumoscope.statistics.multireader.comparisons import Comparisons, compare, quotient
from pneumoscope.statistics.multireader.inference import LEVEL, Inference
from pneumoscope.statistics.multireader.ratings import ReaderRatings

NEARLY_NORMAL = 50.0
"""From this many degrees of freedom on the normal distribution is used, as iMRMC does."""


@dataclass(frozen=True, eq=False)
class Moments:
    """Second moments of the comparisons of two modalities, which may be the same.

    Parameters
    ----------
    unbiased
        M1…M8 over pairs of comparisons that are of one kind only; shape (8,); NaN for a kind without pairs.
    plugged_in
        M1…M8 of the empirical distribution, where two draws may be the same reader or case; shape (8,).
    coefficients
        Share of each kind among all pairs of comparisons, the last less 1, so that covariance = Σ coefficient · moment; (8,).
    effective_numbers
        Non-diseased cases, diseased cases and readers, each the reciprocal of the share of pairs of comparisons that have it in
        common; (3,). In a fully crossed design these are the numbers themselves; infinite if no pair has one in common.
    """

    unbiased: Array
    plugged_in: Array
    coefficients: Array
    effective_numbers: Array

    @property
    def covariance(self) -> float:
        """Unbiased covariance of the two AUCs; NaN if no two comparisons are of different readers and cases."""
        return self._weighted(self.unbiased)

    @property
    def plugged_in_covariance(self) -> float:
        """Covariance by the empirical distribution (the maximum likelihood estimate of iMRMC), which is biased upwards."""
        return self._weighted(self.plugged_in)

    @property
    def projections(self) -> Array:
        """Plugged-in variance of the mean given a non-diseased case, a diseased case, a reader: M7 − M8, M6 − M8, M4 − M8; (3,).

        A kind without pairs has none, and counts 0.
        """
        return np.asarray(np.nan_to_num(self.plugged_in[[6, 5, 3]] - self.plugged_in[7]), np.float64)

    @property
    def components(self) -> Array:
        """Unbiased variance components (BCK): N, D, N×D, R, N×R, D×R, R×N×D, differences of the moments; (7,).

        N is a non-diseased case, D a diseased case, R a reader; Barrett, Kupinski & Clarkson 2005, Proceedings of SPIE 5749:344.
        """
        m1, m2, m3, m4, m5, m6, m7, m8 = self.unbiased
        pairs = np.array([m5 - m6 - m7 + m8, m3 - m4 - m7 + m8, m2 - m4 - m6 + m8])
        rest = m1 - m2 - m3 + m4 - m5 + m6 + m7 - m8
        return np.array([m7 - m8, m6 - m8, pairs[0], m4 - m8, pairs[1], pairs[2], rest])

    def _weighted(self, moments: Array) -> float:
        if math.isnan(moments[7]):
            return math.nan
        return float(np.where(self.coefficients == 0, 0.0, self.coefficients * np.nan_to_num(moments)).sum())


@dataclass(frozen=True)
class OneShot:
    """The AUC of a modality, or the difference of two, with readers and cases random.

    Parameters
    ----------
    result
        Estimate and unbiased standard error, with the degrees of freedom of BDG where they are below 50.
    normal
        The same with the normal distribution.
    plugged_in
        The same with the plugged-in variance, which is never negative in a fully crossed design.
    df, df_plugged_in
        Degrees of freedom before they are rounded down, or replaced by infinity from 50 on, as iMRMC does.
    """

    result: Inference
    normal: Inference
    plugged_in: Inference
    df: float
    df_plugged_in: float


def _by_reader(block: Array) -> Array:
    """Sums over pairs of cells of the same reader and over all pairs, for each of four kinds; (8,)."""
    same = block.diagonal(axis1=1, axis2=2).sum(1)
    return np.concatenate([same, block.sum((1, 2))])


def moments(comparisons: Comparisons, first: int, second: int) -> Moments:
    """Compute the moments of the comparisons of two modalities.

    Parameters
    ----------
    comparisons
        Of all cells.
    first, second
        Positions of the modalities; the same for the variance of one.

    Returns
    -------
    Moments
        Of all pairs of comparisons that exist.

    References
    ----------
    Gallas, Bandos, Samuelson & Wagner 2009, Communications in Statistics 38:2586; Gallas & Brown 2008, Neural Networks 21:387.
    """
    n_readers = comparisons.shape[1]
    rows, columns = (slice(i * n_readers, (i + 1) * n_readers) for i in (first, second))
    sums, pairs = (_by_reader(whole[:, rows, columns]) for whole in (comparisons.sums, comparisons.pairs))
    only_sums, only_pairs = (_by_reader(whole[:, rows, columns]) for whole in comparisons.exclusive)
    only_sums[4:] -= only_sums[:4]
    only_pairs[4:] -= only_pairs[:4]
    coefficients = quotient(only_pairs, np.full(8, only_pairs.sum()))
    coefficients[7] -= 1
    shared = np.array([pairs[6], pairs[5], pairs[3]])
    effective = np.divide(pairs[7], shared, out=np.full(3, np.inf), where=shared > 0)
    return Moments(quotient(only_sums, only_pairs), quotient(sums, pairs), coefficients, effective)


def mean_auc(comparisons: Comparisons, modality: int) -> float:
    """Compute the AUC of a modality as the mean of all its comparisons.

    Parameters
    ----------
    comparisons
        Of all cells.
    modality
        Position of the modality.

    Returns
    -------
    float
        Readers count by their number of comparisons; NaN without a comparison.
    """
    numbers = np.sqrt(comparisons.pairs[3].diagonal()).reshape(comparisons.shape)[modality]
    values = np.nan_to_num(comparisons.auc[modality])
    return float((numbers * values).sum() / numbers.sum()) if numbers.any() else math.nan


def degrees_of_freedom(variance: float, projections: Array, numbers: Array) -> float:
    """Compute the degrees of freedom of a variance by Satterthwaite's approximation.

    Parameters
    ----------
    variance
        Of the estimate.
    projections
        Variance of the mean given a non-diseased case, a diseased case and a reader, (3,).
    numbers
        Effective numbers n of non-diseased cases, diseased cases and readers, (3,); rounded, as iMRMC does.

    Returns
    -------
    float
        variance² / Σ projection² / (n − 1)³, at least the smallest n − 1. NaN if there is one of something, or the variance is
        not above 0.

    References
    ----------
    Bandos, Dorfman and Gallas in iMRMC (Gallas, Food and Drug Administration), "BDG" degrees of freedom.

    Examples
    --------
    >>> degrees_of_freedom(0.003, np.array([0.04, 0.03, 0.01]), np.array([41.0, 31.0, 6.0])).__round__(2)
    10.49
    """
    below = np.round(numbers) - 1
    if (below < 1).any() or not variance > 0:
        return math.nan
    spread = float((projections**2 / below**3).sum())
    return max(variance**2 / spread, float(below.min())) if spread > 0 else math.inf


def _result(estimate: float, variance: float, df: float, null: float, level: float) -> Inference:
    if not math.isnan(df):
        used = math.inf if df >= NEARLY_NORMAL else float(math.floor(df))
        return Inference(estimate, math.sqrt(variance), used, null, level)
    reason = "the variance is not above 0" if variance <= 0 else "the variance is undefined: too few readers or cases"
    return Inference(estimate, math.nan, math.nan, null, level, reason)


@dataclass(frozen=True, eq=False)
class OneShotStudy:
    """The AUCs of all modalities and their differences, with random readers and cases.

    Parameters
    ----------
    comparisons
        Of all cells.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> truth = np.repeat([False, True], 20)
    >>> cube = rng.normal(size=(2, 4, 40)) + rng.normal(size=40) + 1.5 * truth
    >>> study = one_shot(ReaderRatings(cube, truth, ("A", "B"), tuple("1234"), tuple(range(40))))
    >>> print(f"{study.modality(0).result.estimate:.3f} {study.difference(0, 1).result.p:.3f}")
    0.819 0.261
    """

    comparisons: Comparisons

    def modality(self, modality: int, null: float = 0.5, level: float = LEVEL) -> OneShot:
        """Estimate the AUC of one modality, and test it against a value.

        Parameters
        ----------
        modality
            Position of the modality.
        null
            The value tested.
        level
            Confidence level.

        Returns
        -------
        OneShot
            Undefined with one reader or with fewer than two cases of a class.
        """
        found = moments(self.comparisons, modality, modality)
        variances = found.covariance, found.plugged_in_covariance
        estimate = mean_auc(self.comparisons, modality)
        return _one_shot(estimate, variances, found.projections, found.effective_numbers, null, level)

    def difference(self, first: int, second: int, level: float = LEVEL) -> OneShot:
        """Estimate the difference of the AUCs of two modalities.

        Parameters
        ----------
        first, second
            Positions of the modalities.
        level
            Confidence level.

        Returns
        -------
        OneShot
            First − second, with Var = V(first) + V(second) − 2·C. The unbiased variance may be negative by chance; then it has no
            standard error, and the plugged-in one has.
        """
        a, b, both = (moments(self.comparisons, *pair) for pair in ((first, first), (second, second), (first, second)))
        estimate = mean_auc(self.comparisons, first) - mean_auc(self.comparisons, second)
        projections = a.projections + b.projections - 2 * both.projections
        unbiased = a.covariance + b.covariance - 2 * both.covariance
        plugged_in = a.plugged_in_covariance + b.plugged_in_covariance - 2 * both.plugged_in_covariance
        numbers = np.minimum(a.effective_numbers, b.effective_numbers)
        return _one_shot(estimate, (unbiased, plugged_in), projections, numbers, 0.0, level)

    def variance(self, modality: int) -> float:
        """Compute the unbiased variance of the AUC of a modality, which may be negative by chance.

        Parameters
        ----------
        modality
            Position of the modality.

        Returns
        -------
        float
            NaN if it is undefined.
        """
        return moments(self.comparisons, modality, modality).covariance

    def variance_of_difference(self, first: int, second: int) -> float:
        """Compute the unbiased variance of a difference, which may be negative by chance.

        Parameters
        ----------
        first, second
            Positions of the modalities.

        Returns
        -------
        float
            NaN if it is undefined.
        """
        return self.variance(first) + self.variance(second) - 2 * moments(self.comparisons, first, second).covariance


def _one_shot(
    estimate: float, variances: tuple[float, float], projections: Array, numbers: Array, null: float, level: float
) -> OneShot:
    unbiased, plugged_in = variances
    df, df_plugged_in = (degrees_of_freedom(variance, projections, numbers) for variance in variances)
    return OneShot(
        _result(estimate, unbiased, df, null, level),
        _result(estimate, unbiased, math.inf if not math.isnan(df) else df, null, level),
        _result(estimate, plugged_in, df_plugged_in, null, level),
        df,
        df_plugged_in,
    )


def one_shot(ratings: ReaderRatings) -> OneShotStudy:
    """Compute all comparisons of a study, for the one-shot estimates of its modalities and differences.

    Parameters
    ----------
    ratings
        Any design.

    Returns
    -------
    OneShotStudy
        In memory that does not grow with the number of comparisons.

    References
    ----------
    Gallas 2006, Academic Radiology 13:353 (one-shot estimate); Gallas et al. 2009, Communications in Statistics 38:2586.
    """
    return OneShotStudy(compare(ratings))
