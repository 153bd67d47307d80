"""Define `Heatmap`: the spatial distribution of the evidence for a class on a radiograph."""

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
    """The evidence for a class on a radiograph.

    A heat map shows neither the probability of the class, which is the score, nor that the model depends on the highlighted
    pixels.

    Attributes
    ----------
    cells
        Values over the model's square, float32, shape (h, w), ≥ 0. For ``evidence``, a value is the calibrated probability of an
        image in which every cell had this evidence. For the other methods, 1 is the model's full scale, the same for all images.
    placement
        Placement of the square on the radiograph.
    target
        Name of the explained class.
    method
        Method of the map: ``evidence``, ``grad-cam``, ``hirescam`` or ``layercam``.
    layer
        Name of the explained layer.
    scale
        Divisor of the raw values, fixed on tune and stored in the card. For ``evidence``, the temperature of the calibration, or
        1 without one; for the other methods, the raw value that maps to 1.
    threshold
        Lowest value of a pixel in a finding, > 0.

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
        """Map on the radiograph's grid, float32, shape (rows, cols), interpolated linearly; zero outside the square."""
        return self.placement.map_to_radiograph(self.cells)

    def on_grid(self, rows: int, cols: int) -> Grey:
        """Resample the map to a grid of another size over the whole radiograph.

        Parameters
        ----------
        rows, cols
            Size of the grid in pixels, ≥ 1.

        Returns
        -------
        ndarray of float32
            Map of shape (rows, cols), zero outside the square.
        """
        return self.placement.on_grid(rows, cols).map_to_radiograph(self.cells)


def scaled(raw: Grey, card: Card, method: str = "", target: str = "") -> Grey:
    """Scale a raw map.

    Evidence is converted to a probability by the calibration of the card, so that it is comparable with the threshold of the
    score. Every other map is divided by its scale in the card.

    Parameters
    ----------
    raw
        Raw values from the model's graph, float32, any shape. Evidence for another class than the card's target is the
        negative of the evidence for the target.
    card
        The model's card.
    method
        Method of the map, one of the card's; the card's default method if empty.
    target
        Class that `raw` explains; the card's target if empty.

    Returns
    -------
    ndarray of float32
        Scaled values, same shape, ≥ 0; at most 1 for evidence.
    """
    method = method or card.map_method
    scale = np.float32(card.map_scales[method])
    if method != EVIDENCE:
        return np.asarray(raw / scale, np.float32)
    if card.calibration.method not in ("isotonic", "logistic"):
        return np.asarray(np.exp(-np.logaddexp(np.float32(0), -raw / scale)), np.float32)
    if target in ("", card.target):
        return card.calibration(raw).astype(np.float32)
    return (1 - card.calibration(-raw)).astype(np.float32)
