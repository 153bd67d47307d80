"""The training loop: from a split cohort to a checkpoint with its card."""

import dataclasses
import hashlib
import json
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score
from torch import Tensor
from torch.nn import functional as F
from tqdm import tqdm

from pneumoscope.classifier import Backbone, Card, Domain, Preprocessing
from pneumoscope.classifier.card import CARD_NAME
from pneumoscope.classifier.checkpoint import Classifier, evaluating, save
from pneumoscope.classifier.evidence import EvidenceNetwork
from pneumoscope.classifier.network import Network, build
from pneumoscope.classifier.score import CalibrationMethod
from pneumoscope.classifier.weights import initialize
from pneumoscope.cohort import Cohort
from pneumoscope.cohort.case import both_classes
from pneumoscope.evaluation import calibration
from pneumoscope.heatmap import gradcam
from pneumoscope.heatmap.explain import TARGET
from pneumoscope.heatmap.gradcam import METHODS, Combine
from pneumoscope.heatmap.heatmap import EVIDENCE, GRAD_CAM, scaled
from pneumoscope.lung_fields import LungFinder
from pneumoscope.reader import Reader
from pneumoscope.training import batches as epochs
from pneumoscope.training import curves, evidence, loss, memory, state
from pneumoscope.training.errors import TrainingError
from pneumoscope.training.prepared import Squares, squares
from pneumoscope.training.recipe import Recipe
from pneumoscope.training.schedule import rate_at
from pneumoscope.training.state import Epoch, Progress

AnyNetwork = Network | EvidenceNetwork
SOURCE_PX = 224
"""Side that the whole radiograph is brought to before lungs are looked at: what training copies usually have."""
_EVALUATION_BATCH = 64
_TEACHING_BATCH = 16
CLASSES = ("normal", "pneumonia")
LIMITS = (
    "Not for diagnosis, and not for anyone outside of the intended population. "
    "A high score of a model of the whole image does not mean that it looked at the lungs."
)


@dataclass(frozen=True, eq=False)
class Side:
    """One side of the split in the cohort's order, for a model: squares uint8 (n, channels, side, side), reference (n,)."""

    squares: Squares
    reference: NDArray[np.int64]
    patients: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class _Run:
    """What stays the same over the epochs of a run."""

    recipe: Recipe
    train: Side
    tune: Side
    out: Path
    fingerprint: str
    show_progress: bool
    on_epoch: Callable[[Epoch], None]


def prepare_side(
    cohort: Cohort,
    side: str,
    preprocessing: Preprocessing,
    cache: Path,
    *,
    finder: LungFinder | None = None,
    show_progress: bool = False,
) -> Side:
    """Prepare a side from the cache; CohortError where it is missing or has one class."""
    cases = cohort.on(side)
    both_classes(cases, f"the {side} side")
    images = squares(cohort, cases, preprocessing, cache, finder=finder, show_progress=show_progress)
    return Side(images, np.array([c.reference for c in cases]), tuple(c.patient_id for c in cases))


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
    calibrate: CalibrationMethod = "temperature",
    show_progress: bool = False,
    on_epoch: Callable[[Epoch], None] = lambda _: None,
    licences: tuple[str, ...] = (),
    population: str = "not stated",
) -> Card:
    """Train, or go on from the last finished epoch; returns the card of the checkpoint left in `out`.

    Weights, order, dropout and augmentation follow from the recipe's seed and the epoch alone, so a resumed run ends in the
    same weights, to the bit, as one that was never interrupted (on one machine and thread count).
    """
    memory.keep_freed()
    preprocessing = _preprocessing(recipe, finder)
    train = prepare_side(cohort, "train", preprocessing, cache, finder=finder, show_progress=show_progress)
    tune = prepare_side(cohort, "tune", preprocessing, cache, finder=finder, show_progress=show_progress)
    train = _taught(train, recipe, preprocessing, teacher, show_progress)
    if recipe.labels == "shuffled":
        train = dataclasses.replace(train, reference=np.random.default_rng(recipe.seed).permutation(train.reference))
    if epochs.steps(recipe, len(train.reference)) < 1:
        raise TrainingError(f"{len(train.reference)} training images do not fill one batch of {recipe.batch}; use --batch")
    _can_paint(recipe, train)
    torch.manual_seed(recipe.seed)
    network = build(backbone, recipe.head, len(CLASSES), recipe.side_px)
    started_from = initialize(network, backbone, init)
    network = network.to(memory_format=torch.channels_last)
    assert cohort.split is not None
    depends = (preprocessing.lungs, teacher.model.sha256 if teacher else "")
    fingerprint = _fingerprint(recipe, backbone, started_from, cohort.split.sha256, *depends)
    run = _Run(recipe, train, tune, out, fingerprint, show_progress, on_epoch)
    network.load_state_dict(_epochs(network, run, resume))
    card = Card(
        name=f"{backbone.name}-{recipe.name}",
        backbone=backbone.name,
        head=recipe.head,
        classes=CLASSES,
        preprocessing=preprocessing,
        init=started_from + (f"; teacher {teacher.card.name} ({teacher.model.sha256[:12]})" if teacher else ""),
        recipe=dataclasses.asdict(recipe),
        cohort=f"{cohort.source}; {len(cohort.cases)} images; split {cohort.split.rule}",
        split_sha256=cohort.split.sha256,
        data_licences=licences,
        intended_population=population,
        limits=LIMITS,
        map_method=EVIDENCE if recipe.adds_up else GRAD_CAM,
    )
    domain, card = _known(network, _tuned(network, card, tune, calibrate), train, tune)
    finished = save(Classifier(network, card, finder, domain), out)
    _clear_state(out)
    return finished


