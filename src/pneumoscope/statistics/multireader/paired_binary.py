"""Tests of two paired proportions whose pairs come in clusters, such as several lesions of a patient or many cases of a reader.

Each pair is one decision in each of two modalities: both right, only the first right, only the second right, or both wrong.
"""

from dataclasses import dataclass

import numpy as np
from scipy import special

from pneumoscope.statistics.errors import StatisticsError
from pneumoscope.statistics.metrics import Array


@dataclass(frozen=True, eq=False)
class ClusteredPairs:
    """Numbers of pairs in each cluster.

    Parameters
    ----------
    both, first_only, second_only, neither
        Pairs of each outcome, (clusters,).

    Raises
    ------
    StatisticsError
        If the shapes differ, a number is negative or not whole, or a cluster is empty.
    """

    both: Array
    first_only: Array
    second_only: Array
    neither: Array

    def __post_init__(self) -> None:
        """Refuse what is no set of counts."""
        parts = (self.both, self.first_only, self.second_only, self.neither)
        if len({part.shape for part in parts}) > 1 or self.both.ndim != 1:
            raise StatisticsError(f"counts of shapes {[part.shape for part in parts]}: give one number for each cluster")
        if any((part < 0).any() or (part % 1 != 0).any() for part in parts) or (self.size == 0).any():
            raise StatisticsError("counts that are negative or not whole, or an empty cluster")

    @property
    def size(self) -> Array:
        """Number of pairs of each cluster."""
        return self.both + self.first_only + self.second_only + self.neither

    @property
    def excess(self) -> Array:
        """Pairs that only the first got right less those that only the second did, of each cluster."""
        return self.first_only - self.second_only

    @property
    def difference(self) -> float:
        """Proportion of the first less that of the second."""
        return float(self.excess.sum() / self.size.sum())


@dataclass(frozen=True)
class ChiSquare:
    """A χ² test with one degree of freedom.

    Parameters
    ----------
    statistic
        NaN if it is undefined.
    p
        The p-value.
    reason
        Why it is undefined; else empty.
    """

    statistic: float
    p: float
    reason: str = ""


def pairs(first: Array, second: Array, cluster: Array) -> ClusteredPairs:
    """Count pairs by cluster.

    Parameters
    ----------
    first, second
        Whether the decision of each modality is right, (pairs,), 0 or 1.
    cluster
        The cluster of each pair, (pairs,).

    Returns
    -------
    ClusteredPairs
        Clusters in sorted order.

    Raises
    ------
    StatisticsError
        If the lengths differ, or a value is neither 0 nor 1.
    """
    if not (len(first) == len(second) == len(cluster)) or not np.isin([first, second], (0, 1)).all():
        raise StatisticsError("decisions of different lengths, or other than 0 and 1")
    names, code = np.unique(cluster, return_inverse=True)
    outcomes = (first * second, first * (1 - second), (1 - first) * second, (1 - first) * (1 - second))
    counts = (np.bincount(code, np.asarray(one, np.float64), len(names)).astype(np.float64) for one in outcomes)
    return ClusteredPairs(*counts)


def _chi_square(numerator: float, denominator: float) -> ChiSquare:
    if not denominator > 0:
        return ChiSquare(np.nan, np.nan, "no discordant pairs, or too few clusters")
    statistic = numerator / denominator
    return ChiSquare(float(statistic), float(special.chdtrc(1, statistic)))


def mcnemar(counts: ClusteredPairs, corrected: bool = False) -> ChiSquare:
    """Test by McNemar, as if all pairs were independent.

    Parameters
    ----------
    counts
        Of all clusters; their borders are not used.
    corrected
        Whether to subtract 1 from the difference for continuity.

    Returns
    -------
    ChiSquare
        (|b − c| − correction)² / (b + c) with the discordant pairs b and c.

    References
    ----------
    McNemar 1947, Psychometrika 12:153.
    """
    b, c = float(counts.first_only.sum()), float(counts.second_only.sum())
    return _chi_square(max(abs(b - c) - corrected, 0.0) ** 2, b + c)


def mcnemar_exact(counts: ClusteredPairs) -> float:
    """Compute McNemar's exact two-sided p-value, as if all pairs were independent.

    Parameters
    ----------
    counts
        Of all clusters; their borders are not used.

    Returns
    -------
    float
        Twice the binomial tail of the smaller number of discordant pairs, at most 1; 1 without a discordant pair.

    References
    ----------
    Fagerland, Lydersen & Laake 2013, BMC Medical Research Methodology 13:91.
    """
    b, c = int(counts.first_only.sum()), int(counts.second_only.sum())
    return min(1.0, 2 * float(special.bdtr(min(b, c), b + c, 0.5))) if b + c else 1.0


