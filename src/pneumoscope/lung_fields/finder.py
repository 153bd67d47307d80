"""Define `LungFinder`: an ONNX graph with its card that segments the lung fields, without PyTorch."""

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
"""Outputs of `pneumoscope.lung_fields.graph_module.LungFieldModule`, in their order."""
SHIPPED = Path(__file__).parent / "shipped"
"""Folder of the lung-field model that is part of the package."""


class LungFinder:
    """A lung-field model that segments the lung fields of radiographs.

    Its graph takes float32 images of shape (batch, 1, rows, cols) in [0, 1], of any size. A finder is safe to use from several
    threads.

    Parameters
    ----------
    session : onnxruntime.InferenceSession
        ONNX Runtime session of the graph, with the input `INPUT_NAME` and the outputs `OUTPUT_NAMES`.
    card : LungCard
        Card of the model.
    folder : Path
        Folder of the model, from which it can be copied.
    """

    def __init__(self, session: onnxruntime.InferenceSession, card: LungCard, folder: Path) -> None:
        self._session = session
        self.card = card
        self.folder = folder

    @classmethod
    def load(cls, folder: Path | str = SHIPPED, *, threads: int = 0) -> Self:
        """Load a model and check it against its card.

        Parameters
        ----------
        folder : Path or str
            Folder of the model; the shipped model by default.
        threads : int
            Number of threads within one inference, >= 0; 0 for the number of available cores, at most 8.

        Returns
        -------
        LungFinder
            The checked model.

        Raises
        ------
        LungFieldsError
            If the card or the graph is missing or damaged, if the graph differs from the one that the card names, or if ONNX
            Runtime cannot run it.
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
        except Exception as error:  # ONNX Runtime raises a different class for each kind of invalid graph
            raise LungFieldsError(f"the graph in '{folder}' cannot be run by ONNX Runtime; train the model again") from error
        names = [i.name for i in session.get_inputs()], tuple(o.name for o in session.get_outputs())
        if names != ([INPUT_NAME], OUTPUT_NAMES):
            raise LungFieldsError(f"the graph in '{folder}' is not a lung-field network of Pneumoscope; train the model again")
        return cls(session, card, folder)

    @property
    def sha256(self) -> str:
        """SHA-256 of the graph, by which the card of a classifier names its lung-field model."""
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
        """Segment the lung fields of a radiograph.

        Parameters
        ----------
        radiograph : Radiograph
            The radiograph. The graph receives it in the displayed order.

        Returns
        -------
        LungFields
            The lung fields, with the placement of the masks on the radiograph.
        """
        outputs = self._session.run(OUTPUT_NAMES, {INPUT_NAME: np.ascontiguousarray(radiograph.displayed)[None, None]})
        return fields([part[0] for part in outputs], radiograph.rows, radiograph.cols, radiograph.orientation)


def fields(outputs: Sequence[NDArray[np.float32]], rows: int, cols: int, orientation: Orientation = UNKNOWN) -> LungFields:
    """Convert the outputs of the graph for one radiograph to its lung fields.

    Parameters
    ----------
    outputs : sequence of ndarray of float32
        Outputs for one image in the order of `OUTPUT_NAMES`, without the batch axis: masks (2, size_px, size_px), qualities
        (2,), the number of lungs found, and the box, which is not used.
    rows, cols : int
        Stored grid of the radiograph in pixels, >= 1.
    orientation : Orientation
        Orientation of the stored grid in the patient.

    Returns
    -------
    LungFields
        The lung fields.
    """
    lungs, quality, n_found, _ = outputs
    placement = Placement(rows, cols, Region(0.0, 0.0, float(rows), float(cols)), lungs.shape[-1], orientation)
    return LungFields(lungs[0] > 0, lungs[1] > 0, placement, float(quality[0]), float(quality[1]), STATES[round(float(n_found))])
