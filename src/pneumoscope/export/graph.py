"""A classifier becomes a bundle: one ONNX graph from image to logits and heat maps, proven equal to PyTorch."""

import dataclasses
import logging
import shutil
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.fx.experimental.proxy_tensor import make_fx
from torch.nn.attention import SDPBackend, sdpa_kernel

from pneumoscope import PneumoscopeError
from pneumoscope.classifier import Card
from pneumoscope.classifier import card as cards
from pneumoscope.classifier.checkpoint import Classifier, file_sha256
from pneumoscope.classifier.network import Network
from pneumoscope.heatmap.gradcam import combine, explain, grad_cam_weights
from pneumoscope.reader.reader import GRAPH_NAME, INPUT_NAME, OUTPUT_NAMES, Reader

EXAMPLE_BATCH = 3
"""Of the tracing; unlike any other size in a network, since sizes that are equal in the example are taken for one."""
MAX_LOGIT_DIFFERENCE = 1e-4
MAX_MAP_DIFFERENCE = 1e-4
"""Of the map's maximum."""


class ExportError(PneumoscopeError):
    """A classifier could not be turned into a bundle that gives the same answers."""


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


def export(classifier: Classifier, out: Path, proof: Sequence[NDArray[np.float32]]) -> Card:
    """Write the bundle (``model.onnx``, ``card.json``) to the folder `out`; returns its card.

    `proof` holds prepared squares, float32 (side, side): on each of them logits and maps of the bundle must agree with eager
    PyTorch, else ExportError, and nothing is left behind.
    """
    if out.exists():
        raise ExportError(f"'{out}' exists already; choose another folder for the bundle")
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent) as scratch:
        folder = Path(scratch) / "bundle"
        folder.mkdir()
        _write_graph(classifier, folder / GRAPH_NAME)
        card = dataclasses.replace(classifier.card, files={GRAPH_NAME: file_sha256(folder / GRAPH_NAME)})
        cards.write(card, folder)
        differences = prove(classifier, folder, proof)
        card = dataclasses.replace(card, results={**card.results, "export": differences})
        cards.write(card, folder)
        shutil.move(folder, out)
    return card


def _write_graph(classifier: Classifier, path: Path) -> None:
    network = classifier.network.eval().requires_grad_(False)
    side = classifier.card.preprocessing.side_px
    # The fused attention of ViT has no ONNX counterpart; the plain one gives the same to 1e-9.
    with _quiet(), sdpa_kernel(SDPBackend.MATH), torch.no_grad():
        try:
            exported = _converted(_Explained(network, len(classifier.card.classes), side).eval(), side)
        except Exception as error:  # the tracer and the converter raise a class of their own for each thing they cannot do
            raise ExportError(
                f"PyTorch {torch.__version__} cannot turn {classifier.card.backbone} with its heat map into an ONNX graph "
                f"({type(error).__name__}); the checkpoint can still be evaluated, or train another backbone"
            ) from error
    exported.save(path, external_data=False)
    model = onnx.load(path)
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "batch"
    onnx.save(model, path)


def _converted(module: nn.Module, side: int) -> torch.onnx.ONNXProgram:
    example = (torch.rand(EXAMPLE_BATCH, 1, side, side),)
    batch = torch.export.Dim("batch", min=1, max=1024)
    program = torch.export.export(module, example, dynamic_shapes={"image": {0: batch}}, strict=False)
    exported = torch.onnx.export(
        program, dynamo=True, optimize=True, verbose=False, input_names=[INPUT_NAME], output_names=[*OUTPUT_NAMES]
    )
    assert exported is not None
    return exported


@contextmanager
def _quiet() -> Iterator[None]:
    """The exporter logs and warns of its own internals."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def prove(classifier: Classifier, bundle: Path, squares: Sequence[NDArray[np.float32]]) -> dict[str, float]:
    """Largest differences between bundle and eager PyTorch over prepared squares; ExportError beyond the bounds."""
    session = Reader.load(bundle)._session
    logit_difference = map_difference = 0.0
    for square in squares:
        logits, maps = session.run(OUTPUT_NAMES, {INPUT_NAME: square[None, None]})
        for index in range(len(classifier.card.classes)):
            expected_logits, expected = explain(classifier.network, torch.from_numpy(square)[None, None], index)
            top = max(float(expected.max()), 1e-12)
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
