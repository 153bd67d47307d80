"""The training loop: from a split cohort to a checkpoint with its card."""

import dataclasses
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score
from torch import Tensor
from tqdm import tqdm

from pneumoscope.classifier import Backbone, Card, Preprocessing, trained_on
from pneumoscope.classifier import card as cards
from pneumoscope.classifier.card import CARD_NAME
from pneumoscope.classifier.checkpoint import Classifier, save
from pneumoscope.classifier.network import build
from pneumoscope.classifier.score import OTHER, TARGET, CalibrationMethod
from pneumoscope.classifier.weights import initialize
from pneumoscope.cohort import Cohort
from pneumoscope.cohort.fingerprint import fingerprint, overlap
from pneumoscope.fingerprint import Fingerprint
from pneumoscope.heatmap.heatmap import EVIDENCE, GRAD_CAM
from pneumoscope.lung_fields import LungFinder
from pneumoscope.reader import Reader
from pneumoscope.training import allocator, curves, resume_state, source_sampling
from pneumoscope.training import batches as epochs
from pneumoscope.training.compute import Compute
from pneumoscope.training.distillation import Lessons, lessons, taught_by
from pneumoscope.training.epoch import Epoch
from pneumoscope.training.errors import TrainingError
from pneumoscope.training.fixed_on_tune import AnyNetwork, known, tuned
from pneumoscope.training.prediction import predict
from pneumoscope.training.prepared_split import PreparedSplit, prepare_split, preprocessing_of
from pneumoscope.training.process_group import ALONE, Group
from pneumoscope.training.recipe import Recipe
from pneumoscope.training.resume_state import Progress
from pneumoscope.training.trainer import Step, Trainer

CLASSES = ("normal", "pneumonia")
LIMITS = (
    "Not for diagnosis, and not for anyone outside of the intended population. "
    "A high score of a model of the whole image does not mean that it looked at the lungs."
)


@dataclass(frozen=True, eq=False)
class _Run:
    """What stays the same over the epochs of a run."""

    backbone: Backbone
    recipe: Recipe
    train: PreparedSplit
    tune: PreparedSplit
    out: Path
    sha256: str
    """Hash of recipe, backbone, start, split, lung-field model and teacher."""
    group: Group
    compute: Compute
    show_progress: bool
    on_epoch: Callable[[Epoch], None]


