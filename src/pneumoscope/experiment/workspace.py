"""The noun `Workspace`: the folder of an experiment, and the names of the files in it."""

from dataclasses import dataclass
from pathlib import Path

from pneumoscope.experiment.plan import Plan, Unit

CHECKPOINT, BUNDLE, UNIT_NAME = "checkpoint", "bundle", "unit.json"
LOCALIZATION, REGIONS = "localization.json", "regions.json"
STAMP = "measured.json"
"""The weights and the graph that all other measurements of a unit are of."""
MEASURED = ("tune", "test")
"""The parts of the split that are predicted."""


@dataclass(frozen=True)
class Workspace:
    """Where an experiment keeps its results.

    Parameters
    ----------
    out
        Folder of the units and of the report.
    cache
        Folder of the prepared images, which other experiments may share.
    show_progress
        Whether to show progress bars.
    """

    out: Path
    cache: Path
    show_progress: bool = False

    def folder(self, unit: Unit) -> Path:
        """The folder of a unit.

        Parameters
        ----------
        unit
            Any unit of the plan.

        Returns
        -------
        Path
            Whether it exists or not.
        """
        return self.out / "units" / unit.name

    def first_folders(self, plan: Plan) -> dict[str, Path]:
        """The folder of the first run of each backbone.

        Parameters
        ----------
        plan
            The plan.

        Returns
        -------
        dict[str, Path]
            By backbone.
        """
        return {unit.backbone: self.folder(unit) for unit in reversed(plan.units)}
