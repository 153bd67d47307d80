"""The noun `Experiment`: a finished set of runs, from which a comparison is made."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pneumoscope.cohort import Cohort
from pneumoscope.experiment.compared_model import ComparedModel
from pneumoscope.experiment.plan import Plan
from pneumoscope.experiment.settings import MeasurementSettings, TrainingSettings
from pneumoscope.experiment.workspace import Workspace

Cost = Mapping[str, float]


@dataclass(frozen=True, eq=False)
class Experiment:
    """The runs of a plan that were finished, with their measurements.

    Parameters
    ----------
    plan
        Of the backbones that were finished.
    cohorts
        A split cohort by the number of the fold; 0 is the cohort's own split.
    workspace
        Where the units are.
    training, measurement
        How the units were trained and measured.
    members
        Every run of every network, and after them the ensembles.
    costs
        Time, memory and size by network.
    left_out
        Why a backbone could not be finished, one sentence each.
    """

    plan: Plan
    cohorts: Mapping[int, Cohort]
    workspace: Workspace
    training: TrainingSettings
    measurement: MeasurementSettings
    members: Sequence[ComparedModel]
    costs: Mapping[str, Cost]
    left_out: Sequence[str] = ()

    @property
    def cohort(self) -> Cohort:
        """The split cohort of the first run."""
        return self.cohorts[self.plan.units[0].fold]

    @property
    def first_seed(self) -> list[ComparedModel]:
        """The members of the first seed."""
        return [member for member in self.members if member.seed == self.plan.seeds[0]]