def fit(
    cohort: Cohort,
    backbone: Backbone,
    recipe: Recipe,
    out: Path,
    *,
    init: str,
    cache: Path,
    finder: LungFinder | None = None,
    teacher: Reader | None = None,
    resume: bool = False,
    group: Group = ALONE,
    compute: Compute | None = None,
    calibrate: CalibrationMethod = "temperature",
    show_progress: bool = False,
    on_epoch: Callable[[Epoch], None] = lambda _: None,
    licences: tuple[str, ...] = (),
    population: str = "not stated",
) -> Card:
    """Train a classifier, or go on from the last finished epoch, and write its checkpoint.

    Weights, order, dropout and augmentation follow from the recipe's seed and the number of the epoch alone, so that a resumed
    run ends in the same weights, to the bit, as one that was never interrupted (on one device and, for a CPU, with one number of
    threads). PyTorch's global random generator is the same afterwards. Calibration, thresholds and the scale of the heat maps are
    fixed in single precision, whatever the training computes in.

    Parameters
    ----------
    cohort
        A split cohort with both classes in train and tune.
    backbone
        The architecture.
    recipe
        The settings of the training.
    out
        Folder for the checkpoint, and for the state of an unfinished run.
    init
        What the weights start from: ``imagenet``, ``timm:NAME``, ``scratch``, or a ``.safetensors`` or ``.pth`` file.
    cache
        Folder for prepared squares and a teacher's lessons.
    finder
        Lung-field model, for recipes that look at lungs.
    teacher
        Bundle to learn from.
    resume
        Whether to go on from a state in `out`.
    group
        The processes that train together.
    compute
        Device and precision of the training; by default a CPU in single precision.
    calibrate
        How probabilities are calibrated on tune.
    show_progress
        Whether to show progress bars on a terminal.
    on_epoch
        Called after each epoch that was trained, in the leading process.
    licences, population
        Sources and licences of the data, and the people whom they show, for the card.

    Returns
    -------
    Card
        The card of the checkpoint in `out`.

    Raises
    ------
    TrainingError
        If the recipe does not fit the data, `out` holds a run that does not belong to these settings, a value is not finite, or
        a teacher or a start was trained on cases that the split keeps for tune or test.
    CohortError
        If the cohort is not split, or train or tune has one class only.
    DeviceError
        If the device runs out of memory.
    """
    compute = compute or Compute()
    _can_compute(recipe, compute)
    allocator.keep_freed()
    known_cases = _trained_on(cohort, teacher, init)
    preprocessing = preprocessing_of(recipe, finder)
    recipe = taught_by(recipe, teacher, preprocessing)
    group.rows(recipe.step_images)
    with group.one_a_host():
        train, tune = _prepared(cohort, recipe, preprocessing, cache, finder, teacher, show_progress)
    assert cohort.partition is not None
    with compute.running():
        torch.manual_seed(recipe.seed)
        network = build(backbone, recipe.head, len(CLASSES), recipe.size_px)
        started_from = initialize(network, backbone, init)
        network = network.to(compute.device, compute.dtype).to(memory_format=torch.channels_last)
        depends = (preprocessing.lungs, teacher.model.sha256 if teacher else "", *compute.rounding())
        sha256 = resume_state.run_sha256(recipe.options, backbone.name, started_from, cohort.partition.sha256, *depends)
        run = _Run(backbone, recipe, train, tune, out, sha256, group, compute, show_progress, on_epoch)
        network.load_state_dict(_epochs(network, run, resume))
        if not group.leads:
            return group.from_leader(lambda: cards.read(out))
        card = _card(cohort, backbone, recipe, preprocessing, started_from, teacher)
        card = dataclasses.replace(card, data_licences=licences, intended_population=population, trained_with=_trained_with(out))
        domain, card = known(network, tuned(network, card, tune, calibrate), train, tune)
    finished = save(Classifier(network, card, finder, domain, known_cases), out)
    _clear_state(out)
    return group.from_leader(lambda: finished)


def _prepared(
    cohort: Cohort,
    recipe: Recipe,
    preprocessing: Preprocessing,
    cache: Path,
    finder: LungFinder | None,
    teacher: Reader | None,
    show_progress: bool,
) -> tuple[PreparedSplit, PreparedSplit]:
    """The train and the tune side as the network sees them; TrainingError if the train side does not fill a step."""
    train = prepare_split(cohort, "train", preprocessing, cache, finder=finder, show_progress=show_progress)
    tune = prepare_split(cohort, "tune", preprocessing, cache, finder=finder, show_progress=show_progress)
    if teacher is not None:
        taught = lessons(teacher, cohort, cohort.on("train"), cache, show_progress=show_progress)
        train = _taught(train, recipe, teacher.card, taught)
    if recipe.labels == "shuffled":
        exchanged = train.pool.shuffled(recipe.seed)
        train = dataclasses.replace(train, reference=exchanged.reference, labels=exchanged.labels)
    if epochs.steps(recipe, train.pool) < 1:
        raise TrainingError(f"{len(train.reference)} training images do not fill one batch of {recipe.batch}; use --batch")
    _can_paint(recipe, train)
    return train, tune


def _card(
    cohort: Cohort, backbone: Backbone, recipe: Recipe, preprocessing: Preprocessing, started_from: str, teacher: Reader | None
) -> Card:
    """The card without what is fixed on tune."""
    assert cohort.partition is not None
    return Card(
        name=f"{backbone.name}-{recipe.name}",
        backbone=backbone.name,
        head=recipe.head,
        classes=CLASSES,
        preprocessing=preprocessing,
        init=started_from + (f"; teacher {teacher.card.name} ({teacher.model.sha256[:12]})" if teacher else ""),
        recipe=recipe.options,
        cohort=f"{cohort.source}; {len(cohort.cases)} images; split {cohort.partition.rule}",
        split_sha256=cohort.partition.sha256,
        limits=LIMITS,
        map_method=EVIDENCE if recipe.adds_up else GRAD_CAM,
    )


