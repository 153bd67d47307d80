"""Draw batches in which each data set has fixed places, half of them for each class, so that it says nothing of the class.

A network that sees positives mostly of one data set and negatives mostly of another learns to tell the data sets apart
(Zech et al. 2018, PLoS Medicine 15(11):e1002683). Here every batch holds as many positives as negatives of each source. The
negatives of a source are drawn equally over its labels, so that abnormal radiographs without the target are seen as often as
healthy ones, and the images of a label equally often.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pneumoscope.training.errors import TrainingError
from pneumoscope.training.pool import Pool
from pneumoscope.training.recipe import Recipe

FEWEST_OF_A_LABEL = 20
"""Labels of fewer negatives in a source are drawn together with its next rarest label."""

Indices = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class _Source:
    """The images of a source that are drawn alike: one group of positives, and one of negatives for each label."""

    name: str
    share: float
    groups: tuple[tuple[Indices, ...], tuple[Indices, ...]]
    """Groups of the negatives, and of the positives."""

    @property
    def images(self) -> int:
        return sum(len(group) for groups in self.groups for group in groups)


def check(recipe: Recipe, pool: Pool) -> None:
    """Refuse a pool that cannot be drawn balanced by source.

    Parameters
    ----------
    recipe
        Batch size, shares of the sources and numbers of painted images.
    pool
        The training images.

    Raises
    ------
    TrainingError
        If the batch size is odd, sources are unknown or do not fit the shares, a source has one class only or no place in a
        batch, or fewer images than a step paints on.
    """
    sources = _sources(recipe, pool)
    _places(recipe, sources)
    for reference, needed in enumerate(recipe.painted):
        for source in sources:
            groups = source.groups[reference]
            each = math.ceil(math.ceil(needed * source.share) / len(groups))
            if each > min(len(group) for group in groups):
                what = "with" if reference else "without"
                raise TrainingError(
                    f"each step paints on up to {each} images {what} the target of one label of '{source.name}', but the train "
                    f"split has {min(len(group) for group in groups)}; use smaller numbers"
                )


def steps(recipe: Recipe, pool: Pool) -> int:
    """Count the steps of an epoch: those in which the largest source fills its places once with each of its images.

    Parameters
    ----------
    recipe
        Batch size and shares of the sources.
    pool
        The training images.

    Returns
    -------
    int
        Images of the source with the most images, divided by its places in a batch, rounded down.
    """
    sources = _sources(recipe, pool)
    largest = max(sources, key=lambda source: source.images)
    return largest.images // _places(recipe, sources)[largest.name]


def order(recipe: Recipe, pool: Pool, epoch: int) -> Indices:
    """Draw the images of an epoch.

    Parameters
    ----------
    recipe
        Batch size, shares of the sources and seed.
    pool
        The training images.
    epoch
        Number of the epoch, from 0.

    Returns
    -------
    ndarray of int
        Indices of images, shape (steps · batch,); in each batch every source has its places, half of them for each class, in
        random order.
    """
    rng = np.random.default_rng((recipe.seed, epoch))
    sources, count = _sources(recipe, pool), steps(recipe, pool)
    places = _places(recipe, sources)
    drawn = [
        _stream(rng, groups, count * places[source.name] // 2).reshape(count, -1)
        for source in sources
        for groups in source.groups
    ]
    return rng.permuted(np.concatenate(drawn, axis=1), axis=1).ravel()


def canvas(recipe: Recipe, pool: Pool, rng: np.random.Generator) -> Indices:
    """Draw the images that a step paints on, without replacement, with the same shares of sources and labels as the batches.

    Parameters
    ----------
    recipe
        Numbers of images and shares of the sources.
    pool
        The training images.
    rng
        Random generator of the step.

    Returns
    -------
    ndarray of int
        Indices of images: first those without the target, then those with it.
    """
    sources = _sources(recipe, pool)
    drawn = []
    for reference, needed in enumerate(recipe.painted):
        for source, number in zip(sources, _systematic(rng, [source.share for source in sources], needed), strict=True):
            groups = source.groups[reference]
            numbers = _systematic(rng, [1 / len(groups)] * len(groups), number)
            drawn += [rng.choice(group, n, replace=False) for group, n in zip(groups, numbers, strict=True)]
    return np.concatenate([np.empty(0, np.intp), *drawn])


def _systematic(rng: np.random.Generator, shares: Sequence[float], number: int) -> list[int]:
    """Whole numbers that add up to `number`: each its share rounded down or up, on average its share (systematic sampling)."""
    edges = np.concatenate([[0.0], np.cumsum(shares)]) * number / sum(shares) + rng.random()
    edges[-1] = edges[0] + number
    return [int(count) for count in np.diff(np.floor(edges))]


def _stream(rng: np.random.Generator, groups: Sequence[Indices], count: int) -> Indices:
    """Draw `count` images, the groups equally often (to one), and the images of a group equally often (to one)."""
    which = _cycled(rng, np.arange(len(groups)), count)
    drawn = np.empty(count, np.intp)
    for number, group in enumerate(groups):
        places = np.flatnonzero(which == number)
        drawn[places] = _cycled(rng, group, len(places))
    return drawn


def _cycled(rng: np.random.Generator, values: Indices, count: int) -> Indices:
    """Take `count` values: all of them in random order, then all of them in another one, and so on."""
    rounds = -(-count // len(values))
    return np.concatenate([np.empty(0, np.intp), *(rng.permutation(values) for _ in range(rounds))])[:count]


def _sources(recipe: Recipe, pool: Pool) -> list[_Source]:
    names = sorted(set(pool.sources))
    if not names or "" in names:
        raise TrainingError(
            "the cohort does not say which data set its cases come from, which the sampling balanced-by-source needs; build it "
            "again with this version"
        )
    shares = recipe.shares or dict.fromkeys(names, 1.0)
    if set(shares) != set(names):
        raise TrainingError(
            f"the recipe's source_shares name {', '.join(sorted(shares))}, but the train split has the sources {', '.join(names)}"
            "; give each of them a share"
        )
    of, total = np.array(pool.sources), sum(shares.values())
    return [_Source(name, shares[name] / total, _groups(name, pool, np.flatnonzero(of == name))) for name in names]


def _groups(name: str, pool: Pool, images: Indices) -> tuple[tuple[Indices, ...], tuple[Indices, ...]]:
    positive = pool.reference[images] == 1
    if positive.all() or not positive.any():
        raise TrainingError(
            f"the source '{name}' has {'positive' if positive.all() else 'negative'} images only in the train split; the "
            "sampling balanced-by-source needs both classes of each source, or the source would say the class"
        )
    return _by_label(pool, images[~positive]), (images[positive],)


def _by_label(pool: Pool, images: Indices) -> tuple[Indices, ...]:
    """The images of each label; the rarest label is joined with the next rarest as long as it has too few."""
    labels = np.array([pool.labels[k] for k in images]) if pool.labels else np.zeros(len(images), str)
    groups = [(images[labels == label], label) for label in np.unique(labels)]
    while len(groups) > 1:
        (rarest, first), (following, other), *rest = sorted(groups, key=lambda group: (len(group[0]), group[1]))
        if len(rarest) >= FEWEST_OF_A_LABEL:
            break
        groups = [(np.sort(np.concatenate([rarest, following])), min(first, other)), *rest]
    return tuple(group for group, _ in sorted(groups, key=lambda group: group[1]))


def _places(recipe: Recipe, sources: Sequence[_Source]) -> Mapping[str, int]:
    """Even numbers of places in a batch for each source, by the method of the largest remainder over pairs of places."""
    pairs, odd = divmod(recipe.batch, 2)
    if odd:
        raise TrainingError(
            f"the batch of {recipe.batch} images is odd, but the sampling balanced-by-source fills pairs; use --batch"
        )
    exact = np.array([source.share * pairs for source in sources])
    places = np.floor(exact + 1e-9).astype(int)
    for k in np.argsort(-(exact - places), kind="stable")[: pairs - places.sum()]:
        places[k] += 1
    if not places.all():
        none = sources[int(np.argmin(places))]
        raise TrainingError(
            f"the source '{none.name}' has no place in a batch of {recipe.batch} images with a share of {none.share:.2g}; use a "
            "larger --batch or other source_shares"
        )
    return {source.name: 2 * int(n) for source, n in zip(sources, places, strict=True)}
