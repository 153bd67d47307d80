"""Class activation maps from the gradient of the head alone; needs PyTorch."""

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
    """Selvaraju et al. 2017 (arXiv 1610.02391), eq. 1 and 2: channels weighted by their mean gradient."""
    return torch.relu((gradients.mean((2, 3), keepdim=True) * activations).sum(1))


def hires_cam(activations: Tensor, gradients: Tensor) -> Tensor:
    """Draelos & Carin 2020 (arXiv 2011.08891), eq. 5: gradient times activation, element by element; its positive part."""
    return torch.relu((gradients * activations).sum(1))


def layer_cam(activations: Tensor, gradients: Tensor) -> Tensor:
    """Jiang et al. 2021 (doi 10.1109/TIP.2021.3089943), eq. 5 to 7: each place weighted by its positive gradient."""
    return torch.relu((torch.relu(gradients) * activations).sum(1))


METHODS: Mapping[str, Combine] = MappingProxyType({GRAD_CAM: grad_cam, HIRES_CAM: hires_cam, LAYER_CAM: layer_cam})
"""By name: activations and gradients (batch, channels, h, w) to unscaled maps (batch, h, w) ≥ 0."""


def explain(network: Network, image: Tensor, class_index: int, combine: Combine = grad_cam) -> tuple[Tensor, Tensor]:
    """Logits (batch, classes) and class activation maps (batch, h, w) of a batch, by one of `METHODS`; see `gradients`."""
    logits, activations, gradient = gradients(network, image, class_index)
    return logits, combine(activations, gradient)


def gradients(network: Network, image: Tensor, class_index: int) -> tuple[Tensor, Tensor, Tensor]:
    """What every method is made of.

    Parameters
    ----------
    image: float32 (batch, 1, side, side) in [0, 1].
    class_index: which logit to explain, for every image of the batch.

    Returns logits (batch, classes), activations of the explained layer (batch, channels, h, w) and the logit's gradient by them,
    same shape, all detached. The network's modes and gradients are left as they were, also after an exception: nothing is hooked
    and no parameter's gradient is touched.
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
    """Index of a class by name; ClassifierError that lists the names."""
    if target not in card.classes:
        raise ClassifierError(f"the model '{card.name}' has the classes {', '.join(card.classes)}, not '{target}'")
    return card.classes.index(target)
