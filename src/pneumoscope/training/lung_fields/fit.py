"""The training loop of the lung-field network."""

import dataclasses
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm import tqdm

from pneumoscope.lung_fields.card import LungCard
from pneumoscope.lung_fields.network import SIDE_PX, LungNetwork
from pneumoscope.training import allocator, resume_state
from pneumoscope.training.compute import Compute
from pneumoscope.training.errors import TrainingError
from pneumoscope.training.lung_fields import agreement
from pneumoscope.training.lung_fields.augmentation import augmented
from pneumoscope.training.lung_fields.recipe import LungRecipe
from pneumoscope.training.lung_fields.squares import LungSet, LungSquares, load
from pneumoscope.training.prediction import as_tensor, predict
from pneumoscope.training.resume_state import Progress
from pneumoscope.training.schedule import rate_at, take_step
from pneumoscope.training.square_store import SquareStore

_PROOF_IMAGES = 16
LIMITS = (
    "Lung fields of frontal chest radiographs shown in the usual way. The masks that it learned from include the heart's share "
    "of the lung fields; wholly opaque lungs were rare among them."
)


@dataclass(frozen=True)
class LungEpoch:
    """One row of the learning curve.

    Parameters
    ----------
    epoch
        Number of the epoch, from 1.
    loss, tune_loss
        Mean loss over the steps, and over the tune images afterwards.
    tune_dice
        Mean Dice coefficient over the lungs of the tune images, in [0, 1].
    rate
        Learning rate of the last step.
    images_per_s
        Training images a second.
    seconds
        Duration of the steps.
    """

    epoch: int
    loss: float
    tune_loss: float
    tune_dice: float
    rate: float
    images_per_s: float
    seconds: float

    @property
    def quality(self) -> float:
        """The figure by which epochs are compared."""
        return self.tune_dice


@dataclass(frozen=True, eq=False)
class TrainedLungs:
    """A trained network.

    Parameters
    ----------
    network
        The network after its last epoch.
    card
        Its card, without a graph yet.
    proof
        float32, shape (n, 1, size_px, size_px), in [0, 1]: images to prove an export on.
    """

    network: LungNetwork
    card: LungCard
    proof: NDArray[np.float32]


def fit(
    sets: Sequence[LungSet],
    recipe: LungRecipe,
    out: Path,
    *,
    compute: Compute | None = None,
    resume: bool = False,
    show_progress: bool = False,
    on_epoch: Callable[[LungEpoch], None] = lambda _: None,
    licences: tuple[str, ...] = (),
) -> TrainedLungs:
    """Train a lung-field network, or go on from the last finished epoch.

    The state lies in the folder ``state`` of `out` until the caller removes it.

    Parameters
    ----------
    sets
        Cohorts with lung masks; one of them keeps a tune side, on which the quality threshold is fixed.
    recipe
        The settings of the training.
    out
        Folder of the run.
    compute
        Device and precision of the training; by default a CPU in single precision.
    resume
        Whether to go on from a state in `out`.
    show_progress
        Whether to show progress bars on a terminal.
    on_epoch
        Called after each epoch that was trained.
    licences
        Sources and licences of the data, for the card.

    Returns
    -------
    TrainedLungs
        The network with its card.

    Raises
    ------
    TrainingError
        If there are too few images, no tune images, a run in `out` that does not belong to these settings, a loss that is not
        finite, or no lung that is found well.
    DeviceError
        If the device runs out of memory.
    """
    compute = compute or Compute()
    allocator.keep_freed()
    squares = load(sets, show_progress=show_progress)
    if squares.trained.sum() < recipe.batch:
        raise TrainingError(f"{squares.trained.sum()} training images do not fill one batch of {recipe.batch}; give more")
    with compute.running():
        network = _trained(_Run(squares, sets, recipe, out, compute, show_progress, on_epoch), resume).cpu()
    card = LungCard(
        name="lung-fields",
        size_px=SIDE_PX,
        quality_threshold=agreement.quality_threshold(network, squares, sets),
        recipe=dataclasses.asdict(recipe),
        trained_with=compute.recorded(),
        data=tuple(_stated(squares, s) for s in sets),
        data_licences=licences,
        limits=LIMITS,
        results=agreement.results(network, squares, sets),
    )
    return TrainedLungs(network, card, as_tensor(squares.images[:_PROOF_IMAGES, None]).numpy())


@dataclass(frozen=True, eq=False)
class _Run:
    """What stays the same over the epochs of a run."""

    squares: LungSquares
    sets: Sequence[LungSet]
    recipe: LungRecipe
    out: Path
    compute: Compute
    show_progress: bool
    on_epoch: Callable[[LungEpoch], None]

    @property
    def sha256(self) -> str:
        splits = [s.cohort.partition.sha256 if s.cohort.partition else "" for s in self.sets]
        parts = (dataclasses.asdict(self.recipe), splits, [s.split for s in self.sets])
        return resume_state.run_sha256(*parts, *self.compute.rounding())


