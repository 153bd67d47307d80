"""Train one network on the accelerator: data, views, losses and the step live there; leave predictions, maps and weights."""

import contextlib
import copy
import json
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score
from torch import Tensor

from full_comparison.archive import Archive
from full_comparison.plan import BATCH, PAINTED_NEGATIVES, PAINTED_POSITIVES, Job
from full_comparison.squares import Prepared
from pneumoscope.classifier.backbone import backbone
from pneumoscope.classifier.checkpoint import evaluating
from pneumoscope.classifier.evidence import EvidenceNetwork, over_cells, pool
from pneumoscope.classifier.network import Network, build
from pneumoscope.classifier.weights import initialize
from pneumoscope.heatmap import gradcam
from pneumoscope.heatmap.explain import TARGET
from pneumoscope.training import views
from pneumoscope.training.evidence import energy_outside, painting_loss, teacher_loss
from pneumoscope.training.loss import beside_teacher, focal
from pneumoscope.training.painting import paint
from pneumoscope.training.recipe import Recipe
from pneumoscope.training.recipe import recipe as named
from pneumoscope.training.schedule import rate_at

AnyNetwork = Network | EvidenceNetwork
Batch = dict[str, Tensor]
GAMMA = 2.0
CLIP = 5.0
ENERGY_WEIGHT, PAINTING_WEIGHT, MAP_WEIGHT = 0.4, 0.5, 0.5
AVERAGED_SHARE = 0.1
"""Of the steps, that the exponential average of the weights reaches back."""
_AHEAD = 8  # steps whose views are drawn at once
_WARM = 3  # steps before the capture of a graph
_EVALUATED = 128
INIT_FILES = {"mobilenet_v2": "mobilenet_v2.safetensors", "efficientnet_lite0": "efficientnet_lite0.safetensors"}


@dataclass(frozen=True)
class Row:
    """One epoch of a training, measured with the averaged weights on tune; images are labelled ones, without painted copies."""

    epoch: int
    loss: float
    tune_auc: float
    rate: float
    seconds: float
    images_per_s: float


