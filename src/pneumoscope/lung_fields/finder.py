"""The noun `LungFinder`: an ONNX graph with its card that finds the lung fields; never PyTorch."""

import hashlib
from pathlib import Path
from typing import Self

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from scipy import ndimage

from pneumoscope.lung_fields import card as cards
from pneumoscope.lung_fields.card import LungCard
from pneumoscope.lung_fields.errors import LungFieldsError
from pneumoscope.lung_fields.lung_fields import LungFields, Mask, State
from pneumoscope.lung_fields.session import open_session
from pneumoscope.radiograph import Placement, Radiograph
from pneumoscope.radiograph.placement import on_whole

GRAPH_NAME = "lungs.onnx"
INPUT_NAME, OUTPUT_NAME = "image", "probability"
SHIPPED = Path(__file__).parent / "shipped"
MIN_AREA_SHARE, MAX_AREA_SHARE = 0.01, 0.34
"""Share of the radiograph below and above which a region is no lung: noise looks like lung everywhere."""


class LungFinder:
    """Finds lung fields with one model.

    The graph takes float32 (batch, 1, side, side) in [0, 1] and gives the probabilities of right and left lung,
    (batch, 2, side, side). A finder may be used from several threads.
    """

    def __init__(self, session: onnxruntime.InferenceSession, card: LungCard, folder: Path) -> None:
        self._session = session
        self.card = card
        self.folder = folder

    @classmethod
    def load(cls, folder: Path | str = SHIPPED, *, threads: int = 0) -> Self:
        """Load a model (the shipped one by default) after checking it against its card; LungFieldsError where it is unsound.

        `threads` is the number of threads within one inference, 0 for all cores.
        """
        folder = Path(folder)
        card = cards.read(folder)
        try:
            graph = (folder / GRAPH_NAME).read_bytes()
        except OSError as error:
            raise LungFieldsError(f"there is no {GRAPH_NAME} in '{folder}'; copy the model again") from error
        if card.files.get(GRAPH_NAME) != hashlib.sha256(graph).hexdigest():
            raise LungFieldsError(f"the graph in '{folder}' is not the one that its card names; copy the model again")
        try:
            session = open_session(graph, threads)
        except Exception as error:  # ONNX Runtime has a class of its own for each way in which a graph can be wrong
            raise LungFieldsError(f"the graph in '{folder}' cannot be run by ONNX Runtime; train it again") from error
        if [i.name for i in session.get_inputs()] != [INPUT_NAME] or [o.name for o in session.get_outputs()] != [OUTPUT_NAME]:
            raise LungFieldsError(f"the graph in '{folder}' is no lung-field network of Pneumoscope's; train it again")
        return cls(session, card, folder)

    @property
    def sha256(self) -> str:
        """Hash of the graph and of the threshold, which cards of classifiers name: both decide what they look at."""
        return identity(self.card)

    def find(self, radiograph: Radiograph) -> LungFields:
        """Find the lung fields of one radiograph."""
        placement = on_whole(radiograph, self.card.side_px)
        square = placement.pixels_to_square(radiograph)
        (probability,) = self._session.run([OUTPUT_NAME], {INPUT_NAME: square[None, None]})
        return fields(probability[0], placement, self.card.quality_threshold)


def identity(card: LungCard) -> str:
    """Hash of a model's graph and of its quality threshold."""
    return hashlib.sha256(f"{card.files[GRAPH_NAME]} {card.quality_threshold!r}".encode()).hexdigest()


def fields(probability: NDArray[np.float32], placement: Placement, threshold: float) -> LungFields:
    """Lung fields from the network's probabilities, float32 (2, side, side): right, then left."""
    right, left = (_largest(p >= 0.5) for p in probability)
    qualities = agreement(probability[0], right), agreement(probability[1], left)
    found = sum(
        q >= threshold and MIN_AREA_SHARE <= m.mean() <= MAX_AREA_SHARE for q, m in zip(qualities, (right, left), strict=True)
    )
    states: tuple[State, State, State] = ("not found", "partly found", "found")
    return LungFields(right, left, placement, *qualities, states[found])


def _largest(mask: Mask) -> Mask:
    """The largest connected part with its holes filled."""
    labels, count = ndimage.label(mask)
    if not count:
        return mask
    return np.asarray(ndimage.binary_fill_holes(labels == 1 + int(np.argmax(np.bincount(labels.ravel())[1:]))))


def agreement(probability: NDArray[np.float32], mask: Mask) -> float:
    """Soft Dice coefficient of probabilities with a mask, in [0, 1]: 1 where the network is certain everywhere."""
    both = float(probability[mask].sum())
    total = float(probability.sum()) + float(mask.sum())
    return 2 * both / total if mask.any() else 0.0
