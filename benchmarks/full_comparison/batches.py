"""The noun `Data`, squares on the device, and the batches that are drawn from it there."""

from collections.abc import Iterator, Sequence
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from full_comparison.archive import Archive
from full_comparison.plan import BATCH, PAINTED_NEGATIVES, PAINTED_POSITIVES, Job
from full_comparison.squares import Prepared
from pneumoscope.training import view_augmentation as views
from pneumoscope.training.painted_opacities import paint

Batch = dict[str, Tensor]
_AHEAD = 8  # steps whose views are drawn at once


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