class Data:
    """The archive's squares on the device, with their references.

    Parameters
    ----------
    prepared: the archive's squares.
    device: where tensors live.
    few: train on so many images only (a test of the script); 0 for all.
    """

    def __init__(self, prepared: Prepared, device: torch.device, few: int = 0) -> None:
        archive = prepared.archive
        self.prepared, self.device = prepared, device
        self.wanted = maps_wanted(archive)
        self.numbers = {s: archive.of("kermany", s) for s in ("train", "tune", "test")}
        if few:
            self.numbers = {s: n[:: max(1, len(n) // few)] for s, n in self.numbers.items()}
        self.few = few
        self.references = np.array([e.reference for e in archive.entries])
        self._pool: dict[int, Tensor] = {}

    @cached_property
    def whole(self) -> Tensor:
        return torch.from_numpy(np.array(self.prepared.whole())).to(self.device)

    @cached_property
    def lungs(self) -> Tensor:
        return torch.from_numpy(np.array(self.prepared.lungs())).to(self.device)

    def target(self, split: str) -> Tensor:
        return torch.from_numpy(self.references[self.numbers[split]].astype(np.int64)).to(self.device)

    def pool(self, epoch: int) -> Tensor:
        """Return the augmented training images of an epoch, uint8 (n, side, side)."""
        epoch %= self.prepared.pool_epochs
        if epoch not in self._pool:
            images = torch.from_numpy(np.array(self.prepared.pool()[epoch]))
            if self.few:
                images = images[:: max(1, len(images) // self.few)]
            self._pool[epoch] = images.to(self.device)
        return self._pool[epoch]

    def squares(self, crop: str, numbers: NDArray[np.intp]) -> Tensor:
        """Return prepared squares of entries, float32 (n, channels, side, side) in [0, 1]."""
        index = torch.from_numpy(numbers.astype(np.int64)).to(self.device)
        chosen = self.whole[index][:, None] if crop == "whole" else self.lungs[index]
        return chosen.float() / 255


# Batches


def order(job: Job, images: int, batch: int, epoch: int) -> NDArray[np.intp]:
    """Return the images of each step of an epoch, (steps, batch)."""
    steps = images // batch
    return np.random.default_rng((job.seed, epoch)).permutation(images)[: steps * batch].reshape(steps, batch)


def whole_batches(data: Data, job: Job, batch: int, epoch: int, taught: Tensor | None) -> Iterator[Batch]:
    """Yield the batches of an epoch of the whole crop: published augmentations, half of them mirrored.

    Parameters
    ----------
    taught: the teachers' log-odds of each augmented copy, (epochs, n_train).
    """
    images, target = data.pool(epoch), data.target("train")
    for step in torch.from_numpy(order(job, len(target), batch, epoch)).to(data.device):
        grey = images[step][:, None].float() / 255
        mirrored = torch.rand(len(step), 1, 1, 1, device=data.device) < 0.5
        made = {"grey": torch.where(mirrored, grey.flip(-1), grey), "target": target[step]}
        if taught is not None:
            made["taught"] = taught[epoch % len(taught)][step]
        yield made


def lung_batches(data: Data, job: Job, batch: int, epoch: int, taught: Tensor | None) -> Iterator[Batch]:
    """Yield the batches of an epoch of the lungs crop: views of the lungs, then what opacities were painted on.

    Parameters
    ----------
    taught: the teachers' log-odds of each training image, (n_train,).
    """
    target = data.target("train")
    numbers = torch.from_numpy(data.numbers["train"].astype(np.int64)).to(data.device)
    drawn, canvas = order(job, len(target), batch, epoch), canvases(data, job, batch, epoch)
    for first in range(0, len(drawn), _AHEAD):
        own, painted = (torch.from_numpy(x[first : first + _AHEAD]).to(data.device) for x in (drawn, canvas))
        steps, n = own.shape
        chosen = torch.cat([own.flatten(), painted.flatten()])
        with data.device:
            moved = views.moved(data.lungs[numbers[chosen]].float() / 255)
            grey, lungs = moved[:, :1], moved[:, 1:2]
            seen, opacity = paint(grey[steps * n :], lungs[steps * n :])
            grey = views.toned(torch.cat([grey[: steps * n], seen]))
        parts = {"grey": grey, "lungs": lungs}
        both = {k: (v[: steps * n].unflatten(0, (steps, n)), v[steps * n :].unflatten(0, (steps, -1))) for k, v in parts.items()}
        opacity = opacity.unflatten(0, (steps, -1))
        for k in range(steps):
            made = {name: torch.cat([a[k], b[k]]) for name, (a, b) in both.items()}
            made |= {"opacity": opacity[k], "target": target[own[k]], "canvas": target[painted[k]]}
            if taught is not None:
                made["taught"] = taught[own[k]]
            yield made


def canvases(data: Data, job: Job, batch: int, epoch: int) -> NDArray[np.intp]:
    """Return what each step of an epoch paints on, (steps, negatives + positives)."""
    reference = data.references[data.numbers["train"]]
    rng = np.random.default_rng((job.seed, epoch, batch))
    wanted = ((0, PAINTED_NEGATIVES * batch // BATCH), (1, PAINTED_POSITIVES * batch // BATCH))
    return np.stack(
        [
            np.concatenate([rng.choice(np.flatnonzero(reference == k), n, replace=False) for k, n in wanted])
            for _ in range(len(reference) // batch)
        ]
    )


# Losses


def whole_loss(network: AnyNetwork, recipe: Recipe) -> Callable[[Batch], Tensor]:
    """Return the loss of a batch of the whole crop: focal, beside the teachers' log-odds where there are any."""

    def loss(batch: Batch) -> Tensor:
        return _labelled(network(batch["grey"]).float(), batch, recipe)

    return loss


def _labelled(logits: Tensor, batch: Batch, recipe: Recipe) -> Tensor:
    def criterion(x: Tensor, y: Tensor) -> Tensor:
        return focal(x, y, GAMMA)

    own = beside_teacher(criterion, batch["taught"], recipe) if "taught" in batch else criterion
    return own(logits, batch["target"])


def lungs_loss(network: EvidenceNetwork, teacher: EvidenceNetwork | None, recipe: Recipe) -> Callable[[Batch], Tensor]:
    """Return the loss of a batch of the lungs crop, as `pneumoscope.training.evidence.step_loss` has it.

    Parameters
    ----------
    teacher: whose evidence in the same views is learned as well, where there is one.
    """

    def loss(batch: Batch) -> Tensor:
        target, n = batch["target"], len(batch["target"])
        cells = network.cells(batch["grey"]).float()
        lung = over_cells(batch["lungs"], cells)
        log_odds = pool(cells[:n], lung[:n])
        value = _labelled(torch.stack([torch.zeros_like(log_odds), log_odds], 1), batch, recipe)
        value = value + ENERGY_WEIGHT * energy_outside(cells[:n], lung[:n], target)
        if teacher is not None:
            with torch.no_grad():
                shown = over_cells(teacher.cells(batch["grey"][:n]).float().sigmoid()[:, None], cells)
            value = value + MAP_WEIGHT * teacher_loss(cells[:n], shown, target)
        painted = painting_loss(cells[n:], over_cells(batch["opacity"], cells), lung[n:], batch["canvas"])
        return value + PAINTING_WEIGHT * painted

    return loss


# Steps


class Step:
    """One step of training: forward, backward, optimizer and average; a replayed CUDA graph after the first ones.

    Parameters
    ----------
    network, average: what is trained, and the exponential average of its weights.
    loss: of a batch.
    graph: whether to capture a graph (CUDA alone).
    """

    def __init__(
        self, network: AnyNetwork, average: AnyNetwork, loss: Callable[[Batch], Tensor], recipe: Recipe, steps: int, graph: bool
    ) -> None:
        self.loss, self.network = loss, network
        self.device = next(network.parameters()).device
        self.wants_graph = graph and self.device.type == "cuda"
        self.graph: Any = None
        self.taken = 0
        self.decay = 1 - 1 / max(2.0, AVERAGED_SHARE * steps)
        self.optimizer = self._optimizer(recipe)
        self.pairs = _floating(average), _floating(network)
        self.static: Batch = {}
        self.value = torch.zeros((), device=self.device)

    def _optimizer(self, recipe: Recipe) -> torch.optim.Optimizer:
        """AdamW whose rates are tensors, so that a captured step reads them."""
        new = [p for n, p in self.network.named_parameters() if not n.startswith("model.") or _is_new(n)]
        known = {id(p) for p in new}
        old = [p for p in self.network.parameters() if id(p) not in known]
        cuda = self.device.type == "cuda"
        groups = [
            {"params": p, "lr": torch.tensor(recipe.rate, device=self.device) if cuda else recipe.rate, "times": t}
            for p, t in ((old, 1.0), (new, recipe.head_rate))
        ]
        return torch.optim.AdamW(groups, weight_decay=recipe.weight_decay, capturable=cuda, fused=cuda)

    def __call__(self, batch: Batch, rate: float) -> Tensor:
        """Take a step at a learning rate; returns the loss, which the next step overwrites."""
        for group in self.optimizer.param_groups:
            if isinstance(group["lr"], Tensor):
                group["lr"].fill_(rate * group["times"])
            else:
                group["lr"] = rate * group["times"]
        if not self.wants_graph:
            self.value = self._eager(batch)
        elif self.taken < _WARM:
            self._warm(batch)
        else:
            for name, tensor in batch.items():
                self.static[name].copy_(tensor)
            if self.graph is None:
                self._capture()
            if self.graph is not None:
                self.graph.replay()
            else:
                self.value = self._eager(batch)
        self.taken += 1
        return self.value

    def _eager(self, batch: Batch) -> Tensor:
        self.optimizer.zero_grad(set_to_none=True)
        with autocast(self.device):
            value = self.loss(batch)
        value.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), CLIP)
        self.optimizer.step()
        with torch.no_grad():
            torch._foreach_lerp_(*self.pairs, 1 - self.decay)
        return value.detach()

    def _warm(self, batch: Batch) -> None:
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            self.static = self.static or {name: tensor.clone() for name, tensor in batch.items()}
            self.value = self._eager(batch).clone()
        torch.cuda.current_stream().wait_stream(stream)

    def _capture(self) -> None:
        """Capture the step; where the network cannot be captured, go on without a graph."""
        graph = torch.cuda.CUDAGraph()
        torch.cuda.synchronize()
        try:
            with torch.cuda.graph(graph):
                self.value = self._eager(self.static)
        except RuntimeError as error:
            print(f"no graph ({str(error).splitlines()[0][:160]}): going on without", flush=True)
            self.wants_graph = False
            self.optimizer.zero_grad(set_to_none=True)
            torch.cuda.synchronize()
            return
        self.graph = graph


def autocast(device: torch.device) -> contextlib.AbstractContextManager[Any]:
    """bf16 on CUDA; a captured graph must not hold on to cast weights."""
    if device.type != "cuda":
        return contextlib.nullcontext()
    return torch.autocast("cuda", torch.bfloat16, cache_enabled=False)


@contextlib.contextmanager
def _no_search() -> Iterator[None]:
    """cuDNN does not try its algorithms on shapes that come once."""
    before = torch.backends.cudnn.benchmark
    torch.backends.cudnn.benchmark = False
    try:
        yield
    finally:
        torch.backends.cudnn.benchmark = before


def _is_new(name: str) -> bool:
    return name.startswith(("model.fc.", "model.classifier.", "model.heads."))


def _floating(network: AnyNetwork) -> list[Tensor]:
    return [t.detach() for t in (*network.parameters(), *network.buffers()) if t.is_floating_point()]


# A training


class Training:
    """A job with its network, loss and batches on the device.

    Parameters
    ----------
    job, epochs: what is trained, and for how long.
    data: where from.
    weights: folder of the ImageNet weights.
    work: folder of what finished trainings left.
    """

    def __init__(self, job: Job, epochs: int, data: Data, weights: Path, work: Path, *, batch: int = BATCH, graph: bool = True):
        self.job, self.epochs, self.data, self.work, self.batch = job, epochs, data, work, batch
        torch.manual_seed(job.seed)
        head = "linear" if job.crop == "whole" else "evidence"
        base = "default" if job.crop == "whole" else "evidence"
        times = 1.0 if job.init == "scratch" else 2.5
        self.recipe = named(base, rate=job.rate, head_rate=times, epochs=epochs, batch=batch, distillation_weight=1.0)
        own = backbone(job.backbone)
        network = build(own, head, 2, data.prepared.side_px)
        self.start = initialize(network, own, job.init if job.init == "scratch" else str(weights / INIT_FILES[job.backbone]))
        self.network = network.to(data.device, memory_format=torch.channels_last)
        self.average = copy.deepcopy(self.network).eval().requires_grad_(False)
        self.steps = len(data.numbers["train"]) // batch
        self.taught = self._taught()
        self.step = Step(self.network, self.average, self._loss(), self.recipe, self.steps * epochs, graph)

    def _loss(self) -> Callable[[Batch], Tensor]:
        if isinstance(self.network, EvidenceNetwork):
            return lungs_loss(self.network, self._map_teacher(), self.recipe)
        return whole_loss(self.network, self.recipe)

    def _map_teacher(self) -> EvidenceNetwork | None:
        if not self.job.map_teacher:
            return None
        name = self.job.map_teacher
        network = build(backbone(name.split("-")[0]), "evidence", 2, self.data.prepared.side_px)
        network.load_state_dict(safetensors.torch.load_file(self.work / f"{name}.safetensors"))
        assert isinstance(network, EvidenceNetwork)
        return network.to(self.data.device, memory_format=torch.channels_last).eval().requires_grad_(False)

    def _taught(self) -> Tensor | None:
        """The teachers' mean log-odds of each augmented copy, of which the lungs crop gets the mean over copies."""
        if not self.job.teachers:
            return None
        each = [np.load(self.work / f"{name}.lessons.npy") for name in self.job.teachers]
        mean = torch.from_numpy(np.mean(each, 0).astype(np.float32)).to(self.data.device)
        return mean if self.job.crop == "whole" else mean.mean(0)

    def batches(self, epoch: int) -> Iterator[Batch]:
        make = whole_batches if self.job.crop == "whole" else lung_batches
        return make(self.data, self.job, self.batch, epoch, self.taught)

    def epoch(self, epoch: int) -> Row:
        """Train one epoch and measure the averaged weights on tune; RuntimeError where the loss is no number."""
        self.network.train()
        start, total, rate = time.perf_counter(), torch.zeros((), device=self.data.device), 0.0
        for k, batch in enumerate(self.batches(epoch)):
            rate = rate_at(self.recipe, epoch * self.steps + k, self.steps)
            total += self.step(batch, rate)
        loss = float(total) / self.steps
        seconds = time.perf_counter() - start
        if not math.isfinite(loss):
            raise RuntimeError(f"the loss became infinite in epoch {epoch + 1}")
        tune = self.data.numbers["tune"]
        auc = float(roc_auc_score(self.data.references[tune], self.log_odds(tune, fast=True)))
        return Row(epoch + 1, loss, auc, rate, seconds, self.steps * self.batch / seconds)

    def log_odds(self, numbers: NDArray[np.intp], *, mirrored: bool = False, fast: bool = False) -> NDArray[np.float32]:
        """Return the averaged weights' log-odds of entries, (n,), in float32 or, fast, in bf16."""
        parts = []
        for k in range(0, len(numbers), _EVALUATED):
            squares = self.data.squares(self.job.crop, numbers[k : k + _EVALUATED])
            parts.append(self._of(squares.flip(-1) if mirrored else squares, fast))
        return np.asarray(torch.cat(parts).cpu().numpy())

    def _of(self, squares: Tensor, fast: bool) -> Tensor:
        with torch.inference_mode(), _no_search(), autocast(self.data.device) if fast else contextlib.nullcontext():
            logits = self.average(squares).float()
        return logits[:, 1] - logits[:, 0]

    def maps(self, numbers: NDArray[np.intp]) -> NDArray[np.float32]:
        """Return the averaged weights' raw heat maps of entries, (n, h, w): evidence, or Grad-CAM of the target."""
        parts = []
        for k in range(0, len(numbers), _EVALUATED):
            squares = self.data.squares(self.job.crop, numbers[k : k + _EVALUATED])
            if isinstance(self.average, EvidenceNetwork):
                with torch.inference_mode(), _no_search(), evaluating(self.average):
                    parts.append(self.average.explain(squares)[1])
            else:
                with _no_search():
                    parts.append(gradcam.explain(self.average, squares, TARGET)[1])
        return np.asarray(torch.cat(parts).cpu().numpy())

    def lessons(self) -> NDArray[np.float32]:
        """Return the averaged weights' log-odds of every augmented training image, (epochs, n_train)."""
        rows = []
        for epoch in range(self.data.prepared.pool_epochs):
            images = self.data.pool(epoch)
            parts = [self._of(part[:, None].float() / 255, True) for part in images.split(512)]
            rows.append(torch.cat(parts).cpu().numpy())
        return np.stack(rows)


def fit(training: Training, deadline: float, wanted: Mapping[str, NDArray[np.intp]], teaches: bool) -> dict[str, Any]:
    """Train until the epochs or the time are over; leave predictions, maps and weights in `work`; returns the record.

    Parameters
    ----------
    deadline: by `time.time()`; the epoch that would end after it is not begun.
    wanted: entries by name whose log-odds (``log_odds NAME``) and, where the name ends in ``maps``, heat maps are left.
    teaches: whether later trainings learn from this one.
    """
    job, start = training.job, time.time()
    rows, best, state = [], -1.0, {}
    for epoch in range(training.epochs):
        rows.append(training.epoch(epoch))
        if epoch + 1 > training.epochs // 2 and rows[-1].tune_auc >= best:
            best = rows[-1].tune_auc
            state = {k: v.detach().clone() for k, v in training.average.state_dict().items()}
        if time.time() + 1.3 * rows[-1].seconds > deadline:
            break
    if state:
        training.average.load_state_dict(state)
    trained = time.time() - start
    left = {}
    for name, numbers in wanted.items():
        if name.endswith("maps"):
            left[name] = rounded(training.maps(numbers))
        else:
            left[f"log_odds {name}"] = training.log_odds(numbers)
            left[f"mirrored {name}"] = training.log_odds(numbers, mirrored=True)
    kept = {k: v.contiguous().cpu() for k, v in training.average.state_dict().items()}
    safetensors.torch.save_file(kept, training.work / f"{job.name}.safetensors")
    if teaches and job.crop == "whole":
        np.save(training.work / f"{job.name}.lessons.npy", training.lessons())
    np.savez(training.work / f"{job.name}.npz", **left)
    record = {
        "job": {**asdict(job), "name": job.name},
        "start": training.start,
        "epochs_planned": training.epochs,
        "epochs": len(rows),
        "batch": training.batch,
        "parameters": sum(p.numel() for p in training.network.parameters()),
        "captured": training.step.graph is not None,
        "seconds_training": trained,
        "seconds": time.time() - start,
        "curve": [asdict(row) for row in rows],
    }
    (training.work / f"{job.name}.json").write_text(json.dumps(record))
    return record


def rounded(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Round to 13 bits of mantissa, so that the array compresses."""
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    return ((bits + np.uint32(0x200)) & np.uint32(0xFFFFFC00)).view(np.float32)


def maps_wanted(archive: Archive, splits: Sequence[str] = ("tune", "test")) -> dict[str, NDArray[np.intp]]:
    """Return what is predicted and shown of each source."""
    wanted = {f"{source} {split}": archive.of(source, split) for source in ("kermany", "rsna", "covid") for split in splits}
    reference = np.array([e.reference for e in archive.entries])
    test = archive.of("kermany", "test")
    return {
        **{name: numbers for name, numbers in wanted.items() if len(numbers)},
        "kermany test maps": test[reference[test] == 1],
        "rsna test maps": archive.of("rsna", "test"),
        "covid test maps": archive.of("covid", "test"),
    }
