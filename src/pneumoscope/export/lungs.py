"""Export a trained lung-field network as an ONNX graph with its card."""

import dataclasses
import shutil
import tempfile
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray

from pneumoscope.classifier.checkpoint import file_sha256
from pneumoscope.export.conversion import any_image, converted, joined
from pneumoscope.export.errors import ExportError
from pneumoscope.lung_fields import LungFinder
from pneumoscope.lung_fields import card as cards
from pneumoscope.lung_fields.card import LungCard
from pneumoscope.lung_fields.finder import GRAPH_NAME, INPUT_NAME, OUTPUT_NAMES
from pneumoscope.lung_fields.graph_module import LungFieldModule
from pneumoscope.lung_fields.network import LungNetwork

MAX_DIFFERENCE = 1e-4
"""Largest allowed difference of a quality or of an edge of the box; both are shares."""
_MAX_CELLS = 1e-4  # largest share of mask cells that may differ by rounding


def export(network: LungNetwork, card: LungCard, proof: NDArray[np.float32], out: Path) -> LungCard:
    """Export a lung-field network as ``lungs.onnx`` with its card.

    Parameters
    ----------
    network
        Trained network.
    card
        Card of the model.
    proof
        Images on which the graph is compared with PyTorch, float32, shape (n, 1, rows, cols), in [0, 1].
    out
        Folder of the model; created if it does not exist.

    Returns
    -------
    LungCard
        The card, with the hash of the graph.

    Raises
    ------
    ExportError
        If the graph differs from PyTorch by more than allowed; no files of the model are written then.
    """
    module = LungFieldModule(network, card.size_px, card.quality_threshold).eval().requires_grad_(False)
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out) as scratch:
        folder = Path(scratch)
        part = converted(module, [any_image()], [INPUT_NAME], OUTPUT_NAMES)
        onnx.save(joined({"lungs": part}, [INPUT_NAME], OUTPUT_NAMES), folder / GRAPH_NAME)
        card = dataclasses.replace(card, files={GRAPH_NAME: file_sha256(folder / GRAPH_NAME)})
        cards.write(card, folder)
        _prove(module, folder, proof)
        for name in (GRAPH_NAME, cards.CARD_NAME):
            shutil.move(folder / name, out / name)
    return card


def _prove(module: LungFieldModule, folder: Path, proof: NDArray[np.float32]) -> None:
    outputs = LungFinder.load(folder).outputs(proof)
    with torch.no_grad():
        expected = [part.numpy() for part in module(torch.from_numpy(proof))]
    cells = float((outputs[0] != expected[0]).mean())
    rest = max(float(np.abs(a - b).max()) for a, b in zip(outputs[1:], expected[1:], strict=True))
    if cells > _MAX_CELLS or rest > MAX_DIFFERENCE:
        raise ExportError(
            f"the graph differs from PyTorch in {cells:.1e} of the cells (allowed {_MAX_CELLS:.0e}) and by {rest:.1e} in quality "
            f"or box (allowed {MAX_DIFFERENCE:.0e}); nothing was written"
        )
