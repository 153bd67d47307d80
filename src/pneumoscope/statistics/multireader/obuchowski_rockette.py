"""The method of Obuchowski and Rockette with the degrees of freedom of Hillis.

The figures of merit of I modalities × J readers are a two-way table without replication; the errors of its cells are correlated
because readers read the same cases. Var is the variance of one figure given the reader, Cov1 the covariance of the same reader in
two modalities, Cov2 of two readers in the same modality, and Cov3 of two readers in two modalities.
"""

import itertools
import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from scipy import special

from pneumoscope.statistics.errors import StatisticsError
from pneumoscope.statistics.metrics import Array
from pneumoscope.statistics.multireader.design import Crossing
from pneumoscope.statistics.multireader.inference import LEVEL, Inference
from pneumoscope.statistics.multireader.ratings import Bools


class Population(StrEnum):
    """What the result is meant for: what would be drawn again if the study were repeated."""

    READERS_AND_CASES = "random readers and random cases"
    CASES = "fixed readers and random cases"
    READERS = "random readers and fixed cases"


@dataclass(frozen=True)
class Components:
    """Mean squares of the table of figures, and variance components.

    Parameters
    ----------
    ms_modality, ms_reader, ms_modality_reader
        Mean squares of the two-way table; NaN with one modality or one reader.
    variance
        Mean variance of a figure given its reader (Var).
    cov1, cov2, cov3
        Mean covariances: same reader, same modality, neither.
    n_modalities, n_readers
        Size of the table.
    """

    ms_modality: float
    ms_reader: float
    ms_modality_reader: float
    variance: float
    cov1: float
    cov2: float
    cov3: float
    n_modalities: int
    n_readers: int

    @property
    def reader(self) -> float:
        """Variance of readers (VarR), not clipped: (MS(R) − MS(TR)) / I − Cov1 + Cov3."""
        return (self.ms_reader - self.ms_modality_reader) / self.n_modalities - self.cov1 + self.cov3

    @property
    def modality_reader(self) -> float:
        """Variance of modality × reader (VarTR), not clipped: MS(TR) − Var + Cov1 + (Cov2 − Cov3)."""
        return self.ms_modality_reader - self.variance + self.cov1 + (self.cov2 - self.cov3)

    @property
    def clipped(self) -> float:
        """Cov2 − Cov3, or 0 if it is negative."""
        return max(self.cov2 - self.cov3, 0.0)


@dataclass(frozen=True)
class OverallTest:
    """A test that all modalities have the same mean figure.

    Parameters
    ----------
    statistic
        F, or χ² if `df2` is infinite.
    df1, df2
        Degrees of freedom.
    p
        The p-value.
    denominator
        Mean square that the one of modalities is divided by.
    reason
        Why there is no test; else empty.
    """

    statistic: float
    df1: int
    df2: float
    p: float
    denominator: float
    reason: str = ""


@dataclass(frozen=True)
class Contrast:
    """The difference of two modalities.

    Parameters
    ----------
    first, second
        Positions of the modalities.
    difference
        First − second.
    """

    first: int
    second: int
    difference: Inference


@dataclass(frozen=True)
class Analysis:
    """The comparison of modalities for one population.

    Parameters
    ----------
    population
        What the result is meant for.
    overall
        The test that all modalities are equal.
    contrasts
        All pairs of modalities.
    means
        The mean figure of each modality.
    per_reader
        With fixed readers, all pairs of modalities for each reader; else empty.
    """

    population: Population
    overall: OverallTest
    contrasts: tuple[Contrast, ...]
    means: tuple[Inference, ...]
    per_reader: tuple[tuple[Contrast, ...], ...] = ()


def _mean_where(covariance: Array, mask: Bools) -> float:
    return float(covariance[mask].mean()) if mask.any() else 0.0


def _checked(figure: Array, covariance: Array) -> None:
    if figure.ndim != 2 or covariance.shape != (figure.size, figure.size):
        raise StatisticsError(f"figures of shape {figure.shape} with a covariance of shape {covariance.shape}")


