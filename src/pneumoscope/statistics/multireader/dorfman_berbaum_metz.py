"""The method of Dorfman, Berbaum and Metz: an analysis of variance of jackknife pseudovalues, with Hillis' degrees of freedom."""

import itertools
import math
from dataclasses import dataclass

import numpy as np
from scipy import special

from pneumoscope.statistics.metrics import Array
from pneumoscope.statistics.multireader.inference import LEVEL
from pneumoscope.statistics.multireader.jackknife import Jackknife
from pneumoscope.statistics.multireader.obuchowski_rockette import Analysis, Contrast, OverallTest, Population, inference

_EFFECTS: tuple[tuple[int, ...], ...] = ((), (0,), (1,), (2,), (0, 1), (0, 2), (1, 2), (0, 1, 2))
"""The mean, the main effects of modality, reader and case, and their interactions: the axes that each is not averaged over."""


@dataclass(frozen=True)
class PseudovalueSquares:
    """Mean squares of pseudovalues in modalities × readers × cases.

    Parameters
    ----------
    modality, reader, case
        Of the main effects.
    modality_reader, modality_case, reader_case
        Of the interactions of two.
    rest
        Of the interaction of all three, with the error.
    n_modalities, n_readers, n_cases
        Size of the table.
    """

    modality: float
    reader: float
    case: float
    modality_reader: float
    modality_case: float
    reader_case: float
    rest: float
    n_modalities: int
    n_readers: int
    n_cases: int

    @property
    def var_reader(self) -> float:
        """Variance of readers, (MS(R) − MS(TR) − MS(RC) + MS(TRC)) / (I·K); not clipped, like all components here."""
        return (self.reader - self.modality_reader - self.reader_case + self.rest) / (self.n_modalities * self.n_cases)

    @property
    def var_case(self) -> float:
        """Variance of cases, (MS(C) − MS(TC) − MS(RC) + MS(TRC)) / (I·J)."""
        return (self.case - self.modality_case - self.reader_case + self.rest) / (self.n_modalities * self.n_readers)

    @property
    def var_modality_reader(self) -> float:
        """Variance of modality × reader, (MS(TR) − MS(TRC)) / K."""
        return (self.modality_reader - self.rest) / self.n_cases

    @property
    def var_modality_case(self) -> float:
        """Variance of modality × case, (MS(TC) − MS(TRC)) / J."""
        return (self.modality_case - self.rest) / self.n_readers

    @property
    def var_reader_case(self) -> float:
        """Variance of reader × case, (MS(RC) − MS(TRC)) / I."""
        return (self.reader_case - self.rest) / self.n_modalities

    @property
    def var_error(self) -> float:
        """Variance of the rest, MS(TRC)."""
        return self.rest


def mean_squares(pseudovalues: Array) -> PseudovalueSquares:
    """Compute the mean squares of a three-way table without replication.

    Parameters
    ----------
    pseudovalues
        Shape (modalities, readers, cases).

    Returns
    -------
    PseudovalueSquares
        NaN for an effect without degrees of freedom.

    References
    ----------
    Dorfman, Berbaum & Metz 1992, Investigative Radiology 27:723.
    """
    effects: dict[tuple[int, ...], Array] = {}
    squares: dict[tuple[int, ...], float] = {}
    for kept in _EFFECTS:
        averaged = tuple({0, 1, 2} - set(kept))
        effect = np.asarray(pseudovalues.mean(averaged, keepdims=True)) if averaged else pseudovalues
        for below in (part for size in range(len(kept)) for part in itertools.combinations(kept, size)):
            effect = effect - effects[below]
        times = math.prod(pseudovalues.shape[axis] for axis in averaged)
        df = math.prod(pseudovalues.shape[axis] - 1 for axis in kept)
        effects[kept] = effect
        squares[kept] = times * float((effect**2).sum()) / df if df else math.nan
    modality, reader, case, modality_reader, modality_case, reader_case, rest = (squares[kept] for kept in _EFFECTS[1:])
    size = pseudovalues.shape
    return PseudovalueSquares(
        modality, reader, case, modality_reader, modality_case, reader_case, rest, size[0], size[1], size[2]
    )


