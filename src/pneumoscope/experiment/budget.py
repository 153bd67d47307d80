"""How many epochs fit in a given time, the same number for every unit."""

import time
from functools import partial

import torch

from pneumoscope.classifier import BACKBONES
from pneumoscope.classifier.network import build
from pneumoscope.experiment.plan import ComparisonError, Plan
from pneumoscope.training import allocator, batches
from pneumoscope.training.fit import CLASSES
from pneumoscope.training.process_group import ALONE, Group, Spread
from pneumoscope.training.recipe import Recipe

_STEPS = 3


def epochs(plan: Plan, images: int, group: Group = ALONE) -> int:
    """Time a few steps of every backbone; the epochs that each unit gets of the plan's minutes, at most the recipe's.

    All processes of the group take part, and get the leading one's answer.

    `images` are those of the largest train side. Counted are the steps of the training alone, not the losses of an evidence
    head, the tune side or the measuring. ComparisonError if less than one epoch fits.
    """
    allocator.keep_freed()
    steps = batches.steps(plan.recipe, images)
    if steps < 1:
        raise ComparisonError(f"{images} training images do not fill one batch of {plan.recipe.batch}; use --batch")
    once = {name: steps * group.told(partial(float, seconds_a_step(name, plan.recipe, group))) for name in plan.backbones}
    total = sum(once[unit.backbone] for unit in plan.units) / 60
    fit = min(int(plan.minutes / total), plan.recipe.epochs)
    if fit < 1:
        raise ComparisonError(
            f"one epoch of the {len(plan.units)} runs takes about {total:.0f} minutes here, more than the budget of "
            f"{plan.minutes:g}; give more minutes, a smaller --side-px or fewer --backbones"
        )
    return fit


def seconds_a_step(name: str, recipe: Recipe, group: Group = ALONE) -> float:
    """Of a forward and a backward pass of one batch, painted images included, and the optimizer's step; the least of a few."""
    network = build(BACKBONES[name], recipe.head, len(CLASSES), recipe.size_px).to(memory_format=torch.channels_last).train()
    optimizer, spread = torch.optim.AdamW(network.parameters(), lr=1e-6), Spread(network, group)
    count = recipe.step_images
    images, target = torch.rand(count, 1, recipe.size_px, recipe.size_px), torch.arange(count) % len(CLASSES)
    taken = []
    for _ in range(_STEPS):
        start = time.perf_counter()
        optimizer.zero_grad(set_to_none=True)
        (spread(images).flatten(1).mean(1) * target).sum().backward()
        optimizer.step()
        taken.append(time.perf_counter() - start)
    return min(taken)
