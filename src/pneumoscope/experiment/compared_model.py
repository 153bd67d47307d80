"""The noun `ComparedModel`: a network of a comparison, or an ensemble of several, with its measurements."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from pneumoscope.classifier.score import Calibration, OperatingPoint
from pneumoscope.evaluation import Evaluation, Predictions, calibration, evaluate, prediction_files
from pneumoscope.experiment.plan import Unit
from pneumoscope.experiment.result_files import MEASURE_AGAIN, NUMBER, read_object
from pneumoscope.experiment.workspace import LOCALIZATION, MEASURED, REGIONS, UNIT_NAME
from pneumoscope.statistics.metrics import Array

RULES = ("youden", "sensitivity>=0.95", "specificity>=0.95", "sensitivity>=0.9", "specificity>=0.9")
"""Operating points that a comparison reports, each fixed on tune."""
_SIZE_AND_TIME = dict.fromkeys(("bytes", "parameters", "multiply_adds", "epochs", "seconds", "processes", "images_per_s"), NUMBER)
AveragedBy = Literal["probability", "log-odds"]
AVERAGES: tuple[AveragedBy, ...] = ("probability", "log-odds")


@dataclass(frozen=True, eq=False)
class ComparedModel:
    """A network, or an ensemble, with its predictions on tune and test.

    Parameters
    ----------
    name
        Of the backbone or of the ensemble.
    seed, fold
        Of the run; fold 0 is the cohort's own split.
    tune, test
        Predictions, with an operating point for each of `RULES`: the model's own, else one fixed on tune.
    evaluation
        Of the test split, at the point by ``youden``.
    size_and_time
        Parameters, multiply-adds, bytes and training times; empty for an ensemble.
    localization
        Where its heat maps lie on the test split, by group; empty for an ensemble.
    regions
        Its heat maps against reference regions; empty without regions.
    """

    name: str
    seed: int
    fold: int
    tune: Predictions
    test: Predictions
    evaluation: Evaluation
    size_and_time: dict[str, Any] = field(default_factory=dict)
    localization: dict[str, Any] = field(default_factory=dict)
    regions: dict[str, Any] = field(default_factory=dict)

    @property
    def threshold(self) -> float:
        """Threshold of the calibrated probability by ``youden``, in [0, 1]."""
        point = self.evaluation.operating_point
        assert point is not None
        return point.threshold

    @property
    def decisions(self) -> Array:
        """Decisions on the test split, 0 or 1, shape (n,)."""
        return (self.test.probability >= self.threshold).astype(float)


def read(unit: Unit, folder: Path, draws: int, marked: bool = False) -> ComparedModel:
    """Read the measurements of a finished unit.

    Parameters
    ----------
    unit
        The unit.
    folder
        Its folder.
    draws
        Bootstrap draws of patients.
    marked
        Whether it was measured against reference regions.

    Returns
    -------
    ComparedModel
        The unit with its predictions and figures.

    Raises
    ------
    ComparisonError
        If a file of the unit is damaged.
    """
    tune, test = (prediction_files.read(folder / f"{split}.csv") for split in MEASURED)
    return replace(
        of_predictions(unit.backbone, unit.seed, unit.fold, tune, test, draws),
        size_and_time=size_and_time(folder),
        localization=localization(folder),
        regions=_measurement(folder / REGIONS) if marked else {},
    )


def size_and_time(folder: Path) -> dict[str, Any]:
    """Read how large the network of a unit is, and how long its training took.

    Parameters
    ----------
    folder
        The folder of the unit.

    Returns
    -------
    dict[str, Any]
        Numbers by name.

    Raises
    ------
    ComparisonError
        If the file is damaged.
    """
    return read_object(folder / UNIT_NAME, _SIZE_AND_TIME, MEASURE_AGAIN)


def localization(folder: Path) -> dict[str, Any]:
    """Read where the heat maps of a unit lie.

    Parameters
    ----------
    folder
        The folder of the unit.

    Returns
    -------
    dict[str, Any]
        Figures by name.

    Raises
    ------
    ComparisonError
        If the file is damaged.
    """
    return _measurement(folder / LOCALIZATION)


def _measurement(file: Path) -> dict[str, Any]:
    measurement: dict[str, Any] = read_object(file, {"answer": dict}, MEASURE_AGAIN)["answer"]
    return measurement


def of_predictions(name: str, seed: int, fold: int, tune: Predictions, test: Predictions, draws: int) -> ComparedModel:
    """Evaluate predictions on the test split at operating points that are fixed on tune.

    Parameters
    ----------
    name
        Of the model.
    seed, fold
        Of the run.
    tune, test
        Predictions of the two parts of one split.
    draws
        Bootstrap draws of patients.

    Returns
    -------
    ComparedModel
        Without size, time and heat maps.
    """
    points = tuple(_point(rule, tune) for rule in RULES)
    tune, test = replace(tune, operating_points=points), replace(test, operating_points=points)
    return ComparedModel(name, seed, fold, tune, test, evaluate(test, draws=draws, allow_training_patients=True))


def _point(rule: str, tune: Predictions) -> OperatingPoint:
    """The model's own point, else one that is fixed on its predictions of tune."""
    own = [point for point in tune.operating_points if point.rule == rule]
    return own[0] if own else calibration.choose(rule, tune.reference, tune.probability, "tune", tune.split_sha256)


def ensemble(members: Sequence[ComparedModel], by: AveragedBy, draws: int) -> ComparedModel:
    """Average the members of one seed and fold.

    Parameters
    ----------
    members
        Networks of one seed and fold.
    by
        What is averaged: probabilities, or calibrated log-odds, whose mean gets a temperature that is fitted on tune.
    draws
        Bootstrap draws of patients.

    Returns
    -------
    ComparedModel
        With operating points that are fixed on tune.
    """
    first = members[0]
    tune, test = _mean([member.tune for member in members], by), _mean([member.test for member in members], by)
    fitted = Calibration()
    if by == "log-odds":
        log_odds = np.array([row.log_odds for row in tune.rows])
        fitted = calibration.fit("temperature", tune.reference, log_odds, "tune", tune.split_sha256)
    name = f"mean {by} of {', '.join(member.name for member in members)}"
    return of_predictions(name, first.seed, first.fold, _calibrated(tune, fitted), _calibrated(test, fitted), draws)


def _mean(predictions: Sequence[Predictions], by: AveragedBy) -> Predictions:
    """Log-odds of the means, case by case."""
    probability = np.clip(np.stack([one.probability for one in predictions]), 1e-9, 1 - 1e-9)
    logit = np.log(probability / (1 - probability))
    if by == "probability":
        mean = probability.mean(0)
        logit = np.log(mean / (1 - mean))[None]
    rows = tuple(replace(row, log_odds=float(z)) for row, z in zip(predictions[0].rows, logit.mean(0), strict=True))
    return replace(predictions[0], rows=rows, model="ensemble", operating_points=())


def _calibrated(predictions: Predictions, fitted: Calibration) -> Predictions:
    probability = fitted(np.array([row.log_odds for row in predictions.rows]))
    rows = tuple(replace(row, probability=float(p)) for row, p in zip(predictions.rows, probability, strict=True))
    return replace(predictions, rows=rows)
