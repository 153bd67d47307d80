"""The noun `LungFinder`: an ONNX graph with its card that finds the lung fields; never PyTorch."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from pneumoscope.lung_fields import card as cards
from pneumoscope.lung_fields.card import LungCard
from pneumoscope.lung_fields.errors import LungFieldsError
from pneumoscope.lung_fields.lung_fields import STATES, LungFields
from pneumoscope.onnx_session import open_session
from pneumoscope.radiograph import Orientation, Placement, Radiograph
from pneumoscope.radiograph.orientation import UNKNOWN
from pneumoscope.radiograph.region import Region

GRAPH_NAME = "lungs.onnx"
INPUT_NAME = "image"
OUTPUT_NAMES = ("lungs", "lung_quality", "lungs_found", "lung_box")
"""As `pneumoscope.lung_fields.graph_module.LungFieldModule` gives them."""
SHIPPED = Path(__file__).parent / "shipped"


class LungFinder:
    """Finds lung fields with one model.

    The graph takes float32 (batch, 1, rows, cols) in [0, 1], of any size. A finder may be used from several threads.
    """

    def __init__(self, session: onnxruntime.InferenceSession, card: LungCard, folder: Path) -> None:
        self._session = session
        self.card = card
        self.folder = folder

    @classmethod
    def load(cls, folder: Path | str = SHIPPED, *, threads: int = 0) -> Self:
        """Load a model (the shipped one by default) after checking it against its card; LungFieldsError where it is unsound.

        `threads` is the number of threads within one inference, 0 for as many as pay.
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
        names = [i.name for i in session.get_inputs()], tuple(o.name for o in session.get_outputs())
        if names != ([INPUT_NAME], OUTPUT_NAMES):
            raise LungFieldsError(f"the graph in '{folder}' is no lung-field network of Pneumoscope's; train it again")
        return cls(session, card, folder)

    @property
    def sha256(self) -> str:
        """Hash of the graph, which cards of classifiers name."""
        return self.card.files[GRAPH_NAME]

    def outputs(self, images: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """Run the graph on images.

        Parameters
        ----------
        images
            float32, shape (n, 1, rows, cols), grey levels in [0, 1] as displayed.

        Returns
        -------
        list of ndarray
            The outputs in the order of `OUTPUT_NAMES`, each of n rows.
        """
        values: list[NDArray[np.float32]] = self._session.run(OUTPUT_NAMES, {INPUT_NAME: images})
        return values

    def find(self, radiograph: Radiograph) -> LungFields:
        """Find the lung fields of one radiograph, turned into the displayed order."""
        outputs = self._session.run(OUTPUT_NAMES, {INPUT_NAME: np.ascontiguousarray(radiograph.displayed)[None, None]})
        return fields([part[0] for part in outputs], radiograph.rows, radiograph.cols, radiograph.orientation)


def fields(outputs: Sequence[NDArray[np.float32]], rows: int, cols: int, orientation: Orientation = UNKNOWN) -> LungFields:
    """Lung fields of a radiograph of `rows` × `cols` from what the graph gives for it, in the order of `OUTPUT_NAMES`."""
    lungs, quality, found, _ = outputs
    placement = Placement(rows, cols, Region(0.0, 0.0, float(rows), float(cols)), lungs.shape[-1], orientation)
    return LungFields(lungs[0] > 0, lungs[1] > 0, placement, float(quality[0]), float(quality[1]), STATES[round(float(found))])
