"""Compute heat maps by the methods of the libraries grad-cam and captum; needs PyTorch and both libraries.

Every method explains the logit of the target for one prepared square and returns a map over the square. The library grad-cam
scales each of its maps to [0, 1] separately.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from captum.attr import IntegratedGradients, Occlusion
from numpy.typing import NDArray
from pytorch_grad_cam import (
    AblationCAM,
    EigenCAM,
    GradCAM,
    GradCAMPlusPlus,
    HiResCAM,
    LayerCAM,
    ScoreCAM,
    XGradCAM,
)
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torch import Tensor, nn
from torch.nn import functional as F

from pneumoscope.classifier import device as devices
from pneumoscope.classifier.checkpoint import evaluating
from pneumoscope.classifier.evidence_network import EvidenceNetwork
from pneumoscope.classifier.network import Network
from pneumoscope.classifier.score import TARGET
from pneumoscope.heatmap import attention
from pneumoscope.heatmap.explain import explain

Square = NDArray[np.float32]

OWN = "own (Grad-CAM or evidence)"
ROLLOUT, RELEVANCE = "attention rollout", "relevance (Chefer)"
_CAMS: Mapping[str, tuple[Any, bool]] = {
    "Grad-CAM": (GradCAM, False),
    "Grad-CAM++": (GradCAMPlusPlus, False),
    "HiResCAM": (HiResCAM, False),
    "XGrad-CAM": (XGradCAM, False),
    "LayerCAM, three layers fused": (LayerCAM, True),
    "Eigen-CAM": (EigenCAM, False),
    "Score-CAM": (ScoreCAM, False),
    "Ablation-CAM": (AblationCAM, False),
}
GENERAL = (OWN, *_CAMS, "integrated gradients", "occlusion", "RISE")
"""Names of the methods that apply to every network."""
_BATCH = 32
RISE_MASKS, RISE_CELLS, RISE_SHARE = 300, 7, 0.5
"""Parameters of RISE: number of masks, cells of a mask along each axis, and probability that a cell is visible."""


class _OfGrey(nn.Module):
    """A network as a function of the grey channel, with a fixed lung channel."""

    def __init__(self, network: Network | EvidenceNetwork, lungs: Tensor) -> None:
        super().__init__()
        self.network = network
        self.lungs = lungs

    def forward(self, grey: Tensor) -> Tensor:
        lungs = self.lungs.expand(len(grey), -1, -1, -1)
        logits: Tensor = self.network(torch.cat([grey, lungs], 1))
        return logits


def names(network: Network | EvidenceNetwork) -> tuple[str, ...]:
    """List the methods that apply to a network; the first is the network's own method.

    Parameters
    ----------
    network
        The network.

    Returns
    -------
    tuple of str
        Names of the methods, for `attribute`. Attention rollout and relevance apply only to vision transformers that are not
        evidence networks.
    """
    of_transformers = (ROLLOUT, RELEVANCE) if _is_transformer(network) else ()
    return (*GENERAL, *of_transformers)


def _is_transformer(network: Network | EvidenceNetwork) -> bool:
    return isinstance(network, Network) and hasattr(network.model, "encoder")


def attribute(name: str, network: Network | EvidenceNetwork, square: Square, seed: int = 0) -> Square:
    """Compute the heat map of one method for the logit of the target.

    Parameters
    ----------
    name
        Name of the method, one of `names`.
    network
        The network. It is evaluated in evaluation mode; the modes of its modules are restored.
    square
        Prepared square, float32, shape (channels, size_px, size_px), in [0, 1].
    seed
        Seed of the random masks of RISE.

    Returns
    -------
    ndarray of float32
        Raw map, shape (size_px, size_px).
    """
    device = devices.of(network)
    image = torch.from_numpy(square)[None].to(device)
    grey = image[:, :1].clone()
    with evaluating(network), torch.enable_grad(), devices.measuring(device):
        model = _OfGrey(network, image[:, 1:]).eval()
        if name == OWN:
            attribution = explain(network, image, TARGET)[1]
        elif name in (ROLLOUT, RELEVANCE):
            assert isinstance(network, Network)
            attribution = attention.rollout(network, grey) if name == ROLLOUT else attention.relevance(network, grey, TARGET)
        elif name in _CAMS:
            kind, fused = _CAMS[name]
            attribution = _cam(kind, model, _layers(network, fused), grey)
        else:
            attribution = _OTHERS[name](model, grey, seed)
    whole = F.interpolate(attribution.reshape(1, 1, *attribution.shape[-2:]).float(), size=square.shape[1:], mode="bilinear")
    return whole[0, 0].detach().cpu().numpy()


def _layers(network: Network | EvidenceNetwork, fused: bool) -> Sequence[nn.Module]:
    """Select the explained layer, or three layers from fine to coarse for a fused map."""
    if isinstance(network, EvidenceNetwork):
        return [network.lateral[0], *network.mix] if fused else [network.mix[-1]]
    names = network.pyramid_names if fused else (network.layer_name,)
    return [network.model.get_submodule(name) for name in names]


def _cam(kind: Any, model: nn.Module, layers: Sequence[nn.Module], grey: Tensor) -> Tensor:
    with kind(model=model, target_layers=list(layers)) as cam:
        cam.batch_size = _BATCH
        return torch.from_numpy(cam(input_tensor=grey, targets=[ClassifierOutputTarget(TARGET)]))


def _integrated_gradients(model: nn.Module, grey: Tensor, seed: int) -> Tensor:
    """Compute integrated gradients (Sundararajan et al. 2017) from the image's mean: absolute values on a 28 × 28 grid."""
    attribution = IntegratedGradients(model).attribute(
        grey, grey.mean().expand_as(grey), target=TARGET, n_steps=24, internal_batch_size=_BATCH
    )
    return F.adaptive_avg_pool2d(attribution.abs(), (28, 28))[0]


