"""The noun `Heatmap`: where the evidence for a target lies on a radiograph."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from pneumoscope.classifier import Card
from pneumoscope.radiograph import Placement
from pneumoscope.radiograph.radiograph import Grey

EVIDENCE = "evidence"
GRAD_CAM, HIRES_CAM, LAYER_CAM = "grad-cam", "hirescam", "layercam"


@dataclass(frozen=True, eq=False)
class Heatmap:
    """Evidence for a class on a radiograph.

    A heat map does not show how probable the class is (that is the score), nor that the model needs these pixels.

    Parameters
    ----------
    cells
        float32, shape (h, w), over the model's square, ≥ 0. For ``evidence``, the calibrated probability of an image whose
        every cell had this evidence; for the other methods, 1.0 is the full scale of the model, not this image's maximum.
    placement
        Where the square lies on the radiograph.
    target
        Name of the class that is explained.
    method
        How the map was made: ``evidence``, ``grad-cam``, ``hirescam`` or ``layercam``.
    layer
        Name of the layer that is explained.
    scale
        The number that raw values were divided by, fixed on tune and kept in the card. ``evidence``: the temperature of the
        calibration, 1 without one; the other methods: the raw value that became 1.0.
    threshold
        Value from which a pixel belongs to a finding, > 0.

    Raises
    ------
    ValueError
        If the cells are not float32 of shape (h, w).
    """

    cells: Grey
    placement: Placement
    target: str
    method: str
    layer: str
    scale: float
    threshold: float = 0.5

    def __post_init__(self) -> None:
        if self.cells.dtype != np.float32 or self.cells.ndim != 2:
            raise ValueError(f"cells must be float32 (h, w), not {self.cells.dtype} {self.cells.shape}")

    @cached_property
    def values(self) -> Grey:
        """The map on the radiograph's own grid, float32 (rows, cols): linear between cells, zero outside the square."""
        return self.placement.map_to_radiograph(self.cells)

    def on_grid(self, rows: int, cols: int) -> Grey:
        """Resample the map to another grid over the whole radiograph.

        Parameters
        ----------
        rows, cols
            Size of the grid, ≥ 1.

        Returns
        -------
        ndarray of float32
            Shape (rows, cols), zero outside the square.
        """
        return self.placement.on_grid(rows, cols).map_to_radiograph(self.cells)


def scaled(raw: Grey, card: Card, method: str = "", target: str = "") -> Grey:
    """Bring a raw map of a model to its full scale.

    Evidence becomes a probability by the calibration of the card, so that it can be compared with the threshold of the score;
    every other map is divided by its scale in the card.

    Parameters
    ----------
    raw
        Raw values of the model's graph, float32, any shape. Evidence for another class than the card's target is the
        negative of the evidence for the target.
    card
        The model's card.
    method
        One of the card's methods; its default one if empty.
    target
        The class that `raw` explains; the card's target if empty.

    Returns
    -------
    ndarray of float32
        Same shape, ≥ 0; at most 1 for evidence.
    """
    method = method or card.map_method
    scale = np.float32(card.map_scales[method])
    if method != EVIDENCE:
        return np.asarray(raw / scale, np.float32)
    if card.calibration.method != "isotonic":
        return np.asarray(np.exp(-np.logaddexp(np.float32(0), -raw / scale)), np.float32)
    if target in ("", card.target):
        return card.calibration(raw).astype(np.float32)
    return (1 - card.calibration(-raw)).astype(np.float32)


def on_radiograph(raw: Grey, placement: Placement, card: Card, target: str, layer: str, method: str = "") -> Heatmap:
    """Make the heat map of a raw map over the model's square.

    Parameters
    ----------
    raw
        Raw values of the model's graph, float32, shape (h, w).
    placement
        Where the square lies on the radiograph.
    card
        The model's card.
    target
        Name of the class that `raw` explains.
    layer
        Name of the layer that is explained.
    method
        One of the card's methods; its default one if empty.

    Returns
    -------
    Heatmap
        The map at the model's full scale.
    """
    method = method or card.map_method
    cells = scaled(raw, card, method, target)
    return Heatmap(cells, placement, target, method, layer, card.map_scales[method], card.finding_threshold)
