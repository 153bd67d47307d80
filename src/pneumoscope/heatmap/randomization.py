"""Cascading randomization of a network's weights (Adebayo et al. 2018, arXiv 1810.03292); needs PyTorch."""

import copy
from collections.abc import Callable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from pneumoscope.classifier import device as devices
from pneumoscope.classifier.evidence_network import EvidenceNetwork
from pneumoscope.classifier.network import Network
from pneumoscope.classifier.score import TARGET
from pneumoscope.heatmap.explain import explain

Maps = NDArray[np.float32]
STAGES = 8


def cascade(network: Network | EvidenceNetwork, seed: int = 0) -> Iterator[tuple[float, Network | EvidenceNetwork]]:
    """Randomize the layers of a network cumulatively, from the last to the first, in eight stages.

    Source: Adebayo et al. 2018, arXiv 1810.03292. Each layer is reset by its own initialization in PyTorch. The state of
    PyTorch's global random generator is restored.

    Parameters
    ----------
    network
        The trained network; not changed.
    seed
        Seed of the random weights.

    Yields
    ------
    share : float
        Share of the layers that are randomized, in (0, 1].
    network : Network or EvidenceNetwork
        Randomized copy; every stage yields the same object and changes it in place.
    """
    copied = copy.deepcopy(network)
    layers = [m for m in copied.modules() if _drawing(m) and list(m.parameters(recurse=False))]
    layers = _last_first(copied, layers)
    forked = [device] if (device := devices.of(network)).type == "cuda" else []
    for stage in range(1, STAGES + 1):
        with torch.random.fork_rng(devices=forked):  # layers are initialized from the global generator
            torch.manual_seed(seed + stage)
            for layer in layers[len(layers) * (stage - 1) // STAGES : len(layers) * stage // STAGES]:
                draw = _drawing(layer)
                assert draw is not None, "layers without an initialization were filtered out"
                draw()
        yield stage / STAGES, copied


def _drawing(layer: nn.Module) -> Callable[[], None] | None:
    """Return the method that initializes a layer; multi-head attention uses another name for it than other layers."""
    draw: Callable[[], None] | None = getattr(layer, "reset_parameters", None) or getattr(layer, "_reset_parameters", None)
    return draw


def _last_first(network: nn.Module, layers: list[nn.Module]) -> list[nn.Module]:
    """Sort layers from the output to the input; layers outside the library's model follow it in the forward pass."""
    inside = set(network.model.modules()) if isinstance(network.model, nn.Module) else set()
    return [m for m in layers if m not in inside][::-1] + [m for m in layers if m in inside][::-1]


def maps_of(network: Network | EvidenceNetwork, squares: NDArray[np.float32]) -> Maps:
    """Compute the raw heat maps of the target with `explain`.

    Parameters
    ----------
    network
        The network.
    squares
        Prepared squares, float32, shape (n, channels, size_px, size_px), in [0, 1].

    Returns
    -------
    ndarray of float32
        Raw maps, shape (n, h, w).
    """
    device = devices.of(network)
    with devices.measuring(device):
        return explain(network, torch.from_numpy(squares).to(device), TARGET)[1].cpu().numpy()
