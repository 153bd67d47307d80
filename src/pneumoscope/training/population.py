"""Fix the settings of a population, from calibration to domain limit, on cases that the model was not trained on."""

import dataclasses
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from pneumoscope import radiograph
from pneumoscope.classifier import Card, DomainLimit, FixedOn, Population, PopulationSettings
from pneumoscope.classifier import card as cards
from pneumoscope.classifier.checkpoint import Classifier
from pneumoscope.classifier.domain import ACCEPTED
from pneumoscope.classifier.population import PLURALS
from pneumoscope.classifier.score import CalibrationMethod
from pneumoscope.cohort import Case, Cohort, CohortError
from pneumoscope.cohort.case import split_sha256
from pneumoscope.evaluation import calibration
from pneumoscope.evaluation.errors import EvaluationError, TrainingPatientsError
from pneumoscope.evaluation.training_overlap import TrainingOverlap, training_overlap
from pneumoscope.heatmap.heatmap import EVIDENCE
from pneumoscope.ordered_map import chunks, cores, ordered_map
from pneumoscope.radiograph.radiograph import Grey

RULES = ("youden", "sensitivity>=0.95", "specificity>=0.95")
"""Rules of the operating points that every population gets; the first is the default unless another rule is asked for."""
PART_NAMES = ("train", "tune", "all")
"""The parts of a cohort that settings may be fixed on; ``all`` for a cohort without a split."""
_BATCH = 32
_LEAST = float(np.finfo(np.float32).tiny)


@dataclass(frozen=True)
class CohortPart:
    """The cases of one population in a part of a cohort, on which its settings are fixed.

    Parameters
    ----------
    cohort : Cohort
        The cohort.
    split : {"train", "tune", "all"}
        The part; ``all`` for a cohort without a split.
    name : str
        Name of the cohort in the card.
    population : {"child", "adult"}
        The population. Cases of the other one are left out; cases of which the cohort does not tell it are taken to be of it.

    Raises
    ------
    CohortError
        The part is the test split, or every case of a cohort that has a test split; or it has no case of the population.
    """

    cohort: Cohort
    split: Literal["train", "tune", "all"]
    name: str
    population: Population

    def __post_init__(self) -> None:
        if self.split not in PART_NAMES:
            raise CohortError(
                f"settings cannot be fixed on the {self.split} split of '{self.name}', on which results are reported; "
                "give its tune split"
            )
        if self.split == "all" and self.cohort.partition is not None:
            raise CohortError(
                f"'{self.name}' is split, so that all of its cases would include the test split; give its tune split"
            )
        if not self.cases:
            raise CohortError(f"'{self.name}' ({self.split}) has no case of {PLURALS[self.population]}; give another cohort")

    @property
    def cases(self) -> tuple[Case, ...]:
        """The cases of the population."""
        return tuple(case for case in self._all if case.population in ("", self.population))

    @property
    def n_left_out(self) -> int:
        """Number of cases of the other population."""
        return len(self._all) - len(self.cases)

    @property
    def n_taken(self) -> int:
        """Number of cases that are taken to be of the population because the cohort does not tell it."""
        return sum(not case.population for case in self.cases)

    @property
    def _all(self) -> tuple[Case, ...]:
        return self.cohort.cases if self.split == "all" else self.cohort.on(self.split)

    @property
    def split_sha256(self) -> str:
        """SHA-256 of the split, or of the cases of a cohort without a split."""
        return self.cohort.partition.sha256 if self.cohort.partition else split_sha256(self._all)

    @property
    def fixed_on(self) -> FixedOn:
        """The images of the part, as the card names them."""
        return FixedOn(
            source=self.name,
            split=self.split,
            split_sha256=self.split_sha256,
            n_images=len(self.cases),
            n_patients=len({case.patient_id for case in self.cases}),
            n_positive=sum(case.reference for case in self.cases),
        )


@dataclass(frozen=True, eq=False)
class Measured:
    """What a model computes for the n cases that settings are fixed on.

    Parameters
    ----------
    reference : ndarray of float64, shape (n,)
        1 for cases with the target, else 0.
    log_odds : ndarray of float64, shape (n,)
        Log-odds of the target before calibration.
    distance : ndarray of float64, shape (n,), optional
        Distances from the training images; None for a model without a domain.
    """

    reference: NDArray[np.float64]
    log_odds: NDArray[np.float64]
    distance: NDArray[np.float64] | None