def components(figure: Array, covariance: Array, crossing: Crossing = Crossing.FULLY_CROSSED) -> Components:
    """Compute mean squares and variance components of a table of figures.

    Parameters
    ----------
    figure
        Figure of merit, (modalities, readers).
    covariance
        Of the figures given the readers, (cells, cells), cell = modality · readers + reader.
    crossing
        Cases nested in reader: Cov2 = Cov3 = 0. Cases nested in modality: Cov1 = Cov3 = 0.

    Returns
    -------
    Components
        Averages over all pairs of cells of the kind; a covariance of which there is no pair is 0.

    Raises
    ------
    StatisticsError
        If the shapes do not agree.

    References
    ----------
    Obuchowski & Rockette 1995, Communications in Statistics: Simulation 24:285; Hillis 2007, Statistics in Medicine 26:596.
    """
    _checked(figure, covariance)
    n_modalities, n_readers = figure.shape
    modality, reader = np.divmod(np.arange(figure.size), n_readers)
    same_modality, same_reader = np.equal.outer(modality, modality), np.equal.outer(reader, reader)
    cov1 = _mean_where(covariance, ~same_modality & same_reader)
    cov2 = _mean_where(covariance, same_modality & ~same_reader)
    cov3 = _mean_where(covariance, ~same_modality & ~same_reader)
    if crossing is Crossing.CASES_NESTED_IN_READER:
        cov2 = cov3 = 0.0
    if crossing is Crossing.CASES_NESTED:
        cov1 = cov3 = 0.0
    return Components(*_mean_squares(figure), float(covariance.diagonal().mean()), cov1, cov2, cov3, n_modalities, n_readers)


def _mean_squares(figure: Array) -> tuple[float, float, float]:
    n_modalities, n_readers = figure.shape
    by_modality, by_reader = figure.mean(1, keepdims=True), figure.mean(0, keepdims=True)
    rest = figure - by_modality - by_reader + figure.mean()
    return (
        _over(n_readers * float(((by_modality - figure.mean()) ** 2).sum()), n_modalities - 1),
        _over(n_modalities * float(((by_reader - figure.mean()) ** 2).sum()), n_readers - 1),
        _over(float((rest**2).sum()), (n_modalities - 1) * (n_readers - 1)),
    )


def _over(numerator: float, denominator: float) -> float:
    return numerator / denominator if denominator > 0 else math.nan


def _satterthwaite(denominator: float, mean_square: float, df: int) -> float:
    """Hillis' degrees of freedom, denominator² / (MS² / df); infinite if the mean square is 0."""
    if math.isnan(mean_square) or df < 1:
        return math.nan
    return math.inf if mean_square == 0 else denominator**2 / (mean_square**2 / df)


def _error(parts: Components, population: Population) -> tuple[float, float]:
    """Denominator of the test of modalities, and its degrees of freedom."""
    df = (parts.n_modalities - 1) * (parts.n_readers - 1)
    if population is Population.CASES:
        return parts.variance - parts.cov1 + (parts.n_readers - 1) * parts.clipped, math.inf
    if population is Population.READERS:
        return parts.ms_modality_reader, float(df) if df else math.nan
    denominator = parts.ms_modality_reader + parts.n_readers * parts.clipped
    return denominator, _satterthwaite(denominator, parts.ms_modality_reader, df)


def _overall(parts: Components, denominator: float, df2: float, reason: str) -> OverallTest:
    df1 = parts.n_modalities - 1
    if reason or df1 < 1:
        return OverallTest(math.nan, df1, df2, math.nan, denominator, reason or "there is one modality")
    if math.isinf(df2):
        statistic = df1 * parts.ms_modality / denominator
        return OverallTest(statistic, df1, df2, float(special.chdtrc(df1, statistic)), denominator)
    statistic = parts.ms_modality / denominator
    return OverallTest(statistic, df1, df2, float(special.fdtrc(df1, df2, statistic)), denominator)


def _why_not(parts: Components, denominator: float, population: Population) -> str:
    if parts.n_readers < 2 and population is not Population.CASES:
        return "one reader: how readers vary cannot be estimated"
    if math.isnan(denominator) and parts.n_modalities > 1:
        return "a reader's figure or its covariance is undefined"
    if denominator <= 0:
        return "no variation: the error variance is not above 0"
    return ""


def one_modality(
    figure: Array,
    covariance: Array,
    population: Population,
    null: float = 0.0,
    level: float = LEVEL,
    case_correlation: bool = True,
) -> Inference:
    """Estimate the mean figure of one modality over readers, and test it against a value.

    Parameters
    ----------
    figure
        Of each reader, (readers,).
    covariance
        Given the readers, (readers, readers).
    population
        Random readers and cases: SE² = (MS(R) + J·max(Cov2, 0)) / J with df = (J·SE²)² / (MS(R)² / (J − 1)). Random cases: SE² =
        (Var + (J − 1)·max(Cov2, 0)) / J, normal. Random readers: SE² = MS(R) / J with J − 1 degrees of freedom.
    null
        The value tested, such as a performance goal.
    level
        Confidence level.
    case_correlation
        False if readers read different cases: then Cov2 = 0.

    Returns
    -------
    Inference
        With a reason where it is undefined.

    Raises
    ------
    StatisticsError
        If the shapes do not agree.

    References
    ----------
    Hillis, Obuchowski & Berbaum 2011, Academic Radiology 18:129; Hillis 2018, Statistics in Medicine
    37:2067.
    """
    _checked(figure[None], covariance)
    n_readers = len(figure)
    ms_reader = float(figure.var(ddof=1)) if n_readers > 1 else math.nan
    cov2 = max(_mean_where(covariance, ~np.eye(n_readers, dtype=bool)), 0.0) if case_correlation else 0.0
    if population is Population.CASES:
        total, df = float(covariance.diagonal().mean()) + (n_readers - 1) * cov2, math.inf
    elif population is Population.READERS:
        total, df = ms_reader, float(n_readers - 1)
    else:
        total = ms_reader + n_readers * cov2
        df = _satterthwaite(total, ms_reader, n_readers - 1)
    return inference(float(figure.mean()), total / n_readers, df, null, level)


