"""``pneumoscope localize``: can the heat map be trusted?"""

import importlib
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import get_args

import click

from pneumoscope import DISCLAIMER, MissingExtraError
from pneumoscope.classifier import Population
from pneumoscope.cli import models
from pneumoscope.cli.device_options import device_option
from pneumoscope.cli.model_folder import ModelFolder
from pneumoscope.cli.population_option import population_option
from pneumoscope.cli.zone_options import read_zones, zone_options
from pneumoscope.cohort import SPLITS, Case, Cohort, table
from pneumoscope.cohort.row_filter import RowFilter
from pneumoscope.evaluation.population import of_population
from pneumoscope.faithfulness.assessment import Extent, assess
from pneumoscope.localization import tables
from pneumoscope.localization.localize import ALL, cases_of, tune_cases
from pneumoscope.localization.zone_agreement import zone_agreement
from pneumoscope.reader.bundle import GRAPH_NAME
from pneumoscope.reference import regions as reference_regions
from pneumoscope.reference.box_space import BoxSpace
from pneumoscope.reference.lesions import LesionRule
from pneumoscope.reference.lung_masks import lung_masks
from pneumoscope.reference.regions import Consensus, ReferenceSet


# fmt: off
@click.command("localize")
@click.argument("model", type=ModelFolder())
@click.option("--cohort", "cohort_", type=click.Path(path_type=Path), required=True, help="Cohort, split unless --split is all.")
@click.option("--split", "--side", "split", type=click.Choice((*SPLITS, ALL)), default="test", show_default=True,
              help="The split to measure; all takes every case of the cohort.")
@population_option
@click.option("--regions", type=click.Path(exists=True, path_type=Path),
              help="Reference regions: a CSV of boxes, COCO or CheXlocalize JSON, a folder of mask PNGs, or DICOM SEG.")
@click.option("--only", multiple=True, metavar="COLUMN=VALUE",
              help="Take the rows of a table, or the annotations of JSON (category, reader), with this value; may be repeated.")
@click.option("--box-space", metavar="file|WxH", help="Pixel grid of boxes, for a table that does not state image sizes.")
@click.option("--lesions", type=click.Choice(get_args(LesionRule)), default="merged", show_default=True,
              help="Overlapping boxes of several readers are one lesion, or each reader's box is one.")
@click.option("--consensus", type=click.Choice(get_args(Consensus)), default="union", show_default=True,
              help="Which pixels count where several readers read one radiograph.")
@click.option("--lung-masks", "lung_folder", type=click.Path(exists=True, file_okay=False, path_type=Path),
              help="Folder of reference lung masks (PNG); by default the lungs that the model's reader finds.")
@click.option("--shortcuts", is_flag=True, help="Add the ROC-AUC when the lungs or other parts of the image are hidden.")
@click.option("--intervene", type=click.IntRange(0), default=0,
              help="Add deletion, insertion, ROAD and faithfulness correlation on this many cases.")
@click.option("--stability", type=click.IntRange(0), default=0,
              help="Add the map's stability under small changes of the radiograph on this many cases.")
@click.option("--methods", type=click.IntRange(0), default=0,
              help="Add other explanation methods on this many cases with regions; needs a checkpoint.")
@click.option("--sanity", type=click.IntRange(0), default=0,
              help="Add cascading randomization of the weights on this many cases; needs a checkpoint.")
@click.option("--beside", multiple=True, metavar="NAME=CHECKPOINT",
              help="With --sanity: compare with the maps of another checkpoint, such as one of shuffled labels; may be repeated.")
@zone_options
@device_option
@click.option("--allow-training-patients", is_flag=True,
              help="Measure on patients that MODEL was trained on too, and mark the result.")
@click.option("--draws", type=click.IntRange(1), default=2000, show_default=True, help="Bootstrap draws of patients.")
@click.option("-o", "--out", type=click.Path(file_okay=False, path_type=Path), required=True, help="Folder for the results.")
def command(
    model: Path, cohort_: Path, split: str, population: Population | None, regions: Path | None, only: tuple[str, ...],
    box_space: str | None, lesions: LesionRule, consensus: Consensus, lung_folder: Path | None, shortcuts: bool, intervene: int,
    stability: int, methods: int, sanity: int, beside: tuple[str, ...], zones: Path | None, zone_max: int, device: str,
    allow_training_patients: bool, draws: int, out: Path,
) -> None:
    # fmt: on
    """Measure the heat maps of MODEL (a bundle or a checkpoint) on one split of a cohort.

    Compares them with reference regions, with uninformed baseline maps, with the lungs and with readers' zone scores; every
    figure has an interval. The
    threshold of the map is fixed on the tune split if that has reference regions and another split is measured, else it is the
    model's own. A model is not measured on patients or images that it was trained on.
    """
    if only and not regions:
        raise click.UsageError("--only chooses rows of --regions; give a CSV of boxes")
    if beside and not sanity:
        raise click.UsageError("--beside is for --sanity; say on how many cases")
    if device not in ("auto", "cpu") and not (methods or sanity):
        raise click.UsageError("--device is for --methods and --sanity; all else runs on the CPU")
    others = dict(_named(text) for text in beside)
    checks = _explanation_checks(model) if methods or sanity else None
    cohort = of_population(table.read(cohort_), population)
    cases = cases_of(cohort, split)
    scored = [zone_agreement(read_zones(zones, zone_max, cohort), cases)] if zones else []
    space = BoxSpace.parse(box_space) if box_space else None
    drawn_on = (*cases, *tune_cases(cohort, split))
    reference = _reference(regions, cohort, drawn_on, RowFilter.parse(only), consensus, space, lesions)
    masks = lung_masks(lung_folder, [case.path for case in cohort.cases]) if lung_folder else None
    with models.reader(model) as reader:
        further = (
            checks.checks(model, cases, reference or {}, methods, sanity, others, device=device, show_progress=True)
            if checks
            else ()
        )
        result = assess(
            reader.assuming(population) if reader.card.populations else reader, cohort, split,
            source=cohort_.stem, regions=reference, lung_mask_of=masks.on_grid if masks else None,
            extent=Extent(shortcuts, intervene, stability), further=(*further, *scored),
            allow_training_patients=allow_training_patients,
            draws=draws, show_progress=True,
        )  # fmt: skip
    click.echo(f"{tables.write(result, out)}\ntables: {out}. {DISCLAIMER}")


def _reference(
    source: Path | None, cohort: Cohort, cases: Sequence[Case], only: RowFilter, consensus: Consensus, space: BoxSpace | None,
    lesions: LesionRule,
) -> ReferenceSet | None:  # fmt: skip
    if source is None:
        return None
    read = reference_regions.read(source, cohort, cases, only=only, consensus=consensus, box_space=space, lesions=lesions)
    click.echo("\n".join(read.summary()), err=True)
    return read


def _named(text: str) -> tuple[str, Path]:
    name, _, folder = text.partition("=")
    if not name or not Path(folder).is_dir():
        raise click.UsageError(f"--beside '{text}' should be NAME=CHECKPOINT with the folder of a checkpoint")
    return name, Path(folder)


def _explanation_checks(model: Path) -> ModuleType:
    if (model / GRAPH_NAME).exists():
        raise click.UsageError(f"'{model}' is a bundle; --methods and --sanity need the checkpoint that it was exported from")
    try:
        return importlib.import_module("pneumoscope.faithfulness.explanation_checks")
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("pneumoscope"):
            raise
        missing = f"other explanation methods and randomization ({error.name} is not installed)"
        raise MissingExtraError(missing, "explain") from error
