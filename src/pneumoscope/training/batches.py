"""The batches of an epoch, drawn from the seed and the number of the epoch alone."""

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from pneumoscope.ordered_map import cores, ordered_map
from pneumoscope.training import augmentation, source_sampling
from pneumoscope.training.pool import Pool
from pneumoscope.training.prepared import Squares
from pneumoscope.training.recipe import Recipe
from pneumoscope.training.square_store import SquareStore

ALL = slice(None)
BY_SOURCE = "balanced-by-source"
_WORKERS = 8
"""Most threads or processes that augment: at half a millisecond for an image they feed a network of 16,000 images a second."""
_AHEAD = 4
"""Batches that each process prepares ahead."""


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


def order(recipe: Recipe, pool: Pool, epoch: int) -> NDArray[np.intp]:
    """Draw the images of an epoch.

    Parameters
    ----------
    recipe
        Sampling, batch size and seed.
    pool
        The training images.
    epoch
        Number of the epoch, from 0.

    Returns
    -------
    ndarray of int
        Indices of images, shape (steps · batch,); an incomplete last batch is left out.
    """
    if recipe.sampling == BY_SOURCE:
        return source_sampling.order(recipe, pool, epoch)
    rng = np.random.default_rng((recipe.seed, epoch))
    if recipe.sampling == "balanced":
        chance = 1 / np.bincount(pool.reference)[pool.reference]
        drawn = rng.choice(len(pool), len(pool), p=chance / chance.sum())
    else:
        drawn = rng.permutation(len(pool))
    return drawn[: steps(recipe, pool) * recipe.batch]


def steps(recipe: Recipe, pool: Pool) -> int:
    """Count the steps of an epoch.

    Parameters
    ----------
    recipe
        Sampling and batch size.
    pool
        The training images.

    Returns
    -------
    int
        Number of complete batches; balanced by source, the number in which the largest source is seen once.

    Raises
    ------
    TrainingError
        If the pool cannot be drawn balanced by source, as the recipe wants.
    """
    return source_sampling.steps(recipe, pool) if recipe.sampling == BY_SOURCE else len(pool) // recipe.batch


def batches(
    recipe: Recipe,
    store: SquareStore,
    pool: Pool,
    epoch: int,
    rows: slice = ALL,
    processes: int = 1,
) -> Iterator[Batch]:
    """Yield the batches of an epoch.

    The published augmentation is applied ahead: by one thread if the network computes on the same CPU, and by processes if it
    computes on a CUDA GPU, where threads would keep the thread that launches its kernels waiting for Python's lock. What it draws
    depends on seed, epoch, step and place alone.

    Parameters
    ----------
    recipe
        Sampling, augmentation, batch size and seed.
    store
        The squares of the training images, with the device that the batches go to.
    pool
        The training images.
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
    drawn, compute = order(recipe, pool, epoch).reshape(-1, recipe.batch), store.compute
    published = recipe.augmentation == "published"  # `views` is applied to whole batches, in the step

    def batch(step: int, squares: Tensor) -> Batch:
        return Batch(squares, compute.send(pool.reference[drawn[step]].astype(np.int64)), drawn[step])

    if store.resident and not published:
        yield from (batch(step, store.rows(drawn[step][rows])) for step in range(len(drawn)))
        return
    prepared = PreparedBatches(recipe, store.squares, drawn, epoch, rows)
    sent: Iterator[Callable[[], Tensor]]
    workers = max(1, min(_WORKERS, (cores() - 1) // processes))
    with augmentation.one_thread():
        if published and compute.device.type == "cuda" and _forks():
            sent = map(compute.send_ahead, by_processes(prepared, workers))
        else:
            threads = 1 if compute.device.type == "cpu" else workers
            sent = ordered_map(lambda step: compute.send_ahead(prepared[step]), range(len(drawn)), threads)
        for step, taken in enumerate(sent):
            yield batch(step, taken())


class PreparedBatches(Dataset[Tensor]):
    """The squares of the batches of an epoch, augmented where the recipe says so, on the CPU.

    Parameters
    ----------
    recipe
        Augmentation and seed.
    squares
        uint8, shape (n, channels, size_px, size_px).
    drawn
        Indices of the images of each batch, shape (steps, batch).
    epoch
        Number of the epoch, from 0.
    rows
        Rows of each batch to prepare.
    """

    def __init__(self, recipe: Recipe, squares: Squares, drawn: NDArray[np.intp], epoch: int, rows: slice = ALL) -> None:
        self.recipe, self.squares, self.drawn, self.epoch, self.rows = recipe, squares, drawn, epoch, rows

    def __len__(self) -> int:
        return len(self.drawn)

    def __getitem__(self, step: int) -> Tensor:
        """The rows of a batch: uint8, shape (rows, channels, size_px, size_px)."""
        chosen = self.squares[self.drawn[step][self.rows]]
        if self.recipe.augmentation == "published":
            places: Sequence[int] = range(self.recipe.batch)[self.rows]
            pairs = zip(chosen, places, strict=True)
            chosen = np.stack([_augmented(self.recipe, square, self.epoch, step, place) for square, place in pairs])
        return torch.from_numpy(chosen)


def by_processes(prepared: PreparedBatches, workers: int) -> Iterator[Tensor]:
    """Prepare batches ahead in processes.

    Parameters
    ----------
    prepared
        The batches.
    workers
        Number of processes, at least 1; they are copies of this one, which share its squares.

    Yields
    ------
    Tensor
        The batches in order, in pinned memory where there is a CUDA GPU.
    """
    yield from DataLoader(
        prepared,
        batch_size=None,
        num_workers=workers,
        prefetch_factor=_AHEAD,
        multiprocessing_context="fork",
        pin_memory=torch.cuda.is_available(),
        worker_init_fn=_alone,
        generator=torch.Generator(),  # by default it draws a number of the generator that dropout is drawn from
    )


def _forks() -> bool:
    return "fork" in multiprocessing.get_all_start_methods()


def _alone(_: int) -> None:
    cv2.setNumThreads(1)


def canvas(recipe: Recipe, store: SquareStore, pool: Pool, epoch: int, step: int) -> tuple[Tensor, Tensor]:
    """Draw the images that a step paints opacities onto, without replacement from each class, balanced by source if batches are.

    Parameters
    ----------
    recipe
        Sampling, numbers of images, and the seed.
    store
        The squares of the training images, with the device that the canvas goes to.
    pool
        The training images.
    epoch, step
        Number of the epoch and of the step in it, from 0.

    Returns
    -------
    squares, target : Tensor
        As in `Batch`; no rows if the recipe paints nothing.
    """
    rng = np.random.default_rng((recipe.seed, epoch, step, recipe.batch))
    if recipe.sampling == BY_SOURCE:
        chosen = source_sampling.canvas(recipe, pool, rng)
    else:
        numbers = enumerate(recipe.painted)
        chosen = np.concatenate([rng.choice(np.flatnonzero(pool.reference == k), n, replace=False) for k, n in numbers])
    return store.rows(chosen), store.compute.send(pool.reference[chosen])


def _augmented(recipe: Recipe, square: Squares, epoch: int, step: int, place: int) -> Squares:
    rng = np.random.default_rng((recipe.seed, epoch, step, place))
    out = square.copy()
    out[0] = augmentation.apply(square[0], augmentation.draw(rng, recipe.mirror_probability))
    return out
