"""Faithfulness of a heat map to its model: does the score follow the pixels that the map names?

All functions work on one prepared square: ``pixels`` float32 (size_px, size_px) in [0, 1]; a heat map ``values`` float32
(size_px, size_px) on the same square, larger is more important, any unit; and ``score``, which is asked once, for all images of
the function. Whatever is random has the fixed seed `SEED`, so that two maps of one image meet the same draws. A map with a value
that is not finite has no ranking: the figure is NaN.

Does not show: whether the place is that of the disease. A map that is faithful to a wrong model points at the wrong place.
"""

from collections.abc import Callable, Sequence
from typing import Literal, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from scipy.sparse import diags, identity, kron
from scipy.sparse.linalg import spsolve

from pneumoscope.radiograph.radiograph import Grey

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
ScoreFunction = Callable[[Grey], Array]
"""Grey levels float32 (n, size_px, size_px) to the model's probability of the target, float64 (n,) in [0, 1]."""
Baseline = Literal["blur", "mean"]
Order = Literal["morf", "lerf"]
Value = TypeVar("Value", bound=np.generic)

SEED = 0
CELLS = 14
"""Cells along a side of the grid: each has 16 × 16 pixels on the usual square of 224."""
SHARES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 0.9)


def deletion_auc(pixels: Grey, values: Grey, score: ScoreFunction, steps: int = 20, baseline: Baseline = "blur") -> float:
    """Compute the area under the score while the most important pixels are replaced first (deletion).

    Parameters
    ----------
    pixels
        The square, float32 (size_px, size_px) in [0, 1].
    values
        Heat map of the square, float32 (size_px, size_px).
    score
        The model's probability of the target for other grey levels on the square.
    steps
        Number of steps, ≥ 1; `steps` + 1 images are scored.
    baseline
        What replaces a pixel, see `replacement`.

    Returns
    -------
    float
        Trapezoidal area over the fraction of replaced pixels, in [0, 1]. Lower is better; what counts is the distance to the same
        figure of a map from `random_ranking`.

    Notes
    -----
    Source: Petsiuk et al. 2018 (RISE, arXiv 1806.07421, section 4.2), who replace pixels by a constant.

    Does not show: importance alone: a fall can come from images unlike any that the model was trained on.
    """
    return _area(pixels, replacement(pixels, baseline), values, score, steps)


def insertion_auc(pixels: Grey, values: Grey, score: ScoreFunction, steps: int = 20, baseline: Baseline = "blur") -> float:
    """Compute the area under the score while the most important pixels are put into the baseline first (insertion).

    Parameters
    ----------
    pixels
        The square, float32 (size_px, size_px) in [0, 1].
    values
        Heat map of the square, float32 (size_px, size_px).
    score
        The model's probability of the target for other grey levels on the square.
    steps
        Number of steps, ≥ 1; `steps` + 1 images are scored.
    baseline
        The image to begin with, see `replacement`.

    Returns
    -------
    float
        Trapezoidal area over the fraction of inserted pixels, in [0, 1]. Higher is better; what counts is the distance to the
        same figure of a map from `random_ranking`.

    Notes
    -----
    Source: Petsiuk et al. 2018 (RISE, arXiv 1806.07421, section 4.2), who begin with a blurred image too.

    Does not show: that the model needs these pixels: others may be enough as well.
    """
    return _area(replacement(pixels, baseline), pixels, values, score, steps)


