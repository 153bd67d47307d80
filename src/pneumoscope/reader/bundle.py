"""Define the format of a bundle, with the inputs and outputs of its graph, and open bundles; without PyTorch or pickle."""

import hashlib
import math
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
from pneumoscope.reader.settings import settings_of

GRAPH_NAME = "model.onnx"
IMAGE = "image"
"""Input: whole radiographs in the displayed order, float32, shape (batch, 1, rows, cols), in [0, 1], of any size."""
SQUARE, GIVEN = "square", "square_given"
"""Optional inputs: prepared squares, float32, shape (n, channels, size_px, size_px), in [0, 1], and a boolean, true if the graph
scores these squares in place of those that it prepares from the image."""
LOOKED_AT, LOGITS, DISTANCE = "looked_at", "logits", "distance"
"""Outputs: the scored squares, shape (batch, channels, size_px, size_px); logits, shape (batch, classes); distance from the
training images, shape (batch,).

The other outputs are `FIELDS`, those of `pneumoscope.lung_fields.graph_module.LungFieldModule`; `ANSWERS`; and, for each method
in the card, the heat maps of all classes, shape (batch, classes, h, w): the raw ones under the name of the method, the scaled
ones under `scaled_name`.
"""
PROBABILITY, DECISION, ABSTAINS, INSIDE = ANSWERS = ("probability", "decision", "abstains", "inside_domain")
"""Outputs: calibrated probability of the target; 1 for a positive decision; 1 where the model abstains; 1 where the image lies
inside the domain and a lung was found (if the card states no limit: where a lung was found). Each is float32 of shape (batch,
settings) with one column for each of `pneumoscope.reader.settings.settings_of`, in the same order; the last three are 0 or 1."""
MAKER = "pneumoscope"
"""Key of the graph's metadata that holds its format."""
SETTINGS = "settings"
"""Key of the graph's metadata that holds the names of the columns of `ANSWERS`, separated by commas."""
FORMAT = "3"
EARLIER_FORMAT = "2"
"""Format of graphs whose only answer is the probability by the calibration of the card, of shape (batch,)."""
_MIXING = ((np.uint32(16), np.uint32(0x85EBCA6B)), (np.uint32(13), np.uint32(0xC2B2AE35)), (np.uint32(16), np.uint32(1)))
"""Shifts and factors of the finalizer of MurmurHash3, which turns consecutive integers into noise."""
OPSETS = range(18, 24)
"""Supported versions of the ONNX operator set; version 18 introduced antialiased resizing."""


def scaled_name(method: str) -> str:
    """Name the output with the scaled heat maps of a method.

    Parameters
    ----------
    method : str
        Method of the heat maps.

    Returns
    -------
    str
        Name of the output.
    """
    return f"{method}-scaled"


def outputs(card: Card, made: str = FORMAT) -> tuple[str, ...]:
    """List the outputs of the graph of a card.

    Parameters
    ----------
    card : Card
        Card of the bundle.
    made : str
        Format of the graph, `FORMAT` or `EARLIER_FORMAT`.

    Returns
    -------
    tuple of str
        Names of the outputs, in their order.
    """
    if made == EARLIER_FORMAT:
        return (*FIELDS, LOOKED_AT, LOGITS, PROBABILITY, DISTANCE, *card.map_scales)
    return (*FIELDS, LOOKED_AT, LOGITS, DISTANCE, *card.map_scales, *ANSWERS, *(scaled_name(m) for m in card.map_scales))