def inference(estimate: float, variance: float, df: float, null: float = 0.0, level: float = LEVEL) -> Inference:
    """Make the inference of an estimate from its variance, with the reason if the variance does not allow one.

    Parameters
    ----------
    estimate
        The estimate.
    variance
        Its variance.
    df
        Degrees of freedom.
    null
        The value tested.
    level
        Confidence level.

    Returns
    -------
    Inference
        Without a standard error if the variance is undefined or not above 0.
    """
    reason = ""
    if math.isnan(estimate):
        reason = "a figure is undefined: a reader lacks a case of a class"
    elif math.isnan(variance):
        reason = "the variance is undefined: too few readers or cases"
    elif variance <= 0:
        reason = "no variation: the variance is not above 0"
    defined = not reason
    return Inference(estimate, math.sqrt(variance) if defined else math.nan, df if defined else math.nan, null, level, reason)


def _contrasts(means: Array, variance: float, df: float, level: float) -> tuple[Contrast, ...]:
    pairs = itertools.combinations(range(len(means)), 2)
    return tuple(Contrast(a, b, inference(float(means[a] - means[b]), variance, df, 0.0, level)) for a, b in pairs)


def _reader_contrasts(figure: Array, covariance: Array, level: float) -> tuple[tuple[Contrast, ...], ...]:
    n_modalities, n_readers = figure.shape
    blocks = covariance.reshape(n_modalities, n_readers, n_modalities, n_readers)
    found = []
    for reader in range(n_readers):
        parts = components(figure[:, [reader]], blocks[:, reader, :, reader])
        found.append(_contrasts(figure[:, reader], 2 * (parts.variance - parts.cov1), math.inf, level))
    return tuple(found)


def analyse(
    figure: Array,
    covariance: Array,
    population: Population,
    crossing: Crossing = Crossing.FULLY_CROSSED,
    level: float = LEVEL,
) -> Analysis:
    """Compare modalities by the method of Obuchowski and Rockette.

    Parameters
    ----------
    figure
        Figure of merit, (modalities, readers).
    covariance
        Of the figures given the readers, by jackknife, DeLong or unbiased; (cells, cells), cell = modality · readers + reader.
    population
        Random readers and cases: F = MS(T) / (MS(TR) + J·max(Cov2 − Cov3, 0)) with Hillis' degrees of freedom, denominator² /
        (MS(TR)² / ((I − 1)(J − 1))). Random cases: χ² = (I − 1)·MS(T) / (Var − Cov1 + (J − 1)·max(Cov2 − Cov3, 0)). Random
        readers: F = MS(T) / MS(TR). The squared standard error of a difference is 2 / J times the denominator.
    crossing
        The design, as `components` uses it.
    level
        Confidence level.

    Returns
    -------
    Analysis
        Readers have equal weight. Intervals are not clipped to [0, 1]. Undefined results are NaN with a reason.

    References
    ----------
    Obuchowski & Rockette 1995, Communications in Statistics: Simulation 24:285; Hillis 2007, Statistics in Medicine 26:596.

    Examples
    --------
    >>> figure = np.array([[0.80, 0.84, 0.82], [0.86, 0.88, 0.90]])
    >>> covariance = 0.0004 * np.eye(6) + 0.0002
    >>> print(f"{analyse(figure, covariance, Population.READERS_AND_CASES).overall.p:.4f}")
    0.0351
    """
    parts = components(figure, covariance, crossing)
    denominator, df2 = _error(parts, population)
    reason = _why_not(parts, denominator, population)
    shared_cases = crossing is not Crossing.CASES_NESTED_IN_READER
    blocks = covariance.reshape(*figure.shape, *figure.shape)
    means = (one_modality(row, blocks[i, :, i], population, 0.0, level, shared_cases) for i, row in enumerate(figure))
    contrasts = _contrasts(figure.mean(1), 2 / parts.n_readers * denominator, df2, level)
    per_reader = _reader_contrasts(figure, covariance, level) if population is Population.CASES else ()
    return Analysis(population, _overall(parts, denominator, df2, reason), contrasts, tuple(means), per_reader)
