"""Measure images per second of training: the model alone, our pipeline, and a pipeline like that of the reference repository.

    python benchmarks/training.py [--images FOLDER] [--backbones resnet18 mobilenet_v2] [--steps 12] [--rounds 3]

All three train the same network on the same images at 224 px in batches of 32, each in a separate process, in turn. Prints
medians over the rounds and their ratios. "Reference shape" does what kiranshahi/pneumonia-analysis does: Pillow decodes each
image from its file each time; three channels, albumentations, a DataLoader with two workers, contiguous (NCHW) tensors. The
images are the sixteen shipped radiographs, repeated, unless `--images` is given. Needs the extra ``benchmark``.
"""

import argparse
import multiprocessing
import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import albumentations
import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from pneumoscope import radiograph
from pneumoscope.classifier import BACKBONES, Preprocessing
from pneumoscope.classifier.network import Network, build
from pneumoscope.classifier.preprocessing import prepare
from pneumoscope.cohort.sample import sample
from pneumoscope.training import allocator, batches
from pneumoscope.training.compute import Compute
from pneumoscope.training.loss import focal
from pneumoscope.training.recipe import recipe
from pneumoscope.training.square_store import SquareStore

BATCH, SIDE = 32, 224
Batches = Iterator[tuple[Tensor, Tensor]]


class ReferenceShape(Dataset[tuple[Tensor, int]]):
    """Decode, resize, augment and normalize three channels, one image at a time."""

    def __init__(self, files: list[Path], length: int) -> None:
        self.files, self.length = files, length
        self.transform = albumentations.Compose(
            [
                albumentations.Resize(SIDE, SIDE),
                albumentations.Rotate(limit=15, p=0.5),
                albumentations.Affine(translate_percent=(-0.05, 0.05), scale=(0.9, 1.1), p=0.5),
                albumentations.RandomBrightnessContrast(p=0.5),
                albumentations.CLAHE(p=0.3),
                albumentations.RandomGamma(p=0.3),
                albumentations.GaussNoise(p=0.2),
                albumentations.MotionBlur(p=0.1),
                albumentations.MedianBlur(blur_limit=3, p=0.1),
                albumentations.CoarseDropout(p=0.1),
                albumentations.Normalize(),
            ]
        )

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        grey = np.array(Image.open(self.files[index % len(self.files)]).convert("L"))
        image = np.stack([grey] * 3, axis=-1)
        return torch.from_numpy(self.transform(image=image)["image"].transpose(2, 0, 1).copy()), index % 2


def train(network: Network, forward: Callable[[Tensor], Tensor], source: Batches) -> float:
    """Measure images per second over a source; its first batch warms up."""
    optimizer = torch.optim.AdamW(network.parameters(), 1e-4)
    network.train()
    images, start = 0, 0.0
    for step, (image, target) in enumerate(source):
        if step == 1:
            start = time.perf_counter()
        loss = focal(forward(image), target, 2.0)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        images += len(image) if step else 0
    return images / (time.perf_counter() - start)


def ready(steps: int, channels: int) -> Batches:
    image, target = torch.rand(BATCH, channels, SIDE, SIDE), torch.arange(BATCH) % 2
    for _ in range(steps):
        yield image, target


def ours(squares: np.ndarray, steps: int) -> Batches:
    repeated = np.concatenate([squares] * (steps * BATCH // len(squares) + 1))[: steps * BATCH]
    store = SquareStore(repeated, Compute())
    for batch in batches.batches(recipe("default"), store, np.arange(len(repeated)) % 2, 0):
        yield batch.squares, batch.target


def reference(files: list[Path], steps: int) -> Batches:
    yield from DataLoader(ReferenceShape(files, steps * BATCH), BATCH, num_workers=2)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--images", type=Path)
    arguments.add_argument("--backbones", nargs="+", default=["resnet18", "mobilenet_v2"])
    arguments.add_argument("--steps", type=int, default=12)
    arguments.add_argument("--rounds", type=int, default=3)
    asked = arguments.parse_args()
    with sample() as cohort:
        files = sorted(asked.images.rglob("*.jp*g")) if asked.images else [cohort.file(c) for c in cohort.cases]
        run(files[: asked.steps * BATCH], asked.backbones, asked.steps, asked.rounds)


def built(name: str) -> Network:
    made = build(BACKBONES[name], "linear")
    assert isinstance(made, Network)
    return made


def measure(kind: str, name: str, files: list[Path], steps: int) -> float:
    """Measure images per second of one kind."""
    if kind == "reference shape":
        plain = built(name)
        return train(plain, plain.model, reference(files, steps))
    allocator.keep_freed()
    lean = built(name).to(memory_format=torch.channels_last)
    if kind == "model alone":
        return train(lean, lean, ready(steps, 1))
    squares = np.stack([np.rint(prepare(radiograph.read(f), Preprocessing(SIDE)).pixels * 255).astype(np.uint8) for f in files])
    return train(lean, lean, ours(squares, steps))


def run(files: list[Path], backbones: list[str], steps: int, rounds: int) -> None:
    print(
        f"{len(files)} images, {steps - 1} counted steps of {BATCH}, {rounds} rounds, {torch.get_num_threads()} threads, images/s"
    )
    spawn = multiprocessing.get_context("spawn")
    for name in backbones:
        speeds: dict[str, list[float]] = {"model alone": [], "our pipeline": [], "reference shape": []}
        for _ in range(rounds):
            for kind, measured in speeds.items():
                with ProcessPoolExecutor(1, mp_context=spawn) as fresh:
                    measured.append(fresh.submit(measure, kind, name, files, steps).result())
        alone, own, other = (statistics.median(v) for v in speeds.values())
        ratios = f"ours / alone {own / alone:.2f}, ours / reference {own / other:.2f}"
        print(f"{name:<16}" + ", ".join(f"{k} {statistics.median(v):.1f}" for k, v in speeds.items()) + f"; {ratios}", flush=True)


if __name__ == "__main__":
    main()
