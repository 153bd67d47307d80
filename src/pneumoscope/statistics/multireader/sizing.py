"""Power and size of reader studies by the method of Hillis, Obuchowski and Berbaum, and of split-plot studies."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from scipy import special

from pneumoscope.statistics.errors import StatisticsError
from pneumoscope.statistics.multireader.obuchowski_rockette import Components, Population

MOST_CASES = 100_000
MOST_READERS = 1_000
"""How far a size is searched for."""


@dataclass(frozen=True)
class StatedComponents:
    """Variance components of a figure of merit for a number of cases, from a pilot study or from the literature.

    Parameters
    ----------
    modality_reader
        Variance of modality × reader (VarTR); a negative estimate counts as 0.
    variance
        Variance of a figure given the reader (Var).
    cov1, cov2, cov3
        Covariances: same reader in two modalities, two readers in one modality, two readers in two modalities.
    n_cases
        Number of cases that the error components are of; they are inversely proportional to it.
    """

    modality_reader: float
    variance: float
    cov1: float
    cov2: float
    cov3: float
    n_cases: int

    def __post_init__(self) -> None:
        """Refuse what is no set of components."""
        values = (self.modality_reader, self.variance, self.cov1, self.cov2, self.cov3)
        if not all(map(math.isfinite, values)) or self.variance <= 0 or self.n_cases < 1:
            raise StatisticsError(
                f"components {values} of {self.n_cases} cases: give finite values, an error variance above 0 and cases"
            )

    @property
    def clipped(self) -> float:
        """Cov2 − Cov3, or 0 if it is negative."""
        return max(self.cov2 - self.cov3, 0.0)


@dataclass(frozen=True)
class Power:
    """The power of a planned comparison of two modalities.

    Parameters
    ----------
    power
        Probability of a significant result.
    noncentrality
        Of F, or of χ² if `df2` is infinite.
    df2
        Degrees of freedom of the denominator.
    critical
        Value that the statistic has to exceed.
    """

    power: float
    noncentrality: float
    df2: float
    critical: float


def from_pilot(components: Components, n_cases: int) -> StatedComponents:
    """Take the components of a pilot study for planning.

    Parameters
    ----------
    components
        Of the pilot.
    n_cases
        Number of its cases.

    Returns
    -------
    StatedComponents
        VarTR = MS(TR) − Var + Cov1 + max(Cov2 − Cov3, 0), as Hillis, Obuchowski & Berbaum have it.
    """
    modality_reader = components.ms_modality_reader - components.variance + components.cov1 + components.clipped
    return StatedComponents(modality_reader, components.variance, components.cov1, components.cov2, components.cov3, n_cases)


def _checked(effect: float, n_readers: int, n_cases: int, alpha: float) -> None:
    if not effect or n_cases < 1 or n_readers < 1 or not 0 < alpha < 1:
        raise StatisticsError(
            f"an effect of {effect} with {n_readers} readers, {n_cases} cases at α = {alpha}: give an effect other than 0, "
            "at least one reader and one case, and α between 0 and 1"
        )


def power(
    components: StatedComponents,
    effect: float,
    n_readers: int,
    n_cases: int,
    population: Population = Population.READERS_AND_CASES,
    alpha: float = 0.05,
) -> Power:
    """Compute the power of a fully crossed comparison of two modalities.

    Parameters
    ----------
    components
        From a pilot or stated.
    effect
        The true difference of the figures.
    n_readers, n_cases
        Of the planned study, with the pilot's share of diseased cases.
    population
        With q = (cases of the pilot) / (planned cases), d = max(Cov2 − Cov3, 0) and VarTR clipped at 0. Random readers and
        cases: denominator VarTR + q·(Var − Cov1 + (J − 1)·d), df2 = denominator² / ((VarTR + q·(Var − Cov1 − d))² / (J − 1)).
        Fixed readers: the same without VarTR, with χ². Fixed cases: denominator VarTR + q·(Var − Cov1 − d), df2 = J − 1.
        Noncentrality J·effect² / (2·denominator).
    alpha
        Two-sided level.

    Returns
    -------
    Power
        NaN with one random reader.

    References
    ----------
    Hillis, Obuchowski & Berbaum 2011, Academic Radiology 18:129, equations 9–10; Hillis 2018, Statistics in Medicine 37:2067.

    Examples
    --------
    >>> van_dyke = StatedComponents(0.00020040252, 0.00080228827, 0.00034661371, 0.00034407483, 0.00023902837, 114)
    >>> round(power(van_dyke, 0.05, 6, 251).power, 4)
    0.8923
    """
    _checked(effect, n_readers, n_cases, alpha)
    return _power(components, effect, n_readers, components.n_cases / n_cases, n_readers, population, alpha)


def _power(
    parts: StatedComponents, effect: float, n_readers: int, scale: float, per_group: float, population: Population, alpha: float
) -> Power:
    """Power where each group of `per_group` readers shares cases, and errors are `scale` times the stated ones."""
    reader = max(parts.modality_reader, 0.0)
    alone = scale * (parts.variance - parts.cov1)
    shared = scale * parts.clipped
    if population is Population.CASES:
        return _chi_square_power(n_readers * effect**2 / (2 * (alone + (per_group - 1) * shared)), alpha)
    mean_square = reader + alone - shared
    denominator = mean_square if population is Population.READERS else reader + alone + (per_group - 1) * shared
    if n_readers < 2 or denominator <= 0:
        return Power(math.nan, math.nan, math.nan, math.nan)
    df2 = denominator**2 / (mean_square**2 / (n_readers - 1)) if mean_square > 0 else math.inf
    return _f_power(n_readers * effect**2 / (2 * denominator), df2, alpha)


def _chi_square_power(noncentrality: float, alpha: float) -> Power:
    critical = float(special.chdtri(1, alpha))
    return Power(1 - float(special.chndtr(critical, 1, noncentrality)), noncentrality, math.inf, critical)


def _f_power(noncentrality: float, df2: float, alpha: float) -> Power:
    if math.isinf(df2):
        return _chi_square_power(noncentrality, alpha)
    critical = float(special.fdtri(1, df2, 1 - alpha))
    return Power(1 - float(special.ncfdtr(1, df2, noncentrality, critical)), noncentrality, df2, critical)


def cases_for_readers(
    components: StatedComponents,
    effect: float,
    n_readers: int,
    wanted: float = 0.8,
    population: Population = Population.READERS_AND_CASES,
    alpha: float = 0.05,
) -> int | None:
    """Find the smallest number of cases that reaches a power with a given number of readers.

    Parameters
    ----------
    components, effect, n_readers, population, alpha
        As in `power`.
    wanted
        Power to reach, in (0, 1).

    Returns
    -------
    int | None
        None if 100,000 cases do not suffice: then readers vary too much for so few of them.

    Examples
    --------
    >>> van_dyke = StatedComponents(0.00020040252, 0.00080228827, 0.00034661371, 0.00034407483, 0.00023902837, 114)
    >>> cases_for_readers(van_dyke, 0.05, 6)
    170
    """
    return _smallest(lambda n: power(components, effect, n_readers, n, population, alpha).power, wanted, 1, MOST_CASES)


def readers_for_cases(
    components: StatedComponents,
    effect: float,
    n_cases: int,
    wanted: float = 0.8,
    population: Population = Population.READERS_AND_CASES,
    alpha: float = 0.05,
) -> int | None:
    """Find the smallest number of readers that reaches a power with a given number of cases.

    Parameters
    ----------
    components, effect, n_cases, population, alpha
        As in `power`.
    wanted
        Power to reach, in (0, 1).

    Returns
    -------
    int | None
        None if 1,000 readers do not suffice.
    """
    fewest = 1 if population is Population.CASES else 2
    return _smallest(lambda n: power(components, effect, n, n_cases, population, alpha).power, wanted, fewest, MOST_READERS)


def _smallest(power_of: Callable[[int], float], wanted: float, low: int, high: int) -> int | None:
    """The smallest size that reaches a power, which grows with the size."""
    if not 0 < wanted < 1:
        raise StatisticsError(f"a power of {wanted}: give one between 0 and 1")
    if not power_of(high) >= wanted:
        return None
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if power_of(middle) >= wanted else (middle + 1, high)
    return low


@dataclass(frozen=True)
class SizeRow:
    """One line of a table of sizes.

    Parameters
    ----------
    n_readers
        Number of readers.
    n_cases
        Smallest number of cases; None if there is none.
    power
        The power reached; NaN if there is none.
    """

    n_readers: int
    n_cases: int | None
    power: float


def size_table(
    components: StatedComponents,
    effect: float,
    readers: Iterable[int],
    wanted: float = 0.8,
    population: Population = Population.READERS_AND_CASES,
    alpha: float = 0.05,
) -> tuple[SizeRow, ...]:
    """Tabulate the number of cases for several numbers of readers.

    Parameters
    ----------
    components, effect, wanted, population, alpha
        As in `cases_for_readers`.
    readers
        Numbers of readers.

    Returns
    -------
    tuple[SizeRow, ...]
        One row for each number of readers.
    """
    found = []
    for n_readers in readers:
        n_cases = cases_for_readers(components, effect, n_readers, wanted, population, alpha)
        reached = math.nan if n_cases is None else power(components, effect, n_readers, n_cases, population, alpha).power
        found.append(SizeRow(n_readers, n_cases, reached))
    return tuple(found)


def _split(components: StatedComponents, n_readers: int, n_cases: int, n_groups: int) -> float:
    if n_groups < 1 or n_readers % n_groups or n_cases % n_groups:
        raise StatisticsError(
            f"{n_readers} readers and {n_cases} cases in {n_groups} groups: give numbers that the groups divide"
        )
    return components.n_cases / (n_cases / n_groups)


def split_plot_variance(components: StatedComponents, n_readers: int, n_cases: int, n_groups: int) -> float:
    """Compute the variance of a difference of two modalities in a split-plot study.

    Parameters
    ----------
    components
        From a pilot or stated; used as they are, without clipping.
    n_readers, n_cases
        Of the whole study; each group has an equal share of both, and its readers read its cases in both modalities.
    n_groups
        Number of groups; 1 for a fully crossed study.

    Returns
    -------
    float
        (2 / J)·[VarTR + Var − Cov1 + (J / G − 1)·(Cov2 − Cov3)], with the error components of the cases of one group.

    Raises
    ------
    StatisticsError
        If the groups do not divide readers and cases.

    References
    ----------
    Obuchowski, Gallas & Hillis 2012, Academic Radiology 19:1508 (split-plot designs).

    Examples
    --------
    >>> stated = StatedComponents(0.001, 0.002, 0.001, 0.0008, 0.0004, 100)
    >>> round(split_plot_variance(stated, 6, 100, 1), 7), round(split_plot_variance(stated, 6, 100, 2), 7)
    (0.0013333, 0.0015333)
    """
    scale = _split(components, n_readers, n_cases, n_groups)
    shared = (n_readers / n_groups - 1) * (components.cov2 - components.cov3)
    return 2 / n_readers * (components.modality_reader + scale * (components.variance - components.cov1 + shared))


def split_plot_power(
    components: StatedComponents, effect: float, n_readers: int, n_cases: int, n_groups: int, alpha: float = 0.05
) -> Power:
    """Compute the power of a split-plot comparison of two modalities with random readers and cases.

    Parameters
    ----------
    components, effect, alpha
        As in `power`.
    n_readers, n_cases, n_groups
        As in `split_plot_variance`.

    Returns
    -------
    Power
        With the variance of `split_plot_variance`, VarTR and Cov2 − Cov3 clipped at 0, and degrees of freedom as in `power`:
        the part of the denominator that readers × modalities estimate has J − 1. With one group it is `power`.

    References
    ----------
    Obuchowski, Gallas & Hillis 2012, Academic Radiology 19:1508.
    """
    _checked(effect, n_readers, n_cases, alpha)
    scale = _split(components, n_readers, n_cases, n_groups)
    return _power(components, effect, n_readers, scale, n_readers / n_groups, Population.READERS_AND_CASES, alpha)
