"""The noun `Predictions`: one row per case, from which every figure can be computed without the model."""

from dataclasses import dataclass, field

import numpy as np

from pneumoscope.classifier import OperatingPoint
from pneumoscope.evaluation.training_overlap import TrainingOverlap
from pneumoscope.statistics.metrics import Array


@dataclass(frozen=True)
class FittedOn:
    """The part of a split that something was fitted on.

    Parameters
    ----------
    split
        ``train``, ``tune`` or ``test``.
    split_sha256
        SHA-256 of the split.
    """

    split: str
    split_sha256: str

    def __str__(self) -> str:
        """The part and the split in words."""
        return f"{self.split} side of split {self.split_sha256}"


@dataclass(frozen=True)
class Prediction:
    """A case and what a model says about it.

    Parameters
    ----------
    path, patient_id, label, subtype
        As in the cohort.
    reference
        1 if the case has the target, else 0.
    log_odds
        Log-odds of the target before calibration.
    probability
        Calibrated probability of the target, in [0, 1].
    age_years, sex, view_position
        As in the cohort; None and empty where unknown.
    inside_domain
        Whether the radiograph resembles the training images; None where the model has no domain or it was not asked.
    abstained
        Whether the probability lies in the model's grey zone; None where the model has none.
    """

    path: str
    patient_id: str
    label: str
    subtype: str
    reference: int
    log_odds: float
    probability: float
    age_years: float | None = None
    sex: str = ""
    view_position: str = ""
    inside_domain: bool | None = None
    abstained: bool | None = None


@dataclass(frozen=True)
class Predictions:
    """Predictions of one model on one part of a split, with what was fitted elsewhere.

    Parameters
    ----------
    rows
        One per case, in the order of the cohort.
    split, split_sha256
        The part under test (``train``, ``tune`` or ``test``) and SHA-256 of the split.
    model
        Name of the model.
    operating_points
        Thresholds of the model, each with the part of the split that it was fixed on.
    calibrated_on
        What the calibration was fitted on; None if the model has none.
    model_split_sha256
        SHA-256 of the split that the model was trained under; empty if not known.
    training_overlap
        How many of the cases the model was trained on.
    population
        Whose settings decided, in words; empty for a model that has the same settings for all patients.
    fixed_on
        The parts of splits that the settings of the population were fixed on.
    """

    rows: tuple[Prediction, ...]
    split: str
    split_sha256: str
    model: str
    operating_points: tuple[OperatingPoint, ...]
    calibrated_on: FittedOn | None = None
    model_split_sha256: str = ""
    training_overlap: TrainingOverlap = field(default_factory=TrainingOverlap)
    population: str = ""
    fixed_on: tuple[FittedOn, ...] = ()

    @property
    def reference(self) -> Array:
        """Shape (n,), 1 for cases with the target."""
        return np.array([row.reference for row in self.rows], float)

    @property
    def probability(self) -> Array:
        """Calibrated probability of the target, shape (n,), in [0, 1]."""
        return np.array([row.probability for row in self.rows], float)

    @property
    def patients(self) -> tuple[str, ...]:
        """The patient of each case."""
        return tuple(row.patient_id for row in self.rows)
