"""The noun `Heatmap`: where the evidence for a target lies on a radiograph."""

from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from pneumoscope.classifier import Card
from pneumoscope.radiograph import Placement
from pneumoscope.radiograph.radiograph import Grey

EVIDENCE = "evidence"
GRAD_CAM, HIRES_CAM, LAYER_CAM = "grad-cam", "hirescam", "layercam"


@dataclass(frozen=True, eq=False)
class Heatmap:
    """Evidence on the radiograph's own grid.

    Attributes
    ----------
    values: float32 (rows, cols), ≥ 0; 1.0 is the model's fixed full scale, not this image's maximum.
    target: the class that is explained, by name.
    method: how it was made (``evidence``, ``grad-cam``, ``hirescam``, ``layercam``).
    layer: the layer that is explained.
    scale: fixed on the tune side and kept in the model's card. ``evidence``: the temperature of the calibration; the value is
        the calibrated probability of an image whose every cell had this evidence. All others: the raw value that became 1.0.
    threshold: value from which a pixel belongs to a finding.

    Does not show: how probable the target is (that is the score), nor that the model needs these pixels.
    """

    values: Grey
    target: str
    method: str
    layer: str
    scale: float
    threshold: float = 0.5

    def __post_init__(self) -> None:
        if self.values.dtype != np.float32 or self.values.ndim != 2:
            raise ValueError(f"values must be float32 (rows, cols), not {self.values.dtype} {self.values.shape}")


def scaled(raw: Grey, card: Card, method: str = "") -> Grey:
    """A raw map of the model, any shape, in units of the full scale of a method, the card's own by default."""
    method = method or card.map_method
    scale = np.float32(card.map_scales[method])
    if method == EVIDENCE:
        return np.asarray(expit(raw / scale), np.float32)
    return np.asarray(raw / scale, np.float32)


def on_radiograph(raw: Grey, placement: Placement, card: Card, target: str, layer: str, method: str = "") -> Heatmap:
    """The heat map of a raw map (h, w) of a method over the model's square."""
    method = method or card.map_method
    values = placement.map_to_radiograph(scaled(raw, card, method))
    return Heatmap(values, target, method, layer, card.map_scales[method], card.finding_threshold)
