"""A unit of a comparison: trained, and kept."""

import json
from collections.abc import Callable, Mapping

from pneumoscope.classifier import BACKBONES
from pneumoscope.classifier import card as cards
from pneumoscope.classifier.card import CARD_NAME
from pneumoscope.classifier.network import build
from pneumoscope.classifier.weights import initialize
from pneumoscope.cohort import Cohort
from pneumoscope.experiment.plan import ComparisonError, Plan, Unit
from pneumoscope.experiment.run_settings import CHECKPOINT, UNIT_NAME, RunSettings
from pneumoscope.training import batches
from pneumoscope.training.fit import CLASSES, fit, has_state
from pneumoscope.training.resume_state import Epoch

OnEpoch = Callable[[Epoch], None]


def finished(unit: Unit, plan: Plan, place: RunSettings) -> bool:
    """Whether the result of a unit is there; ComparisonError where it was made under other conditions."""
    file = place.folder(unit) / UNIT_NAME
    if not file.exists():
        return False
    told = json.loads(file.read_text(encoding="utf-8"))
    if told["conditions"] != plan.fingerprint or told["start"] != plan.starts[unit.backbone]:
        raise ComparisonError(f"'{file.parent}' was made under other conditions; choose another folder with -o")
    return True


def check(plan: Plan, cohorts: Mapping[int, Cohort], place: RunSettings) -> None:
    """Raise now what would keep a unit from its first step: weights that cannot be had, a batch too large or not shared."""
    recipe = plan.recipe
    place.group.rows(recipe.step_images)
    for cohort in cohorts.values():
        images = len(cohort.on("train"))
        if batches.steps(recipe, images) < 1:
            raise ComparisonError(f"{images} training images do not fill one batch of {recipe.batch}; use --batch")
    begun = {unit.backbone for unit in plan.units if (place.folder(unit) / CHECKPOINT).exists()}
    for name in plan.backbones:
        if name not in begun and plan.inits[name] != "scratch":
            initialize(build(BACKBONES[name], recipe.head, len(CLASSES), recipe.size_px), BACKBONES[name], plan.inits[name])


def train(unit: Unit, plan: Plan, cohort: Cohort, place: RunSettings, on_epoch: OnEpoch) -> None:
    """Train a unit, going on where it stopped; nothing where it is trained. Every process of the workplace's group takes part."""
    checkpoint = place.folder(unit) / CHECKPOINT
    card = place.group.told(lambda: cards.read(checkpoint) if (checkpoint / CARD_NAME).exists() else None)
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
        cache=place.cache,
        finder=place.finder,
        teacher=place.teacher,
        resume=place.group.told(lambda: has_state(checkpoint)),
        group=place.group,
        show_progress=place.show_progress,
        on_epoch=on_epoch,
        licences=place.licences,
        population=place.population,
    )
