"""A classifier becomes a bundle: one ONNX graph from image to logits and heat maps, proven equal to PyTorch."""

import copy
import dataclasses
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.fx.experimental.proxy_tensor import make_fx
from torch.nn.attention import SDPBackend, sdpa_kernel

from pneumoscope.classifier import Card
from pneumoscope.classifier import card as cards
from pneumoscope.classifier.checkpoint import Classifier, file_sha256
from pneumoscope.classifier.evidence import EvidenceNetwork
from pneumoscope.classifier.network import Network
from pneumoscope.export.conversion import EXAMPLE_BATCH, ExportError, converted, quiet
from pneumoscope.heatmap.explain import explain
from pneumoscope.heatmap.gradcam import combine, grad_cam_weights
from pneumoscope.lung_fields import package as lungs
from pneumoscope.reader.reader import GRAPH_NAME, INPUT_NAME, OUTPUT_NAMES, Reader

MAX_LOGIT_DIFFERENCE = 1e-4
MAX_MAP_DIFFERENCE = 1e-4
"""Of the map's largest absolute value."""


class _Explained(nn.Module):
    """Image to logits and one Grad-CAM map a class.

    The backward pass through the head is traced to plain arithmetic first (a vector–Jacobian product with a constant
    one-hot cotangent), so that the whole is an ordinary forward graph.
    """

    def __init__(self, network: Network, classes: int, side: int) -> None:
        super().__init__()
        self.network = network

        def head(maps: Tensor, *carried: Tensor) -> tuple[Tensor, Tensor]:
            logits, vjp = torch.func.vjp(lambda m: network.head(m, *carried), maps)  # type: ignore[misc]  # two without has_aux
            gradients = [vjp(torch.zeros_like(logits) + torch.eye(classes)[k])[0] for k in range(classes)]
            return logits, torch.stack([combine(maps, grad_cam_weights(maps, g)) for g in gradients], 1)

        with torch.no_grad():
            example = network.features(torch.rand(EXAMPLE_BATCH, 1, side, side))
        self.explained_head = make_fx(head, tracing_mode="symbolic", _allow_non_fake_inputs=True)(example.maps, *example.carried)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        explained = self.network.features(image)
        logits, maps = self.explained_head(explained.maps, *explained.carried)
        return logits, maps


class _Evidence(nn.Module):
    """Image and lungs to logits and the evidence for each class."""

    def __init__(self, network: EvidenceNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        logits, cells = self.network.explain(image)
        return logits, torch.stack([-cells, cells], 1)


def export(classifier: Classifier, out: Path, proof: Sequence[NDArray[np.float32]]) -> Card:
    """Write the bundle (``model.onnx``, ``card.json``) to the folder `out`; returns its card.

    `proof` holds prepared squares, float32 (channels, side, side): on each of them logits and maps of the bundle must agree
    with eager PyTorch, else ExportError, and nothing is left behind.
    """
    if out.exists():
        raise ExportError(f"'{out}' exists already; choose another folder for the bundle")
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent) as scratch:
        folder = Path(scratch) / "bundle"
        folder.mkdir()
        _write_graph(classifier, folder / GRAPH_NAME)
        card = dataclasses.replace(classifier.card, files={GRAPH_NAME: file_sha256(folder / GRAPH_NAME)})
        lungs.keep(classifier.finder, card.preprocessing.lungs, folder)
        cards.write(card, folder)
        differences = prove(classifier, folder, proof)
        card = dataclasses.replace(card, results={**card.results, "export": differences})
        cards.write(card, folder)
        shutil.move(folder, out)
    return card


def _write_graph(classifier: Classifier, path: Path) -> None:
    network = copy.deepcopy(classifier.network).eval().requires_grad_(False)
    preprocessing = classifier.card.preprocessing
    shape = (preprocessing.channels, preprocessing.side_px, preprocessing.side_px)
    try:
        with quiet(), sdpa_kernel(SDPBackend.MATH), torch.no_grad():
            module = (
                _Evidence(network)
                if isinstance(network, EvidenceNetwork)
                else _Explained(network, len(classifier.card.classes), preprocessing.side_px)
            )
        converted(module.eval(), shape, path, INPUT_NAME, OUTPUT_NAMES)
    except Exception as error:  # the tracer and the converter raise a class of their own for each thing they cannot do
        raise ExportError(
            f"PyTorch {torch.__version__} cannot turn {classifier.card.backbone} with its heat map into an ONNX graph "
            f"({type(error).__name__}); the checkpoint can still be evaluated, or train another backbone"
        ) from error


def prove(classifier: Classifier, bundle: Path, squares: Sequence[NDArray[np.float32]]) -> dict[str, float]:
    """Largest differences between bundle and eager PyTorch over prepared squares; ExportError beyond the bounds."""
    session = Reader.load(bundle)._session
    logit_difference = map_difference = 0.0
    for square in squares:
        logits, maps = session.run(OUTPUT_NAMES, {INPUT_NAME: square[None]})
        for index in range(len(classifier.card.classes)):
            expected_logits, expected = explain(classifier.network, torch.from_numpy(square)[None], index)
            top = max(float(expected.abs().max()), 1e-12)
            logit_difference = max(logit_difference, float(np.abs(logits - expected_logits.numpy()).max()))
            map_difference = max(map_difference, float(np.abs(maps[:, index] - expected.numpy()).max()) / top)
    if logit_difference > MAX_LOGIT_DIFFERENCE or map_difference > MAX_MAP_DIFFERENCE:
        raise ExportError(
            f"the graph differs from PyTorch by {logit_difference:.1e} in the logits (allowed {MAX_LOGIT_DIFFERENCE:.0e}) and "
            f"{map_difference:.1e} of the maximum in the maps (allowed {MAX_MAP_DIFFERENCE:.0e}); nothing was written"
        )
    return {
        "images": len(squares),
        "largest_logit_difference": logit_difference,
        "largest_map_difference": map_difference,
    }
