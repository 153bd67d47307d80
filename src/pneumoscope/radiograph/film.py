"""The noun `Film`: a radiograph with the tables of its grey levels, from which a viewer computes another window without loss."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pneumoscope.radiograph.grey_range import Values
from pneumoscope.radiograph.levels import Levels
from pneumoscope.radiograph.radiograph import Grey, Radiograph
from pneumoscope.radiograph.window import Window


@dataclass(frozen=True, eq=False)
class Film:
    """A radiograph as a viewer needs it: an index per pixel, and tables with one entry per index.

    A *level* is an index into the tables. Level k of a DICOM image is its lowest stored value plus k; level k of a picture is
    the grey value k. The tables cover every level up to the highest one that occurs (a picture of 8 bits: all 256), whether or
    not a pixel has it.

    The grey levels under another window are ``window(values, centre, width, function)``, then one minus that where `inverse`,
    then 0 where `padding`.

    Parameters
    ----------
    radiograph : Radiograph
        The radiograph, with the initial display grey levels as its pixels.
    levels : ndarray of uint8 or uint16, shape (rows, cols)
        Level of each pixel on the stored grid; always uint16 from `read_film`.
    shown : ndarray of float32, shape (n_levels,)
        Initial display grey of each level, in [0, 1]; ``shown[levels]`` equals ``radiograph.pixels`` to the bit.
    values : ndarray of float64, shape (n_levels,)
        Value of each level after the Modality LUT; of a picture, its grey value from 0 to 255 or 65535.
    padding : ndarray of bool, shape (n_levels,)
        Whether a level is pixel padding, which is black under every window.
    inverse : bool
        Whether low values are white.
    window : Window, optional
        The window of the initial display; None where the initial display follows a VOI LUT, the format of a picture, or the
        range of the data (`Radiograph.grey_source`).
    lossy : bool
        Whether the pixels were compressed with loss, now or earlier.
    """

    radiograph: Radiograph
    levels: Levels = field(repr=False)
    shown: Grey = field(repr=False)
    values: Values = field(repr=False)
    padding: NDArray[np.bool_] = field(repr=False)
    inverse: bool = False
    window: Window | None = None
    lossy: bool = False

    @property
    def aspect(self) -> float:
        """Height of a stored pixel over its width (`Radiograph.aspect`)."""
        return self.radiograph.aspect
