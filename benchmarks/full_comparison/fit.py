"""Train one network on the accelerator and leave its predictions, maps and weights."""

import contextlib
import copy
import json
import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score
from torch import Tensor

from full_comparison.batches import Batch, Data, lung_batches, whole_batches
from full_comparison.plan import BATCH, Job
from full_comparison.step import Step, autocast, lungs_loss, no_search, whole_loss
from pneumoscope.classifier.backbone import backbone
from pneumoscope.classifier.checkpoint import evaluating
from pneumoscope.classifier.evidence_network import EvidenceNetwork
from pneumoscope.classifier.network import build
from pneumoscope.classifier.score import TARGET
from pneumoscope.classifier.weights import initialize
from pneumoscope.heatmap import gradcam
from pneumoscope.training.recipe import recipe as named
from pneumoscope.training.schedule import rate_at

_EVALUATED = 128  # images at once


@dataclass(frozen=True)
class Row:
    """One epoch of a training, measured with the averaged weights on tune; images are labelled ones, without painted copies."""

    epoch: int
    loss: float
    tune_auc: float
    rate: float
    seconds: float
    images_per_s: float


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
        network = build(own, head, 2, data.prepared.size_px)
        self.start = initialize(network, own, job.init if job.init == "scratch" else str(weights / f"{job.backbone}.safetensors"))
        self.network = network.to(data.device).to(memory_format=torch.channels_last)
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
        network = build(backbone(name.split("-")[0]), "evidence", 2, self.data.prepared.size_px)
        network.load_state_dict(safetensors.torch.load_file(self.work / f"{name}.safetensors"))
        assert isinstance(network, EvidenceNetwork)
        return network.to(self.data.device).to(memory_format=torch.channels_last).eval().requires_grad_(False)

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
        with torch.inference_mode(), no_search(), autocast(self.data.device) if fast else contextlib.nullcontext():
            logits: Tensor = self.average(squares).float()
        return logits[:, 1] - logits[:, 0]

    def maps(self, numbers: NDArray[np.intp]) -> NDArray[np.float32]:
        """Return the averaged weights' raw heat maps of entries, (n, h, w): evidence, or Grad-CAM of the target."""
        parts = []
        for k in range(0, len(numbers), _EVALUATED):
            squares = self.data.squares(self.job.crop, numbers[k : k + _EVALUATED])
            if isinstance(self.average, EvidenceNetwork):
                with torch.inference_mode(), no_search(), evaluating(self.average):
                    parts.append(self.average.explain(squares)[1])
            else:
                with no_search():
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
    left: dict[str, Any] = {}
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


def halved(source: Path, target: Path) -> Path:
    """Copy ImageNet weights without their classifier in half precision; RuntimeError where a value does not fit."""
    state = {k: v for k, v in safetensors.torch.load_file(source).items() if not k.startswith("classifier.")}
    halves = {k: v.half() if v.is_floating_point() else v for k, v in state.items()}
    if not all(bool(torch.isfinite(v).all()) for v in halves.values() if v.is_floating_point()):
        raise RuntimeError(f"'{source.name}' holds a value that is too large for half precision")
    safetensors.torch.save_file(halves, target)
    return target