def _occlusion(model: nn.Module, grey: Tensor, seed: int) -> Tensor:
    """Compute occlusion (Zeiler & Fergus 2014) by the image's mean, with windows of 1/7 of the edge in steps of 1/14."""
    side = grey.shape[-1]
    window, step = (1, side // 7, side // 7), (1, side // 14, side // 14)
    with torch.no_grad():
        attribution = Occlusion(model).attribute(
            grey, sliding_window_shapes=window, strides=step, baselines=float(grey.mean()), target=TARGET,
            perturbations_per_eval=_BATCH,
        )  # fmt: skip
    positive: Tensor = attribution[0].clamp(min=0)
    return positive


def _rise(model: nn.Module, grey: Tensor, seed: int) -> Tensor:
    """Compute RISE (Petsiuk et al. 2018): mean of random masks, weighted by the probability of the masked image.

    Masked pixels have the mean of the image.
    """
    generator = torch.Generator().manual_seed(seed)
    side, cell = grey.shape[-1], -(-grey.shape[-1] // RISE_CELLS)
    total, weight = torch.zeros(side, side, device=grey.device), 0.0
    for start in range(0, RISE_MASKS, _BATCH):
        n = min(_BATCH, RISE_MASKS - start)
        coarse = (torch.rand(n, 1, RISE_CELLS + 1, RISE_CELLS + 1, generator=generator) < RISE_SHARE).float()
        fine = F.interpolate(coarse, scale_factor=float(cell), mode="bilinear")
        down, across = torch.randint(0, cell, (2,), generator=generator).tolist()
        masks = fine[:, :, down : down + side, across : across + side].to(grey.device)
        with torch.no_grad():
            p = model(grey * masks + grey.mean() * (1 - masks)).softmax(1)[:, TARGET]
        total += (p[:, None, None] * masks[:, 0]).sum(0)
        weight += float(masks.mean()) * n
    return (total / weight)[None]


_OTHERS: Mapping[str, Callable[[nn.Module, Tensor, int], Tensor]] = {
    "integrated gradients": _integrated_gradients,
    "occlusion": _occlusion,
    "RISE": _rise,
}
