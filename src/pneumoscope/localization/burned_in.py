"""Letters and markers that are burned into a radiograph, where a heat map should have no evidence."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Map = NDArray[np.float32]
Mask = NDArray[np.bool_]

_BRIGHT = 0.85
_CONTRAST = 0.4
_STROKE_SHARE = 0.04
"""Widest stroke of a letter as a share of the longer side; anything wider is no lettering."""
_MIN_AREA, _MAX_AREA = 0.00005, 0.02
"""Area of a letter or of a line of touching letters, as a share of the image."""
_SURROUND_SHARE = 0.01


def text(pixels: Map, lungs: Mask) -> Mask:
    """Find burned-in text and markers outside the lungs: bright, thin structures with hard edges.

    A heuristic: a white top-hat keeps what is bright and narrow; connected parts of the size of a letter are taken.

    Parameters
    ----------
    pixels
        The radiograph, float32 (rows, cols) in [0, 1].
    lungs
        Both lungs, bool (rows, cols).

    Returns
    -------
    ndarray
        bool (rows, cols), true on text.

    Notes
    -----
    Does not show: dark letters on bright ground. A wire or a clip may be taken for a letter.
    """
    size = max(3, round(_STROKE_SHARE * max(pixels.shape)))
    narrow = ndimage.white_tophat(pixels, size) > _CONTRAST
    labels, count = ndimage.label(narrow & (pixels > _BRIGHT) & ~lungs, np.ones((3, 3)))
    if not count:
        return np.zeros(pixels.shape, bool)
    area = np.bincount(labels.ravel()) / pixels.size
    return np.asarray(((area >= _MIN_AREA) & (area <= _MAX_AREA) & (np.arange(len(area)) > 0))[labels])


def energy(values: Map, pixels: Map, lungs: Mask) -> float:
    """Compute the share of a map's sum that lies on burned-in text.

    Parameters
    ----------
    values
        Heat map, float32 (rows, cols) ≥ 0.
    pixels
        The radiograph on the same grid, in [0, 1].
    lungs
        Both lungs, bool (rows, cols).

    Returns
    -------
    float
        In [0, 1], with a margin of 1 % of the longer side around the text; NaN without text or for a map of zeros.

    Notes
    -----
    Does not show: that a model reads letters, only that its map lies on them.
    """
    letters = text(pixels, lungs)
    total = float(values.sum(dtype=np.float64))
    if not letters.any() or not total:
        return float("nan")
    around = ndimage.binary_dilation(letters, iterations=max(1, round(_SURROUND_SHARE * max(pixels.shape)))) & ~lungs
    return float(values[around].sum(dtype=np.float64)) / total
