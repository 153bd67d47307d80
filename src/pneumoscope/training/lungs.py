"""Train the lung-field network on radiographs with lung masks, resumably."""

import dataclasses
import hashlib
import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage
from torch import Tensor
from torch.nn import functional as F
from tqdm import tqdm

from pneumoscope import radiograph
from pneumoscope.classifier.checkpoint import evaluating
from pneumoscope.cohort import Case, Cohort
from pneumoscope.lung_fields.card import LungCard
from pneumoscope.lung_fields.network import SIDE_PX, LungNetwork
from pneumoscope.radiograph.placement import on_whole
from pneumoscope.training import allocator, resume_state
from pneumoscope.training.errors import TrainingError
from pneumoscope.training.resume_state import Progress
from pneumoscope.training.schedule import rate_at

_EVALUATION_BATCH = 64
_PROOF_IMAGES = 16
_WELL_FOUND = 0.8
_MASK_PX = 2 * SIDE_PX  # enough to tell the lungs apart, and much faster than at full resolution
LIMITS = (
    "Lung fields of frontal chest radiographs shown in the usual way. The masks that it learned from include the heart's share "
    "of the lung fields; wholly opaque lungs were rare among them."
)
_LEAST_PART = 0.1  # of the larger lung's area; smaller parts of a mask are specks

Masks = NDArray[np.bool_]


@dataclass(frozen=True)
class LungRecipe:
    """Everything that decides what a lung-field training gives, apart from the data.

    Attributes
    ----------
    rate: peak learning rate, after a linear warm-up, then half a cosine to zero over `epochs`.
    repeat: how often each image of a set after the first is seen in an epoch: those sets are small.
    opaque: chance that opaque blobs are painted in, so that consolidated lung is still lung.
    """

    epochs: int = 20
    batch: int = 16
    rate: float = 4e-3
    warmup_epochs: float = 4.0
    weight_decay: float = 1e-3
    repeat: int = 6
    opaque: float = 0.7
    seed: int = 0

    @property
    def schedule(self) -> str:
        return "cosine"


@dataclass(frozen=True)
class LungSet:
    """Radiographs with lung masks: a split cohort, the folder of masks, and the side that is trained on."""

    name: str
    cohort: Cohort
    masks: Path
    split: str


@dataclass(frozen=True, eq=False)
class Squares:
    """Images uint8 (n, side, side), masks of right and left lung bool (n, 2, side, side), and each one's set and side."""

    images: NDArray[np.uint8]
    masks: Masks
    sets: tuple[str, ...]
    sides: tuple[str, ...]
    trained: NDArray[np.bool_]

    def where(self, name: str, side: str) -> NDArray[np.intp]:
        return np.flatnonzero([s == name and d == side for s, d in zip(self.sets, self.sides, strict=True)])


@dataclass(frozen=True)
class LungEpoch:
    """One row of the learning curve."""

    epoch: int
    loss: float
    tune_loss: float
    tune_dice: float
    rate: float
    images_per_s: float
    seconds: float

    @property
    def quality(self) -> float:
        return self.tune_dice


@dataclass(frozen=True, eq=False)
class Trained:
    """A trained network with its card, and a few squares float32 (n, 1, side, side) to prove an export with."""

    network: LungNetwork
    card: LungCard
    proof: NDArray[np.float32]


def fit(
    sets: Sequence[LungSet],
    recipe: LungRecipe,
    out: Path,
    *,
    resume: bool = False,
    show_progress: bool = False,
    on_epoch: Callable[[LungEpoch], None] = lambda _: None,
    licences: tuple[str, ...] = (),
) -> Trained:
    """Train, or go on from the last finished epoch; the state lies in `out`/state until the caller is done."""
    allocator.keep_freed()
    squares = load(sets, show_progress=show_progress)
    if squares.trained.sum() < recipe.batch:
        raise TrainingError(f"{squares.trained.sum()} training images do not fill one batch of {recipe.batch}; give more")
    torch.manual_seed(recipe.seed)
    network = LungNetwork().to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(network.parameters(), recipe.rate, weight_decay=recipe.weight_decay)
    last = out / "state" / "last.safetensors"
    run = _fingerprint(sets, recipe)
    progress: Progress[LungEpoch] = Progress((), run)
    if last.exists():
        if not resume:
            raise TrainingError(f"'{out}' already holds a run; add --resume to go on, or choose another folder")
        progress = resume_state.load(last, network, optimizer, run, LungEpoch)
    last.parent.mkdir(parents=True, exist_ok=True)
    while len(progress.history) < recipe.epochs:
        row = _epoch(network, optimizer, squares, sets, recipe, len(progress.history), show_progress)
        progress = Progress((*progress.history, row), run)
        resume_state.save(last, network, optimizer, progress)
        on_epoch(row)
    card = LungCard(
        name="lung-fields",
        size_px=SIDE_PX,
        quality_threshold=_threshold(network, squares, sets),
        recipe=dataclasses.asdict(recipe),
        data=tuple(_told(squares, s) for s in sets),
        data_licences=licences,
        limits=LIMITS,
        results=_results(network, squares, sets),
    )
    return Trained(network, card, _tensor(squares.images[:_PROOF_IMAGES]).numpy())


