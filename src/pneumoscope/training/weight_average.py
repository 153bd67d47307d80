"""The exponential moving average of a network's weights over the steps of a run."""

from dataclasses import dataclass
from typing import Generic, TypeVar, cast

from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

AnyModule = TypeVar("AnyModule", bound=nn.Module)
_LEAST_STEPS = 2.0
"""Smallest number of steps over which an average reaches back, so that a short run has one too."""


def decay_of(ema_share: float, steps: int) -> float:
    """Compute the decay per step of an average that reaches back over a share of a run.

    Parameters
    ----------
    ema_share
        Share of the steps, in (0, 1).
    steps
        Number of steps of the run, ≥ 1.

    Returns
    -------
    float
        ``1 − 1 / n`` for an average over about the last n steps, n ≥ 2: the weights of a step n steps ago count 1/e as much.
    """
    return 1 - 1 / max(_LEAST_STEPS, ema_share * steps)


@dataclass(frozen=True, eq=False)
class AveragedWeights(Generic[AnyModule]):
    """A network in training with the average of its weights, if the recipe takes one.

    Parameters
    ----------
    network
        The network that the optimizer changes.
    average
        The average of its weights and of the statistics of its batch norms; None for none.
    """

    network: AnyModule
    average: AveragedModel | None

    @property
    def evaluated(self) -> AnyModule:
        """The network that is measured on tune and saved: the averaged one if there is an average."""
        return self.network if self.average is None else cast(AnyModule, self.average.module)

    @property
    def state(self) -> nn.Module:
        """Everything that an interrupted run needs, as one module."""
        return self.network if self.average is None else nn.ModuleList([self.network, self.average])

    def after_step(self) -> None:
        """Take the network's weights after a step into the average."""
        if self.average is not None:
            self.average.update_parameters(self.network)


def averaged(network: AnyModule, ema_share: float, steps: int) -> AveragedWeights[AnyModule]:
    """Begin the average of a network's weights, with the weights that the network has now.

    Parameters
    ----------
    network
        The network before its first step.
    ema_share
        Share of the steps of the run over which the average reaches back, in [0, 1); 0 for no average.
    steps
        Number of steps of the run, ≥ 1.

    Returns
    -------
    AveragedWeights
        The network with its average.
    """
    if not ema_share:
        return AveragedWeights(network, None)
    average = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(decay_of(ema_share, steps)), use_buffers=True)
    average.requires_grad_(False)
    average.update_parameters(network)  # PyTorch's first update copies instead of averaging
    return AveragedWeights(network, average)
