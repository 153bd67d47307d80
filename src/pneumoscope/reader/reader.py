"""The noun `Reader`: an ONNX graph with its card; reads radiographs with ONNX Runtime and never with PyTorch."""

import hashlib
from pathlib import Path
from typing import Self

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from pneumoscope.classifier import Card, CardError, Score
from pneumoscope.classifier import card as cards
from pneumoscope.classifier.backbone import backbone
from pneumoscope.classifier.preprocessing import ModelInput, prepare
from pneumoscope.findings import ModelIdentity, Reading, extract
from pneumoscope.heatmap import heatmap
from pneumoscope.lung_fields import LungFinder
from pneumoscope.lung_fields import package as lungs
from pneumoscope.lung_fields.session import open_session
from pneumoscope.radiograph import Radiograph
from pneumoscope.reader.errors import BundleError, NotAChestError

GRAPH_NAME = "model.onnx"
INPUT_NAME, OUTPUT_NAMES = "image", ("logits", "maps")
_BUNDLES = Path(__file__).parent / "bundles"
SHIPPED = {"default": _BUNDLES / "default", "whole": _BUNDLES / "whole"}
"""Bundles of the package: of the lungs, which is taken by default, and of the whole image with Grad-CAM, as published."""
DEFAULT_BUNDLE = SHIPPED["default"]
_CHEST = ("CHEST", "THORAX", "TORAX", "LUNG", "RIB")


class Reader:
    """Reads radiographs with one model.

    The graph takes float32 (batch, channels, side, side) in [0, 1] (`Preprocessing.channels`) and gives logits
    (batch, classes) and raw heat maps (batch, classes, h, w). A reader may be used from several threads.
    """

    def __init__(self, session: onnxruntime.InferenceSession, card: Card, sha256: str, finder: LungFinder) -> None:
        self._session = session
        self.card = card
        self.finder = finder
        self.model = ModelIdentity(card.name, sha256)

    @classmethod
    def load(cls, bundle: Path | str = DEFAULT_BUNDLE, *, threads: int = 0) -> Self:
        """Load a bundle (the shipped model by default) after checking it against its card.

        `threads` is the number of threads within one inference, 0 for all cores. Raises BundleError or CardError.
        """
        folder = Path(bundle)
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
        try:
            session = open_session(graph, threads)
        except Exception as error:  # ONNX Runtime has a class of its own for each way in which a graph can be wrong
            raise BundleError(f"the graph in '{folder}' cannot be run by ONNX Runtime; export it again") from error
        names = [i.name for i in session.get_inputs()], tuple(o.name for o in session.get_outputs())
        if names != ([INPUT_NAME], OUTPUT_NAMES):
            raise BundleError(f"the graph in '{folder}' is no explained classifier of Pneumoscope's; export it again")
        if session.get_inputs()[0].shape[1:] != _shape(card):
            raise BundleError(f"the graph in '{folder}' takes images of another size than its card says; export it again")
        return cls(session, card, sha256, lungs.load(folder, card.preprocessing.lungs, threads=threads))

    def prepare(self, radiograph: Radiograph) -> ModelInput:
        """The input for this reader's graph, with the lung fields."""
        return prepare(radiograph, self.card.preprocessing, self.finder)

    def log_odds(self, squares: NDArray[np.float32]) -> NDArray[np.float64]:
        """Log-odds of the target, shape (n,), of prepared squares, shape (n, channels, side, side) in [0, 1]."""
        (logits,) = self._session.run(OUTPUT_NAMES[:1], {INPUT_NAME: squares})
        return np.asarray(logits[:, -1] - logits[:, 0], np.float64)

    def explain(self, squares: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
        """Log-odds (n,) and raw heat maps (n, h, w) of the target, of prepared squares as `log_odds` takes them."""
        logits, maps = self._session.run(OUTPUT_NAMES, {INPUT_NAME: squares})
        return np.asarray(logits[:, -1] - logits[:, 0], np.float64), maps[:, -1]

    def read(self, radiograph: Radiograph, *, target: str = "") -> Reading:
        """Read one radiograph.

        `target` is the class whose evidence the heat map shows, the card's own target by default; score and decision are
        always the card's target's. Raises NotAChestError where DICOM names another body part.
        """
        _check_body_part(radiograph)
        explained = target or self.card.target
        if explained not in self.card.classes:
            raise CardError(f"the model has the classes {', '.join(self.card.classes)}, not '{explained}'")
        square = self.prepare(radiograph)
        assert square.lung_fields is not None
        logits, maps = self._session.run(OUTPUT_NAMES, {INPUT_NAME: square.pixels[None]})
        log_odds = float(logits[0, -1] - logits[0, 0])
        probability = float(self.card.calibration(np.array([log_odds]))[0])
        raw = maps[0, self.card.classes.index(explained)]
        layer = backbone(self.card.backbone).explained_layer if self.card.map_method == heatmap.GRAD_CAM else "evidence"
        shown = heatmap.on_radiograph(raw, square.placement, self.card, explained, layer)
        point = self.card.operating_point
        decision = point.decide(probability)
        speaks = decision == "positive" and explained == self.card.target
        found = extract(shown, probability, square.lung_fields) if speaks else ()
        score = Score(self.card.target, probability, log_odds)
        return Reading(score, decision, point, shown, found, square.lung_fields, self.model)


def _shape(card: Card) -> list[int]:
    """Of the graph's input, without the batch."""
    return [card.preprocessing.channels, card.preprocessing.side_px, card.preprocessing.side_px]


def _check_body_part(radiograph: Radiograph) -> None:
    part = radiograph.body_part.upper()
    if part and not any(name in part for name in _CHEST):
        raise NotAChestError(f"the DICOM Body Part Examined is {part}; give a radiograph of the chest")