def _trained_on(cohort: Cohort, teacher: Reader | None, init: str) -> tuple[Fingerprint, ...]:
    """The fingerprints of the training cases and of those of a teacher and of a checkpoint that the run starts from.

    TrainingError if the latter were trained on cases that this cohort keeps for tune or test.
    """
    inherited = dict[str, tuple[Fingerprint, ...]]()
    if teacher is not None:
        inherited["the teacher"] = teacher.trained_on
    start = Path(init).parent
    if Path(init).is_file() and (start / CARD_NAME).exists():
        inherited["the checkpoint to start from"] = trained_on.read(start, cards.read(start))
    held_out = [case for case in cohort.cases if case.split in ("tune", "test")]
    for name, fingerprints in inherited.items():
        for one in fingerprints:
            if seen := overlap(one, held_out):
                raise TrainingError(
                    f"{name} was trained on {seen} that the split keeps for tune and test; use another split or another model"
                )
    return (fingerprint(cohort.on("train")), *(one for fingerprints in inherited.values() for one in fingerprints))


def _can_compute(recipe: Recipe, compute: Compute) -> None:
    if compute.device.type == "mps" and recipe.adds_up:
        raise TrainingError(f"the augmentation of '{recipe.name}' uses operations that {compute.device} lacks; give --device cpu")


def _can_paint(recipe: Recipe, train: PreparedSplit) -> None:
    if recipe.sampling == epochs.BY_SOURCE:
        source_sampling.check(recipe, train.pool)
        return
    for value, needed in enumerate(recipe.painted):
        available = int((train.reference == value).sum())
        if available < needed:
            what = "with" if value else "without"
            raise TrainingError(
                f"each step paints on {needed} images {what} the target, but the train side has {available}; use smaller numbers"
            )


def _taught(side: PreparedSplit, recipe: Recipe, teacher: Card, taught: Lessons) -> PreparedSplit:
    """The train side with a teacher's log-odds, and its heat maps as a third channel."""
    if recipe.distillation and recipe.distillation.distillation_weight:
        side = dataclasses.replace(side, taught=taught.log_odds)
    if recipe.distillation and recipe.distillation.teacher_weight:
        maps = taught.on_squares(teacher, recipe.size_px)
        side = dataclasses.replace(side, squares=np.concatenate([side.squares, maps], 1))
    return side


def _epochs(network: AnyNetwork, run: _Run, resume: bool) -> dict[str, Tensor]:
    """Run the remaining epochs and return the weights of the best epoch."""
    last, best = run.out / "state" / "last.safetensors", run.out / "state" / "best.safetensors"
    goes_on = _goes_on(run.out, resume)
    run.group.agree((run.sha256, goes_on), "run to go on with")
    trainer = Trainer(network, run.backbone, run.recipe, run.train, run.compute, run.group)
    progress: Progress[Epoch] = Progress((), run.sha256)
    if goes_on:
        progress = resume_state.load(last, trainer.weights.state, trainer.optimizer, run.sha256, Epoch, trainer.scaler)
    run.group.agree(len(progress.history), "run to go on with")
    last.parent.mkdir(parents=True, exist_ok=True)
    while len(progress.history) < run.recipe.epochs and not _stopped(run.recipe, progress):
        row = _epoch(trainer, run, len(progress.history))
        progress = Progress((*progress.history, row), run.sha256)
        if run.group.leads:
            _keep(progress, trainer, run)
    if run.group.leads:
        curves.write_table(run.out / curves.CURVES_NAME, progress.history)  # again: a run may have been killed before this line
        curves.plot(run.out / "curves.png", progress.history)
        resume_state.load(best, network, trainer.optimizer, run.sha256, Epoch)
    return network.state_dict()


def _goes_on(out: Path, resume: bool) -> bool:
    """Whether the run has a state to go on from; TrainingError if what is in the folder does not fit `resume`."""
    interrupted, finished = has_state(out), (out / CARD_NAME).exists()
    if resume and finished and not interrupted:
        raise TrainingError(f"the run in '{out}' is finished; nothing is left to resume")
    if not resume and (interrupted or finished):
        raise TrainingError(f"'{out}' already holds a run; add --resume to go on, or choose another folder")
    return interrupted


