"""Grad-CAM (Selvaraju et al. 2017, arXiv 1610.02391) through the head alone; needs PyTorch."""

from collections.abc import Callable

import torch
from torch import Tensor

from pneumoscope.classifier.card import Card
from pneumoscope.classifier.checkpoint import evaluating
from pneumoscope.classifier.errors import ClassifierError
from pneumoscope.classifier.network import Network

Weights = Callable[[Tensor, Tensor], Tensor]


def grad_cam_weights(activations: Tensor, gradients: Tensor) -> Tensor:
    """α, the mean gradient of each channel (eq. 1); maps (batch, channels, h, w) to (batch, channels, 1, 1)."""
    return gradients.mean((2, 3), keepdim=True)


def combine(activations: Tensor, weights: Tensor) -> Tensor:
    """ReLU of the weighted sum over channels (eq. 2), shape (batch, h, w), ≥ 0, unscaled."""
    return torch.relu((weights * activations).sum(1))


def explain(network: Network, image: Tensor, class_index: int, weights: Weights = grad_cam_weights) -> tuple[Tensor, Tensor]:
    """Logits and class activation maps of a batch.

    Parameters
    ----------
    image: float32 (batch, 1, side, side) in [0, 1].
    class_index: which logit to explain, for every image of the batch.

    Returns logits (batch, classes) and maps (batch, h, w), both detached. The network's modes and gradients are left as
    they were, also after an exception: nothing is hooked and no parameter's gradient is touched.
    """
    with evaluating(network):
        with torch.no_grad():
            explained = network.features(image)
        maps = explained.maps.detach().requires_grad_()
        with torch.enable_grad():
            logits = network.head(maps, *explained.carried)
            (gradients,) = torch.autograd.grad(logits[:, class_index].sum(), maps)
    with torch.no_grad():
        return logits.detach(), combine(maps, weights(maps, gradients)).detach()


def class_index(card: Card, target: str) -> int:
    """Index of a class by name; ClassifierError that lists the names."""
    if target not in card.classes:
        raise ClassifierError(f"the model '{card.name}' has the classes {', '.join(card.classes)}, not '{target}'")
    return card.classes.index(target)
