"""``pneumoscope compare``: every backbone under the same conditions, then one report."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import click

from pneumoscope import DISCLAIMER, radiograph
from pneumoscope.classifier import BACKBONES
from pneumoscope.classifier.backbone import backbone as look_up
from pneumoscope.classifier.backbone import check_side
from pneumoscope.classifier.checkpoint import file_sha256
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
from pneumoscope.cohort import Cohort, table
from pneumoscope.cohort.row_filter import RowFilter
from pneumoscope.cohort.sample import sample
from pneumoscope.comparison import comparison, report
from pneumoscope.comparison.other_comparisons import Other
from pneumoscope.comparison.other_comparisons import read as report_of
from pneumoscope.experiment import budget, compared_model, plan, unit_measurement, unit_training
from pneumoscope.experiment import marked_cohort as marks
from pneumoscope.experiment.compared_model import ComparedModel
from pneumoscope.experiment.marked_cohort import MarkedCohort
from pneumoscope.experiment.plan import ComparisonError, Plan, Unit
from pneumoscope.experiment.run_settings import RunSettings
from pneumoscope.export.conversion import ExportError
from pneumoscope.lung_fields import LungFinder
from pneumoscope.radiograph import Radiograph
from pneumoscope.reader import Reader
from pneumoscope.reference.box_space import BoxSpace
from pneumoscope.training.distillation import taught_by
from pneumoscope.training.errors import TrainingError
from pneumoscope.training.prepared_split import preprocessing_of
from pneumoscope.training.process_group import Group, joined
from pneumoscope.training.recipe import Recipe
from pneumoscope.training.resume_state import Epoch

_RECIPES = {"whole": "default", "lungs": "evidence"}
_SUFFIXES = (".safetensors", ".pth")


@click.command("compare")
@click.argument("cohort_", metavar="COHORT", type=click.Path(path_type=Path))
@click.option("-o", "--out", type=click.Path(file_okay=False, path_type=Path), required=True, help="Folder for runs and report.")
@click.option("--backbones", default=",".join(BACKBONES), show_default=True, help="Which, separated by commas.")
@click.option("--seeds", default=1, show_default=True, type=click.IntRange(1), help="Runs of each: --seed and those after it.")
@click.option("--folds", default=0, show_default=True, type=click.IntRange(0), help="Cross-validate by patients.")
@click.option(
    "--recipe",
    "recipe_",
    show_default="default; evidence where --view is lungs",
    help=HELP,
)
@click.option("--init", default="imagenet", show_default=True, help="imagenet, scratch, or a folder with BACKBONE*.safetensors.")
@click.option("--budget", "minutes", type=click.FloatRange(0, min_open=True), help="Minutes of training, as equal epochs.")
@click.option("--ensemble", multiple=True, metavar="A,B,…", help="Evaluate these together as well; may be repeated.")
@cache_option
@lungs_option
@teacher_option
@click.option(
    "--regions",
    "regions_",
    type=click.Path(exists=True, path_type=Path),
    help="What radiologists marked, as localize takes it: on COHORT's test side, or on that of --regions-cohort.",
)
@click.option("--regions-cohort", type=click.Path(path_type=Path), help="Another split cohort, whose test side is marked.")
@click.option(
    "--only",
    multiple=True,
    metavar="COLUMN=VALUE",
    help="Take the rows of a table, or the annotations of JSON (category, reader), with this value; repeat a column for more.",
)
@click.option(
    "--box-space", metavar="file|WxH", help="Pixel grid of the boxes of a table that does not state the size of each image."
)
@click.option(
    "--intervene",
    default=20,
    show_default=True,
    type=click.IntRange(0),
    help="Deletion and insertion on so many cases with the target.",
)
@click.option(
    "--beside",
    multiple=True,
    metavar="NAME=DIR",
    help="Another finished comparison, to stand beside this one in its report; may be repeated.",
)
@licence_option
@population_option
@click.option("--draws", type=click.IntRange(1), default=2000, show_default=True, help="Bootstrap draws of patients.")
@recipe_options
def command(
    cohort_: Path,
    out: Path,
    backbones: str,
    seeds: int,
    folds: int,
    recipe_: str | None,
    init: str,
    minutes: float | None,
    ensemble: tuple[str, ...],
    cache: Path,
    lungs: Path,
    teacher: Path | None,
    regions_: Path | None,
    regions_cohort: Path | None,
    only: tuple[str, ...],
    box_space: str | None,
    intervene: int,
    beside: tuple[str, ...],
    licences: tuple[str, ...],
    population: str,
    draws: int,
    **changes: object,
) -> None:
    """Train backbones on a split COHORT under the same conditions, measure them on its test side, and write one report.

    What is finished is kept: interrupted at any moment, run the same command again and it goes on, in the middle of a training
    from its last epoch. More --backbones or --seeds may be named later; the report is of those that are named. Under torchrun the
    processes, on one host or many with the same folders, train together as one process would.
    """
    if (only or regions_cohort) and not regions_:
        raise click.UsageError("--only and --regions-cohort say more about --regions; give what radiologists marked")
    if regions_ and folds and not regions_cohort:
        raise click.UsageError("with --folds every case of COHORT is trained on; give --regions-cohort, whose cases are not")
    others = {name: report_of(folder) for name, folder in (_beside(text) for text in beside)}
    with joined() as group:
        cohort = table.read(cohort_)
        names = tuple(dict.fromkeys(look_up(name.strip()).name for name in backbones.split(",")))
        together = [*{frozenset(found): found for found in (_named(text, names) for text in ensemble)}.values()]
        reader = Reader.load(teacher) if teacher else None
        recipe, finder = _recipe(recipe_, names, changes, lungs, reader)
        splits = plan.splits(cohort, folds)
        marked = _marked(regions_, regions_cohort or cohort_, only, box_space, splits) if regions_ else None
        starts = {name: _init(name, init) for name in names}
        wanted = _planned(names, seeds, recipe, starts, splits, finder, folds, minutes, reader)
        if minutes is not None:
            wanted = _within(wanted, splits, out, group)
        hashes = [one.partition.sha256 for one in splits.values() if one.partition]
        proof = [image for _, image in _shipped()]
        place = RunSettings(
            out,
            cache,
            finder,
            splits=hashes,
            proof=proof,
            draws=draws,
            intervene=intervene,
            marked=marked,
            teacher=reader,
            licences=licences,
            population=population,
            group=group,
            show_progress=group.leads,
        )
        group.told(lambda: unit_training.check(wanted, splits, place))
        group.told(lambda: plan.keep(wanted, out))
        failed = _train(wanted, splits, place)
    if group.leads:
        failed |= _measure(_without(wanted, failed), splits, place)
        rest = _without(wanted, failed)
        _report(rest, _members(rest, place, together, draws), splits, place, others, failed)
    if failed:
        raise ComparisonError(f"left out of the report: {'; '.join(failed.values())}")


def _marked(file: Path, cohort: Path, only: tuple[str, ...], box_space: str | None, splits: Mapping[int, Cohort]) -> MarkedCohort:
    return marks.read(
        file,
        table.read(cohort),
        cohort.stem,
        RowFilter.parse(only),
        splits.values(),
        BoxSpace.parse(box_space) if box_space else None,
    )


def _planned(
    names: tuple[str, ...],
    seeds: int,
    recipe: Recipe,
    inits: Mapping[str, str],
    splits: Mapping[int, Cohort],
    finder: LungFinder | None,
    folds: int,
    minutes: float | None,
    teacher: Reader | None,
) -> Plan:
    return Plan(
        names,
        tuple(range(recipe.seed, recipe.seed + seeds)),
        recipe,
        inits,
        {name: _told(start) for name, start in inits.items()},
        plan.split_of(splits),
        finder.sha256 if finder else "",
        folds,
        minutes or 0.0,
        teacher=f"{teacher.card.name} ({teacher.model.sha256[:12]})" if teacher else "",
    )


def _beside(text: str) -> tuple[str, Path]:
    name, equals, folder = text.partition("=")
    if not (name and equals and folder):
        raise click.UsageError(f"--beside '{text}' should be NAME=DIR with the folder of a finished comparison")
    return name, Path(folder)


def _report(
    wanted: Plan,
    members: Sequence[ComparedModel],
    splits: Mapping[int, Cohort],
    place: RunSettings,
    others: Mapping[str, Other],
    failed: Mapping[str, str],
) -> None:
    click.echo("measuring what each costs, and comparing pairs", err=True)
    cohort = splits[wanted.units[0].fold]
    found = dataclasses.replace(comparison.compare(wanted, members, cohort, place, others), left_out=tuple(failed.values()))
    page = report.write(found, cohort, place, _shipped(), others)
    best = found.order[0]
    click.echo(f"highest ROC-AUC: {best}, {found.summary[best]['ROC-AUC']}; best trade-off: {found.trade_off}")
    click.echo(
        f"report: {page}; beside it its tables (CSV, LaTeX), comparison.json, cards/ and, with radiographs of the cohort, "
        f"cases.html. {DISCLAIMER}"
    )


def _named(text: str, names: Sequence[str]) -> tuple[str, ...]:
    found = tuple(look_up(name.strip()).name for name in text.split(","))
    missing = [name for name in found if name not in names]
    if missing or len(set(found)) < 2:
        raise click.UsageError(f"--ensemble '{text}' should name two or more of the compared backbones, {', '.join(names)}")
    return found


def _init(name: str, init: str) -> str:
    folder = Path(init)
    if init in ("imagenet", "scratch"):
        return init
    if not folder.is_dir():
        raise click.UsageError(f"--init is '{init}', which is neither imagenet nor scratch nor a folder")
    files = sorted(f for f in folder.iterdir() if f.suffix in _SUFFIXES and f.stem.removeprefix("tf_").startswith(name))
    if len(files) != 1:
        wanted = f"{name}*.safetensors or {name}*.pth"
        raise click.UsageError(f"'{init}' has {len(files)} files of weights for {name} ({wanted}); one is needed")
    return str(files[0])


def _told(init: str) -> str:
    """A start as it is told and compared."""
    return f"{Path(init).name} (sha256 {file_sha256(Path(init))[:12]})" if init not in ("imagenet", "scratch") else init


def _recipe(
    name: str | None, backbones: Sequence[str], changes: Mapping[str, object], lungs: Path, teacher: Reader | None
) -> tuple[Recipe, LungFinder | None]:
    """The recipe and what finds lungs for it, if every backbone can be trained by it; the crop's own by default."""
    found = chosen(name or _RECIPES[str(changes.get("crop") or "whole")], changes)
    for backbone in backbones:
        check_side(look_up(backbone), found.size_px)
    finder = LungFinder.load(lungs) if found.crop == "lungs" or found.adds_up else None
    return taught_by(found, teacher, preprocessing_of(found, finder)), finder