@dataclass(frozen=True, eq=False)
class Calibrated:
    """The settings of a population, with the cases that they were fixed on.

    Parameters
    ----------
    settings : PopulationSettings
        The settings.
    measured : Measured
        What the model computes for the cases.
    training_overlap : TrainingOverlap
        Whether the model says what it was trained on; the overlap itself is empty.
    """

    settings: PopulationSettings
    measured: Measured
    training_overlap: TrainingOverlap


def calibrate(
    classifier: Classifier,
    folder: Path,
    parts: Sequence[CohortPart],
    *,
    rule: str = RULES[0],
    method: CalibrationMethod = "logistic",
    prevalence: float | None = None,
    show_progress: bool = False,
) -> Calibrated:
    """Fix the settings of a population and write them into the card of a checkpoint.

    The weights, the domain of the training images, the scale of the heat maps and the settings of other populations stay as
    they are.

    Parameters
    ----------
    classifier
        The classifier of the checkpoint.
    folder
        Folder of the checkpoint; its card is replaced atomically.
    parts
        Parts of cohorts, at least one, all for the same population; together they need cases with and without the target.
    rule
        Rule of the default operating point (`pneumoscope.evaluation.calibration.choose`).
    method
        How probabilities are calibrated.
    prevalence
        Share of positives that the probabilities are to be right for (`pneumoscope.evaluation.calibration.at_prevalence`); None
        for that of the cases.
    show_progress
        Whether to show a progress bar.

    Returns
    -------
    Calibrated
        The settings that were written.

    Raises
    ------
    ValueError
        If the parts are for different populations.
    CohortError
        If an image is in two of the parts.
    TrainingPatientsError
        If the model was trained on a patient or an image of a part.
    EvaluationError
        If only one class is present, a value is not finite, the rule is unknown, or no calibration fits.
    RadiographError, OSError
        If a file cannot be decoded or opened.
    """
    (population,) = {part.population for part in parts}
    cases = tuple(case for part in parts for case in part.cases)
    _check_distinct(parts)
    overlap = _require_unseen(classifier, cases)
    _check_classes(cases, population)
    measured = measure(classifier, parts, show_progress=show_progress)
    settings = fix(classifier.card, measured, tuple(part.fixed_on for part in parts), rule, method, prevalence)
    card = cards.read(folder)
    cards.write(dataclasses.replace(card, populations={**card.populations, population: settings}), folder)
    return Calibrated(settings, measured, overlap)


def measure(classifier: Classifier, parts: Sequence[CohortPart], *, show_progress: bool = False) -> Measured:
    """Compute log-odds and distances of the cases of some cohorts, in memory that does not grow with the images.

    Parameters
    ----------
    classifier
        The classifier.
    parts
        Parts of cohorts.
    show_progress
        Whether to show a progress bar.

    Returns
    -------
    Measured
        The values of all cases, in the order of the parts.

    Raises
    ------
    EvaluationError
        If a value is not finite.
    """
    cases = [case for part in parts for case in part.cases]
    log_odds, distance = [], []
    bar = tqdm(total=len(cases), desc="reading", unit="image", disable=None if show_progress else True)
    with bar:
        for squares in _batches(classifier, parts):
            log_odds.append(classifier.log_odds(squares))
            if classifier.domain is not None:
                distance.append(classifier.domain.distance(classifier.features(squares)))
            bar.update(len(squares))
    values = np.concatenate(log_odds), np.concatenate(distance) if distance else None
    if wrong := sum(int((~np.isfinite(value)).sum()) for value in values if value is not None):
        raise EvaluationError(
            f"'{classifier.card.name}' gives {wrong} log-odds or distances that are not finite numbers for these {len(cases)} "
            "radiographs; train it again"
        )
    return Measured(np.array([case.reference for case in cases], float), *values)


