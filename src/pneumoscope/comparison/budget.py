"""How many epochs fit in a given time, the same number for every unit."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch.nn import functional as F

from pneumoscope.classifier import BACKBONES
from pneumoscope.classifier.network import build
from pneumoscope.comparison.plan import ComparisonError, Plan
from pneumoscope.training import batches, memory
from pneumoscope.training.fit import CLASSES
from pneumoscope.training.recipe import Recipe

_STEPS = 3


@dataclass(frozen=True)
class Share:
    """What a budget of minutes gives: epochs for each unit, and a sentence that says so."""

    epochs: int
    note: str


def share(plan: Plan, images: int, minutes: float) -> Share:
    """Time a few steps of every backbone and give all units as many epochs as fit; ComparisonError if that is not one.

    `images` are those of the train side. Counted is the training alone, not the measuring. Never more epochs than the recipe's.
    """
    memory.keep_freed()
    steps = batches.steps(plan.recipe, images)
    once = {name: steps * seconds_a_step(name, plan.recipe) for name in plan.backbones}
    total = sum(once[unit.backbone] for unit in plan.units) / 60
    epochs = min(int(minutes / total), plan.recipe.epochs)
    if epochs < 1:
        raise ComparisonError(
            f"one epoch of the {len(plan.units)} runs takes about {total:.0f} minutes here, more than the budget of {minutes:g}; "
            "give more minutes, a smaller --side-px or fewer --backbones"
        )
    return Share(epochs, f"A budget of {minutes:g} minutes was shared out as {epochs} epochs for each of {len(plan.units)} runs.")


def seconds_a_step(name: str, recipe: Recipe) -> float:
    """Of a forward and a backward pass of one batch, the median of a few."""
    network = build(BACKBONES[name], recipe.head, len(CLASSES)).to(memory_format=torch.channels_last).train()
    channels = 2 if recipe.view == "lungs" or recipe.adds_up else 1
    images, target = torch.rand(recipe.batch, channels, recipe.side_px, recipe.side_px), torch.arange(recipe.batch) % 2
    taken: Sequence[float] = []
    for _ in range(_STEPS):
        start = time.perf_counter()
        F.cross_entropy(network(images), target).backward()
        taken = [*taken, time.perf_counter() - start]
    return sorted(taken)[len(taken) // 2]