def _within(wanted: Plan, splits: Mapping[int, Cohort], out: Path, group: Group) -> Plan:
    """The plan with as many epochs as fit, or as many as were found to fit when it was begun under the same budget."""
    there = group.told(lambda: plan.kept(out))
    if there is not None and there["conditions"]["budget"] == wanted.minutes:
        epochs, runs = there["conditions"]["recipe"]["epochs"], there["conditions"].get("shared by", 0)
    else:
        if group.leads:
            click.echo("timing a few steps of each backbone", err=True)
        epochs, runs = budget.epochs(wanted, max(len(cohort.on("train")) for cohort in splits.values()), group), len(wanted.units)
    if group.leads:
        click.echo(f"{wanted.minutes:g} minutes, shared by {runs} runs, are {epochs} epochs for each", err=True)
    recipe = dataclasses.replace(wanted.recipe, epochs=epochs)
    return dataclasses.replace(wanted, recipe=recipe, at_most=wanted.recipe.epochs, shared_by=runs)


def _shipped() -> list[tuple[str, Radiograph]]:
    with sample() as cohort:
        return [(Path(case.path).stem, radiograph.read(cohort.file(case))) for case in cohort.cases]


def _train(wanted: Plan, splits: Mapping[int, Cohort], place: RunSettings) -> dict[str, str]:
    """Train what is not finished, as far as it is not trained."""
    left = place.group.told(lambda: [one for one in wanted.units if not unit_training.finished(one, wanted, place)])
    return _each(
        left, "training", place, lambda one: unit_training.train(one, wanted, splits[one.fold], place, _on_epoch(one, wanted))
    )


