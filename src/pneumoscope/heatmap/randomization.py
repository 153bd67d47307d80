"""Cascading randomization of a network's weights (Adebayo et al. 2018, arXiv 1810.03292); needs PyTorch."""

import copy
from collections.abc import Callable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from pneumoscope.classifier.evidence_network import EvidenceNetwork
from pneumoscope.classifier.network import Network
from pneumoscope.classifier.score import TARGET
from pneumoscope.heatmap.explain import explain

Maps = NDArray[np.float32]
STAGES = 8


def cascade(network: Network | EvidenceNetwork, seed: int = 0) -> Iterator[tuple[float, Network | EvidenceNetwork]]:
    """Randomize the layers of a network from the last to the first, in eight stages (Adebayo et al. 2018, arXiv 1810.03292).

    A layer is drawn as its library draws a new one. PyTorch's global random generator is the same afterwards.

    Parameters
    ----------
    network
        The trained network; not changed.
    seed
        Seed of the random weights.

    Yields
    ------
    share : float
        Share of the layers that are random, in (0, 1].
    network : Network or EvidenceNetwork
        One copy, which has more random layers each time.
    """
    copied = copy.deepcopy(network)
    layers = [m for m in copied.modules() if _drawing(m) and list(m.parameters(recurse=False))]
    layers = _last_first(copied, layers)
    for stage in range(1, STAGES + 1):
        with torch.random.fork_rng(devices=[]):  # the layers draw from the global generator, which others use too
            torch.manual_seed(seed + stage)
            for layer in layers[len(layers) * (stage - 1) // STAGES : len(layers) * stage // STAGES]:
                draw = _drawing(layer)
                assert draw is not None, "layers are chosen for having it"
                draw()
        yield stage / STAGES, copied


def _drawing(layer: nn.Module) -> Callable[[], None] | None:
    """The function that draws new weights for a layer; attention has another name for it than other layers."""
    draw: Callable[[], None] | None = getattr(layer, "reset_parameters", None) or getattr(layer, "_reset_parameters", None)
    return draw


def _last_first(network: nn.Module, layers: list[nn.Module]) -> list[nn.Module]:
    """From the output to the input: what lies beside the library's model comes after it."""
    inside = set(network.model.modules()) if isinstance(network.model, nn.Module) else set()
    return [m for m in layers if m not in inside][::-1] + [m for m in layers if m in inside][::-1]


def maps_of(network: Network | EvidenceNetwork, squares: NDArray[np.float32]) -> Maps:
    """Compute raw maps of the target.

    Parameters
    ----------
    network
        The network.
    squares
        float32, shape (n, channels, size_px, size_px), in [0, 1].

    Returns
    -------
    ndarray of float32
        Shape (n, h, w).
    """
    return explain(network, torch.from_numpy(squares), TARGET)[1].numpy()
