"""Rewrite a bundle of the earlier format in the present one; its weights are those of the graph."""

import dataclasses
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

from pneumoscope.classifier import Card, trained_on
from pneumoscope.classifier import card as cards
from pneumoscope.export.antialiasing import without_antialiased_resize
from pneumoscope.export.conversion import OPSET
from pneumoscope.export.errors import ExportError
from pneumoscope.export.graph import with_answers, write
from pneumoscope.export.parity import MAX_CELLS, MAX_SQUARE
from pneumoscope.lung_fields.finder import OUTPUT_NAMES as FIELDS
from pneumoscope.onnx_session import open_session
from pneumoscope.radiograph import Radiograph
from pneumoscope.reader import Reader, bundle

MAX_DIFFERENCE = 1e-4
"""Allowed difference of any other output, relative to its largest absolute value or to 1 if that is larger."""


def renew(folder: Path, out: Path, proof: Sequence[Radiograph]) -> Card:
    """Rewrite a bundle in the present format: answers in the graph, no antialiased ``Resize``; everything else is the same.

    Parameters
    ----------
    folder
        Folder of a bundle.
    out
        Folder of the rewritten bundle; must not exist.
    proof
        Radiographs on which the outputs of both graphs are compared, at least one.

    Returns
    -------
    Card
        Card of the rewritten bundle.

    Raises
    ------
    ExportError
        If `out` exists, the graph has another ONNX operator set than this version exports, or an output differs by more than
        allowed. No files are left behind.
    BundleError, CardError
        If the bundle cannot be loaded.
    """
    if out.exists():
        raise ExportError(f"'{out}' exists already; choose another folder for the bundle")
    reader = Reader.load(folder)
    if reader.card.opset != OPSET:
        raise ExportError(
            f"the graph in '{folder}' has ONNX operator set {reader.card.opset}, not {OPSET}; export its checkpoint"
        )
    graph = with_answers(without_antialiased_resize(onnx.load(folder / bundle.GRAPH_NAME)), reader.card)
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent) as scratch:
        made = Path(scratch) / "bundle"
        card = write(graph, reader.card, made, trained_on.read(folder, reader.card))
        differences = _compared(folder, made, card, [reader.seen(image)[None, None] for image in proof])
        renewal = {"images": len(proof), "differences": differences}
        card = dataclasses.replace(card, results={**card.results, "renewal": renewal})
        cards.write(card, made)
        shutil.move(made, out)
    return card


def _compared(folder: Path, made: Path, card: Card, images: Sequence[NDArray[np.float32]]) -> dict[str, float]:
    """Compare the outputs that both graphs have, and return the largest difference of each by name."""
    names = [*FIELDS, bundle.LOOKED_AT, bundle.LOGITS, bundle.DISTANCE, *card.map_scales]
    before, now = (open_session((one / bundle.GRAPH_NAME).read_bytes(), 0) for one in (folder, made))
    differences = dict.fromkeys(names, 0.0)
    for image in images:
        pairs = zip(*(session.run(names, {bundle.IMAGE: image}) for session in (before, now)), strict=True)
        for name, (a, b) in zip(names, pairs, strict=True):
            differences[name] = max(differences[name], _difference(name, a, b))
    bounds = {FIELDS[0]: MAX_CELLS, bundle.LOOKED_AT: MAX_SQUARE}
    for name, difference in differences.items():
        if not difference <= bounds.get(name, MAX_DIFFERENCE):
            raise ExportError(f"the rewritten graph differs by {difference:.1e} in its output '{name}'; nothing was written")
    return differences


def _difference(name: str, before: NDArray[np.float32], now: NDArray[np.float32]) -> float:
    """Compute the share of differing cells of masks, the largest difference of squares, or the largest relative difference."""
    if name == FIELDS[0]:
        return float((before != now).mean())
    size = 1.0 if name == bundle.LOOKED_AT else max(1.0, float(np.abs(before).max()))
    return float(np.abs(before - now).max() / size)