def _trained_with(out: Path) -> dict[str, str]:
    """What computed the epochs of a run, from its learning curves; a run that was resumed elsewhere names both."""
    rows = [dataclasses.asdict(row) for row in curves.read_table(out / curves.CURVES_NAME)]
    return {name: "; ".join(dict.fromkeys(row[name] for row in rows)) for name in curves.WORDS}


def _keep(progress: Progress[Epoch], trainer: Trainer, run: _Run) -> None:
    """Write the state after an epoch, and report it."""
    row, state = progress.history[-1], run.out / "state"
    if progress.best is row:
        resume_state.save(state / "best.safetensors", trainer.weights.evaluated, trainer.optimizer, progress, trainer.scaler)
    resume_state.save(state / "last.safetensors", trainer.weights.state, trainer.optimizer, progress, trainer.scaler)
    curves.write_table(run.out / curves.CURVES_NAME, progress.history)
    run.on_epoch(row)


def _stopped(recipe: Recipe, progress: Progress[Epoch]) -> bool:
    return bool(progress.history) and 0 < recipe.patience <= progress.epochs_since_best


def _epoch(trainer: Trainer, run: _Run, epoch: int) -> Epoch:
    """Train one epoch, then compute loss and ROC-AUC on tune."""
    recipe, group, steps = run.recipe, run.group, trainer.steps
    start = time.perf_counter()
    taken = list(_shown(trainer.epoch(epoch), recipe, epoch, steps, run.show_progress))
    total = sum(torch.stack([step.loss for step in taken]).tolist())
    seconds = time.perf_counter() - start

    def measured() -> Epoch:
        logits = predict(trainer.weights.evaluated, run.tune.squares)
        reference = run.tune.reference
        finite = math.isfinite(total) and bool(np.isfinite(logits).all())
        return Epoch(
            epoch=epoch + 1,
            loss=total / steps,
            tune_loss=float(trainer.criterion(torch.from_numpy(logits), torch.from_numpy(reference))) if finite else math.nan,
            tune_auc=_tune_auc(run.tune, logits[:, TARGET] - logits[:, OTHER]) if finite else math.nan,
            rate=taken[-1].rate,
            images_per_s=steps * recipe.batch / seconds,
            seconds=seconds,
            processes=group.size,
            **run.compute.recorded(),
        )

    row = group.from_leader(measured)
    if math.isnan(row.tune_auc):
        raise TrainingError(
            f"the loss or the logits on tune are no longer finite numbers in epoch {epoch + 1}; lower the rate "
            f"({recipe.rate:g}) and start again"
        )
    return row


def _tune_auc(tune: PreparedSplit, log_odds: NDArray[np.float32]) -> float:
    """The mean ROC-AUC over the sources that have both classes.

    The ROC-AUC of all images together would also count how well the score separates the sources.
    """
    sources = np.array(tune.sources or ("",) * len(tune.reference))
    each = [sources == name for name in dict.fromkeys(tune.sources or ("",))]
    both = [of_source for of_source in each if len(set(tune.reference[of_source].tolist())) == 2] or [np.ones(len(sources), bool)]
    return float(np.mean([roc_auc_score(tune.reference[rows], log_odds[rows]) for rows in both]))


def _shown(steps: Iterator[Step], recipe: Recipe, epoch: int, count: int, show: bool) -> Iterator[Step]:
    """Yield steps with a progress bar over the images of an epoch, with loss and rate."""
    with tqdm(
        total=count * recipe.batch, desc=f"epoch {epoch + 1}/{recipe.epochs}", unit="image", disable=None if show else True,
        mininterval=1.0,
    ) as bar:  # fmt: skip
        for step in steps:
            if bar.update(recipe.batch):  # reading the loss waits for the device, so only when the bar is drawn
                bar.set_postfix_str(f"loss {float(step.loss):.4f}, rate {step.rate:.1e}", refresh=False)
            yield step


def has_state(out: Path) -> bool:
    """Tell whether a run was interrupted after an epoch.

    Parameters
    ----------
    out
        Folder of the run.

    Returns
    -------
    bool
        True if there is a state to resume from.
    """
    return (out / "state" / "last.safetensors").exists()


def _clear_state(out: Path) -> None:
    """Remove the state of a finished run."""
    for path in sorted((out / "state").iterdir(), reverse=True):  # last before best: a half removed state counts as finished
        path.unlink()
    (out / "state").rmdir()
