"""Compute raw heat maps of a batch by evidence or by Grad-CAM, depending on the network; needs PyTorch."""

import torch
from torch import Tensor

from pneumoscope.classifier.checkpoint import evaluating
from pneumoscope.classifier.evidence_network import EvidenceNetwork
from pneumoscope.classifier.network import Network
from pneumoscope.classifier.score import TARGET
from pneumoscope.heatmap import gradcam


def explain(network: Network | EvidenceNetwork, squares: Tensor, class_index: int) -> tuple[Tensor, Tensor]:
    """Compute logits and raw heat maps: the evidence of an evidence network, Grad-CAM for other networks.

    Parameters
    ----------
    network
        The network. It is evaluated in evaluation mode; the modes of its modules are restored.
    squares
        Prepared squares, float32, shape (batch, channels, size_px, size_px), in [0, 1].
    class_index
        Index of the explained class. Evidence for the other class is the negative of the evidence for the target.

    Returns
    -------
    logits : Tensor
        Logits, shape (batch, classes), detached.
    maps : Tensor
        Raw maps, shape (batch, h, w), detached.
    """
    if not isinstance(network, EvidenceNetwork):
        return gradcam.explain(network, squares, class_index)
    with evaluating(network), torch.no_grad():
        logits, cells = network.explain(squares)
    return logits, cells if class_index == TARGET else -cells