def _told(squares: Squares, lung_set: LungSet) -> str:
    split = lung_set.cohort.partition.sha256[:12] if lung_set.cohort.partition else ""
    count = len(squares.where(lung_set.name, lung_set.split))
    return f"{lung_set.name}: {count} images of the {lung_set.split} side of split {split}"


def load(sets: Sequence[LungSet], *, show_progress: bool = False) -> Squares:
    """Read radiographs and masks; a case without a mask, or whose mask does not show two lungs, is left out."""
    images: list[NDArray[np.uint8]] = []
    masks: list[Masks] = []
    names, sides, trained = [], [], []
    for lung_set in sets:
        if lung_set.cohort.partition is None:
            raise TrainingError(f"the cohort of '{lung_set.name}' has no split yet: run  pneumoscope cohort split  first")
        before = len(images)
        for case in tqdm(lung_set.cohort.cases, desc=lung_set.name, unit="image", disable=None if show_progress else True):
            mask = _mask(lung_set.masks, case)
            if mask is None:
                continue
            image = radiograph.read(lung_set.cohort.file(case))
            images.append(np.rint(on_whole(image, SIDE_PX).pixels_to_square(image) * 255).astype(np.uint8))
            masks.append(mask)
            names.append(lung_set.name)
            sides.append(case.split)
            trained.append(case.split == lung_set.split)
        if len(images) == before:
            raise TrainingError(f"no radiograph of '{lung_set.name}' has a mask of two lungs in '{lung_set.masks}'")
    return Squares(np.stack(images), np.stack(masks), tuple(names), tuple(sides), np.array(trained))


def _mask(folder: Path, case: Case) -> Masks | None:
    path = Path(case.path)
    for file in (folder / path.with_suffix(".png"), folder / f"{path.stem}.png"):
        if file.is_file():
            with Image.open(file) as image:
                square = image.convert("L").resize((_MASK_PX, _MASK_PX), Image.Resampling.NEAREST)
                return two_lungs(np.asarray(square) > 0)
    return None


def two_lungs(mask: Masks) -> Masks | None:
    """A mask of both lungs over the whole radiograph, bool (rows, cols), as right and left on the network's square.

    None where it shows no two.
    The right lung is the one that lies further to the left of the image.
    """
    labels, count = ndimage.label(mask)
    if count < 2:
        return None
    area = np.bincount(labels.ravel())[1:]
    first, second = np.argsort(area)[::-1][:2] + 1
    if area[second - 1] < _LEAST_PART * area[first - 1]:
        return None
    parts = sorted((labels == first, labels == second), key=lambda part: float(np.nonzero(part)[1].mean()))
    return np.stack([_squashed(part) for part in parts])


def _squashed(mask: Masks) -> Masks:
    image = Image.fromarray(mask.astype(np.float32)).resize((SIDE_PX, SIDE_PX), Image.Resampling.BILINEAR)
    return np.asarray(image, np.float32) >= 0.5


