"""Compute logits, features and heat maps in one forward pass: the part of a reader's graph after the lung crop."""

import copy
import itertools

import torch
from torch import Tensor, nn
from torch.fx.experimental.proxy_tensor import make_fx
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.utils.fusion import fuse_linear_bn_eval

from pneumoscope.classifier.evidence_network import EvidenceNetwork, embedding
from pneumoscope.classifier.network import Explained, Network, PooledNetwork
from pneumoscope.export.conversion import EXAMPLE_BATCH, exporter_silenced
from pneumoscope.heatmap.gradcam import METHODS
from pneumoscope.heatmap.heatmap import EVIDENCE, GRAD_CAM, HIRES_CAM, LAYER_CAM


class Activated(nn.Module):
    """A module that computes logits, features and the class activation maps of all classes by each method of `METHODS`.

    The constructor traces the backward pass through the head (a vector–Jacobian product with a constant one-hot cotangent) to
    elementary operations, so that the module is an ordinary forward graph.

    Parameters
    ----------
    network
        Network in evaluation mode.
    classes
        Number of classes.
    size_px
        Edge of the input square in pixels.
    """

    def __init__(self, network: Network, classes: int, size_px: int) -> None:
        super().__init__()
        self.network = network

        with exporter_silenced(), sdpa_kernel(SDPBackend.MATH), torch.no_grad():
            example = network.features(torch.rand(EXAMPLE_BATCH, 1, size_px, size_px))
            rows, cols = example.maps.shape[2:]
            one_hot = torch.eye(classes)  # a constant: LiteRT cannot generate it

            def head(packed: Tensor) -> tuple[Tensor, ...]:
                linearized = torch.func.vjp(lambda p: network.head(*_unpacked(p, rows, cols)), packed)
                logits, vjp = linearized[0], linearized[1]
                gradients = [vjp(torch.zeros_like(logits) + one_hot[k])[0] for k in range(classes)]
                maps = _unpacked(packed, rows, cols)[0]
                along = [_unpacked(g, rows, cols)[0] for g in gradients]
                return logits, *(torch.stack([combine(maps, g) for g in along], 1) for combine in METHODS.values())

            trace = make_fx(head, tracing_mode="symbolic", _allow_non_fake_inputs=True)
            self.explained_head = trace(_packed(example))

    def forward(self, square: Tensor) -> tuple[Tensor, ...]:
        """Compute logits, features and heat maps.

        Parameters
        ----------
        square
            Prepared squares, float32, shape (batch, channels, size_px, size_px), in [0, 1].

        Returns
        -------
        tuple of Tensor
            Logits (batch, classes), features (batch, features), and raw maps (batch, classes, h, w) for each method.
        """
        explained = self.network.features(square)
        logits, *maps = self.explained_head(_packed(explained))
        return logits, embedding([explained.maps]), *maps


class ActivatedMeans(nn.Module):
    """A module with the outputs of `Activated` for networks whose head depends only on channel means.

    The gradient of such a network is the same at every position. Each map is therefore one product of gradients and activations,
    Grad-CAM and HiResCAM are equal, and one backward pass through the head suffices for all classes.

    Parameters
    ----------
    network
        Network in evaluation mode.
    classes
        Number of classes.
    size_px
        Edge of the input square in pixels.
    """

    def __init__(self, network: PooledNetwork, classes: int, size_px: int) -> None:
        super().__init__()
        self.network = network

        with exporter_silenced(), torch.no_grad():
            example = embedding([network.features(torch.rand(EXAMPLE_BATCH, 1, size_px, size_px)).maps])

            one_hot = torch.eye(classes)[:, None]  # a constant: LiteRT cannot generate it

            def head(means: Tensor) -> tuple[Tensor, Tensor]:
                linearized = torch.func.vjp(network.of_means, means)
                logits, vjp = linearized[0], linearized[1]
                cotangents = torch.zeros_like(logits)[None] + one_hot
                (gradients,) = torch.func.vmap(vjp)(cotangents)  # (classes, batch, channels)
                return logits, gradients.transpose(0, 1)

            self.explained_head = make_fx(head, tracing_mode="symbolic", _allow_non_fake_inputs=True)(example)

    def forward(self, square: Tensor) -> tuple[Tensor, ...]:
        """Compute logits, features and heat maps.

        Parameters
        ----------
        square
            Prepared squares, float32, shape (batch, channels, size_px, size_px), in [0, 1].

        Returns
        -------
        tuple of Tensor
            Logits (batch, classes), features (batch, features), and raw maps (batch, classes, h, w) for each method.
        """
        maps = self.network.features(square).maps
        means = embedding([maps])
        logits, gradients = self.explained_head(means)
        rows, cols = maps.shape[2:]
        # ExecuTorch flattens without regard to the memory format that its convolutions give.
        flat, weights = maps.clone(memory_format=torch.contiguous_format).flatten(2), gradients / (rows * cols)
        cam, layer_cam = (torch.relu(w @ flat).unflatten(2, (rows, cols)) for w in (weights, torch.relu(weights)))
        by_name = {GRAD_CAM: cam, HIRES_CAM: cam, LAYER_CAM: layer_cam}
        return logits, means, *(by_name[name] for name in METHODS)


