"""Measure images per second of training: the network alone, our pipeline, and a plain loop of torchvision or timm.

    python benchmarks/training.py [--device auto] [--precision fp32] [--batch 32] [--size-px 224] [--images FOLDER]
                                  [--backbones resnet18 mobilenet_v2] [--warm-up 4] [--steps 12] [--rounds 3] [--json FILE]

All three train the same architecture on the same images, with the recipe `default`, each in a process of its own, in turn. The
first `--warm-up` steps do not count: give at least as many as may be prepared ahead, so that the clock sees the preparation, and
on a GPU count some hundred steps.

- *alone* repeats the step on one batch that lies on the device.
- *pipeline* is what `pneumoscope train` does after the images are prepared: published augmentation, copy, step.
- *plain loop* is the usual one: Pillow decodes each image from its file in each epoch, torchvision resizes, augments and
  normalizes three channels, a DataLoader with one worker for each core feeds the model as its library builds it, with
  cross-entropy, in the same precision, with the library's own choice of algorithms.

*peak MiB* is the memory of the device that PyTorch allocated; on a CPU that of the process, without the workers of the plain
loop. The images are the sixteen shipped radiographs, repeated, unless `--images` names a folder of JPEG or PNG files.
"""

import contextlib
import itertools
import multiprocessing
import resource
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import timm
import torch
import torchvision
from measuring import CORES, machine, median_ratio, parser, table, write
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from pneumoscope import radiograph
from pneumoscope.classifier import BACKBONES, Backbone, Preprocessing
from pneumoscope.classifier import device as devices
from pneumoscope.classifier.backbone import backbone as look_up
from pneumoscope.classifier.network import build
from pneumoscope.classifier.preprocessing import prepare
from pneumoscope.cohort.sample import sample
from pneumoscope.training import allocator
from pneumoscope.training.compute import Compute
from pneumoscope.training.prepared_split import PreparedSplit
from pneumoscope.training.recipe import recipe
from pneumoscope.training.schedule import take_step
from pneumoscope.training.trainer import Trainer

KINDS = ("alone", "pipeline", "plain loop")
RATE = 1e-4


@dataclass(frozen=True)
class Job:
    """What one process measures."""

    kind: str
    backbone: Backbone
    files: tuple[Path, ...]
    compute: Compute
    batch: int
    size_px: int
    warm_up: int
    steps: int

    @property
    def images(self) -> int:
        return self.batch * (self.warm_up + self.steps)


class PlainImages(Dataset[tuple[Tensor, int]]):
    """Decode, resize, augment and normalize three channels, one image at a time."""

    def __init__(self, job: Job) -> None:
        self.files, self.length = job.files, job.images
        self.transform = transforms.Compose(
            [
                transforms.Resize((job.size_px, job.size_px)),
                transforms.RandomAffine(15, (0.05, 0.05), (0.9, 1.1)),
                transforms.ColorJitter(0.2, 0.2),
                transforms.ToTensor(),
                transforms.Normalize(job.backbone.mean, job.backbone.std),
            ]
        )

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        image = Image.open(self.files[index % len(self.files)]).convert("RGB")
        return self.transform(image), index % 2


def trainer(job: Job) -> Trainer:
    """Make the trainer of the recipe `default` on squares prepared from the files."""
    chosen = recipe("default", batch=job.batch, size_px=job.size_px)
    preprocessing = Preprocessing(job.size_px)
    once = [np.rint(prepare(radiograph.read(f), preprocessing).pixels * 255).astype(np.uint8) for f in job.files]
    squares = np.stack([once[k % len(once)] for k in range(job.images)])
    side = PreparedSplit(squares, np.arange(job.images) % 2, tuple(map(str, range(job.images))))
    network = build(job.backbone, chosen.head, 2, job.size_px).to(job.compute.device).to(memory_format=torch.channels_last)
    return Trainer(network, job.backbone, chosen, side, job.compute)


def alone(job: Job) -> Iterator[Tensor]:
    """Repeat the step on one batch."""
    made = trainer(job)
    made.network.train()
    squares = torch.rand(job.batch, 1, job.size_px, job.size_px, device=job.compute.device)
    target = (torch.arange(job.batch) % 2).to(job.compute.device)
    for _ in range(job.warm_up + job.steps):
        value = made.criterion(made.spread.of_rows(squares), target)
        take_step(value, made.optimizer, RATE, made.scaler)
        yield value.detach()


def pipeline(job: Job) -> Iterator[Tensor]:
    """Take the steps of an epoch as `pneumoscope train` does."""
    return (step.loss for step in trainer(job).epoch(0))


def library_model(backbone: Backbone, size_px: int) -> nn.Module:
    """Build the model of two classes as its library has it."""
    if backbone.library == "timm":
        return timm.create_model(backbone.weights.partition(".")[0], num_classes=2)
    size: dict[str, Any] = {"image_size": size_px} if backbone.patch_px else {}
    model: nn.Module = torchvision.models.get_model(backbone.name, num_classes=2, **size)
    return model