def _preprocessing(recipe: Recipe, finder: LungFinder | None) -> Preprocessing:
    if recipe.view == "whole" and not recipe.adds_up:
        return Preprocessing(recipe.side_px)
    if finder is None:
        raise TrainingError(f"the recipe '{recipe.name}' looks at lungs; give a lung-field model")
    return Preprocessing(recipe.side_px, recipe.view, source_px=SOURCE_PX, lungs=finder.sha256)


def _can_paint(recipe: Recipe, train: Side) -> None:
    for value, wanted in ((0, recipe.painted_negatives), (1, recipe.painted_positives)):
        there = int((train.reference == value).sum())
        if there < wanted:
            what = "with" if value else "without"
            raise TrainingError(
                f"each step paints on {wanted} images {what} the target, the train side has {there}; paint on fewer"
            )


def _taught(side: Side, recipe: Recipe, preprocessing: Preprocessing, teacher: Reader | None, show_progress: bool) -> Side:
    """The side with the teacher's heat maps as a third channel, means of the map and of the mirrored image's."""
    if not recipe.teacher_weight:
        if teacher:
            raise TrainingError(f"the recipe '{recipe.name}' has no teacher_weight; leave the teacher out or give a weight")
        return side
    if teacher is None or teacher.card.preprocessing != preprocessing:
        raise TrainingError(
            f"the recipe '{recipe.name}' needs a teacher that looks at the same square ({preprocessing.view}, "
            f"{preprocessing.side_px} px); give its bundle"
        )
    maps = []
    for k in tqdm(range(0, len(side.squares), _TEACHING_BATCH), desc="teaching", disable=None if show_progress else True):
        images = side.squares[k : k + _TEACHING_BATCH].astype(np.float32) / np.float32(255)
        straight, mirrored = teacher.explain(images)[1], teacher.explain(np.ascontiguousarray(images[..., ::-1]))[1]
        raw = torch.from_numpy((straight + mirrored[..., ::-1]) / 2)[:, None]
        whole = F.interpolate(raw, size=images.shape[-2:], mode="bilinear").numpy()
        maps.append(np.rint(scaled(whole, teacher.card) * 255).astype(np.uint8))
    return dataclasses.replace(side, squares=np.concatenate([side.squares, np.concatenate(maps)], 1))


