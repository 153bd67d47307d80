"""Losses on two-class logits."""

import functools
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from pneumoscope.classifier.score import OTHER, TARGET
from pneumoscope.training.recipe import Distillation, Recipe

Loss = Callable[[Tensor, Tensor], Tensor]


def focal(logits: Tensor, target: Tensor, gamma: float, alpha: Tensor | None = None, smoothing: float = 0.0) -> Tensor:
    """Compute the mean focal loss, FL = −α_t (1 − p_t)^γ log p_t (Lin et al. 2017, arXiv 1708.02002, eq. 5).

    With label smoothing ε, the loss of an image is (1 − ε) times its focal loss plus ε times the mean over the classes of the
    focal losses that the image would have if it were of that class; without focus (γ = 0) this is the cross-entropy of
    Szegedy et al. 2016, arXiv 1512.00567, section 7.

    Parameters
    ----------
    logits
        Shape (batch, classes).
    target
        int64, shape (batch,).
    gamma
        Focusing exponent, ≥ 0.
    alpha
        Weight of each class, shape (classes,); None for 1.
    smoothing
        Label smoothing ε, in [0, 1).

    Returns
    -------
    Tensor
        A scalar.
    """
    own = _focal_of(logits, target, gamma, alpha).mean()
    if smoothing == 0:
        return own
    every = [_focal_of(logits, torch.full_like(target, k), gamma, alpha).mean() for k in range(logits.shape[1])]
    return (1 - smoothing) * own + smoothing * torch.stack(every).mean()


def _focal_of(logits: Tensor, target: Tensor, gamma: float, alpha: Tensor | None) -> Tensor:
    """The focal loss of each image."""
    log_p = F.log_softmax(logits, 1).gather(1, target[:, None])[:, 0]
    # At p = 1 the power has an infinite slope for γ < 1; times the slope 0 of log p it would be NaN.
    loss = -((1 - log_p.exp()).clamp_min(torch.finfo(log_p.dtype).tiny) ** gamma) * log_p
    return loss if alpha is None else loss * alpha[target]


def inverse_frequency(reference: NDArray[np.integer], classes: int = 2) -> NDArray[np.float32]:
    """Compute class weights in proportion to 1 / n_c (Shahi & Bagale 2025, arXiv 2511.00456).

    Parameters
    ----------
    reference
        int, shape (n,): index of the class of each image; every class occurs.
    classes
        Number of classes.

    Returns
    -------
    ndarray of float32
        Shape (classes,); they add up to the number of classes.
    """
    inverse = 1 / np.bincount(reference, minlength=classes)
    return np.asarray(classes * inverse / inverse.sum(), np.float32)


def of_recipe(recipe: Recipe, reference: NDArray[np.integer]) -> Loss:
    """Return the loss of a recipe, with class weights from the train side.

    Parameters
    ----------
    recipe
        Name and settings of the loss.
    reference
        int, shape (n,): 1 for training images with the target, else 0.

    Returns
    -------
    Callable
        Logits (batch, 2) and target (batch,) to a scalar.
    """
    weights = torch.from_numpy(inverse_frequency(reference))
    weighted = recipe.alpha == "inverse-frequency" if recipe.loss == "focal" else recipe.loss == "weighted-cross-entropy"

    @functools.cache
    def sent(device: torch.device, dtype: torch.dtype) -> Tensor | None:
        return weights.to(device, dtype) if weighted else None

    def focal_loss(logits: Tensor, target: Tensor) -> Tensor:
        return focal(logits, target, recipe.gamma, sent(logits.device, logits.dtype), recipe.label_smoothing)

    def cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
        return F.cross_entropy(logits, target, sent(logits.device, logits.dtype), label_smoothing=recipe.label_smoothing)

    return focal_loss if recipe.loss == "focal" else cross_entropy


def beside_teacher(criterion: Loss, taught: Tensor, distillation: Distillation) -> Loss:
    """Add to a loss the cross-entropy against a teacher's probabilities, both softened by a temperature.

    ``w · T² · CE(σ(taught / T), σ(log-odds / T))`` (Hinton et al. 2015, arXiv 1503.02531, section 2).

    Parameters
    ----------
    criterion
        The loss of the labels.
    taught
        The teacher's log-odds, shape (batch,).
    distillation
        Weight w and temperature T.

    Returns
    -------
    Callable
        Logits (batch, 2) and target (batch,) to a scalar.
    """
    temperature = distillation.distillation_temperature
    soft = torch.sigmoid(taught / temperature)

    def both(logits: Tensor, target: Tensor) -> Tensor:
        own = (logits[:, TARGET] - logits[:, OTHER]) / temperature
        distilled = F.binary_cross_entropy_with_logits(own, soft)
        return criterion(logits, target) + distillation.distillation_weight * temperature**2 * distilled

    return both
