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
    """Evidence on a radiograph.

    Attributes
    ----------
    cells: float32 (h, w) over the model's square, ≥ 0; 1.0 is the model's fixed full scale, not this image's maximum.
    placement: where the square lies on the radiograph.
    target: the class that is explained, by name.
    method: how it was made (``evidence``, ``grad-cam``, ``hirescam``, ``layercam``).
    layer: the layer that is explained.
    scale: fixed on the tune side and kept in the model's card. ``evidence``: the temperature of the calibration; the value is
        the calibrated probability of an image whose every cell had this evidence. All others: the raw value that became 1.0.
    threshold: value from which a pixel belongs to a finding.

    Does not show: how probable the target is (that is the score), nor that the model needs these pixels.
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
        """On the radiograph's own grid, float32 (rows, cols): linear between the cells, zero outside of the square."""
        return self.placement.map_to_radiograph(self.cells)

    def on_grid(self, rows: int, cols: int) -> Grey:
        """On a grid of another fineness over the whole radiograph, float32 (rows, cols)."""
        return self.placement.on_grid(rows, cols).map_to_radiograph(self.cells)


def scaled(raw: Grey, card: Card, method: str = "") -> Grey:
    """A raw map of the model, any shape, in units of the full scale of a method, the card's own by default."""
    method = method or card.map_method
    scale = np.float32(card.map_scales[method])
    if method == EVIDENCE:
        return np.asarray(np.exp(-np.logaddexp(np.float32(0), -raw / scale)), np.float32)
    return np.asarray(raw / scale, np.float32)


def on_radiograph(raw: Grey, placement: Placement, card: Card, target: str, layer: str, method: str = "") -> Heatmap:
    """The heat map of a raw map (h, w) of a method over the model's square."""
    method = method or card.map_method
    cells = scaled(raw, card, method)
    return Heatmap(cells, placement, target, method, layer, card.map_scales[method], card.finding_threshold)
