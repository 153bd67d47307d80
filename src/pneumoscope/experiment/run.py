"""Run an experiment: train every unit, measure it, and collect the results; what an earlier run finished is kept."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from pneumoscope import radiograph
from pneumoscope.classifier import DeviceError
from pneumoscope.cohort import Cohort
from pneumoscope.cohort.sample import sample
from pneumoscope.experiment import budget, compared_model, cost, marked_cohort, plan, unit_measurement, unit_training
from pneumoscope.experiment.compared_model import AVERAGES, ComparedModel
from pneumoscope.experiment.errors import ComparisonError
from pneumoscope.experiment.experiment import Experiment
from pneumoscope.experiment.plan import Plan, Unit
from pneumoscope.experiment.request import ExperimentRequest, start_in_words, starting_weights
from pneumoscope.experiment.settings import MeasurementSettings, TrainingSettings
from pneumoscope.experiment.workspace import BUNDLE, Workspace
from pneumoscope.export.errors import ExportError
from pneumoscope.lung_fields import LungFinder
from pneumoscope.radiograph import Radiograph
from pneumoscope.radiograph.acceptance import MARK_ALL
from pneumoscope.reader import Reader
from pneumoscope.training import batches
from pneumoscope.training.compute import Compute
from pneumoscope.training.distillation import taught_by
from pneumoscope.training.epoch import Epoch
from pneumoscope.training.errors import TrainingError
from pneumoscope.training.pool import Pool
from pneumoscope.training.prepared import default_cache
from pneumoscope.training.prepared_split import preprocessing_of
from pneumoscope.training.process_group import Group, joined
from pneumoscope.training.recipe import Recipe

OnMessage = Callable[[str], None]
OnEpoch = Callable[[Unit, Epoch, int], None]


def _silent(*_: object) -> None:
    """Report nothing."""


def run_experiment(
    cohort: Cohort,
    out: Path,
    request: ExperimentRequest,
    *,
    cache: Path | None = None,
    on_message: OnMessage = _silent,
    on_epoch: OnEpoch = _silent,
    show_progress: bool = False,
) -> Experiment | None:
    """Train and measure networks under the same conditions.

    Interrupted at any moment, it goes on where it stopped when it is called again with the same arguments. Backbones and seeds
    may be added. A backbone that cannot be finished does not keep the others from being measured. Under ``torchrun`` all
    processes train together as one process would, and the leading one measures.

    Parameters
    ----------
    cohort
        A split cohort, or any cohort if the request has folds.
    out
        Folder of the runs.
    request
        What to train and how to measure it.
    cache
        Folder of the prepared images; None for the user's cache.
    on_message
        Called with a line about what is done next, in the leading process.
    on_epoch
        Called after each epoch with the unit, the epoch and the number of epochs.
    show_progress
        Whether to show progress bars.

    Returns
    -------
    Experiment | None
        The finished runs; None in a process that does not lead.

    Raises
    ------
    ComparisonError
        If the request contradicts itself or the folder, or if no backbone can be finished.
    PneumoscopeError
        Of any other kind, if the cohort, the recipe, weights or regions cannot be used.
    """
    with joined() as group:
        workspace = Workspace(out, cache or default_cache(), show_progress and group.leads)
        tell = on_message if group.leads else _silent
        compute = Compute(group.device(request.device), request.precision, request.compiled)
        tell(str(compute))
        training, measurement, wanted, cohorts = _prepared(cohort, request, compute)
        if request.minutes is not None:
            wanted = _within_budget(wanted, cohorts, out, group, compute, tell)
        group.from_leader(lambda: unit_training.check(wanted, cohorts, workspace, group))
        group.from_leader(lambda: plan.write(wanted, out))
        failed = _train(wanted, cohorts, workspace, training, group, tell, on_epoch)
    if not group.leads:
        return None
    failed |= _measure(_without(wanted, failed), cohorts, workspace, measurement, group, tell)
    rest = _without(wanted, failed)
    members = _members(rest, workspace, request)
    tell("measuring what each network costs")
    bundles = {name: folder / BUNDLE for name, folder in workspace.first_folders(rest).items()}
    costs = cost.costs(bundles, measurement.proof, out)
    return Experiment(rest, cohorts, workspace, training, measurement, members, costs, tuple(failed.values()))


def _prepared(
    cohort: Cohort, request: ExperimentRequest, compute: Compute
) -> tuple[TrainingSettings, MeasurementSettings, Plan, Mapping[int, Cohort]]:
    """Everything that is read before the first training, so that a mistake is found before it."""
    names, _ = request.names, request.groups
    teacher = Reader.load(request.teacher, policy=MARK_ALL) if request.teacher else None
    finder = LungFinder.load(request.lungs) if _needs_lungs(request.recipe) else None
    recipe = taught_by(request.recipe, teacher, preprocessing_of(request.recipe, finder))
    cohorts = plan.splits(cohort, request.folds)
    marked = None
    if request.regions:
        marked = marked_cohort.read(request.regions, cohorts.values(), allow_training_patients=request.allow_training_patients)
    inits = {name: starting_weights(name, request.init) for name in names}
    wanted = Plan(
        names,
        tuple(range(recipe.seed, recipe.seed + request.seeds)),
        recipe,
        inits,
        {name: start_in_words(init) for name, init in inits.items()},
        plan.split_of(cohorts),
        finder.sha256 if finder else "",
        request.folds,
        request.minutes or 0.0,
        teacher=f"{teacher.card.name} ({teacher.model.sha256[:12]})" if teacher else "",
        rounding=compute.rounding(),
    )
    training = TrainingSettings(compute, finder, teacher, request.licences, request.population)
    proof = [image for _, image in shipped_radiographs()]
    measurement = MeasurementSettings(proof, request.draws, request.intervene, marked, request.allow_training_patients)
    return training, measurement, wanted, cohorts


def _needs_lungs(recipe: Recipe) -> bool:
    return recipe.crop == "lungs" or recipe.adds_up


def shipped_radiographs() -> list[tuple[str, Radiograph]]:
    """Read the radiographs of the package, which every exported graph is checked on and which reports show.

    Returns
    -------
    list[tuple[str, Radiograph]]
        Name and radiograph.
    """
    with sample() as cohort:
        return [(Path(case.path).stem, radiograph.read(cohort.file(case))) for case in cohort.cases]


def _within_budget(
    wanted: Plan, cohorts: Mapping[int, Cohort], out: Path, group: Group, compute: Compute, tell: OnMessage
) -> Plan:
    """The plan with as many epochs as fit, or as many as fitted when it was begun under the same budget."""
    earlier = group.from_leader(lambda: plan.read(out))
    if earlier is not None and earlier["conditions"]["budget"] == wanted.minutes:
        epochs, runs = earlier["conditions"]["recipe"]["epochs"], earlier["conditions"].get("shared by", 0)
    else:
        tell("timing a few steps of each backbone")
        pools = [Pool.of(cohort.on("train")) for cohort in cohorts.values()]
        longest = max(pools, key=lambda pool: batches.steps(wanted.recipe, pool))
        epochs, runs = budget.epochs(wanted, longest, group, compute), len(wanted.units)
    tell(f"{wanted.minutes:g} minutes, shared by {runs} runs, are {epochs} epochs for each")
    recipe = dataclasses.replace(wanted.recipe, epochs=epochs)
    return dataclasses.replace(wanted, recipe=recipe, at_most=wanted.recipe.epochs, shared_by=runs)


def _train(
    wanted: Plan,
    cohorts: Mapping[int, Cohort],
    workspace: Workspace,
    settings: TrainingSettings,
    group: Group,
    tell: OnMessage,
    on_epoch: OnEpoch,
) -> dict[str, str]:
    """Train what is not finished."""
    left = group.from_leader(lambda: [unit for unit in wanted.units if not unit_training.finished(unit, wanted, workspace)])

    def train(unit: Unit) -> None:
        unit_training.train(
            unit,
            wanted,
            cohorts[unit.fold],
            workspace,
            settings,
            group,
            lambda epoch: on_epoch(unit, epoch, wanted.recipe.epochs),
        )

    return _each(left, "training", group, tell, train)


def _measure(
    wanted: Plan,
    cohorts: Mapping[int, Cohort],
    workspace: Workspace,
    settings: MeasurementSettings,
    group: Group,
    tell: OnMessage,
) -> dict[str, str]:
    """Measure what is not measured, or was measured in another way."""

    def measure(unit: Unit) -> None:
        unit_measurement.measure(unit, wanted, cohorts[unit.fold], workspace, settings)

    return _each(wanted.units, "measuring", group, tell, measure)


def _each(units: Sequence[Unit], what: str, group: Group, tell: OnMessage, work: Callable[[Unit], None]) -> dict[str, str]:
    """Work on one unit after the other; by backbone, why a unit could not be finished.

    One of several processes cannot know whether the others failed too: there the error is raised.
    """
    failed: dict[str, str] = {}
    for k, unit in enumerate(units, start=1):
        if unit.backbone in failed:
            continue
        tell(f"{what} {k}/{len(units)}: {unit.name}")
        try:
            work(unit)
        except (TrainingError, ExportError, DeviceError) as error:
            if group.size > 1:
                raise
            failed[unit.backbone] = f"{unit.name}, {error}"
            tell(f"failed: {failed[unit.backbone]}")
    return failed


def _without(wanted: Plan, failed: Mapping[str, str]) -> Plan:
    """The plan of the backbones that were finished; ComparisonError if there is none."""
    names = tuple(name for name in wanted.backbones if name not in failed)
    if not names:
        raise ComparisonError(f"no backbone could be finished; the first: {next(iter(failed.values()))}")
    return dataclasses.replace(wanted, backbones=names)


def _members(wanted: Plan, workspace: Workspace, request: ExperimentRequest) -> list[ComparedModel]:
    """Networks, and after them their ensembles, by probability and by log-odds."""
    marked = request.regions is not None
    networks = [compared_model.read(unit, workspace.folder(unit), request.draws, marked) for unit in wanted.units]
    runs = sorted({(member.seed, member.fold) for member in networks})
    ensembles = [
        compared_model.ensemble([m for m in networks if (m.seed, m.fold) == run and m.name in group], by, request.draws)
        for group in request.groups
        if set(group) <= set(wanted.backbones)
        for by in AVERAGES
        for run in runs
    ]
    return [*networks, *ensembles]
