"""Losses on two-class logits."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from pneumoscope.classifier.score import OTHER, TARGET
from pneumoscope.training.recipe import Distillation, Recipe

Loss = Callable[[Tensor, Tensor], Tensor]


def focal(logits: Tensor, target: Tensor, gamma: float, alpha: Tensor | None = None) -> Tensor:
    """Mean focal loss, FL = −α_t (1 − p_t)^γ log p_t (Lin et al. 2017, arXiv 1708.02002, eq. 5).

    Parameters
    ----------
    logits: (batch, classes). target: int64 (batch,). alpha: (classes,) or None for 1.
    """
    log_p = F.log_softmax(logits, 1).gather(1, target[:, None])[:, 0]
    # At p = 1 a γ below 1 has an infinite slope, and infinity times the slope 0 of log p would be no number.
    loss = -((1 - log_p.exp()).clamp_min(torch.finfo(log_p.dtype).tiny) ** gamma) * log_p
    return (loss if alpha is None else loss * alpha[target]).mean()


def inverse_frequency(reference: NDArray[np.integer], classes: int = 2) -> NDArray[np.float32]:
    """Weights in proportion to 1 / n_c that add up to the number of classes (Shahi & Bagale 2025), shape (classes,)."""
    inverse = 1 / np.bincount(reference, minlength=classes)
    return np.asarray(classes * inverse / inverse.sum(), np.float32)


def of_recipe(recipe: Recipe, reference: NDArray[np.integer]) -> Loss:
    """The recipe's loss, with weights from the training side's class frequencies."""
    weights = torch.from_numpy(inverse_frequency(reference))
    if recipe.loss == "focal":
        alpha = weights if recipe.alpha == "inverse-frequency" else None
        return lambda logits, target: focal(logits, target, recipe.gamma, alpha)
    return torch.nn.CrossEntropyLoss(weight=weights if recipe.loss == "weighted-cross-entropy" else None)


def beside_teacher(criterion: Loss, taught: Tensor, distillation: Distillation) -> Loss:
    """The criterion and, weighted, the cross-entropy against a teacher's probabilities, both softened by a temperature.

    ``w · T² · CE(σ(taught / T), σ(log-odds / T))`` (Hinton et al. 2015, arXiv 1503.02531, section 2); `taught` are log-odds
    (batch,).
    """
    temperature = distillation.distillation_temperature
    soft = torch.sigmoid(taught / temperature)

    def both(logits: Tensor, target: Tensor) -> Tensor:
        own = (logits[:, TARGET] - logits[:, OTHER]) / temperature
        distilled = F.binary_cross_entropy_with_logits(own, soft)
        return criterion(logits, target) + distillation.distillation_weight * temperature**2 * distilled

    return both