def _trained(run: _Run, resume: bool) -> LungNetwork:
    """Run the epochs that are left."""
    torch.manual_seed(run.recipe.seed)
    network = LungNetwork().to(run.compute.device).to(memory_format=torch.channels_last)
    learner = _Learner(network, run)
    last = run.out / "state" / "last.safetensors"
    progress: Progress[LungEpoch] = Progress((), run.sha256)
    if last.exists():
        if not resume:
            raise TrainingError(f"'{run.out}' already holds a run; add --resume to go on, or choose another folder")
        progress = resume_state.load(last, network, learner.optimizer, run.sha256, LungEpoch, learner.scaler)
    last.parent.mkdir(parents=True, exist_ok=True)
    while len(progress.history) < run.recipe.epochs:
        row = _epoch(learner, run, len(progress.history))
        progress = Progress((*progress.history, row), run.sha256)
        resume_state.save(last, network, learner.optimizer, progress, learner.scaler)
        run.on_epoch(row)
    return network


def _stated(squares: LungSquares, lung_set: LungSet) -> str:
    split = lung_set.cohort.partition.sha256[:12] if lung_set.cohort.partition else ""
    count = len(squares.where(lung_set.name, lung_set.split))
    return f"{lung_set.name}: {count} images of the {lung_set.split} side of split {split}"


def _order(run: _Run, rng: np.random.Generator) -> NDArray[np.intp]:
    """The images of an epoch in their order; those of the sets after the first are repeated."""
    pool = np.flatnonzero(run.squares.trained)
    small = pool[[run.squares.sets[k] != run.sets[0].name for k in pool]]
    return rng.permutation(np.concatenate([pool, np.repeat(small, run.recipe.repeat - 1)]))


class _Learner:
    """The network with its optimizer and its images on the device."""

    def __init__(self, network: LungNetwork, run: _Run) -> None:
        self.network, self.run = network, run
        compute, recipe = run.compute, run.recipe
        self.optimizer = torch.optim.AdamW(network.parameters(), recipe.rate, weight_decay=recipe.weight_decay)
        self.scaler = torch.amp.GradScaler(compute.device.type) if compute.scales_loss else None
        torch.compiler.reset()
        self._output = cast(nn.Module, torch.compile(network)) if compute.compiled else network
        self._images = SquareStore(run.squares.images[:, None], compute)

    def step(self, chosen: NDArray[np.intp], rate: float) -> Tensor:
        """Learn from images by their indices, and return the loss, detached."""
        compute = self.run.compute
        masks = compute.send(self.run.squares.masks[chosen]).to(compute.dtype)
        images, masks = augmented(self._images.rows(chosen), masks, self.run.recipe.opaque)
        with compute.autocast():
            logits = self._output(images.contiguous(memory_format=torch.channels_last))
        value = loss(logits.to(compute.dtype), masks)
        take_step(value, self.optimizer, rate, self.scaler)
        return value.detach()


def _epoch(learner: _Learner, run: _Run, epoch: int) -> LungEpoch:
    """Train one epoch, and measure the tune images."""
    squares, recipe, network = run.squares, run.recipe, learner.network
    seed = int(np.random.SeedSequence((recipe.seed, epoch)).generate_state(1)[0])
    torch.manual_seed(seed)
    order = _order(run, np.random.default_rng(seed))
    steps = len(order) // recipe.batch
    network.train()
    start, losses, rate = time.perf_counter(), [], 0.0
    label = f"epoch {epoch + 1}/{recipe.epochs}"
    for step in tqdm(range(steps), desc=label, unit="step", disable=None if run.show_progress else True):
        rate = rate_at(recipe, epoch * steps + step, steps)
        losses.append(learner.step(order[step * recipe.batch : (step + 1) * recipe.batch], rate))
    total = sum(torch.stack(losses).tolist())
    seconds = time.perf_counter() - start
    tune = squares.tune(run.sets)
    logits = predict(network, squares.images[tune, None])
    if not (math.isfinite(total) and np.isfinite(logits).all()):
        raise TrainingError(f"the loss or the logits on tune are no longer finite numbers in epoch {epoch + 1}; start again")
    return LungEpoch(
        epoch=epoch + 1,
        loss=total / steps,
        tune_loss=float(loss(torch.from_numpy(logits), torch.from_numpy(squares.masks[tune]).float())),
        tune_dice=float(agreement.dice(logits > 0, squares.masks[tune]).mean()),
        rate=rate,
        images_per_s=steps * recipe.batch / seconds,
        seconds=seconds,
    )


def loss(logits: Tensor, masks: Tensor) -> Tensor:
    """Compute cross-entropy plus one minus the soft Dice coefficient of each lung (Milletari et al. 2016, arXiv 1606.04797).

    Parameters
    ----------
    logits
        Shape (batch, 2, size_px, size_px).
    masks
        Same shape, 0 or 1.

    Returns
    -------
    Tensor
        A scalar.
    """
    p = logits.sigmoid()
    overlap = (2 * (p * masks).sum((2, 3)) + 1) / ((p + masks).sum((2, 3)) + 1)
    return F.binary_cross_entropy_with_logits(logits, masks) + 1 - overlap.mean()
