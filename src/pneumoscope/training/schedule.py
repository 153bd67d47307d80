"""The learning rate of a step, and the step."""

import math
from typing import Protocol

import torch
from torch import Tensor


class Schedule(Protocol):
    """The settings of a recipe that decide its learning rate."""

    @property
    def rate(self) -> float:
        """Peak learning rate."""

    @property
    def warmup_epochs(self) -> float:
        """Length of the warm-up in epochs."""

    @property
    def epochs(self) -> int:
        """Number of epochs."""

    @property
    def schedule(self) -> str:
        """Course of the rate after the warm-up: ``constant`` or ``cosine``."""


def rate_at(recipe: Schedule, step: int, steps: int) -> float:
    """Compute the learning rate of a step: linear warm-up, then constant or half a cosine to zero.

    Parameters
    ----------
    recipe
        Peak rate, warm-up, epochs and schedule.
    step
        Number of the step in the run, from 0.
    steps
        Number of steps of an epoch.

    Returns
    -------
    float
        The rate, ≥ 0.
    """
    warmup, total = recipe.warmup_epochs * steps, recipe.epochs * steps
    if step < warmup:
        return min(recipe.rate * (step + 1) / warmup, recipe.rate)  # the last step may lie beyond a warm-up of part of an epoch
    if recipe.schedule == "constant":
        return recipe.rate
    return recipe.rate * 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(total - warmup, 1)))


def take_step(
    loss: Tensor,
    optimizer: torch.optim.Optimizer,
    rate: float,
    scaler: torch.amp.GradScaler | None = None,
    clip_norm: float = 0.0,
) -> None:
    """Take one step of an optimizer down the gradient of a loss.

    Parameters
    ----------
    loss
        A scalar with a gradient.
    optimizer
        The optimizer; a parameter group may have a factor ``times`` for its rate.
    rate
        Learning rate of the step.
    scaler
        Scale of the loss in fp16; None for a loss that is not scaled. A step whose gradients overflow is left out.
    clip_norm
        Largest Euclidean norm of the gradient of all parameters together, to which a longer one is scaled down (Pascanu et al.
        2013, arXiv 1211.5063, algorithm 1), ≥ 0; 0 does not limit it.
    """
    for group in optimizer.param_groups:
        group["lr"] = rate * group.get("times", 1.0)
    optimizer.zero_grad(set_to_none=True)
    (loss if scaler is None else scaler.scale(loss)).backward()
    if clip_norm:
        if scaler is not None:
            scaler.unscale_(optimizer)
        torch.nn.utils.clip_grad_norm_([p for group in optimizer.param_groups for p in group["params"]], clip_norm)
    if scaler is None:
        optimizer.step()
    else:
        scaler.step(optimizer)
        scaler.update()