def _fingerprint(recipe: Recipe, backbone: Backbone, init: str, split: str, lungs: str, teacher: str) -> str:
    text = json.dumps([dataclasses.asdict(recipe), backbone.name, init, split, lungs, teacher], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _epochs(network: AnyNetwork, run: _Run, resume: bool) -> dict[str, Tensor]:
    """Run the epochs that are left and return the best epoch's weights."""
    last, best = run.out / "state" / "last.safetensors", run.out / "state" / "best.safetensors"
    optimizer = _optimizer(network, run.recipe)
    progress: Progress[Epoch] = Progress((), run.fingerprint)
    finished = (run.out / CARD_NAME).exists()
    if resume and last.exists():
        progress = state.load(last, network, optimizer, run.fingerprint, Epoch)
    elif resume and finished:
        raise TrainingError(f"the run in '{run.out}' is finished; nothing is left to resume")
    elif last.exists() or finished:
        raise TrainingError(f"'{run.out}' already holds a run; add --resume to go on, or choose another folder")
    last.parent.mkdir(parents=True, exist_ok=True)
    criterion = loss.of_recipe(run.recipe, run.train.reference)
    while len(progress.history) < run.recipe.epochs and not _stopped(run.recipe, progress):
        row = _epoch(network, optimizer, criterion, run, len(progress.history))
        progress = Progress((*progress.history, row), run.fingerprint)
        if progress.best is row:
            state.save(best, network, optimizer, progress)
        state.save(last, network, optimizer, progress)
        curves.write_table(run.out / curves.CURVES_NAME, progress.history)
        run.on_epoch(row)
    curves.write_table(run.out / curves.CURVES_NAME, progress.history)  # once more: a run may have been killed before it
    curves.plot(run.out / "curves.png", progress.history)
    state.load(best, network, optimizer, run.fingerprint, Epoch)
    return network.state_dict()


def _stopped(recipe: Recipe, progress: Progress[Epoch]) -> bool:
    return bool(progress.history) and 0 < recipe.patience <= progress.epochs_since_best


def _optimizer(network: AnyNetwork, recipe: Recipe) -> torch.optim.Optimizer:
    """Of two groups, the library's model and the new layers beside it, each with how its rate relates to the recipe's."""
    kind = torch.optim.Adam if recipe.optimizer == "adam" else torch.optim.AdamW
    if recipe.head_rate == 1:
        return kind([{"params": list(network.parameters()), "times": 1.0}], lr=recipe.rate, weight_decay=recipe.weight_decay)
    new = [p for name, p in network.named_parameters() if not name.startswith("model.") or _is_new(name)]
    known = {id(p) for p in new}
    old = [p for p in network.parameters() if id(p) not in known]
    groups = [{"params": old, "times": 1.0}, {"params": new, "times": recipe.head_rate}]
    return kind(groups, lr=recipe.rate, weight_decay=recipe.weight_decay)


def _is_new(name: str) -> bool:
    """Whether a layer of the library's model is the new classification head."""
    return name.startswith(("model.fc.", "model.classifier.", "model.heads."))


def _epoch(network: AnyNetwork, optimizer: torch.optim.Optimizer, criterion: loss.Loss, run: _Run, epoch: int) -> Epoch:
    """One pass over the train side, then the tune side's loss and ROC-AUC."""
    recipe, train, tune = run.recipe, run.train, run.tune
    torch.manual_seed(int(np.random.SeedSequence((recipe.seed, epoch)).generate_state(1)[0]))  # dropout
    network.train()
    steps, start, total, rate = epochs.steps(recipe, len(train.reference)), time.perf_counter(), 0.0, 0.0
    with _bar(recipe, epoch, steps, run.show_progress) as advance:
        for step, (images, target) in enumerate(epochs.batches(recipe, train.squares, train.reference, epoch)):
            rate = rate_at(recipe, epoch * steps + step, steps)
            canvas = epochs.canvas(recipe, train.squares, train.reference, epoch, step)
            total += _step(network, optimizer, criterion, recipe, images, target, canvas, rate)
            advance(total / (step + 1), rate)
    seconds = time.perf_counter() - start
    logits = predict(network, tune.squares)
    if not math.isfinite(total) or not np.isfinite(logits).all():
        raise TrainingError(f"the loss became infinite in epoch {epoch + 1}; lower the rate ({recipe.rate:g}) and start again")
    return Epoch(
        epoch=epoch + 1,
        loss=total / steps,
        tune_loss=float(criterion(torch.from_numpy(logits), torch.from_numpy(tune.reference))),
        tune_auc=float(roc_auc_score(tune.reference, logits[:, 1] - logits[:, 0])),
        rate=rate,
        images_per_s=steps * recipe.batch / seconds,
        seconds=seconds,
    )


def _step(
    network: AnyNetwork,
    optimizer: torch.optim.Optimizer,
    criterion: loss.Loss,
    recipe: Recipe,
    images: Tensor,
    target: Tensor,
    canvas: tuple[Tensor, Tensor],
    rate: float,
) -> float:
    for group in optimizer.param_groups:
        group["lr"] = rate * group["times"]
    if isinstance(network, EvidenceNetwork):
        value = evidence.step_loss(network, images, target, *canvas, criterion, recipe)
    else:
        value = criterion(network(images), target)
    optimizer.zero_grad(set_to_none=True)
    value.backward()
    optimizer.step()
    return float(value.detach())


@contextmanager
def _bar(recipe: Recipe, epoch: int, steps: int, show: bool) -> Iterator[Callable[[float, float], None]]:
    """A progress bar over the images of an epoch, with loss and rate."""
    with tqdm(
        total=steps * recipe.batch, desc=f"epoch {epoch + 1}/{recipe.epochs}", unit="image", disable=None if show else True,
        mininterval=1.0,
    ) as bar:  # fmt: skip

        def advance(value: float, rate: float) -> None:
            bar.set_postfix_str(f"loss {value:.4f}, rate {rate:.1e}", refresh=False)
            bar.update(recipe.batch)

        yield advance


def predict(network: AnyNetwork, images: Squares) -> NDArray[np.float32]:
    """Logits float32 (n, classes) of prepared squares uint8 (n, channels, side, side)."""
    with evaluating(network), torch.inference_mode():
        parts = [network(_tensor(images, k)).numpy() for k in range(0, len(images), _EVALUATION_BATCH)]
    return np.concatenate(parts)


def _tensor(images: Squares, start: int) -> Tensor:
    return torch.from_numpy(images[start : start + _EVALUATION_BATCH].astype(np.float32) / np.float32(255))


def _tuned(network: AnyNetwork, card: Card, tune: Side, method: CalibrationMethod) -> Card:
    """Calibration, operating points and the scale of the heat maps, all from the tune side."""
    logits = predict(network, tune.squares).astype(np.float64)
    log_odds, reference = logits[:, 1] - logits[:, 0], tune.reference.astype(np.float64)
    fitted = calibration.fit(method, reference, log_odds, f"tune side of split {card.split_sha256}")
    probability = fitted(log_odds)
    points = tuple(
        calibration.choose(rule, reference, probability, "tune", card.split_sha256)
        for rule in ("youden", "sensitivity>=0.95", "specificity>=0.95")
    )
    zone = calibration.grey_zone(reference, probability, "tune", card.split_sha256)
    card = dataclasses.replace(card, calibration=fitted, operating_points=points, grey_zone=zone)
    if not isinstance(network, Network):
        return dataclasses.replace(card, map_scale=fitted.temperature, finding_threshold=points[0].threshold)
    scales = {name: map_scale(network, tune.squares[tune.reference == TARGET], method) for name, method in METHODS.items()}
    return dataclasses.replace(card, map_scale=scales.pop(card.map_method), other_map_scales=scales)


def map_scale(network: Network, positives: Squares, method: Combine) -> float:
    """The median of the maxima of the target's heat maps over positives; 1 where all maps are flat."""
    peaks = [
        gradcam.explain(network, _tensor(positives, k), TARGET, method)[1].amax((1, 2)).numpy()
        for k in range(0, len(positives), _EVALUATION_BATCH)
    ]
    return float(np.median(np.concatenate(peaks))) or 1.0


def _known(network: AnyNetwork, card: Card, train: Side, tune: Side) -> tuple[Domain, Card]:
    """The domain of the training images, and the card with the limit that the tune side sets."""
    domain = Domain.fit(embed(network, train.squares))
    limit = domain.limit(embed(network, tune.squares), "tune", card.split_sha256)
    return domain, dataclasses.replace(card, domain=limit)


def embed(network: AnyNetwork, images: Squares) -> NDArray[np.float32]:
    """Features float32 (n, features) of squares uint8 (n, channels, side, side)."""
    with evaluating(network), torch.inference_mode():
        parts = [network.embed(_tensor(images, k)).numpy() for k in range(0, len(images), _EVALUATION_BATCH)]
    return np.concatenate(parts)


def _clear_state(out: Path) -> None:
    """A finished run needs no state to resume from."""
    for path in sorted((out / "state").iterdir(), reverse=True):  # last before best: what is half cleared counts as finished
        path.unlink()
    (out / "state").rmdir()