def _measure(wanted: Plan, splits: Mapping[int, Cohort], place: RunSettings) -> dict[str, str]:
    """Measure what is not measured, or was asked for in another way."""
    return _each(wanted.units, "measuring", place, lambda one: unit_measurement.measure(one, wanted, splits[one.fold], place))


def _each(units: Sequence[Unit], what: str, place: RunSettings, do: Callable[[Unit], None]) -> dict[str, str]:
    """One unit after the other; by backbone, why one could not be finished, which keeps none of the other backbones.

    Of several processes one does not know whether the others failed too: the error is raised.
    """
    failed: dict[str, str] = {}
    for k, one in enumerate(units, start=1):
        if one.backbone in failed:
            continue
        if place.group.leads:
            click.echo(f"{what} {k}/{len(units)}: {one.name}", err=True)
        try:
            do(one)
        except (TrainingError, ExportError) as error:
            if place.group.size > 1:
                raise
            failed[one.backbone] = f"{one.name}, {error}"
            click.echo(f"failed: {failed[one.backbone]}", err=True)
    return failed


def _without(wanted: Plan, failed: Mapping[str, str]) -> Plan:
    """The plan of the backbones that can be reported; ComparisonError where there is none."""
    names = tuple(name for name in wanted.backbones if name not in failed)
    if not names:
        raise ComparisonError(f"no backbone could be finished; the first: {next(iter(failed.values()))}")
    return dataclasses.replace(wanted, backbones=names)


def _on_epoch(one: Unit, wanted: Plan) -> unit_training.OnEpoch:
    def report_epoch(epoch: Epoch) -> None:
        click.echo(
            f"{one.name}, epoch {epoch.epoch}/{wanted.recipe.epochs}: loss {epoch.loss:.4f}, tune ROC-AUC {epoch.tune_auc:.4f}, "
            f"{epoch.images_per_s:.1f} images/s"
        )

    return report_epoch


def _members(wanted: Plan, place: RunSettings, together: Sequence[tuple[str, ...]], draws: int) -> list[ComparedModel]:
    """Networks, and after them what they are together, by probability and by log-odds."""
    networks = [compared_model.read(one, place.folder(one), draws, place.marked is not None) for one in wanted.units]
    runs = {(m.seed, m.fold) for m in networks}
    ensembles = [
        compared_model.ensemble([m for m in networks if (m.seed, m.fold) == run and m.name in names], by, draws)
        for names in together
        if set(names) <= set(wanted.backbones)
        for by in compared_model.WAYS
        for run in sorted(runs)
    ]
    return [*networks, *ensembles]