def _error(squares: PseudovalueSquares, population: Population) -> tuple[float, float]:
    """Denominator of the test of modalities, and its degrees of freedom."""
    df_modality = squares.n_modalities - 1
    if population is Population.CASES:
        return squares.modality_case, float(df_modality * (squares.n_cases - 1))
    df = df_modality * (squares.n_readers - 1)
    if population is Population.READERS:
        return squares.modality_reader, float(df)
    denominator = squares.modality_reader + max(squares.modality_case - squares.rest, 0.0)
    return denominator, denominator**2 / (squares.modality_reader**2 / df) if squares.modality_reader > 0 else math.nan


def _overall(squares: PseudovalueSquares, denominator: float, df2: float) -> OverallTest:
    df1 = squares.n_modalities - 1
    if df1 < 1 or not denominator > 0 or math.isnan(df2):
        reason = "there is one modality" if df1 < 1 else "no test: too few readers or cases, or no variation"
        return OverallTest(math.nan, df1, df2, math.nan, denominator, reason)
    statistic = squares.modality / denominator
    return OverallTest(statistic, df1, df2, float(special.fdtrc(df1, df2, statistic)), denominator)


def _variance_of_mean(pseudovalues: Array, population: Population) -> tuple[float, float]:
    """Variance of the mean of one modality, (readers, cases), and its degrees of freedom."""
    n_readers, n_cases = pseudovalues.shape
    squares = mean_squares(pseudovalues[None])
    if population is Population.CASES:
        return squares.case / (n_readers * n_cases), float(n_cases - 1)
    if population is Population.READERS or n_readers < 2:
        return squares.reader / (n_readers * n_cases), float(n_readers - 1)
    total = squares.reader + max(squares.case - squares.reader_case, 0.0)
    df = total**2 / (squares.reader**2 / (n_readers - 1)) if squares.reader > 0 else math.nan
    return total / (n_readers * n_cases), df


def _contrasts(means: Array, variance: float, df: float, level: float) -> tuple[Contrast, ...]:
    pairs = itertools.combinations(range(len(means)), 2)
    return tuple(Contrast(a, b, inference(float(means[a] - means[b]), variance, df, 0.0, level)) for a, b in pairs)


def _reader_contrasts(pseudovalues: Array, level: float) -> tuple[tuple[Contrast, ...], ...]:
    n_readers, n_cases = pseudovalues.shape[1:]
    found = []
    for reader in range(n_readers):
        squares = mean_squares(pseudovalues[:, [reader]])
        df = float(n_cases - 1)
        found.append(_contrasts(pseudovalues[:, reader].mean(1), 2 * squares.modality_case / n_cases, df, level))
    return tuple(found)


def analyse(figure: Jackknife, population: Population, level: float = LEVEL) -> Analysis:
    """Compare modalities by an analysis of variance of pseudovalues.

    Parameters
    ----------
    figure
        Figure of merit of fully crossed readings.
    population
        Random readers and cases: F = MS(T) / (MS(TR) + max(MS(TC) − MS(TRC), 0)). Random cases: F = MS(T) / MS(TC). Random
        readers: F = MS(T) / MS(TR).
    level
        Confidence level.

    Returns
    -------
    Analysis
        Equal to that of Obuchowski and Rockette with jackknife covariances, except that fixed readers have F and t with finite
        degrees of freedom, and are not clipped.

    References
    ----------
    Dorfman, Berbaum & Metz 1992, Investigative Radiology 27:723; Hillis, Berbaum & Metz 2008, Academic Radiology 15:647
    (the denominator and the degrees of freedom used here).
    """
    pseudovalues = figure.pseudovalues
    squares = mean_squares(pseudovalues)
    denominator, df2 = _error(squares, population)
    per_case = 2 / (squares.n_readers * squares.n_cases)
    means = (
        inference(float(row.mean()), *_variance_of_mean(table, population), 0.0, level)
        for row, table in zip(figure.value, pseudovalues, strict=True)
    )
    contrasts = _contrasts(figure.value.mean(1), per_case * denominator, df2, level)
    per_reader = _reader_contrasts(pseudovalues, level) if population is Population.CASES else ()
    return Analysis(population, _overall(squares, denominator, df2), contrasts, tuple(means), per_reader)
