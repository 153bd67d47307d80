"""Batches of an epoch: drawn from seed and epoch alone, augmented one batch ahead of the model."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pneumoscope.training import augmentation
from pneumoscope.training.prepared import Squares
from pneumoscope.training.recipe import Recipe

ALL = slice(None)


class Batch(NamedTuple):
    """Some rows of a batch, and the targets of all of it.

    Attributes
    ----------
    squares: float32 (rows, channels, side, side) in [0, 1].
    target: int64 (batch,).
    drawn: which images these are, (batch,).
    """

    squares: Tensor
    target: Tensor
    drawn: NDArray[np.intp]


def order(recipe: Recipe, reference: NDArray[np.integer], epoch: int) -> NDArray[np.intp]:
    """Indices of the epoch's images, shape (steps · batch,); a last batch that is not full is left out."""
    rng = np.random.default_rng((recipe.seed, epoch))
    if recipe.sampling == "balanced":
        chance = 1 / np.bincount(reference)[reference]
        drawn = rng.choice(len(reference), len(reference), p=chance / chance.sum())
    else:
        drawn = rng.permutation(len(reference))
    return drawn[: steps(recipe, len(reference)) * recipe.batch]


def steps(recipe: Recipe, images: int) -> int:
    """Steps of an epoch."""
    return images // recipe.batch


def batches(recipe: Recipe, images: Squares, reference: NDArray[np.integer], epoch: int, rows: slice = ALL) -> Iterator[Batch]:
    """The batches of an epoch, of which `rows` are prepared.

    One thread prepares the next batch while the model works on this one; OpenCV leaves Python's lock meanwhile.
    """
    drawn = order(recipe, reference, epoch).reshape(-1, recipe.batch)
    places = range(recipe.batch)[rows]

    def make(step: int) -> Batch:
        squares = [_one(recipe, images[drawn[step][place]], epoch, step, place) for place in places]
        target = torch.from_numpy(reference[drawn[step]].astype(np.int64))
        return Batch(torch.from_numpy(np.stack(squares)).float().div_(255), target, drawn[step])

    with augmentation.one_thread(), ThreadPoolExecutor(1) as ahead:
        waiting = ahead.submit(make, 0)
        for step in range(len(drawn)):
            ready = waiting.result()
            if step + 1 < len(drawn):
                waiting = ahead.submit(make, step + 1)
            yield ready


def canvas(recipe: Recipe, images: Squares, reference: NDArray[np.integer], epoch: int, step: int) -> tuple[Tensor, Tensor]:
    """What a step paints opacities on: squares as in `batches`, drawn without replacement from each class; may be empty."""
    rng = np.random.default_rng((recipe.seed, epoch, step, recipe.batch))
    wanted = enumerate(recipe.painted)
    chosen = np.concatenate([rng.choice(np.flatnonzero(reference == k), n, replace=False) for k, n in wanted])
    return torch.from_numpy(images[chosen].astype(np.float32) / np.float32(255)), torch.from_numpy(reference[chosen])


def _one(recipe: Recipe, square: Squares, epoch: int, step: int, place: int) -> Squares:
    if recipe.augmentation != "published":  # `views` works on whole batches, in the step
        return square
    rng = np.random.default_rng((recipe.seed, epoch, step, place))
    out = square.copy()
    out[0] = augmentation.apply(square[0], augmentation.draw(rng))
    return out
