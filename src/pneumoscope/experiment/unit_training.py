"""Train one unit of an experiment, going on where an interrupted training stopped."""

from collections.abc import Callable, Mapping

from pneumoscope.classifier import BACKBONES
from pneumoscope.classifier import card as cards
from pneumoscope.classifier.card import CARD_NAME
from pneumoscope.classifier.network import build
from pneumoscope.classifier.weights import initialize
from pneumoscope.cohort import Cohort
from pneumoscope.experiment.errors import ComparisonError
from pneumoscope.experiment.plan import Plan, Unit
from pneumoscope.experiment.result_files import MEASURE_AGAIN, read_object
from pneumoscope.experiment.settings import TrainingSettings
from pneumoscope.experiment.workspace import CHECKPOINT, UNIT_NAME, Workspace
from pneumoscope.training import batches
from pneumoscope.training.epoch import Epoch
from pneumoscope.training.fit import CLASSES, fit, has_state
from pneumoscope.training.pool import Pool
from pneumoscope.training.process_group import Group

OnEpoch = Callable[[Epoch], None]


def finished(unit: Unit, plan: Plan, workspace: Workspace) -> bool:
    """Whether a unit was trained and measured.

    Parameters
    ----------
    unit, plan
        The unit and the plan that it belongs to.
    workspace
        Where its result would be.

    Returns
    -------
    bool
        True if its result exists.

    Raises
    ------
    ComparisonError
        If the result was made under other conditions, or its file is damaged.
    """
    file = workspace.folder(unit) / UNIT_NAME
    if not file.exists():
        return False
    result = read_object(file, {"conditions": str, "start": str}, MEASURE_AGAIN)
    if result["conditions"] != plan.fingerprint or result["start"] != plan.starts[unit.backbone]:
        raise ComparisonError(f"'{file.parent}' was made under other conditions; choose another folder with -o")
    return True


def check(plan: Plan, cohorts: Mapping[int, Cohort], workspace: Workspace, group: Group) -> None:
    """Find what would end a training before its first step, before any unit is trained.

    Parameters
    ----------
    plan
        The plan.
    cohorts
        A split cohort for each fold.
    workspace
        Where the units are; units that were begun need no starting weights.
    group
        The processes that train together.

    Raises
    ------
    ComparisonError
        If the training images do not fill one batch.
    ClassifierError
        If starting weights cannot be read.
    TrainingError
        If a batch cannot be shared by the processes, or the cohort cannot be drawn as the recipe wants.
    """
    recipe = plan.recipe
    group.rows(recipe.step_images)
    for cohort in cohorts.values():
        pool = Pool.of(cohort.on("train"))
        if batches.steps(recipe, pool) < 1:
            raise ComparisonError(f"{len(pool)} training images do not fill one batch of {recipe.batch}; use --batch")
    begun = {unit.backbone for unit in plan.units if (workspace.folder(unit) / CHECKPOINT).exists()}
    for name in plan.backbones:
        if name not in begun and plan.inits[name] != "scratch":
            initialize(build(BACKBONES[name], recipe.head, len(CLASSES), recipe.size_px), BACKBONES[name], plan.inits[name])


def train(
    unit: Unit,
    plan: Plan,
    cohort: Cohort,
    workspace: Workspace,
    settings: TrainingSettings,
    group: Group,
    on_epoch: OnEpoch,
) -> None:
    """Train a unit, from its last finished epoch on; a trained unit is left as it is.

    Parameters
    ----------
    unit, plan
        The unit and the plan that it belongs to.
    cohort
        The split cohort of the unit's fold.
    workspace
        Where the checkpoint is written.
    settings
        What all units share.
    group
        The processes that train together; every process takes part.
    on_epoch
        Called after each epoch.

    Raises
    ------
    ComparisonError
        If the checkpoint was trained under other conditions.
    TrainingError
        If the training cannot go on, for example because the loss became infinite.
    """
    checkpoint = workspace.folder(unit) / CHECKPOINT
    card = group.from_leader(lambda: cards.read(checkpoint) if (checkpoint / CARD_NAME).exists() else None)
    if card is not None:
        assert cohort.partition is not None
        if card.recipe != plan.recipe_of(unit).options or card.split_sha256 != cohort.partition.sha256:
            raise ComparisonError(f"'{checkpoint}' was trained under other conditions; choose another folder with -o")
        return
    fit(
        cohort,
        BACKBONES[unit.backbone],
        plan.recipe_of(unit),
        checkpoint,
        init=plan.inits[unit.backbone],
        cache=workspace.cache,
        finder=settings.finder,
        teacher=settings.teacher,
        resume=group.from_leader(lambda: has_state(checkpoint)),
        group=group,
        compute=settings.compute,
        show_progress=workspace.show_progress,
        on_epoch=on_epoch,
        licences=settings.licences,
        population=settings.population,
    )
