"""The noun `Heatmap`: where the evidence for a target lies on a radiograph."""

from dataclasses import dataclass

import numpy as np

from pneumoscope.radiograph.radiograph import Grey


@dataclass(frozen=True, eq=False)
class Heatmap:
    """Evidence on the radiograph's own grid.

    Attributes
    ----------
    values: float32 (rows, cols), ≥ 0, in units of `scale`: 1.0 is the model's fixed full scale, not this image's maximum.
    target: the class that is explained, by name.
    method: how it was made (grad-cam, …).
    layer: the layer that is explained.
    scale: the raw value of the method that became 1.0, fixed on the tune side and kept in the model's card.

    Does not show: how probable the target is (that is the score), nor that the model needs these pixels.
    """

    values: Grey
    target: str
    method: str
    layer: str
    scale: float

    def __post_init__(self) -> None:
        if self.values.dtype != np.float32 or self.values.ndim != 2:
            raise ValueError(f"values must be float32 (rows, cols), not {self.values.dtype} {self.values.shape}")