def _packed(explained: Explained) -> Tensor:
    """Pack the explained maps and the further inputs of the head into one tensor (batch, channels, h·w + inputs).

    The tracer would fix the batch size if the head had two inputs.
    """
    return torch.cat([explained.maps.flatten(2), *(c[..., None] for c in explained.carried)], 2)


def _unpacked(packed: Tensor, rows: int, cols: int) -> tuple[Tensor, ...]:
    """Unpack the explained maps (batch, channels, rows, cols) and the further inputs of the head, each (batch, channels)."""
    cells = rows * cols
    carried = (packed[..., k] for k in range(cells, packed.shape[2]))
    return packed[..., :cells].reshape(*packed.shape[:2], rows, cols), *carried


class Summed(nn.Module):
    """A module that computes logits, features and the evidence for each class of an evidence network.

    Parameters
    ----------
    network
        Network in evaluation mode.
    """

    def __init__(self, network: EvidenceNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, square: Tensor) -> tuple[Tensor, ...]:
        """Compute logits, features and evidence.

        Parameters
        ----------
        square
            Prepared squares with the channels grey and lungs, float32, shape (batch, 2, size_px, size_px), in [0, 1].

        Returns
        -------
        tuple of Tensor
            Logits (batch, 2), features (batch, features), and evidence for each class (batch, 2, h, w).
        """
        levels = self.network.levels(square[:, :1])
        cells = self.network.summed(levels)
        return self.network.pooled(square, cells), embedding(levels), torch.stack([-cells, cells], 1)


def explained(network: Network | EvidenceNetwork, classes: int, size_px: int) -> tuple[nn.Module, tuple[str, ...]]:
    """Build a module that computes logits, features and heat maps of a network in one forward pass.

    Parameters
    ----------
    network
        Trained network; copied, not changed.
    classes
        Number of classes.
    size_px
        Edge of the input square in pixels.

    Returns
    -------
    module : Module
        Module from prepared squares to logits, features, and the maps of all classes for each method.
    methods : tuple of str
        Names of the methods, in the order of the maps.
    """
    frozen = copy.deepcopy(network).eval().requires_grad_(False)
    if isinstance(frozen, EvidenceNetwork):
        return Summed(frozen).eval(), (EVIDENCE,)
    _fold_norms(frozen)
    if isinstance(frozen, PooledNetwork):
        return ActivatedMeans(frozen, classes, size_px).eval(), tuple(METHODS)
    return Activated(frozen, classes, size_px).eval(), tuple(METHODS)


def _fold_norms(network: nn.Module) -> None:
    """Fold each batch norm of a head into the preceding linear layer; the tracer would fix the batch size in its gradient."""
    for sequence in [module for module in network.modules() if isinstance(module, nn.Sequential)]:
        for (name, layer), (after, norm) in itertools.pairwise(list(sequence.named_children())):
            if isinstance(layer, nn.Linear) and isinstance(norm, nn.BatchNorm1d):
                setattr(sequence, name, fuse_linear_bn_eval(layer, norm))
                setattr(sequence, after, nn.Identity())