def plain_loop(job: Job) -> Iterator[Tensor]:
    """Train the library's own model, fed by a DataLoader."""
    model = library_model(job.backbone, job.size_px).to(job.compute.device).train()
    optimizer = torch.optim.AdamW(model.parameters(), RATE)
    scaler = torch.amp.GradScaler(job.compute.device.type) if job.compute.scales_loss else None
    on_gpu = job.compute.device.type == "cuda"
    for image, target in DataLoader(PlainImages(job), job.batch, num_workers=CORES, pin_memory=on_gpu):
        sent = image.to(job.compute.device, non_blocking=True), target.to(job.compute.device, non_blocking=True)
        with job.compute.autocast():
            value = nn.functional.cross_entropy(model(sent[0]), sent[1])
        take_step(value, optimizer, RATE, scaler)
        yield value.detach()


WAYS = {"alone": alone, "pipeline": pipeline, "plain loop": plain_loop}


def measure(job: Job) -> tuple[float, float]:
    """Measure images per second after the first step, and the peak memory in MiB."""
    if job.kind != "plain loop":
        allocator.keep_freed()
    on_gpu = job.compute.device.type == "cuda"
    with job.compute.running() if job.kind != "plain loop" else contextlib.nullcontext():
        steps = WAYS[job.kind](job)
        warm = list(itertools.islice(steps, job.warm_up))
        job.compute.synchronize()
        start = time.perf_counter()
        taken = list(itertools.islice(steps, job.steps))
        job.compute.synchronize()
        seconds = time.perf_counter() - start
    if (len(warm), len(taken)) != (job.warm_up, job.steps):
        raise RuntimeError(f"{job.kind} took {len(warm) + len(taken)} of {job.warm_up + job.steps} steps")
    resident = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
    return job.batch * len(taken) / seconds, torch.cuda.max_memory_allocated(job.compute.device) / 2**20 if on_gpu else resident


def row(name: str, shared: dict[str, Any], rounds: int) -> dict[str, Any]:
    """Measure one backbone; each way in a fresh process, in turn."""
    spawn = multiprocessing.get_context("spawn")
    rates: dict[str, list[float]] = {kind: [] for kind in KINDS}
    peaks: dict[str, float] = dict.fromkeys(KINDS, 0.0)
    for _ in range(rounds):
        for kind in KINDS:
            job = Job(kind, look_up(name), **shared)
            with ProcessPoolExecutor(1, mp_context=spawn) as fresh:
                rate, peak = fresh.submit(measure, job).result()
            rates[kind].append(rate)
            peaks[kind] = max(peaks[kind], peak)
    return {
        "backbone": name,
        **{f"{kind} images/s": median(values) for kind, values in rates.items()},
        "pipeline / alone": median_ratio(rates["pipeline"], rates["alone"]),
        "pipeline / plain loop": median_ratio(rates["pipeline"], rates["plain loop"]),
        "peak MiB": round(peaks["pipeline"]),
        "plain loop peak MiB": round(peaks["plain loop"]),
    }


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--device", default=devices.AUTO)
    arguments.add_argument("--precision", choices=("fp32", "bf16", "fp16"), default="fp32")
    arguments.add_argument("--compile", action="store_true")
    arguments.add_argument("--batch", type=int, default=32)
    arguments.add_argument("--size-px", type=int, default=224)
    arguments.add_argument("--images", type=Path)
    arguments.add_argument("--backbones", nargs="+", default=["resnet18", "mobilenet_v2"], choices=list(BACKBONES))
    arguments.add_argument("--warm-up", type=int, default=4)
    arguments.add_argument("--steps", type=int, default=12)
    arguments.add_argument("--rounds", type=int, default=3)
    asked = arguments.parse_args()
    compute = Compute(devices.find(asked.device), asked.precision, asked.compile)
    with sample() as cohort:
        found = sorted(f for f in asked.images.rglob("*") if f.suffix in (".jpeg", ".jpg", ".png")) if asked.images else []
        files = tuple(found or [cohort.file(case) for case in cohort.cases])[: (asked.warm_up + asked.steps) * asked.batch]
        conditions = {name: getattr(asked, name) for name in ("batch", "size_px", "warm_up", "steps")}
        shared = {"files": files, "compute": compute, **conditions}
        print(f"{compute}; {len(files)} images, {asked.steps} counted steps of {asked.batch}, {asked.rounds} rounds")
        rows = []
        for name in asked.backbones:
            rows.append(row(name, shared, asked.rounds))
            print(table(rows[-1:]), flush=True)
    print(table(rows))
    about = {**machine("torch", "torchvision", "timm", "pillow"), **compute.recorded()}
    write(asked.json, {"machine": about, **conditions, "rounds": asked.rounds, "images": len(files), "rows": rows})


if __name__ == "__main__":
    main()
