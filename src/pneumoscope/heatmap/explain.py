"""Explain the logits of a batch by evidence or by Grad-CAM, depending on the network; needs PyTorch."""

import torch
from torch import Tensor

from pneumoscope.classifier.checkpoint import evaluating
from pneumoscope.classifier.evidence_network import EvidenceNetwork
from pneumoscope.classifier.network import Network
from pneumoscope.classifier.score import TARGET
from pneumoscope.heatmap import gradcam


def explain(network: Network | EvidenceNetwork, squares: Tensor, class_index: int) -> tuple[Tensor, Tensor]:
    """Compute logits and raw heat maps in the way of the network: evidence if its score is pooled from evidence, else Grad-CAM.

    Parameters
    ----------
    network
        The network; its modes are the same afterwards.
    squares
        float32, shape (batch, channels, size_px, size_px), in [0, 1].
    class_index
        Index of the class that is explained; evidence against the target is evidence for the other class.

    Returns
    -------
    logits : Tensor
        Shape (batch, classes), detached.
    maps : Tensor
        Shape (batch, h, w), detached.
    """
    if not isinstance(network, EvidenceNetwork):
        return gradcam.explain(network, squares, class_index)
    with evaluating(network), torch.no_grad():
        logits, cells = network.explain(squares)
    return logits, cells if class_index == TARGET else -cells