def road(
    pixels: Grey,
    values: Grey,
    score: ScoreFunction,
    shares: Sequence[float] = SHARES,
    order: Order = "morf",
    cells: int | None = None,
    noise: float = 0.01,
) -> float:
    """Compute the mean score over images of which a share of the pixels is imputed (ROAD).

    Parameters
    ----------
    pixels
        The square, float32 (size_px, size_px) in [0, 1].
    values
        Heat map of the square, float32 (size_px, size_px).
    score
        The model's probability of the target for other grey levels on the square.
    shares
        Shares of the pixels that are imputed, in [0, 1); at least one pixel must be left to impute from.
    order
        ``morf`` imputes the most relevant pixels first, ``lerf`` the least relevant.
    cells
        Edge of a grid whose cells are imputed as a whole, which is faster and coarser; a divisor of size_px. None imputes pixels.
    noise
        As in `impute`.

    Returns
    -------
    float
        In [0, 1]; lower is better with ``morf``, higher with ``lerf``.

    Notes
    -----
    Source: Rong et al. 2022 (arXiv 2202.00449), for one image; the paper reports accuracy over many.

    Does not show: anything about pixels that follow from their neighbours, since the imputation restores those.
    """
    if not np.isfinite(values).all():
        return float("nan")
    grid = _cell_means(values, len(values) if cells is None else cells)
    ranked = _ranking(grid) if order == "morf" else _ranking(grid)[::-1]
    images = []
    for share in shares:
        removed = np.zeros(grid.size, bool)
        removed[ranked[: round(share * grid.size)]] = True
        images.append(impute(pixels, removed.reshape(grid.shape), noise))
    return float(score(np.stack(images)).mean())


def faithfulness_correlation(
    pixels: Grey,
    values: Grey,
    score: ScoreFunction,
    subsets: int = 50,
    cells: int = CELLS,
    share: float = 0.25,
    baseline: Baseline = "blur",
) -> float:
    """Correlate the summed attribution of random subsets with the drop of the score without them.

    A feature is a cell of a grid, its attribution the mean of `values` in it; a removed cell is replaced by the baseline.

    Parameters
    ----------
    pixels
        The square, float32 (size_px, size_px) in [0, 1].
    values
        Heat map of the square, float32 (size_px, size_px).
    score
        The model's probability of the target for other grey levels on the square.
    subsets
        Number of random subsets, all of one size.
    cells
        Cells along a side of the grid; a divisor of size_px.
    share
        Share of the cells in a subset, in (0, 1).
    baseline
        What replaces a cell, see `replacement`.

    Returns
    -------
    float
        Pearson correlation in [−1, 1]; NaN where attribution or drop is the same for every subset: a flat map, or a score that
        does not move.

    Notes
    -----
    Source: Bhatt et al. 2020 (arXiv 2005.00631, faithfulness).

    Does not show: whether the ranking of the map is right: the correlation is of amounts, and one large value can carry it.
    """
    if not np.isfinite(values).all():
        return float("nan")
    attribution = _cell_means(values, cells).ravel()
    rng = np.random.default_rng(SEED)
    size = round(share * attribution.size)
    chosen = np.zeros((subsets, attribution.size), bool)
    for row in chosen:
        row[rng.choice(attribution.size, size, replace=False)] = True
    removed = _spread(chosen.reshape(-1, cells, cells), len(pixels))
    scores = score(np.concatenate([pixels[None], np.where(removed, replacement(pixels, baseline), pixels)]))
    return _pearson(chosen @ attribution, scores[0] - scores[1:])


def random_ranking(values: Grey, rng: np.random.Generator, cells: int = CELLS) -> Grey:
    """Shuffle the blocks of a map: what chance would name.

    Blocks, not pixels: a map is smooth, and scattered pixels would do another kind of damage (our choice, no source).

    Parameters
    ----------
    values
        Heat map, float32 (size_px, size_px).
    rng
        Draws the permutation.
    cells
        Blocks along a side; a divisor of size_px.

    Returns
    -------
    ndarray
        float32 (size_px, size_px) with the same blocks in another order.

    Notes
    -----
    Does not show: chance at the size of the map's own blobs, where those are larger than a block.
    """
    block = _block(len(values), cells)
    blocks = values.reshape(cells, block, cells, block).swapaxes(1, 2).reshape(-1, block, block)
    return rng.permutation(blocks).reshape(cells, cells, block, block).swapaxes(1, 2).reshape(values.shape)


def replacement(pixels: Grey, baseline: Baseline) -> Grey:
    """Make the image that stands for "no evidence here".

    Parameters
    ----------
    pixels
        The square, float32 (size_px, size_px) in [0, 1].
    baseline
        ``blur``: the image under a Gaussian of standard deviation size_px / 20, mirrored at the edges; ``mean``: the mean of the
        image everywhere.

    Returns
    -------
    ndarray
        float32 (size_px, size_px) in [0, 1].

    Notes
    -----
    Does not show: an image without evidence: a large opacity survives the blur.
    """
    if baseline == "mean":
        return np.full_like(pixels, pixels.mean(dtype=np.float64))
    return np.asarray(gaussian_filter(pixels, len(pixels) / 20), np.float32)


