"""Define the settings of a population, and choose those that decide for a patient; no PyTorch."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

from pneumoscope.classifier.domain import DomainLimit
from pneumoscope.classifier.errors import CardError, PopulationError
from pneumoscope.classifier.population import PLURALS, Population, PopulationChoice, population_of
from pneumoscope.classifier.score import Calibration, GreyZone, OperatingPoint

_ONE: Mapping[Population, str] = {"child": "a child", "adult": "an adult"}


@dataclass(frozen=True)
class FixedOn:
    """The images of one cohort that the settings of a population were fixed on.

    Parameters
    ----------
    source : str
        Name of the cohort.
    split : {"train", "tune", "all"}
        The part of its split; ``all`` for a cohort that is not split. Never ``test``.
    split_sha256 : str
        SHA-256 of that split, or of the cases of a cohort that is not split.
    n_images, n_patients, n_positive : int
        Number of images, of their patients, and of images with the target.

    Raises
    ------
    ValueError
        The part is the test split, or a number does not fit the others.
    """

    source: str
    split: Literal["train", "tune", "all"]
    split_sha256: str
    n_images: int
    n_patients: int
    n_positive: int

    def __post_init__(self) -> None:
        if not (1 <= self.n_patients <= self.n_images and 0 <= self.n_positive <= self.n_images):
            raise ValueError(
                f"{self.n_images} images cannot be of {self.n_patients} patients with {self.n_positive} positive images"
            )


@dataclass(frozen=True)
class PopulationSettings:
    """Everything that turns log-odds and distance into an answer for the patients of one population.

    Parameters
    ----------
    calibration : Calibration
        From log-odds to probability.
    operating_points : tuple of OperatingPoint
        At least one; the first is the default.
    grey_zone : GreyZone, optional
        The probabilities for which the model abstains; None for a model that never abstains.
    domain : DomainLimit, optional
        How far from the training images an image may lie; None where the model has no domain.
    finding_threshold : float
        Value of the heat map, in (0, 1], from which a pixel belongs to a finding.
    fixed_on : tuple of FixedOn
        The images that all of these were fixed on; empty for the settings of a model that has one population, whose calibration
        and operating points name their split themselves.
    prevalence : float, optional
        Share of positives, in (0, 1), that the probabilities are right for; None for that of the images of `fixed_on`.

    Raises
    ------
    ValueError
        There is no operating point, or the finding threshold or the prevalence lies outside of its range.
    """

    calibration: Calibration
    operating_points: tuple[OperatingPoint, ...]
    grey_zone: GreyZone | None
    domain: DomainLimit | None
    finding_threshold: float
    fixed_on: tuple[FixedOn, ...] = ()
    prevalence: float | None = None

    def __post_init__(self) -> None:
        if self.prevalence is not None and not 0 < self.prevalence < 1:
            raise ValueError(f"the prevalence must lie between 0 and 1, not at {self.prevalence}")
        if not self.operating_points:
            raise ValueError("the settings of a population need at least one operating point")
        if not 0 < self.finding_threshold <= 1:
            raise ValueError(f"the finding threshold must lie above 0 and not above 1, not at {self.finding_threshold}")

    @property
    def operating_point(self) -> OperatingPoint:
        """The default operating point."""
        return self.operating_points[0]

    @cached_property
    def log_odds_threshold(self) -> float:
        """The lowest log-odds, before calibration, for which the decision is positive; may be infinite."""
        return self.calibration.inverse(self.operating_point.threshold)


def cautious_population(populations: Mapping[Population, PopulationSettings]) -> Population:
    """Return the population whose settings decide for a patient of unknown population: the more sensitive one.

    Parameters
    ----------
    populations
        At least one population with its settings.

    Returns
    -------
    {"child", "adult"}
        The population whose default operating point has the lowest threshold on the log-odds.
    """
    return min(sorted(populations), key=lambda name: populations[name].log_odds_threshold)


def cautious_settings(populations: Mapping[Population, PopulationSettings]) -> PopulationSettings:
    """Return the settings for a patient of unknown population.

    Parameters
    ----------
    populations
        At least one population with its settings.

    Returns
    -------
    PopulationSettings
        The settings of `cautious_population`, with the smallest domain limit of all populations.
    """
    limits = [settings.domain for settings in populations.values() if settings.domain is not None]
    nearest = min(limits, key=lambda limit: limit.distance, default=None)
    return replace(populations[cautious_population(populations)], domain=nearest)


def choose_population(
    populations: Mapping[Population, PopulationSettings], age_years: float | None, stated: Population | None
) -> PopulationChoice | None:
    """Choose the population that a radiograph is read as: by the patient's age, else as stated, else the cautious one.

    Parameters
    ----------
    populations
        The populations that the model knows; empty for a model that has the same settings for all patients.
    age_years
        The patient's age in years; None where the file does not tell it.
    stated
        The population that the user states; None where the user states none.

    Returns
    -------
    PopulationChoice or None
        The choice; None for a model that has the same settings for all patients.

    Raises
    ------
    PopulationError
        The user states another population than the file's age.
    CardError
        The user states a population but the model has the same settings for all patients, or the model has no settings for the
        population of the patient.
    """
    require_population(populations, stated)
    if not populations:
        return None
    by_age = None if age_years is None else population_of(age_years)
    if by_age and stated and by_age != stated:
        raise PopulationError(
            f"the file's Patient's Age (0010,1010) is that of {_ONE[by_age]}, but the radiograph was to be read as that of "
            f"{_ONE[stated]}; leave the population out for this file, or correct its age"
        )
    value = by_age or stated
    require_population(populations, value)
    if value is None:
        return PopulationChoice(None, "unknown", cautious_population(populations))
    return PopulationChoice(value, "age" if by_age else "user", value)


def require_population(populations: Mapping[Population, PopulationSettings], population: Population | None) -> None:
    """Require that a model has settings of its own for a population.

    Parameters
    ----------
    populations
        The populations that the model knows.
    population
        The population; None for an unknown one, which every model can read.

    Raises
    ------
    CardError
        The model has no settings for the population.
    """
    if population is None or population in populations:
        return
    if not populations:
        raise CardError(
            f"the model has the same settings for all patients, none for {PLURALS[population]}; leave the population out, or fix "
            f"settings with  pneumoscope calibrate RUN --population {population}"
        )
    raise CardError(
        f"the model has settings for {' and '.join(PLURALS[name] for name in sorted(populations))}, but none for "
        f"{PLURALS[population]}; fix them with  pneumoscope calibrate RUN --population {population}"
    )
