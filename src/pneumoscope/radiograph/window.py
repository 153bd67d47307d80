"""The noun `Window`: the values that are displayed between black and white."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from pneumoscope.radiograph.grey_range import Values

Function = Literal["LINEAR", "LINEAR_EXACT", "SIGMOID"]


@dataclass(frozen=True)
class Window:
    """A window of values, PS3.3 C.11.2.1.2.

    Parameters
    ----------
    centre, width : float
        Window Center and Window Width, in values after the Modality LUT; the width is above 0.
    function : {"LINEAR", "LINEAR_EXACT", "SIGMOID"}
        VOI LUT Function.
    """

    centre: float
    width: float
    function: Function = "LINEAR"


def window(values: Values, centre: float, width: float, function: str = "LINEAR") -> Values:
    """Apply a window by its VOI LUT Function, PS3.3 C.11.2.1.2.1 (LINEAR), C.11.2.1.3.1 (SIGMOID), C.11.2.1.3.2 (LINEAR_EXACT).

    Parameters
    ----------
    values : ndarray of float64
        Values after the Modality LUT.
    centre, width : float
        Window Center and Window Width; the width is at least 1 for LINEAR and above 0 for the others.
    function : {"LINEAR", "LINEAR_EXACT", "SIGMOID"}
        VOI LUT Function; any other text counts as LINEAR.

    Returns
    -------
    ndarray of float64, in [0, 1]
        Of the shape of `values`.
    """
    if function == "SIGMOID":
        return np.asarray(1 / (1 + np.exp(np.clip(-4 * (values - centre) / width, -700, 700))))
    if function == "LINEAR_EXACT":
        return np.asarray(np.clip((values - centre) / width + 0.5, 0, 1))
    if width == 1:
        return np.asarray(values > centre - 0.5, np.float64)
    return np.asarray(np.clip((values - (centre - 0.5)) / (width - 1) + 0.5, 0, 1))
