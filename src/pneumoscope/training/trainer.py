"""The noun `Trainer`: a network with its optimizer, its loss and its batches, which takes the steps of an epoch."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pneumoscope.classifier import Backbone
from pneumoscope.classifier import device as devices
from pneumoscope.classifier.backbone import is_head
from pneumoscope.classifier.evidence_network import EvidenceNetwork
from pneumoscope.training import batches, evidence_losses, loss
from pneumoscope.training.compute import Compute
from pneumoscope.training.fixed_on_tune import AnyNetwork
from pneumoscope.training.prepared_split import PreparedSplit
from pneumoscope.training.process_group import ALONE, Group, Spread
from pneumoscope.training.recipe import Recipe
from pneumoscope.training.schedule import rate_at, take_step
from pneumoscope.training.square_store import SquareStore
from pneumoscope.training.weight_average import averaged


@dataclass(frozen=True)
class Step:
    """What one step gave.

    Parameters
    ----------
    loss
        Loss of the batch before the step, a scalar on the device, detached.
    rate
        Learning rate.
    """

    loss: Tensor
    rate: float


class Trainer:
    """A network in training on one device.

    Parameters
    ----------
    network
        The network, on the device of `compute`.
    backbone
        Its architecture.
    recipe
        The settings of the training.
    train
        The train side.
    compute
        Device, precision, and whether the network is compiled; by default a CPU in single precision.
    group
        The processes that train together.
    """

    def __init__(
        self,
        network: AnyNetwork,
        backbone: Backbone,
        recipe: Recipe,
        train: PreparedSplit,
        compute: Compute | None = None,
        group: Group = ALONE,
    ) -> None:
        self.network, self.recipe, self.train, self.group = network, recipe, train, group
        self.compute = compute or Compute()
        self.optimizer = _optimizer(network, recipe, backbone)
        self.scaler = torch.amp.GradScaler(self.compute.device.type) if self.compute.scales_loss else None
        self.criterion = loss.of_recipe(recipe, train.reference)
        self.spread = Spread(network, group, self.compute)
        self.store = SquareStore(train.squares, self.compute)
        self.weights = averaged(network, recipe.ema_share, recipe.epochs * self.steps)

    @property
    def steps(self) -> int:
        """Number of steps of an epoch."""
        return batches.steps(self.recipe, self.train.pool)

    def epoch(self, epoch: int) -> Iterator[Step]:
        """Take the steps of an epoch, one each time that the next is asked for.

        A GPU computes while the following steps are prepared; reading the number in a loss waits for it.

        Parameters
        ----------
        epoch
            Number of the epoch, from 0.

        Yields
        ------
        Step
            Loss and learning rate of each step.
        """
        recipe = self.recipe
        torch.manual_seed(int(np.random.SeedSequence((recipe.seed, epoch)).generate_state(1)[0]))  # dropout
        self.network.train()
        # Augmented views and painted opacities are drawn for the whole batch at once.
        rows = batches.ALL if recipe.adds_up else self.group.rows(recipe.batch)
        drawn = batches.batches(recipe, self.store, self.train.pool, epoch, rows, self.group.local_size)
        for number, batch in enumerate(drawn):
            rate = rate_at(recipe, epoch * self.steps + number, self.steps)
            value = self._loss(batch, batches.canvas(recipe, self.store, self.train.pool, epoch, number))
            take_step(value, self.optimizer, rate, self.scaler, recipe.clip_norm)
            self.weights.after_step()
            yield Step(value.detach(), rate)

    def _loss(self, batch: batches.Batch, canvas: tuple[Tensor, Tensor]) -> Tensor:
        criterion, taught = self.criterion, self.train.taught
        if taught is not None and self.recipe.distillation:
            criterion = loss.beside_teacher(criterion, self.compute.send(taught[batch.drawn]), self.recipe.distillation)
        if isinstance(self.network, EvidenceNetwork):
            return evidence_losses.step_loss(
                self.network, self.spread, batch.squares, batch.target, *canvas, criterion, self.recipe
            )
        return criterion(self.spread.of_rows(batch.squares), batch.target)


def _optimizer(network: AnyNetwork, recipe: Recipe, backbone: Backbone) -> torch.optim.Optimizer:
    """The optimizer, with the pretrained and the new layers as two groups and the factor ``times`` on the rate of each."""
    kind = torch.optim.Adam if recipe.optimizer == "adam" else torch.optim.AdamW
    settings: dict[str, Any] = {"lr": recipe.rate, "weight_decay": recipe.weight_decay}
    if devices.of(network).type == "cuda":
        settings["fused"] = True
    if recipe.head_rate == 1:
        return kind([{"params": list(network.parameters()), "times": 1.0}], **settings)
    new = [p for name, p in network.named_parameters() if _is_new(name, backbone)]
    known = {id(p) for p in new}
    old = [p for p in network.parameters() if id(p) not in known]
    groups = [{"params": old, "times": 1.0}, {"params": new, "times": recipe.head_rate}]
    return kind(groups, **settings)


def _is_new(name: str, backbone: Backbone) -> bool:
    """Whether a parameter starts from random weights: a layer next to the library's model, or its new head."""
    inside = name.removeprefix("model.")
    return inside == name or is_head(inside, backbone)
