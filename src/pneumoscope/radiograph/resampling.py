"""Resample a part of an image to a square by the antialiased triangle filter of Pillow, large images strip by strip.

Each strip of rows is looked up, multiplied with its weights while it lies in the cache, and forgotten: no float32 copy of the
image is made. The filter is Pillow's; sums are taken in another order, so that the results differ by float32 rounding.
"""

import functools
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pneumoscope.radiograph.looked_up import LookedUp
from pneumoscope.radiograph.region import Region

Grey = NDArray[np.float32]
_LEAST_REDUCTION = 2
"""Pixels of the image per pixel of the square, along each axis, from which strips are quicker than Pillow."""
_MOST_PRODUCTS = 2**18
"""Multiplications of one matrix product: above that OpenBLAS starts threads, which would take a core from other readings."""
_MOST_STRIP_ROWS = 64


def to_square(image: Grey | LookedUp, box: Region, size_px: int) -> Grey:
    """Resample a rectangle of an image to a square.

    Parameters
    ----------
    image : ndarray of float32 or LookedUp, shape (rows, cols)
        The image; levels and their pixels give the same square to the bit.
    box : Region
        Part of the image, in pixels.
    size_px : int
        Edge of the square, in pixels.

    Returns
    -------
    ndarray of float32, shape (size_px, size_px)
        In the range of the pixels.
    """
    if min(box.height, box.width) < _LEAST_REDUCTION * size_px:
        return _resized(image.pixels if isinstance(image, LookedUp) else image, box, size_px)
    flat = _reduced(image, box.top, box.bottom, size_px)
    return np.ascontiguousarray(_reduced(np.ascontiguousarray(flat.T), box.left, box.right, size_px).T)


def _reduced(image: Grey | LookedUp, top: float, bottom: float, size_px: int) -> Grey:
    """Resample rows between two edges to `size_px` rows."""
    rows, cols = (image.levels if isinstance(image, LookedUp) else image).shape
    reduced = np.zeros((size_px, cols), np.float32)
    for strip in _strips(rows, cols, top, bottom, size_px):
        reduced[strip.out] += strip.weights @ (image.rows(strip.rows) if isinstance(image, LookedUp) else image[strip.rows])
    return reduced


def _resized(pixels: Grey, box: Region, size_px: int) -> Grey:
    edges = box.left, box.top, box.right, box.bottom
    picture = Image.fromarray(np.ascontiguousarray(pixels))
    return np.asarray(picture.resize((size_px, size_px), Image.Resampling.BILINEAR, box=edges), np.float32)


@dataclass(frozen=True, eq=False)
class _Strip:
    """Rows of the image, the rows of the square that they contribute to, and the weights, shape (out, rows)."""

    rows: slice
    out: slice
    weights: Grey


@functools.lru_cache(maxsize=64)
def _strips(rows: int, cols: int, top: float, bottom: float, size_px: int) -> tuple[_Strip, ...]:
    first, weights = _taps(rows, top, bottom, size_px)
    last = np.minimum(first + weights.shape[1], rows)
    height = _strip_rows(cols, (bottom - top) / size_px)
    return tuple(_cut(first, last, weights, range(int(first[0]), int(last[-1]), height), height))


def _strip_rows(cols: int, reduction: float) -> int:
    """Most rows of a strip whose product stays below `_MOST_PRODUCTS`: rows × (rows / reduction + 3) × cols."""
    most = (math.sqrt(9 + 4 * _MOST_PRODUCTS / cols / reduction) - 3) * reduction / 2
    return max(1, min(int(most), _MOST_STRIP_ROWS))


def _cut(first: NDArray[np.intp], last: NDArray[np.intp], weights: Grey, starts: range, height: int) -> Iterator[_Strip]:
    for start in starts:
        stop = min(start + height, int(last[-1]))
        out = slice(int(np.searchsorted(last, start, "right")), int(np.searchsorted(first, stop, "left")))
        part = np.zeros((out.stop - out.start, stop - start), np.float32)
        for k in range(out.start, out.stop):
            low, high = max(start, int(first[k])), min(stop, int(last[k]))
            part[k - out.start, low - start : high - start] = weights[k, low - first[k] : high - first[k]]
        yield _Strip(slice(start, stop), out, part)


def _taps(cells: int, start: float, stop: float, size: int) -> tuple[NDArray[np.intp], Grey]:
    """First cell and weights of each of `size` new cells over [start, stop), as Pillow computes them (``Resample.c``).

    The half-width of the triangle is the distance between two new cells.
    """
    step = (stop - start) / size
    centre = start + (np.arange(size) + 0.5) * step
    first = np.maximum((centre - step + 0.5).astype(np.intp), 0)
    at = first[:, None] + np.arange(math.ceil(step) * 2 + 1)
    inside = at < np.minimum((centre + step + 0.5).astype(np.intp), cells)[:, None]
    triangle = np.maximum(1 - np.abs((at + 0.5 - centre[:, None]) / step), 0) * inside
    return first, (triangle / triangle.sum(1, keepdims=True)).astype(np.float32)
