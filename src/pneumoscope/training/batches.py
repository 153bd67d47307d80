"""The batches of an epoch, drawn from the seed and the number of the epoch alone."""

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
    """The rows of a batch that one process computes, with the targets of the whole batch.

    Attributes
    ----------
    squares
        float32, shape (rows, channels, size_px, size_px), in [0, 1].
    target
        int64, shape (batch,): 1 for cases with the target, else 0.
    drawn
        Indices of the images, shape (batch,).
    """

    squares: Tensor
    target: Tensor
    drawn: NDArray[np.intp]


def order(recipe: Recipe, reference: NDArray[np.integer], epoch: int) -> NDArray[np.intp]:
    """Draw the images of an epoch.

    Parameters
    ----------
    recipe
        Sampling, batch size and seed.
    reference
        int, shape (n,): 1 for cases with the target, else 0.
    epoch
        Number of the epoch, from 0.

    Returns
    -------
    ndarray of int
        Indices of images, shape (steps · batch,); an incomplete last batch is left out.
    """
    rng = np.random.default_rng((recipe.seed, epoch))
    if recipe.sampling == "balanced":
        chance = 1 / np.bincount(reference)[reference]
        drawn = rng.choice(len(reference), len(reference), p=chance / chance.sum())
    else:
        drawn = rng.permutation(len(reference))
    return drawn[: steps(recipe, len(reference)) * recipe.batch]


def steps(recipe: Recipe, images: int) -> int:
    """Count the steps of an epoch.

    Parameters
    ----------
    recipe
        The batch size.
    images
        Number of training images.

    Returns
    -------
    int
        Number of complete batches.
    """
    return images // recipe.batch


def batches(recipe: Recipe, images: Squares, reference: NDArray[np.integer], epoch: int, rows: slice = ALL) -> Iterator[Batch]:
    """Yield the batches of an epoch.

    One thread prepares the next batch while the network works on the current one; OpenCV releases Python's lock.

    Parameters
    ----------
    recipe
        Sampling, augmentation, batch size and seed.
    images
        uint8, shape (n, channels, size_px, size_px).
    reference
        int, shape (n,): 1 for cases with the target, else 0.
    epoch
        Number of the epoch, from 0.
    rows
        Rows of each batch to prepare; all of them by default.

    Yields
    ------
    Batch
        The prepared rows.
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
    """Draw the images that a step paints opacities onto, without replacement from each class.

    Parameters
    ----------
    recipe
        Numbers of images, and the seed.
    images
        uint8, shape (n, channels, size_px, size_px).
    reference
        int, shape (n,): 1 for cases with the target, else 0.
    epoch, step
        Number of the epoch and of the step in it, from 0.

    Returns
    -------
    squares, target : Tensor
        As in `Batch`; no rows if the recipe paints nothing.
    """
    rng = np.random.default_rng((recipe.seed, epoch, step, recipe.batch))
    numbers = enumerate(recipe.painted)
    chosen = np.concatenate([rng.choice(np.flatnonzero(reference == k), n, replace=False) for k, n in numbers])
    return torch.from_numpy(images[chosen].astype(np.float32) / np.float32(255)), torch.from_numpy(reference[chosen])


def _one(recipe: Recipe, square: Squares, epoch: int, step: int, place: int) -> Squares:
    if recipe.augmentation != "published":  # `views` is applied to whole batches, in the step
        return square
    rng = np.random.default_rng((recipe.seed, epoch, step, place))
    out = square.copy()
    out[0] = augmentation.apply(square[0], augmentation.draw(rng))
    return out
