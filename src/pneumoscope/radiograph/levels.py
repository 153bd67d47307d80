"""Count the levels of an image and look them up in a table, block by block.

NumPy converts the argument of `numpy.bincount` and the indices of `numpy.take` to int64, four times the memory of the levels.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Levels = NDArray[np.unsignedinteger[Any]]
"""Indices into a table, shape (rows, cols)."""
_BLOCK = 2**15
"""Pixels that are converted at a time, few enough for the cache of a processor core."""


def count_levels(levels: Levels) -> NDArray[np.int64]:
    """Count the pixels of each level, in memory that does not grow with the image.

    Parameters
    ----------
    levels : ndarray of unsigned integers, shape (rows, cols)
        Indices into a table of values.

    Returns
    -------
    ndarray of int64, shape (highest level + 1,)
        Number of pixels.
    """
    if levels.dtype == np.uint8:
        counted = np.array(Image.fromarray(np.ascontiguousarray(levels)).histogram(), np.int64)
        return np.trim_zeros(counted, "b")
    flat, size = levels.reshape(-1), int(levels.max()) + 1
    counts = np.zeros(size, np.int64)
    for start in range(0, flat.size, _BLOCK):
        counts += np.bincount(flat[start : start + _BLOCK], minlength=size)
    return counts


def look_up(table: NDArray[np.float32], levels: Levels) -> NDArray[np.float32]:
    """Look levels up in a table.

    Parameters
    ----------
    table : ndarray of float32, shape (levels,)
        Value of each level.
    levels : ndarray of unsigned integers, shape (rows, cols)
        Indices into the table.

    Returns
    -------
    ndarray of float32, shape (rows, cols)
        A new array.
    """
    flat, values = levels.reshape(-1), np.empty(levels.size, np.float32)
    for start in range(0, flat.size, _BLOCK):
        np.take(table, flat[start : start + _BLOCK], out=values[start : start + _BLOCK], mode="wrap")
    return values.reshape(levels.shape)