def obuchowski(counts: ClusteredPairs) -> ChiSquare:
    """Test by Obuchowski's variance of clustered proportions, pooled under the null hypothesis.

    Parameters
    ----------
    counts
        At least two clusters.

    Returns
    -------
    ChiSquare
        With d = first − second of each of K clusters: (Σ d)² / (K / (K − 1) · Σ d²).

    References
    ----------
    Obuchowski 1998, Statistics in Medicine 17:1495; in this form Yang, Sun & Hardin 2010, Biometrical Journal 52:638.
    """
    d, k = counts.excess, len(counts.excess)
    return _chi_square(float(d.sum()) ** 2, k / (k - 1) * float((d**2).sum()) if k > 1 else 0.0)


def durkalski(counts: ClusteredPairs) -> ChiSquare:
    """Test by the mean over clusters of the difference of proportions.

    Parameters
    ----------
    counts
        Clusters count equally, whatever their size.

    Returns
    -------
    ChiSquare
        With e = d / n of each cluster: (Σ e)² / Σ e².

    References
    ----------
    Durkalski, Palesch, Lipsitz & Rust 2003, Statistics in Medicine 22:2417.
    """
    share = counts.excess / counts.size
    return _chi_square(float(share.sum()) ** 2, float((share**2).sum()))


def yang(counts: ClusteredPairs) -> ChiSquare:
    """Test by the mean of the variances under the null hypothesis and under the alternative.

    Parameters
    ----------
    counts
        At least two clusters.

    Returns
    -------
    ChiSquare
        With p = Σ d / Σ n: (Σ d)² / (K / (K − 1) · ½ · Σ [(d − n·p)² + d²]).

    References
    ----------
    Yang, Sun & Hardin 2010, Biometrical Journal 52:638.
    """
    d, k = counts.excess, len(counts.excess)
    around = d - counts.size * counts.difference
    return _chi_square(float(d.sum()) ** 2, k / (k - 1) * float((around**2 + d**2).sum()) / 2 if k > 1 else 0.0)


def eliasziw_donner(counts: ClusteredPairs) -> ChiSquare:
    """Test by McNemar's statistic divided by the inflation that the correlation within clusters causes.

    Parameters
    ----------
    counts
        At least two clusters with discordant pairs, and a mean of more than one pair in a cluster.

    Returns
    -------
    ChiSquare
        (b − c)² / ((b + c)·(1 + (n_c − 1)·ρ)): ρ is the correlation of discordance, from the analysis of variance of all four
        outcomes pooled, and n_c the adjusted number of discordant pairs in a cluster.

    References
    ----------
    Eliasziw & Donner 1991, Statistics in Medicine 10:1981.
    """
    discordant = counts.first_only + counts.second_only
    with_discordance = discordant[discordant > 0]
    n_with, n_mean = len(with_discordance), float(counts.size.mean())
    if n_with < 2 or n_mean <= 1:
        return ChiSquare(np.nan, np.nan, "fewer than two clusters with discordant pairs, or one pair in each cluster")
    mean = float(with_discordance.mean())
    adjusted = mean - float(((with_discordance - mean) ** 2).sum()) / (n_with * (n_with - 1) * mean)
    factor = 1 + (adjusted + n_with * (mean - adjusted) - 1) * _correlation_of_discordance(counts)
    return _chi_square(float(counts.excess.sum()) ** 2, float(discordant.sum()) * factor)


def _correlation_of_discordance(counts: ClusteredPairs) -> float:
    table = np.stack([counts.both, counts.first_only, counts.second_only, counts.neither])
    size, n_clusters = counts.size, len(counts.size)
    share = table.sum(1) / size.sum()
    mean = size.mean()
    between = (((table - share[:, None] * size) ** 2) / size).sum() / n_clusters
    within = (table * (size - table) / size).sum() / (n_clusters * (mean - 1))
    n0 = mean - ((size - mean) ** 2).sum() / (n_clusters * (n_clusters - 1) * mean)
    overall = (between - within) / (between + (n0 - 1) * within)
    # overall / (overall + (p_b + p_c)·(1 − overall)), which is 0 for no correlation
    return float(overall / (overall + (share[1] + share[2]) * (1 - overall)))
