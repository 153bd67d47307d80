"""The batches of an epoch, drawn from the seed and the number of the epoch alone."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from pneumoscope.ordered_map import cores, ordered_map
from pneumoscope.training import augmentation
from pneumoscope.training.prepared import Squares
from pneumoscope.training.recipe import Recipe
from pneumoscope.training.square_store import SquareStore

ALL = slice(None)
_THREADS = 8
"""Most threads that augment: at half a millisecond for an image they feed a network of 16,000 images a second."""


class Batch(NamedTuple):
    """The rows of a batch that one process computes, with the targets of the whole batch, on the device.

    Attributes
    ----------
    squares
        Shape (rows, channels, size_px, size_px), in [0, 1].
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


def batches(
    recipe: Recipe,
    store: SquareStore,
    reference: NDArray[np.integer],
    epoch: int,
    rows: slice = ALL,
    processes: int = 1,
) -> Iterator[Batch]:
    """Yield the batches of an epoch.

    The published augmentation is applied ahead by threads, since OpenCV releases Python's lock: one thread if the network
    computes on the same CPU, else up to eight of the cores. What it draws depends on seed, epoch, step and place alone.

    Parameters
    ----------
    recipe
        Sampling, augmentation, batch size and seed.
    store
        The training images, with the device that the batches go to.
    reference
        int, shape (n,): 1 for cases with the target, else 0.
    epoch
        Number of the epoch, from 0.
    rows
        Rows of each batch to prepare; all of them by default.
    processes
        Number of processes that share the cores of this host.

    Yields
    ------
    Batch
        The prepared rows.
    """
    drawn, compute = order(recipe, reference, epoch).reshape(-1, recipe.batch), store.compute
    places = range(recipe.batch)[rows]
    published = recipe.augmentation == "published"  # `views` is applied to whole batches, in the step

    def batch(step: int, squares: Tensor) -> Batch:
        return Batch(squares, compute.send(reference[drawn[step]].astype(np.int64)), drawn[step])

    def ahead(step: int) -> Callable[[], Tensor]:
        chosen = store.squares[drawn[step][rows]]
        if published:
            pairs = zip(chosen, places, strict=True)
            chosen = np.stack([_augmented(recipe, square, epoch, step, place) for square, place in pairs])
        return compute.send_ahead(chosen)

    if store.resident and not published:
        yield from (batch(step, store.rows(drawn[step][rows])) for step in range(len(drawn)))
        return
    threads = 1 if compute.device.type == "cpu" else max(1, min(_THREADS, (cores() - 1) // processes))
    with augmentation.one_thread():
        for step, sent in enumerate(ordered_map(ahead, range(len(drawn)), threads)):
            yield batch(step, sent())


def canvas(recipe: Recipe, store: SquareStore, reference: NDArray[np.integer], epoch: int, step: int) -> tuple[Tensor, Tensor]:
    """Draw the images that a step paints opacities onto, without replacement from each class.

    Parameters
    ----------
    recipe
        Numbers of images, and the seed.
    store
        The training images, with the device that the canvas goes to.
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
    return store.rows(chosen), store.compute.send(reference[chosen])


def _augmented(recipe: Recipe, square: Squares, epoch: int, step: int, place: int) -> Squares:
    rng = np.random.default_rng((recipe.seed, epoch, step, place))
    out = square.copy()
    out[0] = augmentation.apply(square[0], augmentation.draw(rng, recipe.mirror_probability))
    return out
