"""Options of ``pneumoscope compare``, and the request that they make."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from pneumoscope.classifier import BACKBONES
from pneumoscope.cli.device_options import compile_option, device_option, precision_option
from pneumoscope.cli.training_options import (
    HELP,
    cache_option,
    chosen,
    licence_option,
    lungs_option,
    population_option,
    recipe_options,
    teacher_option,
)
from pneumoscope.cohort import table
from pneumoscope.cohort.row_filter import RowFilter
from pneumoscope.experiment.marked_cohort import RegionSource
from pneumoscope.experiment.request import ExperimentRequest
from pneumoscope.reference.box_space import BoxSpace

Command = TypeVar("Command", bound=Callable[..., None])
_RECIPES = {"whole": "default", "lungs": "evidence"}
_OPTIONS = (
    click.option(
        "-o", "--out", type=click.Path(file_okay=False, path_type=Path), required=True, help="Folder for runs and report."
    ),
    click.option("--backbones", default=",".join(BACKBONES), show_default=True, help="Backbones, separated by commas."),
    click.option(
        "--seeds", default=1, show_default=True, type=click.IntRange(1), help="Runs of each: --seed and those after it."
    ),
    click.option("--folds", default=0, show_default=True, type=click.IntRange(0), help="Cross-validate in folds by patient."),
    click.option("--recipe", "recipe_", show_default="default; evidence where --crop is lungs", help=HELP),
    click.option(
        "--init",
        default="imagenet",
        show_default=True,
        help="imagenet, timm (timm's default weights of each backbone), scratch, or a folder with BACKBONE*.safetensors.",
    ),
    click.option(
        "--budget", "minutes", type=click.FloatRange(0, min_open=True), help="Minutes of training, shared out as equal epochs."
    ),
    click.option("--ensemble", multiple=True, metavar="A,B,…", help="Evaluate these together as well; may be repeated."),
    device_option,
    precision_option,
    compile_option,
    cache_option,
    lungs_option,
    teacher_option,
    click.option(
        "--regions",
        type=click.Path(exists=True, path_type=Path),
        help="Reference regions, as localize takes them: of COHORT's test side, or of that of --regions-cohort.",
    ),
    click.option("--regions-cohort", type=click.Path(path_type=Path), help="Another split cohort, whose test side is marked."),
    click.option(
        "--only",
        multiple=True,
        metavar="COLUMN=VALUE",
        help="Take rows of a table, or annotations of JSON (category, reader), with this value; repeat a column for more.",
    ),
    click.option(
        "--box-space", metavar="file|WxH", help="Pixel grid of the boxes of a table that does not state the size of each image."
    ),
    click.option(
        "--intervene", default=20, show_default=True, type=click.IntRange(0), help="Cases for deletion and insertion by the map."
    ),
    click.option(
        "--beside", multiple=True, metavar="NAME=DIR", help="Another finished comparison to report along; may be repeated."
    ),
    click.option(
        "--margin",
        default=0.005,
        show_default=True,
        type=click.FloatRange(0, 1, min_open=True),
        help="Largest loss of ROC-AUC that does not matter: the best trade-off is the cheapest network shown to lose less.",
    ),
    click.option(
        "--allow-training-patients",
        is_flag=True,
        help="Measure heat maps on patients that the networks were trained on too, and mark the report.",
    ),
    licence_option,
    population_option,
    click.option("--draws", type=click.IntRange(1), default=2000, show_default=True, help="Bootstrap draws of patients."),
    recipe_options,
)


def comparison_options(command: Command) -> Command:
    """Add the options of a comparison to a command.

    Parameters
    ----------
    command
        A function that takes every option by name.

    Returns
    -------
    Command
        The same with options.
    """
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def request_of(cohort: Path, options: dict[str, Any]) -> ExperimentRequest:
    """Turn the options of a comparison into its request.

    Parameters
    ----------
    cohort
        The cohort file of the command.
    options
        The values of the options by name; those of the recipe may be None.

    Returns
    -------
    ExperimentRequest
        What to train and how to measure it.

    Raises
    ------
    click.UsageError
        If options contradict each other.
    """
    taken = dict(options)
    recipe_name, regions, regions_cohort, only, box_space, init, backbones, ensembles = (
        taken.pop(name) for name in ("recipe_", "regions", "regions_cohort", "only", "box_space", "init", "backbones", "ensemble")
    )
    known = {name: taken.pop(name) for name in _REQUEST_FIELDS}
    if (only or regions_cohort or box_space) and not regions:
        raise click.UsageError("--only, --box-space and --regions-cohort say more about --regions; give reference regions")
    if regions and known["folds"] and not regions_cohort:
        raise click.UsageError("with --folds every case of COHORT is trained on; give --regions-cohort, whose cases are not")
    source = None
    if regions:
        marked = regions_cohort or cohort
        space = BoxSpace.parse(box_space) if box_space else None
        source = RegionSource(regions, table.read(marked), marked.stem, RowFilter.parse(only), space)
    return ExperimentRequest(
        backbones=tuple(backbones.split(",")),
        recipe=chosen(recipe_name or _RECIPES[str(taken.get("crop") or "whole")], taken),
        init=init,
        ensembles=tuple(tuple(text.split(",")) for text in ensembles),
        regions=source,
        **known,
    )


_REQUEST_FIELDS = (
    "seeds", "folds", "minutes", "device", "precision", "compiled", "lungs", "teacher", "intervene", "licences", "population",
    "draws", "allow_training_patients",
)  # fmt: skip


def named_folder(text: str) -> tuple[str, Path]:
    """Read ``NAME=DIR``.

    Parameters
    ----------
    text
        Of the command line.

    Returns
    -------
    tuple[str, Path]
        Name and folder.

    Raises
    ------
    click.UsageError
        If the text has another form.
    """
    name, equals, folder = text.partition("=")
    if not (name and equals and folder):
        raise click.UsageError(f"--beside '{text}' should be NAME=DIR with the folder of a finished comparison")
    return name, Path(folder)
