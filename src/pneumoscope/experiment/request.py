"""The noun `ExperimentRequest`: which backbones are to be compared, and under which conditions."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pneumoscope.classifier import BACKBONES, timm_weights
from pneumoscope.classifier.backbone import backbone as look_up
from pneumoscope.classifier.backbone import check_side
from pneumoscope.classifier.checkpoint import file_sha256
from pneumoscope.experiment.errors import ComparisonError
from pneumoscope.experiment.marked_cohort import RegionSource
from pneumoscope.experiment.settings import NOT_STATED
from pneumoscope.lung_fields.finder import SHIPPED
from pneumoscope.statistics.intervals import DRAWS
from pneumoscope.training.precision import Precision
from pneumoscope.training.recipe import Recipe, recipe

WITHOUT_FILE = ("imagenet", "scratch")
"""Starts that need no file of weights."""
_SUFFIXES = (".safetensors", ".pth")


@dataclass(frozen=True)
class ExperimentRequest:
    """What to train and how to measure it.

    Parameters
    ----------
    backbones
        Names of backbones.
    recipe
        The recipe of all runs; its seed is that of the first run.
    seeds
        Number of runs of each backbone, with the recipe's seed and those after it.
    folds
        Number of folds by patient; 0 for the cohort's own split.
    init
        ``imagenet``, ``timm`` (timm's default weights of each backbone), ``scratch``, or a folder with a file
        ``BACKBONE*.safetensors`` for each backbone.
    minutes
        Training budget of all runs together, from which equal numbers of epochs follow; None for the recipe's epochs.
    ensembles
        Groups of two or more backbones that are evaluated together as well.
    lungs
        Folder of the lung-field model, for recipes that need one.
    teacher
        Folder of a bundle to learn from.
    regions
        Reference regions to measure the heat maps against.
    intervene
        Number of cases on which it is measured whether the score follows the heat map.
    licences
        Source and licence of the data, for the cards.
    population
        Whom the data show, for the cards.
    draws
        Bootstrap draws of patients.
    device
        Name of the device of the trainings, as `pneumoscope.classifier.device.find` takes it.
    precision, compiled
        How the trainings compute, as `pneumoscope.training.compute.Compute` takes it.
    allow_training_patients
        Whether heat maps may be measured on patients that the networks were trained on; the report then says so.
    """

    backbones: tuple[str, ...] = tuple(BACKBONES)
    recipe: Recipe = field(default_factory=lambda: recipe("default"))
    seeds: int = 1
    folds: int = 0
    init: str = "imagenet"
    minutes: float | None = None
    ensembles: tuple[tuple[str, ...], ...] = ()
    lungs: Path = SHIPPED
    teacher: Path | None = None
    regions: RegionSource | None = None
    intervene: int = 20
    licences: tuple[str, ...] = ()
    population: str = NOT_STATED
    draws: int = DRAWS
    device: str = "auto"
    precision: Precision = "fp32"
    compiled: bool = False
    allow_training_patients: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """The backbones, each once; ClassifierError for an unknown one or one that cannot have the recipe's input size."""
        names = tuple(dict.fromkeys(look_up(name.strip()).name for name in self.backbones))
        for name in names:
            check_side(look_up(name), self.recipe.size_px)
        return names

    @property
    def groups(self) -> list[tuple[str, ...]]:
        """The ensembles, each once; ComparisonError for one that does not name two or more of the backbones."""
        return [*{frozenset(group): group for group in (_group(members, self.names) for members in self.ensembles)}.values()]


def _group(members: Sequence[str], names: Sequence[str]) -> tuple[str, ...]:
    group = tuple(look_up(name.strip()).name for name in members)
    if len(set(group)) < 2 or not set(group) <= set(names):
        raise ComparisonError(
            f"the ensemble '{','.join(members)}' should name two or more of the compared backbones, {', '.join(names)}"
        )
    return group


def starting_weights(backbone: str, init: str) -> str:
    """Find the weights that a backbone starts from.

    Parameters
    ----------
    backbone
        Name of the backbone.
    init
        ``imagenet``, ``timm``, ``scratch``, or a folder of files of weights.

    Returns
    -------
    str
        ``imagenet``, ``scratch``, ``timm:NAME`` or the path of the one file for this backbone.

    Raises
    ------
    ComparisonError
        If the folder does not exist or does not have exactly one file for the backbone.
    """
    if init in WITHOUT_FILE:
        return init
    if init == "timm":
        return timm_weights.PREFIX + timm_weights.full_name(look_up(backbone), timm_weights.MODELS[backbone][0])
    folder = Path(init)
    if not folder.is_dir():
        raise ComparisonError(f"the start '{init}' is neither imagenet, timm, scratch nor a folder; give one of these")
    files = sorted(f for f in folder.iterdir() if f.suffix in _SUFFIXES and f.stem.removeprefix("tf_").startswith(backbone))
    if len(files) != 1:
        pattern = f"{backbone}*.safetensors or {backbone}*.pth"
        raise ComparisonError(f"'{init}' has {len(files)} files of weights for {backbone} ({pattern}); one is needed")
    return str(files[0])


def start_in_words(init: str) -> str:
    """Name a start for reports and for comparing it with that of an earlier run.

    Parameters
    ----------
    init
        What `starting_weights` returned.

    Returns
    -------
    str
        A file is given by its name and hash, not by its path.
    """
    return (
        init
        if init in WITHOUT_FILE or init.startswith(timm_weights.PREFIX)
        else f"{Path(init).name} (sha256 {file_sha256(Path(init))[:12]})"
    )