def open_bundle(folder: Path, threads: int, providers: Sequence[str]) -> tuple[onnxruntime.InferenceSession, Card, str]:
    """Open a bundle and check its graph against its card.

    Parameters
    ----------
    folder : Path
        Folder with ``model.onnx`` and ``card.json``.
    threads : int
        Number of threads within one inference, >= 0; 0 for the number of available cores, at most 8.
    providers : sequence of str
        Execution providers of ONNX Runtime by name; the CPU if empty.

    Returns
    -------
    session : onnxruntime.InferenceSession
        Session of the graph.
    card : Card
        Card of the bundle.
    sha256 : str
        SHA-256 of the graph.

    Raises
    ------
    BundleError
        If the graph is missing, is not the one that the card names, cannot be run, or has another calibration than the card; or
        if an execution provider is not available.
    CardError
        If the card is missing or damaged.
    ClassifierError
        If the card names an unknown backbone.
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
        raise BundleError(f"ONNX Runtime has no execution provider {unknown[0]} on this machine; choose from {available}")
    try:
        session = open_session(graph, threads, providers or (CPU,))
    except Exception as error:  # ONNX Runtime raises a different class for each kind of invalid graph
        raise BundleError(f"the graph in '{folder}' cannot be run by ONNX Runtime; export the checkpoint again") from error
    _check(session, card, folder)
    _check_calibration(session, card, folder)
    return session, card, sha256


def without_image(card: Card, squares: NDArray[np.float32]) -> dict[str, NDArray[np.generic]]:
    """Build the inputs with which a graph scores prepared squares in place of an image.

    Parameters
    ----------
    card : Card
        Card of the bundle.
    squares : ndarray of float32, shape (n, channels, size_px, size_px)
        Prepared squares in [0, 1].

    Returns
    -------
    dict of str to ndarray
        Inputs by name; the image is black and has no effect on the scores.
    """
    edge = card.preprocessing.seen_px
    return {IMAGE: np.zeros((1, 1, edge, edge), np.float32), SQUARE: squares, GIVEN: np.array(True)}


def _check(session: onnxruntime.InferenceSession, card: Card, folder: Path) -> None:
    """Raise BundleError unless the graph is one of this package, in a supported format, with the outputs that the card names."""
    about = session.get_modelmeta().custom_metadata_map
    made = about.get(MAKER)
    if made is None or [i.name for i in session.get_inputs()] != [IMAGE]:
        raise BundleError(f"the graph in '{folder}' is not a graph of Pneumoscope; export the checkpoint again")
    if made not in (EARLIER_FORMAT, FORMAT) or card.opset not in OPSETS:
        raise BundleError(
            f"the graph in '{folder}' has format {made} and ONNX operator set {card.opset}, but this version reads formats "
            f"{EARLIER_FORMAT} and {FORMAT} and operator sets {OPSETS.start} to {OPSETS.stop - 1}; export the checkpoint again"
        )
    if made == FORMAT and about.get(SETTINGS) != ",".join(settings_of(card)):
        raise BundleError(f"the graph in '{folder}' has other settings than its card; export the checkpoint again")
    if tuple(o.name for o in session.get_outputs()) != outputs(card, made):
        raise BundleError(f"the graph in '{folder}' does not have the outputs that its card names; export the checkpoint again")
    wanted = card.preprocessing
    looked_at = next(o.shape for o in session.get_outputs() if o.name == LOOKED_AT)
    if looked_at[1:] != [wanted.channels, wanted.size_px, wanted.size_px]:
        raise BundleError(
            f"the graph in '{folder}' scores squares of another size than its card states; export the checkpoint again"
        )


def _check_calibration(session: onnxruntime.InferenceSession, card: Card, folder: Path) -> None:
    """Raise BundleError unless the graph and the card give the same calibrated probabilities for synthetic squares.

    Programs other than this package show the probability of the graph, this package the calibration of the card; both must agree.
    """
    calibrations = [one.calibration for one in settings_of(card).values()]
    # Two log-odds determine a temperature and an intercept; the knots of an isotonic calibration are sampled by more.
    greys = (0.0, 0.5, 1.0) if any(one.knots for one in calibrations) else (0.0,)
    squares = synthetic_squares(greys, card)
    try:
        logits, probability = session.run([LOGITS, PROBABILITY], without_image(card, squares))
    except Exception as error:  # of any class, as above
        raise BundleError(f"the graph in '{folder}' cannot be run by ONNX Runtime; export the checkpoint again") from error
    log_odds = (logits[:, -1] - logits[:, 0]).astype(np.float64)
    columns = probability.reshape(len(squares), -1).T  # a graph of the earlier format has no columns
    fitted = calibrations if probability.ndim > 1 else [card.calibration]
    if not all(calibration.agrees(log_odds, column) for calibration, column in zip(fitted, columns, strict=True)):
        raise BundleError(f"the graph in '{folder}' has another calibration than its card; export the checkpoint again")


def synthetic_squares(greys: Sequence[float], card: Card) -> NDArray[np.float32]:
    """Make squares that no radiograph is needed for.

    Parameters
    ----------
    greys : sequence of float
        Grey levels in [0, 1].
    card : Card
        Card of the bundle, which states the shape of a square.

    Returns
    -------
    ndarray of float32, shape (n, channels, size_px, size_px)
        A square of each grey level, and one of uniform noise in [0, 1), the same at every call.
    """
    # Not by numpy.random, which takes longer to import than the noise to compute.
    wanted = card.preprocessing
    shape = wanted.channels, wanted.size_px, wanted.size_px
    noise = np.arange(math.prod(shape), dtype=np.uint32)
    for shift, factor in _MIXING:
        noise = (noise ^ (noise >> shift)) * factor
    scaled = (noise >> np.uint32(8)).astype(np.float32) / np.float32(2**24)
    return np.stack([*(np.full(shape, grey, np.float32) for grey in greys), scaled.reshape(shape)])
