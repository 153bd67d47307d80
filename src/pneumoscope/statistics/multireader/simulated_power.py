"""Power by simulation, for figures that have no formula, such as sensitivity and specificity at a decision."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pneumoscope.statistics.errors import StatisticsError
from pneumoscope.statistics.multireader.design import design
from pneumoscope.statistics.multireader.jackknife import Jackknife
from pneumoscope.statistics.multireader.obuchowski_rockette import Population, analyse
from pneumoscope.statistics.multireader.ratings import ReaderRatings
from pneumoscope.statistics.multireader.roe_metz import RoeMetz, StudySize, simulate


@dataclass(frozen=True)
class SimulatedPower:
    """The share of simulated studies with a significant result.

    Parameters
    ----------
    power
        Share of studies that reject equality of the first two modalities; one without a test does not reject.
    standard_error
        Of the share, from the number of studies.
    n_undefined
        Studies without a test, since nothing varied.
    """

    power: float
    standard_error: float
    n_undefined: int


def simulated_power(
    model: RoeMetz,
    size: StudySize,
    figure: Callable[[ReaderRatings], Jackknife],
    n_studies: int,
    rng: np.random.Generator,
    population: Population = Population.READERS_AND_CASES,
    alpha: float = 0.05,
) -> SimulatedPower:
    """Estimate the power of a study by simulating it.

    Parameters
    ----------
    model
        How ratings arise; the effect is the difference of its modalities.
    size
        Of the study.
    figure
        The figure that is analysed, such as ``lambda ratings: sensitivity(ratings, 1.0)``.
    n_studies
        Number of simulated studies, at least 1.
    rng
        Source of random numbers.
    population
        Of the analysis by Obuchowski and Rockette with jackknife covariances.
    alpha
        Two-sided level.

    Returns
    -------
    SimulatedPower
        With its Monte-Carlo error.

    Raises
    ------
    StatisticsError
        If no study is asked for.

    References
    ----------
    Hillis 2018, Statistics in Medicine 37:2067 (simulation under the Roe–Metz model).
    """
    if n_studies < 1:
        raise StatisticsError(f"{n_studies} simulated studies: give at least 1")
    values = np.empty(n_studies)
    for study in range(n_studies):
        ratings = simulate(model, size, rng)
        result = figure(ratings)
        values[study] = analyse(result.value, result.covariance, population, design(ratings).crossing).overall.p
    power = float((values < alpha).mean())
    return SimulatedPower(power, math.sqrt(power * (1 - power) / n_studies), int(np.isnan(values).sum()))