def fix(
    card: Card,
    measured: Measured,
    fixed_on: tuple[FixedOn, ...],
    rule: str,
    method: CalibrationMethod,
    prevalence: float | None = None,
) -> PopulationSettings:
    """Fix calibration, operating points, grey zone, domain limit and finding threshold.

    Parameters
    ----------
    card
        Card of the model; its own calibration relates the heat map to log-odds.
    measured
        What the model computes for the cases.
    fixed_on
        The parts of cohorts that the cases are of.
    rule
        Rule of the default operating point.
    method
        How probabilities are calibrated.
    prevalence
        Share of positives that the probabilities are to be right for; None for that of the cases.

    Returns
    -------
    PopulationSettings
        The settings.

    Raises
    ------
    EvaluationError
        As `calibrate`.
    """
    split, sha256 = _split_of(fixed_on)
    fitted = calibration.fit(method, measured.reference, measured.log_odds, split, sha256)
    if prevalence is not None:
        fitted = calibration.at_prevalence(fitted, float(measured.reference.mean()), prevalence)
    probability = fitted(measured.log_odds)
    rules = dict.fromkeys((rule, *RULES))
    points = tuple(calibration.choose(one, measured.reference, probability, split, sha256) for one in rules)
    threshold = fitted.inverse(points[0].threshold)
    return PopulationSettings(
        calibration=fitted,
        operating_points=points,
        grey_zone=calibration.grey_zone(measured.reference, probability, split, sha256),
        domain=None if measured.distance is None else _limit(measured.distance, split, sha256),
        finding_threshold=_on_evidence(card, threshold) if card.map_method == EVIDENCE else card.finding_threshold,
        fixed_on=fixed_on,
        prevalence=prevalence,
    )


def _on_evidence(card: Card, log_odds: float) -> float:
    """The value of the evidence map, which the card's own calibration scales, of an image with these log-odds everywhere."""
    return max(float(card.calibration(np.array([log_odds]))[0]), _LEAST)


def _limit(distance: NDArray[np.float64], split: str, sha256: str) -> DomainLimit:
    rule = f"{ACCEPTED:.0%} of the images that the settings were fixed on lie nearer"
    return DomainLimit(float(np.quantile(distance, ACCEPTED)), rule, split, sha256)


def _split_of(fixed_on: Sequence[FixedOn]) -> tuple[str, str]:
    """Name and hash of the part of one split, or of several parts together."""
    if len(fixed_on) == 1:
        return fixed_on[0].split, fixed_on[0].split_sha256
    together = "\n".join(sorted(f"{one.split}\t{one.split_sha256}" for one in fixed_on))
    return "+".join(dict.fromkeys(one.split for one in fixed_on)), hashlib.sha256(together.encode()).hexdigest()


def _batches(classifier: Classifier, parts: Sequence[CohortPart]) -> Iterator[NDArray[np.float32]]:
    def square(one: tuple[CohortPart, Case]) -> Grey:
        part, case = one
        return classifier.prepare(radiograph.read(part.cohort.file(case))).pixels

    pairs = [(part, case) for part in parts for case in part.cases]
    return (np.stack(squares) for squares in chunks(ordered_map(square, pairs, cores()), _BATCH))


def _check_distinct(parts: Sequence[CohortPart]) -> None:
    """Refuse images of two parts. A data set may hold copies of an image, which lie in one part of its split."""
    images = [{case.image for case in part.cases} for part in parts]
    if twice := sum(map(len, images)) - len(set().union(*images)):
        raise CohortError(f"{twice} images are in two of the cohorts; give each image once")


def _check_classes(cases: Sequence[Case], population: Population) -> None:
    references = {case.reference for case in cases}
    if references != {0, 1}:
        missing = "positive" if references == {0} else "negative"
        raise EvaluationError(
            f"these {PLURALS[population]} have no {missing} image, so that neither calibration nor a threshold can be fixed; add "
            f"a cohort of {missing} {PLURALS[population]} with another --cohort"
        )


def _require_unseen(classifier: Classifier, cases: Sequence[Case]) -> TrainingOverlap:
    overlap = training_overlap(classifier.trained_on, cases)
    if overlap:
        raise TrainingPatientsError(
            f"'{classifier.card.name}' was trained on {overlap.cases} of these images ({overlap.patients} patients, "
            f"{overlap.images} identical images), on which it is too sure; fix the settings on other patients"
        )
    return overlap
