"""`Preprocessing`: how a radiograph becomes a model's input; the same for training, evaluation and reading."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from pneumoscope.radiograph import Placement, Radiograph
from pneumoscope.radiograph.placement import on_whole
from pneumoscope.radiograph.radiograph import Grey


@dataclass(frozen=True)
class Preprocessing:
    """The square that a model looks at.

    Attributes
    ----------
    side_px: side of the square.
    view: ``whole``: the whole radiograph squashed to the square, as published.

    The network itself repeats grey to three channels and normalizes them, so no client can get that wrong.
    """

    side_px: int = 224
    view: Literal["whole"] = "whole"


@dataclass(frozen=True, eq=False)
class ModelInput:
    """Pixels for a model with the way back: float32 (side, side) in [0, 1] on 256 levels, and the placement."""

    pixels: Grey
    placement: Placement


def prepare(radiograph: Radiograph, preprocessing: Preprocessing) -> ModelInput:
    """Resample a radiograph to the model's square.

    Values are rounded to 256 grey levels, so that the eight-bit training cache and a reading give one and the same input.
    """
    placement = on_whole(radiograph, preprocessing.side_px)
    square = placement.pixels_to_square(radiograph)
    return ModelInput(np.rint(square * 255).astype(np.float32) / np.float32(255), placement)
