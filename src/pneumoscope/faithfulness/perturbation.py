"""Does the score follow the pixels that a heat map names? Faithfulness of a map to its model, as pure functions.

All work on one prepared square: `pixels` float32 (side, side) in [0, 1]; a heat map `values` float32 (side, side) on the same
square, larger is more important, any unit; and `score`, which takes float32 (n, side, side) and returns the model's
probability of the target, float64 (n,), in [0, 1]. Each function asks `score` once, for all its images. Whatever is random has
the fixed seed `SEED`, so that two maps of one image meet the same draws. A map with a value that is not finite has no
ranking: the figure is NaN.

Does not show: whether the place is the disease's. A map that is faithful to a wrong model points at the wrong place.
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
"""Cells along a side of the grid: 14 of 16 pixels on the usual square of 224."""
SHARES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 0.9)


def deletion_auc(pixels: Grey, values: Grey, score: ScoreFunction, steps: int = 20, baseline: Baseline = "blur") -> float:
    """Area under the score over the fraction of pixels that are replaced by the baseline, most important first; in [0, 1].

    Petsiuk et al. 2018 (RISE, arXiv 1806.07421, §4.2), who replace by a constant: `replacement` says by what here. `steps` + 1
    images, trapezoid. Lower is better; what counts is the distance to `random_ranking`.

    Does not show: importance alone: a fall can come from images of a kind that the model has never seen.
    """
    return _area(pixels, replacement(pixels, baseline), values, score, steps)


def insertion_auc(pixels: Grey, values: Grey, score: ScoreFunction, steps: int = 20, baseline: Baseline = "blur") -> float:
    """Area under the score over the fraction of pixels that are put into the baseline, most important first; in [0, 1].

    Petsiuk et al. 2018 (RISE, arXiv 1806.07421, §4.2), who begin with a blurred image too. `steps` + 1 images, trapezoid.
    Higher is better; what counts is the distance to `random_ranking`.

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
    """Mean score, in [0, 1], over images of which a share is imputed; "morf" most relevant first, "lerf" least relevant first.

    ROAD, Rong et al. 2022 (arXiv 2202.00449), for one image: the paper reports accuracy over many. Lower is better with "morf",
    higher with "lerf".

    Parameters
    ----------
    shares: fractions of the pixels, in [0, 1); at least one pixel must be left to impute from.
    cells: remove and impute the means of a grid of `cells` × `cells` instead of pixels, which is faster and coarser.
    noise: see `impute`.

    Does not show: anything about pixels that their neighbours give away, since those come back.
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
    """Pearson correlation, in [−1, 1], of a subset's summed attribution with the drop in score without it.

    Bhatt et al. 2020 (arXiv 2005.00631, faithfulness): random subsets, all of one size, replaced by the baseline. A feature is
    a cell of a grid of `cells` × `cells`, its attribution the mean of `values` in it; a subset is `share` of the cells.

    NaN where attribution or drop is the same for every subset: a flat map, or a score that does not move.

    Does not show: whether the map's ranking is right: the correlation is of amounts, and one large value can carry it.
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
    """The map with the `cells` × `cells` blocks of its grid shuffled, float32 (side, side): what chance would name.

    Blocks, not pixels: a map is smooth, and scattered pixels would do another kind of damage (our choice, no source).

    Does not show: chance at the size of the map's own blobs, where those are larger than a block.
    """
    block = _block(len(values), cells)
    blocks = values.reshape(cells, block, cells, block).swapaxes(1, 2).reshape(-1, block, block)
    return rng.permutation(blocks).reshape(cells, cells, block, block).swapaxes(1, 2).reshape(values.shape)


def replacement(pixels: Grey, baseline: Baseline) -> Grey:
    """What stands for "not there", float32 (side, side) in [0, 1].

    "blur": the image itself under a Gaussian of sigma side / 20, mirrored at the edges. "mean": the image's mean everywhere.

    Does not show: an image without evidence: a large opacity survives the blur.
    """
    if baseline == "mean":
        return np.full_like(pixels, pixels.mean(dtype=np.float64))
    return np.asarray(gaussian_filter(pixels, len(pixels) / 20), np.float32)


def impute(pixels: Grey, removed: Mask, noise: float = 0.01) -> Grey:
    """The image with noisy linear imputation where `removed`, float32 (side, side) in [0, 1].

    Rong et al. 2022 (arXiv 2202.00449, noisy linear imputation): each removed value is the weighted mean of its neighbours, 1/6
    for the four direct and 1/12 for the four diagonal ones, the weights at the edge brought back to a sum of 1; then Gaussian
    noise. Cut to [0, 1], which the paper's own code does not do: a prepared square has no other values.

    Parameters
    ----------
    removed: bool (cells, cells), `cells` a divisor of the side: the side itself for single pixels.
    noise: standard deviation, in units of `pixels`; 0 for none.

    ValueError if everything is removed: the system then has no solution of its own.

    Does not show: a plausible radiograph: the filling is smooth where lungs have texture.
    """
    if removed.all():
        raise ValueError("nothing is left to impute from")
    side = len(pixels)
    means, gone = _cell_means(pixels, len(removed)).ravel(), removed.ravel()
    line = diags([1.0, 1.0], [-1, 1], shape=removed.shape)
    one = identity(len(removed))
    weights = ((kron(one, line) + kron(line, one)) / 6 + kron(line, line) / 12).tocsr()
    system = (diags(np.asarray(weights.sum(1)).ravel()) - weights).tocsr()
    # The default ordering of columns: the one for symmetric systems takes minutes where the removed pixels are scattered.
    means[gone] = spsolve(system[gone][:, gone].tocsc(), weights[gone][:, ~gone] @ means[~gone])
    filled = _spread(means.reshape(removed.shape), side) + np.random.default_rng(SEED).normal(0, noise, pixels.shape)
    return np.where(_spread(removed, side), np.clip(filled, 0, 1), pixels).astype(np.float32)


def _area(start: Grey, end: Grey, values: Grey, score: ScoreFunction, steps: int) -> float:
    if not np.isfinite(values).all():
        return float("nan")
    counts = np.linspace(0, values.size, steps + 1).round().astype(int)
    place = np.empty(values.size, int)
    place[_ranking(values)] = np.arange(values.size)
    moved = place.reshape(values.shape) < counts[:, None, None]
    return float(np.trapezoid(score(np.where(moved, end, start)), counts / values.size))


def _ranking(values: Grey | Array) -> NDArray[np.intp]:
    """Flat indices, most important first. Ties in the order of a permutation with a fixed seed: a flat map ranks at random."""
    ties = np.random.default_rng(SEED).permutation(values.size)
    return np.lexsort((ties, -values.ravel()))


def _pearson(a: Array, b: Array) -> float:
    # Sums of equal float32 values are exact in float64, so a flat map needs no tolerance.
    if not (np.ptp(a) and np.ptp(b)):
        return float("nan")
    a, b = a - a.mean(), b - b.mean()
    return float(np.clip(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)), -1, 1))


def _block(side: int, cells: int) -> int:
    if side % cells:
        raise ValueError(f"a side of {side} pixels cannot be cut into {cells} equal cells")
    return side // cells


def _cell_means(values: Grey, cells: int) -> Array:
    block = _block(len(values), cells)
    return np.asarray(values.reshape(cells, block, cells, block).mean((1, 3), dtype=np.float64))


def _spread(grid: NDArray[Value], side: int) -> NDArray[Value]:
    """(…, cells, cells) to (…, side, side), each cell's value at all its pixels."""
    block = _block(side, grid.shape[-1])
    return grid.repeat(block, -2).repeat(block, -1)
