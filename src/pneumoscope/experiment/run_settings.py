"""The noun `RunSettings`: where units are made, and what they need beside their cohort."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pneumoscope.experiment.marked_cohort import MarkedCohort
from pneumoscope.experiment.plan import Plan, Unit
from pneumoscope.lung_fields import LungFinder
from pneumoscope.radiograph import Radiograph
from pneumoscope.reader import Reader
from pneumoscope.training.process_group import ALONE, Group

CHECKPOINT, BUNDLE, UNIT_NAME = "checkpoint", "bundle", "unit.json"
LOCALIZATION, REGIONS = "localization.json", "regions.json"
STAMP = "measured.json"
"""Of which weights and which graph the rest was measured."""
MEASURED = ("tune", "test")
NOT_STATED = "not stated"


@dataclass(frozen=True, eq=False)
class RunSettings:
    """Where units are made, and what they need beside their cohort.

    `splits` are the hashes of those that are trained on, one for each fold; `proof` are radiographs on which every exported graph
    must agree with PyTorch; `draws` of patients make an interval; `intervene` is the number of cases on which it is asked whether
    the score follows the map; `licences` of the data and `population` are for the cards; `group` are the processes that train
    together.
    """

    out: Path
    cache: Path
    finder: LungFinder | None
    splits: Sequence[str]
    proof: Sequence[Radiograph]
    draws: int
    intervene: int = 0
    marked: MarkedCohort | None = None
    teacher: Reader | None = None
    licences: tuple[str, ...] = ()
    population: str = NOT_STATED
    group: Group = ALONE
    show_progress: bool = False

    def folder(self, unit: Unit) -> Path:
        return self.out / "units" / unit.name

    def first_folders(self, plan: Plan) -> dict[str, Path]:
        """The folder of the first run of each backbone."""
        return {unit.backbone: self.folder(unit) for unit in reversed(plan.units)}
