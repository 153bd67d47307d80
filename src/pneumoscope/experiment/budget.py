"""How many epochs fit into a training budget, the same number for every unit."""

import time
from functools import partial

import torch

from pneumoscope.classifier import BACKBONES
from pneumoscope.classifier.network import build
from pneumoscope.experiment.errors import ComparisonError
from pneumoscope.experiment.plan import Plan
from pneumoscope.training import allocator, batches
from pneumoscope.training.compute import Compute
from pneumoscope.training.fit import CLASSES
from pneumoscope.training.pool import Pool
from pneumoscope.training.process_group import ALONE, Group, Spread
from pneumoscope.training.recipe import Recipe

_STEPS = 3


def epochs(plan: Plan, pool: Pool, group: Group = ALONE, compute: Compute | None = None) -> int:
    """Compute how many epochs every unit gets, by timing a few steps of every backbone.

    Only forward pass, backward pass and optimizer step are timed, not the losses of an evidence head, the tune split or the
    measurements.

    Parameters
    ----------
    plan
        With the minutes of the budget.
    pool
        Images of the train split with the most steps an epoch.
    group
        The processes that train together; all of them take part and get the answer of the leading one.
    compute
        Device and precision of the trainings; by default a CPU in single precision.

    Returns
    -------
    int
        At least 1, at most the recipe's epochs.

    Raises
    ------
    ComparisonError
        If less than one epoch fits, or the images do not fill one batch.
    """
    allocator.keep_freed()
    steps = batches.steps(plan.recipe, pool)
    if steps < 1:
        raise ComparisonError(f"{len(pool)} training images do not fill one batch of {plan.recipe.batch}; use --batch")
    once = {
        name: steps * group.from_leader(partial(float, seconds_a_step(name, plan.recipe, group, compute)))
        for name in plan.backbones
    }
    total = sum(once[unit.backbone] for unit in plan.units) / 60
    fit = min(int(plan.minutes / total), plan.recipe.epochs)
    if fit < 1:
        raise ComparisonError(
            f"one epoch of the {len(plan.units)} runs takes about {total:.0f} minutes here, more than the budget of "
            f"{plan.minutes:g}; give more minutes, a smaller --side-px or fewer --backbones"
        )
    return fit


def seconds_a_step(name: str, recipe: Recipe, group: Group = ALONE, compute: Compute | None = None) -> float:
    """Time one training step, painted images included.

    Parameters
    ----------
    name
        Of the backbone.
    recipe
        The recipe, which gives batch and input size.
    group
        The processes that train together.
    compute
        Device and precision; by default a CPU in single precision.

    Returns
    -------
    float
        Seconds of the fastest of a few steps.
    """
    compute = compute or Compute()
    with compute.running():
        network = build(BACKBONES[name], recipe.head, len(CLASSES), recipe.size_px)
        network = network.to(compute.device).to(memory_format=torch.channels_last).train()
        optimizer, spread = torch.optim.AdamW(network.parameters(), lr=1e-6), Spread(network, group, compute)
        count = recipe.step_images
        images, target = torch.rand(count, 1, recipe.size_px, recipe.size_px), torch.arange(count) % len(CLASSES)
        images, target = images.to(compute.device), target.to(compute.device)
        taken = []
        for _ in range(_STEPS):
            start = time.perf_counter()
            optimizer.zero_grad(set_to_none=True)
            (spread(images).flatten(1).mean(1) * target).sum().backward()
            optimizer.step()
            compute.synchronize()
            taken.append(time.perf_counter() - start)
    return min(taken)
