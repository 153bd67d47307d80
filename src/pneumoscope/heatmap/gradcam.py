"""Compute class activation maps with a backward pass through the head only; needs PyTorch."""

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
    """Compute Grad-CAM: the positive part of the sum of all channels, weighted by their mean gradients.

    Source: Selvaraju et al. 2017, arXiv 1610.02391, eq. 1 and 2.

    Parameters
    ----------
    activations, gradients
        Activations of the explained layer and gradients of a logit with respect to them, shape (batch, channels, h, w).

    Returns
    -------
    Tensor
        Raw maps, shape (batch, h, w), ≥ 0.
    """
    return torch.relu((gradients.mean((2, 3), keepdim=True) * activations).sum(1))


def hires_cam(activations: Tensor, gradients: Tensor) -> Tensor:
    """Compute HiResCAM: the positive part of the sum over channels of gradient times activation, element by element.

    Source: Draelos & Carin 2020, arXiv 2011.08891, eq. 5.

    Parameters
    ----------
    activations, gradients
        Activations of the explained layer and gradients of a logit with respect to them, shape (batch, channels, h, w).

    Returns
    -------
    Tensor
        Raw maps, shape (batch, h, w), ≥ 0.
    """
    return torch.relu((gradients * activations).sum(1))


def layer_cam(activations: Tensor, gradients: Tensor) -> Tensor:
    """Compute LayerCAM: activations weighted, element by element, by the positive part of their gradients.

    Source: Jiang et al. 2021, doi 10.1109/TIP.2021.3089943, eq. 5 to 7.

    Parameters
    ----------
    activations, gradients
        Activations of the explained layer and gradients of a logit with respect to them, shape (batch, channels, h, w).

    Returns
    -------
    Tensor
        Raw maps, shape (batch, h, w), ≥ 0.
    """
    return torch.relu((torch.relu(gradients) * activations).sum(1))


METHODS: Mapping[str, Combine] = MappingProxyType({GRAD_CAM: grad_cam, HIRES_CAM: hires_cam, LAYER_CAM: layer_cam})
"""Class activation maps by name: functions of activations and gradients (batch, channels, h, w) that return raw maps."""


def explain(network: Network, image: Tensor, class_index: int, combine: Combine = grad_cam) -> tuple[Tensor, Tensor]:
    """Compute logits and class activation maps.

    Parameters
    ----------
    network
        The network. It is evaluated in evaluation mode; the modes of its modules are restored.
    image
        Prepared squares, float32, shape (batch, channels, size_px, size_px), in [0, 1].
    class_index
        Index of the explained class.
    combine
        Method of the maps, one of the values of `METHODS`.

    Returns
    -------
    logits : Tensor
        Logits, shape (batch, classes), detached.
    maps : Tensor
        Raw maps, shape (batch, h, w), ≥ 0.
    """
    logits, activations, gradient = gradients(network, image, class_index)
    return logits, combine(activations, gradient)


def gradients(network: Network, image: Tensor, class_index: int) -> tuple[Tensor, Tensor, Tensor]:
    """Compute the activations of the explained layer and the gradients of a logit with respect to them.

    The modes of the network's modules are restored, also after an exception. No hooks are registered, and the gradients of the
    parameters are not changed.

    Parameters
    ----------
    network
        The network.
    image
        Prepared squares, float32, shape (batch, channels, size_px, size_px), in [0, 1].
    class_index
        Index of the explained class, the same for all images.

    Returns
    -------
    logits : Tensor
        Logits, shape (batch, classes), detached.
    activations, gradient : Tensor
        Activations of the explained layer and gradients of the logit with respect to them, each of shape
        (batch, channels, h, w), detached.
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
    """Look up the index of a class by its name.

    Parameters
    ----------
    card
        The model's card.
    target
        Name of the class.

    Returns
    -------
    int
        Index of the class in the logits.

    Raises
    ------
    ClassifierError
        If the model has no such class; the error lists its classes.
    """
    if target not in card.classes:
        raise ClassifierError(f"the model '{card.name}' has the classes {', '.join(card.classes)}, not '{target}'")
    return card.classes.index(target)
