"""Explain the logits of a batch in the way that the network itself has; needs PyTorch."""

import torch
from torch import Tensor

from pneumoscope.classifier.checkpoint import evaluating
from pneumoscope.classifier.evidence_network import EvidenceNetwork
from pneumoscope.classifier.network import Network
from pneumoscope.classifier.score import TARGET
from pneumoscope.heatmap import gradcam


def explain(network: Network | EvidenceNetwork, squares: Tensor, class_index: int) -> tuple[Tensor, Tensor]:
    """Logits and raw heat maps of a batch: evidence where the network adds it up, else Grad-CAM.

    Parameters
    ----------
    squares: float32 (batch, channels, side, side) in [0, 1].
    class_index: which logit to explain; evidence against the target is evidence for the other class.

    Returns logits (batch, classes) and maps (batch, h, w), both detached.
    """
    if not isinstance(network, EvidenceNetwork):
        return gradcam.explain(network, squares, class_index)
    with evaluating(network), torch.no_grad():
        logits, cells = network.explain(squares)
    return logits, cells if class_index == TARGET else -cells
