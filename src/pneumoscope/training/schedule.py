"""The learning rate of a step."""

import math
from typing import Protocol


class Schedule(Protocol):
    """What a recipe says about its learning rate: `schedule` is ``constant`` or ``cosine``."""

    @property
    def rate(self) -> float: ...
    @property
    def warmup_epochs(self) -> float: ...
    @property
    def epochs(self) -> int: ...
    @property
    def schedule(self) -> str: ...


def rate_at(recipe: Schedule, step: int, steps: int) -> float:
    """Learning rate of a step (from 0) when an epoch has `steps`: linear warm-up, then constant or half a cosine to zero."""
    warmup, total = recipe.warmup_epochs * steps, recipe.epochs * steps
    if step < warmup:
        return min(recipe.rate * (step + 1) / warmup, recipe.rate)  # the last step may lie beyond a warm-up of part of an epoch
    if recipe.schedule == "constant":
        return recipe.rate
    return recipe.rate * 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(total - warmup, 1)))
