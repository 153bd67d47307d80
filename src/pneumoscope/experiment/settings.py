"""What an experiment needs besides its plan: `TrainingSettings` for training, `MeasurementSettings` for measuring."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pneumoscope.experiment.marked_cohort import MarkedCohort
from pneumoscope.lung_fields import LungFinder
from pneumoscope.radiograph import Radiograph
from pneumoscope.reader import Reader

if TYPE_CHECKING:  # it needs PyTorch, which reports of finished experiments do without
    from pneumoscope.training.compute import Compute

NOT_STATED = "not stated"


@dataclass(frozen=True, eq=False)
class TrainingSettings:
    """What the training of every unit shares besides the plan.

    Parameters
    ----------
    compute
        Device and precision of the trainings.
    finder
        Finds the lung fields, for recipes that need them.
    teacher
        The model that is learned from.
    licences
        Source and licence of the data, for the cards.
    population
        Whom the data show, for the cards.
    """

    compute: "Compute"
    finder: LungFinder | None = None
    teacher: Reader | None = None
    licences: tuple[str, ...] = ()
    population: str = NOT_STATED


@dataclass(frozen=True, eq=False)
class MeasurementSettings:
    """How every unit is measured.

    Parameters
    ----------
    proof
        Radiographs on which every exported graph must agree with PyTorch.
    draws
        Bootstrap draws of patients.
    intervene
        Number of cases on which it is measured whether the score follows the heat map; 0 for none.
    marked
        Radiographs with reference regions; None if heat maps are not measured against regions.
    allow_training_patients
        Whether a unit may be measured on patients that it was trained on; the report then says so.
    """

    proof: Sequence[Radiograph]
    draws: int
    intervene: int = 0
    marked: MarkedCohort | None = None
    allow_training_patients: bool = False
