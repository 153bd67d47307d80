"""Letters and markers that are burned into a radiograph: where a heat map has no business."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Map = NDArray[np.float32]
Mask = NDArray[np.bool_]

_BRIGHT = 0.85
_STROKE = 0.04
"""Widest stroke of a letter, in shares of the longer side: what is wider is no lettering."""
_LEAST, _MOST = 0.00005, 0.02
"""Area of a letter or a line of letters, in shares of the image."""


def text(pixels: Map, lungs: Mask) -> Mask:
    """Burned-in text and markers outside of the lungs: bright thin parts with hard edges, bool (rows, cols).

    A heuristic: a white top-hat finds what is bright and narrow, and parts of a letter's size are kept. `pixels` in [0, 1].
    Does not show: dark letters on bright ground, and it may take a wire or a clip for a letter.
    """
    size = max(3, round(_STROKE * max(pixels.shape)))
    narrow = ndimage.white_tophat(pixels, size) > 0.4
    labels, count = ndimage.label(narrow & (pixels > _BRIGHT) & ~lungs, np.ones((3, 3)))
    if not count:
        return np.zeros(pixels.shape, bool)
    area = np.bincount(labels.ravel()) / pixels.size
    return np.asarray(((area >= _LEAST) & (area <= _MOST) & (np.arange(len(area)) > 0))[labels])


def energy(values: Map, pixels: Map, lungs: Mask) -> float:
    """Share of the map's sum on burned-in text, a stroke around it included; NaN without text or for a flat zero map.

    Does not show: that a model reads letters, only that its map lies on them.
    """
    letters = text(pixels, lungs)
    total = float(values.sum(dtype=np.float64))
    if not letters.any() or not total:
        return float("nan")
    around = ndimage.binary_dilation(letters, iterations=max(1, round(0.01 * max(pixels.shape)))) & ~lungs
    return float(values[around].sum(dtype=np.float64)) / total