def impute(pixels: Grey, removed: Mask, noise: float = 0.01) -> Grey:
    """Replace removed pixels by noisy linear imputation.

    Each removed value is the weighted mean of its neighbours: 1/6 for the four direct and 1/12 for the four diagonal ones, with
    weights at the edge scaled to a sum of 1; then Gaussian noise is added. Values are cut to [0, 1], which the code of the paper
    does not do: a prepared square has no other values.

    Parameters
    ----------
    pixels
        The square, float32 (size_px, size_px) in [0, 1].
    removed
        bool (cells, cells): which cells are removed; `cells` is a divisor of size_px, and size_px itself for single pixels.
    noise
        Standard deviation of the noise, in units of `pixels`; 0 for none.

    Returns
    -------
    ndarray
        float32 (size_px, size_px) in [0, 1].

    Raises
    ------
    ValueError
        If everything is removed: the system of equations then has no unique solution.

    Notes
    -----
    Source: Rong et al. 2022 (arXiv 2202.00449, noisy linear imputation).

    Does not show: a plausible radiograph: the filling is smooth where lungs have texture.
    """
    if removed.all():
        raise ValueError("every cell is removed, so nothing is left to impute from")
    size_px = len(pixels)
    means, gone = _cell_means(pixels, len(removed)).ravel(), removed.ravel()
    line = diags([1.0, 1.0], [-1, 1], shape=removed.shape)
    one = identity(len(removed))
    weights = ((kron(one, line) + kron(line, one)) / 6 + kron(line, line) / 12).tocsr()
    system = (diags(np.asarray(weights.sum(1)).ravel()) - weights).tocsr()
    # The default ordering of columns: the one for symmetric systems takes minutes where the removed pixels are scattered.
    means[gone] = spsolve(system[gone][:, gone].tocsc(), weights[gone][:, ~gone] @ means[~gone])
    filled = _spread(means.reshape(removed.shape), size_px) + np.random.default_rng(SEED).normal(0, noise, pixels.shape)
    return np.where(_spread(removed, size_px), np.clip(filled, 0, 1), pixels).astype(np.float32)


def _area(start: Grey, end: Grey, values: Grey, score: ScoreFunction, steps: int) -> float:
    if not np.isfinite(values).all():
        return float("nan")
    counts = np.linspace(0, values.size, steps + 1).round().astype(int)
    place = np.empty(values.size, int)
    place[_ranking(values)] = np.arange(values.size)
    moved = place.reshape(values.shape) < counts[:, None, None]
    return float(np.trapezoid(score(np.where(moved, end, start)), counts / values.size))


def _ranking(values: Grey | Array) -> NDArray[np.intp]:
    """Flat indices, most important first; ties in the order of a seeded permutation, so that a flat map ranks at random."""
    ties = np.random.default_rng(SEED).permutation(values.size)
    return np.lexsort((ties, -values.ravel()))


def _pearson(a: Array, b: Array) -> float:
    # Sums of equal float32 values are exact in float64, so a flat map needs no tolerance.
    if not (np.ptp(a) and np.ptp(b)):
        return float("nan")
    a, b = a - a.mean(), b - b.mean()
    return float(np.clip(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)), -1, 1))


def _block(size_px: int, cells: int) -> int:
    if size_px % cells:
        raise ValueError(f"an edge of {size_px} pixels cannot be divided into {cells} equal cells")
    return size_px // cells


def _cell_means(values: Grey, cells: int) -> Array:
    block = _block(len(values), cells)
    return np.asarray(values.reshape(cells, block, cells, block).mean((1, 3), dtype=np.float64))


def _spread(grid: NDArray[Value], size_px: int) -> NDArray[Value]:
    """(…, cells, cells) to (…, size_px, size_px), each cell's value at all its pixels."""
    block = _block(size_px, grid.shape[-1])
    return grid.repeat(block, -2).repeat(block, -1)
