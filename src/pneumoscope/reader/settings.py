"""List the settings of a model and decide under each of them; no PyTorch."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from pneumoscope.classifier import Card, Population, PopulationSettings

ALL, UNKNOWN = "all", "unknown"
"""Name of the settings of a model that has the same for all patients, and of the cautious settings of one that has several."""


@dataclass(frozen=True, eq=False)
class Answers:
    """Answers for n images under each of the s settings of a model, as the graph of a bundle gives them.

    Attributes
    ----------
    probability : ndarray, shape (n, s)
        Calibrated probability of the target.
    decision : ndarray, shape (n, s)
        1 for positive, 0 for negative.
    abstains : ndarray, shape (n, s)
        1 where the probability lies in the grey zone, else 0.
    inside : ndarray, shape (n, s)
        1 where at least one lung was found and the distance does not exceed the limit of the domain, if there is one; else 0.
    """

    probability: NDArray[np.floating]
    decision: NDArray[np.floating]
    abstains: NDArray[np.floating]
    inside: NDArray[np.floating]


def settings_of(card: Card) -> Mapping[str, PopulationSettings]:
    """List the settings of a model: the columns of the graph's answers, in their order.

    Parameters
    ----------
    card : Card
        Card of the model.

    Returns
    -------
    Mapping
        Settings by name: ``child``, ``adult`` (those that the card has) and `UNKNOWN`; only `ALL` for a model that has the same
        settings for all patients.
    """
    if not card.populations:
        return {ALL: card.settings()}
    known = [population for population in get_args(Population) if population in card.populations]
    return {**{population: card.settings(population) for population in known}, UNKNOWN: card.settings()}


def column(card: Card, population: Population | None) -> int:
    """Find the column of a population in the answers of a graph.

    Parameters
    ----------
    card : Card
        Card of the model.
    population : {"child", "adult"}, optional
        Population of the patient, one that the model knows; None where it is unknown.

    Returns
    -------
    int
        Index of the column.
    """
    return [*settings_of(card)].index(population or (UNKNOWN if card.populations else ALL))


def calibrated(settings: Mapping[str, PopulationSettings], log_odds: NDArray[np.floating]) -> NDArray[np.float64]:
    """Calibrate log-odds under each of the settings.

    Parameters
    ----------
    settings : Mapping
        The s settings by name.
    log_odds : ndarray, shape (n,)
        Log-odds of the target.

    Returns
    -------
    ndarray of float64, shape (n, s)
        Probabilities of the target.
    """
    return np.stack([one.calibration(log_odds) for one in settings.values()], 1)


def decided(
    settings: Mapping[str, PopulationSettings],
    probability: NDArray[np.floating],
    distance: NDArray[np.floating],
    lungs_found: NDArray[np.floating],
) -> Answers:
    """Decide under each of the settings.

    Parameters
    ----------
    settings : Mapping
        The s settings by name.
    probability : ndarray, shape (n, s)
        Calibrated probability of the target.
    distance : ndarray, shape (n,)
        Distance from the training images.
    lungs_found : ndarray, shape (n,)
        Number of lungs that count as found.

    Returns
    -------
    Answers
        The answers; a probability or a distance that is not a number is negative, certain and outside, and has to be refused.
    """
    points = np.array([one.operating_point.threshold for one in settings.values()])
    zones = np.array([(z.low, z.high) if (z := one.grey_zone) else (0.0, 0.0) for one in settings.values()])
    limits = np.array([one.domain.distance if one.domain else np.inf for one in settings.values()])
    wide = probability.astype(np.float64)
    abstains = (wide >= zones[:, 0]) & (wide < zones[:, 1])
    inside = (lungs_found[:, None] > 0) & (distance.astype(np.float64)[:, None] <= limits)
    return Answers(probability, *(flag.astype(np.float32) for flag in (wide >= points, abstains, inside)))
