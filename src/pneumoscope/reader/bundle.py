"""The form of a bundle: what its graph takes and gives, and how it is opened; no PyTorch, no pickle."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import onnxruntime

from pneumoscope.classifier import Card
from pneumoscope.classifier import card as cards
from pneumoscope.lung_fields.finder import OUTPUT_NAMES as FIELDS
from pneumoscope.onnx_session import CPU, open_session
from pneumoscope.reader.errors import BundleError

GRAPH_NAME = "model.onnx"
IMAGE = "image"
"""The input: whole radiographs, float32 (batch, 1, rows, cols) in [0, 1] as displayed, of any size."""
SQUARE, GIVEN = "square", "square_given"
"""Inputs that may be left out: squares that were prepared outside, float32 (n, channels, side, side), and whether they count."""
LOOKED_AT, LOGITS, PROBABILITY, DISTANCE = "looked_at", "logits", "probability", "distance"
"""Outputs: the square that counts, (batch, channels, side, side); (batch, classes); the target's, calibrated, (batch,); from the
training images, (batch,).

Beside these, `FIELDS` as `pneumoscope.lung_fields.graph_module.LungFieldModule` gives them, and under the
name of each method in the card
the raw heat maps of all classes, (batch, classes, h, w).
"""
MAKER = "pneumoscope"
"""Key of the graph's metadata that holds its format."""
FORMAT = "2"
OPSETS = range(18, 24)
"""Versions of the ONNX operators that may be in a graph: antialiased resizing came with 18."""


def outputs(card: Card) -> tuple[str, ...]:
    """Names of the outputs of the graph that belongs to a card, in their order."""
    return (*FIELDS, LOOKED_AT, LOGITS, PROBABILITY, DISTANCE, *card.map_scales)


def open_bundle(folder: Path, threads: int, providers: Sequence[str]) -> tuple[onnxruntime.InferenceSession, Card, str]:
    """The session, card and hash of the graph of a bundle that was checked; BundleError or CardError where it is unsound."""
    card = cards.read(folder)
    try:
        graph = (folder / GRAPH_NAME).read_bytes()
    except OSError as error:
        raise BundleError(
            f"there is no {GRAPH_NAME} in '{folder}': make a bundle with  pneumoscope export CHECKPOINT -o BUNDLE"
        ) from error
    sha256 = hashlib.sha256(graph).hexdigest()
    if card.files.get(GRAPH_NAME) != sha256:
        raise BundleError(f"the graph in '{folder}' is not the one that its card names; copy the bundle again")
    unknown = [name for name in providers if name not in onnxruntime.get_available_providers()]
    if unknown:
        there = ", ".join(onnxruntime.get_available_providers())
        raise BundleError(f"ONNX Runtime has no execution provider {unknown[0]} here; it has {there}")
    try:
        session = open_session(graph, threads, providers or (CPU,))
    except Exception as error:  # ONNX Runtime has a class of its own for each way in which a graph can be wrong
        raise BundleError(f"the graph in '{folder}' cannot be run by ONNX Runtime; export it again") from error
    _check(session, card, folder)
    return session, card, sha256


def _check(session: onnxruntime.InferenceSession, card: Card, folder: Path) -> None:
    """BundleError unless the graph is an explained reader, of this format, and what the card says."""
    made = session.get_modelmeta().custom_metadata_map.get(MAKER)
    if made is None or [i.name for i in session.get_inputs()] != [IMAGE]:
        raise BundleError(f"the graph in '{folder}' is no explained reader of Pneumoscope's; export it again")
    if made != FORMAT or card.opset not in OPSETS:
        raise BundleError(
            f"the graph in '{folder}' has format {made} and ONNX operators {card.opset}, this version reads {FORMAT} and "
            f"{OPSETS.start} to {OPSETS.stop - 1}; export it again"
        )
    if tuple(o.name for o in session.get_outputs()) != outputs(card):
        raise BundleError(f"the graph in '{folder}' gives other maps than its card says; export it again")
    wanted = card.preprocessing
    looked_at = next(o.shape for o in session.get_outputs() if o.name == LOOKED_AT)
    if looked_at[1:] != [wanted.channels, wanted.side_px, wanted.side_px]:
        raise BundleError(f"the graph in '{folder}' looks at squares of another size than its card says; export it again")
