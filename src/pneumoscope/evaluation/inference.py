"""Run a model on a part of a split."""

from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from pneumoscope import radiograph
from pneumoscope.classifier import Card, DomainLimit, GreyZone, Population
from pneumoscope.classifier.preprocessing import ModelInput
from pneumoscope.cohort import Case, Cohort, CohortError
from pneumoscope.evaluation.errors import EvaluationError
from pneumoscope.evaluation.population import common_population, of_population, settings_in_words
from pneumoscope.evaluation.predictions import FittedOn, Prediction, Predictions
from pneumoscope.evaluation.training_overlap import require_unseen, training_overlap
from pneumoscope.fingerprint import Fingerprint
from pneumoscope.ordered_map import chunks, cores, ordered_map
from pneumoscope.radiograph import Radiograph

_BATCH = 16


class Model(Protocol):
    """A classifier or a reader: what `predict` needs of either."""

    @property
    def card(self) -> Card:
        """The record of the model."""
        ...

    @property
    def trained_on(self) -> tuple[Fingerprint, ...]:
        """Fingerprints of the training cases; empty if the model does not say."""
        ...

    def prepare(self, radiograph: Radiograph) -> ModelInput:
        """Turn a radiograph into the input of the network.

        Parameters
        ----------
        radiograph
            Any radiograph.

        Returns
        -------
        ModelInput
            Float32 pixels (channels, side, side) with their placement on the radiograph.
        """
        ...

    def log_odds(self, squares: NDArray[np.float32]) -> NDArray[np.float64]:
        """Compute the log-odds of the target.

        Parameters
        ----------
        squares
            Prepared inputs, shape (n, channels, side, side).

        Returns
        -------
        NDArray[np.float64]
            Shape (n,).
        """
        ...

    def distance(self, squares: NDArray[np.float32]) -> NDArray[np.float64]:
        """Compute the distances from the training images; asked only of a model with a domain.

        Parameters
        ----------
        squares
            Prepared inputs, shape (n, channels, side, side).

        Returns
        -------
        NDArray[np.float64]
            Shape (n,).
        """
        ...


def predict(
    cohort: Cohort,
    split: str,
    model: Model,
    *,
    population: Population | None = None,
    with_domain: bool = False,
    allow_training_patients: bool = False,
    show_progress: bool = False,
) -> Predictions:
    """Predict every case of a part of a split.

    Parameters
    ----------
    cohort
        A split cohort.
    split
        ``train``, ``tune`` or ``test``.
    model
        A classifier or a reader.
    population
        Predict the cases of this population alone; cases of which the cohort does not tell the population are taken to be of it.
    with_domain
        Whether to tell of each case if it lies inside the model's domain, which takes a second pass through the network.
    allow_training_patients
        Whether cases that the model was trained on are predicted too; they are counted in the result.
    show_progress
        Whether to show a progress bar.

    Returns
    -------
    Predictions
        In the order of the cohort.

    Raises
    ------
    CohortError
        If the cohort has no split, or no case in this part.
    TrainingPatientsError
        If the model was trained on a patient or an image of this part and that is not allowed.
    EvaluationError
        If the model answers with a number that is not finite, or has settings by population and the cases are of several.
    CardError
        If the model has settings by population, but none for that of the cases.
    """
    if cohort.partition is None:
        raise CohortError("the cohort has no split; run `pneumoscope cohort split` first")
    cases, card = of_population(cohort, population).on(split), model.card
    known = common_population(card, cases, population)
    overlap = training_overlap(model.trained_on, cases)
    require_unseen(overlap, card.name, allow=allow_training_patients)
    bar = tqdm(
        _batches(cohort, cases, model),
        total=-(-len(cases) // _BATCH),
        desc=f"predicting {split}",
        unit=f"×{_BATCH} images",
        disable=None if show_progress else True,
    )
    decisive = card.settings(known) if card.populations else card
    limit = decisive.domain if with_domain else None
    answers = [_answers(model, inputs, limit) for inputs in bar]
    log_odds = np.concatenate([log_odds for log_odds, _ in answers])
    inside = [flag for _, flags in answers for flag in flags]
    if wrong := int((~np.isfinite(log_odds)).sum()):
        raise EvaluationError(
            f"'{card.name}' gives no finite number for {wrong} of {len(cases)} radiographs; export or train it again"
        )
    fitted = decisive.calibration
    return Predictions(
        rows=_rows(cases, log_odds, fitted(log_odds), inside, decisive.grey_zone),
        split=split,
        split_sha256=cohort.partition.sha256,
        model=card.name,
        operating_points=decisive.operating_points,
        calibrated_on=FittedOn(fitted.split, fitted.split_sha256) if fitted.split else None,
        model_split_sha256=card.split_sha256,
        training_overlap=overlap,
        population=settings_in_words(card, known),
        fixed_on=_fixed_on(card, known),
    )


def _fixed_on(card: Card, population: Population | None) -> tuple[FittedOn, ...]:
    """The parts of splits that the settings of a population were fixed on; for an unknown one, those of all populations."""
    chosen = [card.populations[population]] if population else card.populations.values()
    return tuple(FittedOn(one.split, one.split_sha256) for settings in chosen for one in settings.fixed_on)


def _rows(
    cases: Sequence[Case],
    log_odds: NDArray[np.float64],
    probability: NDArray[np.float64],
    inside: Sequence[bool | None],
    zone: GreyZone | None,
) -> tuple[Prediction, ...]:
    return tuple(
        Prediction(
            path=case.path,
            patient_id=case.patient_id,
            label=case.label,
            subtype=case.subtype,
            reference=case.reference,
            log_odds=float(z),
            probability=float(p),
            age_years=case.age_years,
            sex=case.sex,
            view_position=case.view_position,
            inside_domain=resembles,
            abstained=None if zone is None else zone.holds(float(p)),
        )
        for case, z, p, resembles in zip(cases, log_odds, probability, inside, strict=True)
    )


def _answers(
    model: Model, inputs: Sequence[ModelInput], limit: DomainLimit | None
) -> tuple[NDArray[np.float64], list[bool | None]]:
    """Log-odds of some inputs, and whether each lies inside the domain (as a reading says it); None without a limit."""
    squares = np.stack([one.pixels for one in inputs])
    if limit is None:
        return model.log_odds(squares), [None] * len(inputs)
    distance = model.distance(squares)
    if not np.isfinite(distance).all():
        raise EvaluationError(
            f"'{model.card.name}' gives a distance from the training images that is not a finite number; export or train it again"
        )
    lungs = [one.lung_fields is None or one.lung_fields.state != "not found" for one in inputs]
    return model.log_odds(squares), [some and bool(d <= limit.distance) for some, d in zip(lungs, distance, strict=True)]


def _batches(cohort: Cohort, cases: Sequence[Case], model: Model) -> Iterator[list[ModelInput]]:
    def prepared(case: Case) -> ModelInput:
        return model.prepare(radiograph.read(cohort.file(case)))

    return chunks(ordered_map(prepared, cases, cores()), _BATCH)
