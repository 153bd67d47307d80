"""A trained lung-field network becomes an ONNX graph with its card, proven equal to PyTorch."""

import dataclasses
import shutil
import tempfile
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from pneumoscope.classifier.checkpoint import file_sha256
from pneumoscope.export.conversion import ExportError, converted
from pneumoscope.lung_fields import LungFinder
from pneumoscope.lung_fields import card as cards
from pneumoscope.lung_fields.card import LungCard
from pneumoscope.lung_fields.finder import GRAPH_NAME, INPUT_NAME, OUTPUT_NAME
from pneumoscope.lung_fields.network import LungNetwork

_MAX_DIFFERENCE = 1e-4


class _Probability(nn.Module):
    def __init__(self, network: LungNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> Tensor:
        return torch.sigmoid(self.network(image))


def export(network: LungNetwork, card: LungCard, proof: NDArray[np.float32], out: Path) -> LungCard:
    """Write ``lungs.onnx`` and ``card.json`` to the folder `out`; returns the card with the graph's hash.

    `proof` holds squares, float32 (n, 1, side, side) in [0, 1]: on them the graph must agree with eager PyTorch to 1e-4 in
    probability, else ExportError, and nothing is left behind.
    """
    module = _Probability(network).eval().requires_grad_(False)
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out) as scratch:
        folder = Path(scratch)
        converted(module, (1, card.side_px, card.side_px), folder / GRAPH_NAME, INPUT_NAME, (OUTPUT_NAME,))
        card = dataclasses.replace(card, files={GRAPH_NAME: file_sha256(folder / GRAPH_NAME)})
        cards.write(card, folder)
        _prove(module, folder, proof)
        for name in (GRAPH_NAME, cards.CARD_NAME):
            shutil.move(folder / name, out / name)
    return card


def _prove(module: nn.Module, folder: Path, proof: NDArray[np.float32]) -> None:
    (found,) = LungFinder.load(folder)._session.run([OUTPUT_NAME], {INPUT_NAME: proof})
    with torch.no_grad():
        difference = float(np.abs(found - module(torch.from_numpy(proof)).numpy()).max())
    if difference > _MAX_DIFFERENCE:
        allowed = f"(allowed {_MAX_DIFFERENCE:.0e})"
        raise ExportError(f"the graph differs from PyTorch by {difference:.1e} {allowed}; nothing was written")