def _fingerprint(sets: Sequence[LungSet], recipe: LungRecipe) -> str:
    splits = [s.cohort.partition.sha256 if s.cohort.partition else "" for s in sets]
    text = json.dumps([dataclasses.asdict(recipe), splits, [s.split for s in sets]], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _epoch(
    network: LungNetwork,
    optimizer: torch.optim.Optimizer,
    squares: Squares,
    sets: Sequence[LungSet],
    recipe: LungRecipe,
    epoch: int,
    show_progress: bool,
) -> LungEpoch:
    seed = int(np.random.SeedSequence((recipe.seed, epoch)).generate_state(1)[0])
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    pool = np.flatnonzero(squares.trained)
    small = pool[[squares.sets[k] != sets[0].name for k in pool]]
    pool = rng.permutation(np.concatenate([pool, np.repeat(small, recipe.repeat - 1)]))
    steps = len(pool) // recipe.batch
    network.train()
    start, total, rate = time.perf_counter(), 0.0, 0.0
    label = f"epoch {epoch + 1}/{recipe.epochs}"
    for step in tqdm(range(steps), desc=label, unit="step", disable=None if show_progress else True):
        rate = rate_at(recipe, epoch * steps + step, steps)
        for group in optimizer.param_groups:
            group["lr"] = rate
        chosen = pool[step * recipe.batch : (step + 1) * recipe.batch]
        images, masks = augmented(_tensor(squares.images[chosen]), torch.from_numpy(squares.masks[chosen]).float(), recipe.opaque)
        value = loss(network(images.contiguous(memory_format=torch.channels_last)), masks)
        optimizer.zero_grad(set_to_none=True)
        value.backward()
        optimizer.step()
        total += float(value.detach())
    seconds = time.perf_counter() - start
    tune = _tune(squares, sets)
    logits = predict(network, squares.images[tune])
    masks = torch.from_numpy(squares.masks[tune]).float()
    if not math.isfinite(total):
        raise TrainingError(f"the loss became infinite in epoch {epoch + 1}; start again")
    return LungEpoch(
        epoch + 1,
        total / steps,
        float(loss(torch.from_numpy(logits), masks)),
        float(dice(logits > 0, squares.masks[tune]).mean()),
        rate,
        steps * recipe.batch / seconds,
        seconds,
    )


def loss(logits: Tensor, masks: Tensor) -> Tensor:
    """Cross-entropy plus one minus the soft Dice coefficient, over each lung; both (batch, 2, side, side)."""
    p = logits.sigmoid()
    overlap = (2 * (p * masks).sum((2, 3)) + 1) / ((p + masks).sum((2, 3)) + 1)
    return F.binary_cross_entropy_with_logits(logits, masks) + 1 - overlap.mean()


def augmented(images: Tensor, masks: Tensor, opaque: float) -> tuple[Tensor, Tensor]:
    """Images (batch, 1, side, side) in [0, 1] and masks (batch, 2, side, side) turned, stretched, moved and mirrored together;
    tone and sharpness of the images changed, and opaque blobs painted in with the chance `opaque`.

    A mirrored image has its lungs exchanged.
    """
    n = len(images)
    mirrored = (torch.rand(n) < 0.5)[:, None, None, None]
    images = torch.where(mirrored, images.flip(3), images)
    masks = torch.where(mirrored, masks.flip(3).flip(1), masks)
    grid = F.affine_grid(_affine(n), list(images.shape), align_corners=False)
    images = F.grid_sample(images, grid, align_corners=False)
    masks = F.grid_sample(masks, grid, mode="nearest", align_corners=False)
    images = images.clamp(0, 1) ** torch.exp(_uniform(n, -0.6, 0.6))
    images = images * _uniform(n, 0.7, 1.3) + _uniform(n, -0.15, 0.15)
    images = torch.where(torch.rand(n, 1, 1, 1) < 0.3, F.avg_pool2d(images, 3, 1, 1), images)
    images = torch.where(torch.rand(n, 1, 1, 1) < opaque, _blobs(images), images)
    return images.clamp(0, 1), masks


def _uniform(n: int, low: float, high: float) -> Tensor:
    return torch.rand(n, 1, 1, 1) * (high - low) + low


def _affine(n: int) -> Tensor:
    """Random maps (n, 2, 3) from output to input: ±14°, size ±35 %, aspect ±30 %, shift ±10 %."""
    turn, scale = (torch.rand(n) * 2 - 1) * 0.25, 1 + (torch.rand(n) * 2 - 1) * 0.35
    other = scale * (1 + (torch.rand(n) * 2 - 1) * 0.3)
    shift = (torch.rand(n, 2) * 2 - 1) * 0.2
    rows = [
        torch.stack([scale * turn.cos(), -other * turn.sin(), shift[:, 0]], 1),
        torch.stack([scale * turn.sin(), other * turn.cos(), shift[:, 1]], 1),
    ]
    return torch.stack(rows, 1)


def _blobs(images: Tensor) -> Tensor:
    """Two smooth spots a little brighter than the mean, up to opaque."""
    n, side = len(images), images.shape[-1]
    axis = torch.linspace(-1, 1, side)
    for _ in range(2):
        row, col = torch.rand(2, n, 1, 1) * 2 - 1
        radius, stretch = torch.rand(n, 1, 1) * 0.3 + 0.075, torch.exp(torch.randn(n, 1, 1) * 0.4)
        distance = ((axis[None, None] - col) * stretch) ** 2 + ((axis[None, :, None] - row) / stretch) ** 2
        alpha = torch.exp(-distance / (2 * radius**2))[:, None] * _uniform(n, 0, 0.85)
        bright = images.mean((2, 3), keepdim=True) + 0.2 + 0.15 * torch.randn(n, 1, 1, 1)
        images = images * (1 - alpha) + alpha * bright
    return images


def predict(network: LungNetwork, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Logits float32 (n, 2, side, side) of images uint8 (n, side, side)."""
    with evaluating(network), torch.inference_mode():
        parts = [network(_tensor(images[k : k + _EVALUATION_BATCH])).numpy() for k in range(0, len(images), _EVALUATION_BATCH)]
    return np.concatenate(parts)


def _tensor(images: NDArray[np.uint8]) -> Tensor:
    return torch.from_numpy(images.astype(np.float32) / np.float32(255))[:, None]


def dice(found: Masks, reference: Masks) -> NDArray[np.float64]:
    """Dice coefficient of masks over their last two axes."""
    both = (found & reference).sum((-2, -1))
    return np.asarray(2 * both / np.maximum(found.sum((-2, -1)) + reference.sum((-2, -1)), 1))


def agreement(probability: NDArray[np.float32], mask: Masks) -> float:
    """Soft Dice coefficient of probabilities with a mask, in [0, 1]: 1 where the network is certain everywhere."""
    both = float(probability[mask].sum())
    total = float(probability.sum()) + float(mask.sum())
    return 2 * both / total if mask.any() else 0.0


def boundary_distance(found: Masks, reference: Masks) -> float:
    """Mean symmetric distance of two outlines, in percent of the square's side; NaN where one is empty."""
    if not found.any() or not reference.any():
        return math.nan
    edges = [m & ~ndimage.binary_erosion(m) for m in (found, reference)]
    to = [ndimage.distance_transform_edt(~edge) for edge in edges]
    return float((to[1][edges[0]].mean() + to[0][edges[1]].mean()) / 2 / found.shape[-1] * 100)


def _tune(squares: Squares, sets: Sequence[LungSet]) -> NDArray[np.intp]:
    """The tune images that no set trains on."""
    tune = [squares.where(s.name, "tune") for s in sets if s.split != "tune"]
    chosen = np.concatenate(tune) if tune else np.array([], np.intp)
    if not len(chosen):
        raise TrainingError("no set keeps a tune side for the quality threshold; split one with a train and a tune side")
    return chosen


def _threshold(network: LungNetwork, squares: Squares, sets: Sequence[LungSet]) -> float:
    """The quality that 99 in 100 well found lungs (Dice ≥ 0.8) reach: of tune images as they are, very dark, and very flat."""
    tune = _tune(squares, sets)
    images, masks = squares.images[tune].astype(np.float32), squares.masks[tune]
    quality = []
    for changed in (images, images * 0.15, images * 0.1 + 127):
        logits = predict(network, changed.astype(np.uint8))
        p = 1 / (1 + np.exp(-logits))
        agreed = np.array([[agreement(q, q >= 0.5) for q in two] for two in p])
        quality.append(agreed[dice(logits > 0, masks) >= _WELL_FOUND])
    found = np.concatenate(quality)
    if not found.size:
        raise TrainingError("no lung of the tune side was found well, so no quality threshold can be fixed; give more epochs")
    return float(np.quantile(found, 0.01))


def _results(network: LungNetwork, squares: Squares, sets: Sequence[LungSet]) -> dict[str, dict[str, float]]:
    """Dice and boundary distance of each lung on the images that were not trained on, by set and side."""
    results = {}
    for lung_set in sets:
        for side in ("tune", "test"):
            chosen = squares.where(lung_set.name, side)
            if side == lung_set.split or not len(chosen):
                continue
            found, reference = predict(network, squares.images[chosen]) > 0, squares.masks[chosen]
            pairs = zip(found.reshape(-1, *found.shape[2:]), reference.reshape(-1, *found.shape[2:]), strict=True)
            apart = np.array([boundary_distance(a, b) for a, b in pairs])
            overlap = dice(found, reference)
            results[f"{lung_set.name}, {side}"] = {
                "images": len(chosen),
                "dice_mean": float(overlap.mean()),
                "dice_least": float(overlap.min()),
                "boundary_distance_percent_of_side": float(apart[~np.isnan(apart)].mean())
                if not np.isnan(apart).all()
                else math.nan,
            }
    return results
