"""Rebuild the classifier of a bundle from the weights of its graph, so that a bundle can be exported for other runtimes."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from torch import Tensor, nn

from pneumoscope.classifier import Domain
from pneumoscope.classifier.backbone import backbone
from pneumoscope.classifier.checkpoint import Classifier
from pneumoscope.classifier.evidence_network import EVIDENCE_HEADS, EvidenceNetwork, build
from pneumoscope.export.client_parity import compared, differing
from pneumoscope.export.errors import ExportError
from pneumoscope.export.native import eager
from pneumoscope.export.whole_module import WholeModule
from pneumoscope.lung_fields import model_copy as lungs
from pneumoscope.onnx_session import open_session
from pneumoscope.radiograph import Radiograph
from pneumoscope.reader import Reader, bundle

_SCORING = "scoring/"
_NETWORK = f"{_SCORING}network.network."
_DOMAIN = ("mean", "scale", "axes", "spread", "rest")

Weights = Mapping[str, NDArray[np.float32]]


def classifier_of(folder: Path, proof: Sequence[Radiograph]) -> Classifier:
    """Rebuild the classifier of a bundle; its batch norms stay folded into its convolutions.

    Parameters
    ----------
    folder
        Folder of a bundle in ``fp32`` whose head is one of `EVIDENCE_HEADS`.
    proof
        Radiographs on which the outputs of the classifier and of the graph are compared, at least one.

    Returns
    -------
    Classifier
        Classifier in evaluation mode, for export only.

    Raises
    ------
    ExportError
        If the bundle is not in ``fp32``, has another head, holds weights of another network, or an output differs by more than
        `client_parity.BOUNDS` allow.
    BundleError, CardError
        If the bundle cannot be loaded.
    """
    reader = Reader.load(folder)
    card = reader.card
    if card.precision != "fp32" or card.head not in EVIDENCE_HEADS:
        raise ExportError(
            f"the bundle in '{folder}' is in {card.precision} with the head '{card.head}'; only the weights of a bundle in fp32 "
            "with an evidence head can be exported again; give the checkpoint"
        )
    graph = onnx.load(folder / bundle.GRAPH_NAME).graph
    weights = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    network = _with_weights(build(backbone(card.backbone), card.head, card.preprocessing.size_px), weights, folder)
    finder = lungs.load(folder, card.preprocessing.lungs)
    classifier = Classifier(network, card, finder, _domain(weights) if f"{_SCORING}axes" in weights else None)
    _compare(classifier, reader, folder, proof)
    return classifier


def _with_weights(network: EvidenceNetwork, weights: Weights, folder: Path) -> EvidenceNetwork:
    """Give a network the weights of a graph, in which the norms are folded into the convolutions before them."""
    for parent in [*network.modules()]:
        for name, child in [*parent.named_children()]:
            if isinstance(child, nn.BatchNorm2d):
                setattr(parent, name, getattr(child, "act", nn.Identity()))  # timm's norms include the activation
    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d):
            weight, bias = _of_convolution(weights, f"{_NETWORK}{name}")
            if weight is None or bias is None or weight.shape != module.weight.shape:
                raise ExportError(f"the graph in '{folder}' has another network than its card names; give the checkpoint")
            module.weight, module.bias = nn.Parameter(weight), nn.Parameter(bias)
    return network.eval()


def _of_convolution(weights: Weights, name: str) -> tuple[Tensor | None, Tensor | None]:
    """Weight and bias of a convolution; the bias of one with a folded norm has a name of its own."""
    weight, bias, folded = (weights.get(f"{name}.{part}") for part in ("weight", "bias", "weight_bias"))
    bias = folded if bias is None else bias
    return tuple(None if values is None else torch.from_numpy(values.copy()) for values in (weight, bias))  # type: ignore[return-value]  # always two of them


def _domain(weights: Weights) -> Domain:
    mean, scale, axes, spread, rest = (weights[f"{_SCORING}{name}"].copy() for name in _DOMAIN)
    return Domain(mean, scale, axes, spread, float(rest))


def _compare(classifier: Classifier, reader: Reader, folder: Path, proof: Sequence[Radiograph]) -> None:
    names, module = bundle.outputs(classifier.card), WholeModule(classifier)
    session = open_session((folder / bundle.GRAPH_NAME).read_bytes(), 0)
    images = [np.ascontiguousarray(reader.seen(image)[None, None]) for image in proof]
    parity = compared(names, lambda image: session.run(names, {bundle.IMAGE: image}), lambda image: eager(module, image), images)
    if broken := differing(parity, "fp32"):
        raise ExportError(f"the network rebuilt from '{folder}' differs from its graph {broken}; give the checkpoint")
