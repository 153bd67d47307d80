"""How well predicted lung masks agree with reference masks, and the quality from which a lung counts as found."""

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage

from pneumoscope.lung_fields.graph_module import LungFieldModule
from pneumoscope.lung_fields.network import SIDE_PX, LungNetwork
from pneumoscope.training.errors import TrainingError
from pneumoscope.training.lung_fields.squares import LungSet, LungSquares, Masks
from pneumoscope.training.prediction import outputs, predict

WELL_FOUND = 0.8
"""Dice coefficient from which a lung of the tune side counts as well found."""
REACHED = 0.99
"""Share of the well found lungs whose quality reaches the threshold."""


def dice(predicted: Masks, reference: Masks) -> NDArray[np.float64]:
    """Compute the Dice coefficient of masks over their last two axes.

    Parameters
    ----------
    predicted, reference
        bool, shape (..., rows, cols).

    Returns
    -------
    ndarray of float64
        Shape (...), in [0, 1]; 0 if both masks are empty.
    """
    both = (predicted & reference).sum((-2, -1))
    return np.asarray(2 * both / np.maximum(predicted.sum((-2, -1)) + reference.sum((-2, -1)), 1))


def boundary_distance(predicted: Masks, reference: Masks) -> float:
    """Compute the mean symmetric distance of two outlines.

    Parameters
    ----------
    predicted, reference
        bool, shape (rows, cols).

    Returns
    -------
    float
        Mean of the mean distances in both directions, in percent of the number of columns; NaN if a mask is empty.
    """
    if not predicted.any() or not reference.any():
        return math.nan
    edges = [m & ~ndimage.binary_erosion(m) for m in (predicted, reference)]
    to = [ndimage.distance_transform_edt(~edge) for edge in edges]
    return float((to[1][edges[0]].mean() + to[0][edges[1]].mean()) / 2 / predicted.shape[-1] * 100)


def quality_threshold(network: LungNetwork, squares: LungSquares, sets: Sequence[LungSet]) -> float:
    """Fix the quality from which a lung counts as found.

    The quality is the one that the exported graph gives: the Dice coefficient of the probabilities with the connected, filled
    mask (`LungFieldModule`). The threshold is the quality that 99 in 100 well found lungs reach, over tune images as they are,
    very dark, and very flat.

    Parameters
    ----------
    network
        The trained network.
    squares
        Images with masks.
    sets
        The sets that the images come from.

    Returns
    -------
    float
        The threshold, in [0, 1].

    Raises
    ------
    TrainingError
        If no lung of the tune images is well found, or the network gives values that are not numbers.
    """
    tune = squares.tune(sets)
    images, masks = squares.images[tune].astype(np.float32), squares.masks[tune]
    module = LungFieldModule(network, SIDE_PX, 0.0)

    def fields(image: torch.Tensor) -> torch.Tensor:
        lungs, quality, *_ = module(image)
        return torch.cat([lungs.flatten(2), quality[..., None]], 2)

    quality = []
    for changed in (images, images * 0.15, images * 0.1 + 127):
        both = outputs(module, fields, changed.astype(np.uint8)[:, None])
        lungs = both[..., :-1].reshape(masks.shape) > 0
        quality.append(both[..., -1][dice(lungs, masks) >= WELL_FOUND])
    reached = np.concatenate(quality)
    if not reached.size:
        raise TrainingError("no lung of the tune side was found well, so no quality threshold can be fixed; give more epochs")
    if not np.isfinite(reached).all():
        raise TrainingError("the trained network gives qualities that are not numbers; lower the rate and train again")
    return float(np.quantile(reached, 1 - REACHED))


def results(network: LungNetwork, squares: LungSquares, sets: Sequence[LungSet]) -> dict[str, dict[str, float]]:
    """Measure Dice coefficient and boundary distance of each lung on the images that were not trained on.

    Parameters
    ----------
    network
        The trained network.
    squares
        Images with masks.
    sets
        The sets that the images come from.

    Returns
    -------
    dict
        By set and part of the split: ``images``, ``dice_mean``, ``dice_least`` and ``boundary_distance_percent_of_side``.
    """
    measured = {}
    for lung_set in sets:
        for split in ("tune", "test"):
            chosen = squares.where(lung_set.name, split)
            if split != lung_set.split and len(chosen):
                measured[f"{lung_set.name}, {split}"] = _of(
                    predict(network, squares.images[chosen][:, None]) > 0, squares.masks[chosen]
                )
    return measured


def _of(predicted: Masks, reference: Masks) -> dict[str, float]:
    pairs = zip(predicted.reshape(-1, *predicted.shape[2:]), reference.reshape(-1, *reference.shape[2:]), strict=True)
    apart = np.array([boundary_distance(a, b) for a, b in pairs])
    known = apart[~np.isnan(apart)]
    overlap = dice(predicted, reference)
    return {
        "images": len(predicted),
        "dice_mean": float(overlap.mean()),
        "dice_least": float(overlap.min()),
        "boundary_distance_percent_of_side": float(known.mean()) if known.size else math.nan,
    }
