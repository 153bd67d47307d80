"""Class activation maps, from a backward pass through the head alone; needs PyTorch."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import torch
from torch import Tensor

from pneumoscope.classifier.card import Card
from pneumoscope.classifier.checkpoint import evaluating
from pneumoscope.classifier.errors import ClassifierError
from pneumoscope.classifier.network import Network
from pneumoscope.heatmap.heatmap import GRAD_CAM, HIRES_CAM, LAYER_CAM

Combine = Callable[[Tensor, Tensor], Tensor]


def grad_cam(activations: Tensor, gradients: Tensor) -> Tensor:
    """Combine by Grad-CAM (Selvaraju et al. 2017, arXiv 1610.02391, eq. 1 and 2): channels weighted by their mean gradient.

    Parameters
    ----------
    activations, gradients
        Shape (batch, channels, h, w).

    Returns
    -------
    Tensor
        Shape (batch, h, w), ≥ 0.
    """
    return torch.relu((gradients.mean((2, 3), keepdim=True) * activations).sum(1))


def hires_cam(activations: Tensor, gradients: Tensor) -> Tensor:
    """Combine by HiResCAM (Draelos & Carin 2020, arXiv 2011.08891, eq. 5): gradient times activation, element by element.

    Parameters
    ----------
    activations, gradients
        Shape (batch, channels, h, w).

    Returns
    -------
    Tensor
        The positive part, shape (batch, h, w).
    """
    return torch.relu((gradients * activations).sum(1))


def layer_cam(activations: Tensor, gradients: Tensor) -> Tensor:
    """Combine by LayerCAM (Jiang et al. 2021, doi 10.1109/TIP.2021.3089943, eq. 5 to 7): weights are positive gradients.

    Parameters
    ----------
    activations, gradients
        Shape (batch, channels, h, w).

    Returns
    -------
    Tensor
        Shape (batch, h, w), ≥ 0.
    """
    return torch.relu((torch.relu(gradients) * activations).sum(1))


METHODS: Mapping[str, Combine] = MappingProxyType({GRAD_CAM: grad_cam, HIRES_CAM: hires_cam, LAYER_CAM: layer_cam})
"""The combinations by name: activations and gradients (batch, channels, h, w) to raw maps (batch, h, w) ≥ 0."""


def explain(network: Network, image: Tensor, class_index: int, combine: Combine = grad_cam) -> tuple[Tensor, Tensor]:
    """Compute logits and class activation maps.

    Parameters
    ----------
    network
        The network; see `gradients`.
    image
        float32, shape (batch, channels, size_px, size_px), in [0, 1].
    class_index
        Index of the class that is explained.
    combine
        One of `METHODS`.

    Returns
    -------
    logits : Tensor
        Shape (batch, classes).
    maps : Tensor
        Shape (batch, h, w), ≥ 0.
    """
    logits, activations, gradient = gradients(network, image, class_index)
    return logits, combine(activations, gradient)


def gradients(network: Network, image: Tensor, class_index: int) -> tuple[Tensor, Tensor, Tensor]:
    """Compute what every class activation map is made of.

    The network's modes and gradients are the same afterwards, also after an exception: nothing is hooked, and no parameter's
    gradient is changed.

    Parameters
    ----------
    network
        The network.
    image
        float32, shape (batch, channels, size_px, size_px), in [0, 1].
    class_index
        Index of the logit that is explained, for every image.

    Returns
    -------
    logits : Tensor
        Shape (batch, classes), detached.
    activations, gradient : Tensor
        The explained layer and the gradient of the logit with respect to it, shape (batch, channels, h, w), detached.
    """
    with evaluating(network):
        with torch.no_grad():
            explained = network.features(image)
        maps = explained.maps.detach().requires_grad_()
        with torch.enable_grad():
            logits = network.head(maps, *explained.carried)
            (gradient,) = torch.autograd.grad(logits[:, class_index].sum(), maps)
    return logits.detach(), maps.detach(), gradient


def class_index(card: Card, target: str) -> int:
    """Look up the index of a class.

    Parameters
    ----------
    card
        The model's card.
    target
        Name of the class.

    Returns
    -------
    int
        Its index in the logits.

    Raises
    ------
    ClassifierError
        If the model has no such class; the error lists its classes.
    """
    if target not in card.classes:
        raise ClassifierError(f"the model '{card.name}' has the classes {', '.join(card.classes)}, not '{target}'")
    return card.classes.index(target)
