"""Define the form of a bundle, what its graph takes and gives, and open one; no PyTorch, no pickle."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from pneumoscope.classifier import Card
from pneumoscope.classifier import card as cards
from pneumoscope.classifier.backbone import backbone
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
    """Open a bundle and check its graph against its card.

    Parameters
    ----------
    folder : Path
        Folder with ``model.onnx`` and ``card.json``.
    threads : int
        Threads within one inference, 0 for as many as pay.
    providers : sequence of str
        ONNX Runtime's execution providers by name; the processor where empty.

    Returns
    -------
    session : onnxruntime.InferenceSession
        The session of the graph.
    card : Card
        The card of the bundle.
    sha256 : str
        SHA-256 of the graph.

    Raises
    ------
    BundleError
        The graph is missing, is not the card's, cannot be run, or calibrates otherwise than the card.
    CardError
        The card is missing or damaged.
    """
    card = cards.read(folder)
    backbone(card.backbone)
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
        available = ", ".join(onnxruntime.get_available_providers())
        raise BundleError(f"ONNX Runtime has no execution provider {unknown[0]} here; it has {available}")
    try:
        session = open_session(graph, threads, providers or (CPU,))
    except Exception as error:  # ONNX Runtime has a class of its own for each way in which a graph can be wrong
        raise BundleError(f"the graph in '{folder}' cannot be run by ONNX Runtime; export it again") from error
    _check(session, card, folder)
    _check_calibration(session, card, folder)
    return session, card, sha256


def without_image(card: Card, squares: NDArray[np.float32]) -> dict[str, NDArray[np.generic]]:
    """Build the inputs of a graph that is to score prepared squares.

    Parameters
    ----------
    card : Card
        Card of the graph.
    squares : ndarray of float32, shape (n, channels, size, size)
        Prepared squares in [0, 1].

    Returns
    -------
    dict of str to ndarray
        The inputs by name; the image is a black one that does not count.
    """
    edge = card.preprocessing.seen_px
    return {IMAGE: np.zeros((1, 1, edge, edge), np.float32), SQUARE: squares, GIVEN: np.array(True)}


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
    if looked_at[1:] != [wanted.channels, wanted.size_px, wanted.size_px]:
        raise BundleError(f"the graph in '{folder}' looks at squares of another size than its card says; export it again")


def _check_calibration(session: onnxruntime.InferenceSession, card: Card, folder: Path) -> None:
    """BundleError unless the graph's own probability is the card's calibration of its log-odds, on four made-up squares.

    Browsers and phones show the graph's probability, this package the card's: the two must be one.
    """
    wanted = card.preprocessing
    shape = wanted.channels, wanted.size_px, wanted.size_px
    generator = np.random.default_rng(0)
    squares = np.stack([np.full(shape, level, np.float32) for level in (0, 0.5, 1)] + [generator.random(shape, np.float32)])
    try:
        logits, probability = session.run([LOGITS, PROBABILITY], without_image(card, squares))
    except Exception as error:  # as above
        raise BundleError(f"the graph in '{folder}' cannot be run by ONNX Runtime; export it again") from error
    log_odds = (logits[:, -1] - logits[:, 0]).astype(np.float64)
    if not card.calibration.agrees(log_odds, probability):
        raise BundleError(f"the graph in '{folder}' has another calibration than its card; export the checkpoint again")
