"""Resample a part of an image by the antialiased triangle filter of Pillow, large images strip by strip.

Each strip of rows is looked up, multiplied with its weights while it lies in the cache, and forgotten: no copy of the image is
made. The filter is Pillow's. Sums are taken in double precision, as Pillow does: the order in which a processor's matrix product
adds then changes at most the last bit of a few pixels in a hundred thousand, and equal pixels stay equal. The weights of a
picture that was decoded at a reduced scale are those of its pixels, converted to weights of its samples
(`pneumoscope.radiograph.reduction`).
"""

import functools
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pneumoscope.radiograph.looked_up import LookedUp
from pneumoscope.radiograph.reduction import Axis
from pneumoscope.radiograph.region import Region

Grey = NDArray[np.float32]
Exact = NDArray[np.float64]
_MOST_PRODUCTS = 2**18
"""Multiplications of one matrix product: above that OpenBLAS starts threads, which would take a core from other readings."""
_MOST_STRIP_ROWS = 64


def resample(image: Grey | LookedUp, box: Region, rows: int, cols: int) -> Grey:
    """Resample a rectangle of an image.

    Parameters
    ----------
    image : ndarray of float32 or LookedUp, shape (image rows, image cols)
        The image; levels and their pixels give the same result to the bit.
    box : Region
        Part of the image, in its pixels; of a reduced picture in those of its file.
    rows, cols : int
        Size of the result, at least 1.

    Returns
    -------
    ndarray of float32, shape (rows, cols)
        In the range of the pixels.
    """
    reduction = image.reduction if isinstance(image, LookedUp) else None
    if reduction is None and (box.height <= rows or box.width <= cols):
        edges = box.left, box.top, box.right, box.bottom
        picture = Image.fromarray(np.ascontiguousarray(image.pixels if isinstance(image, LookedUp) else image))
        return np.asarray(picture.resize((cols, rows), Image.Resampling.BILINEAR, box=edges), np.float32)
    down, across = reduction.axes if reduction else (None, None)
    flat = _fewer(image, box.top, box.bottom, rows, down)
    return np.ascontiguousarray(_fewer(flat.T, box.left, box.right, cols, across).T, np.float32)


def _fewer(image: Grey | Exact | LookedUp, top: float, bottom: float, n_rows: int, axis: Axis | None) -> Exact:
    """Resample the rows between two edges, usually to fewer."""
    rows, cols = (image.levels if isinstance(image, LookedUp) else image).shape
    fewer = np.zeros((n_rows, cols), np.float64)
    for strip in _strips(rows, cols, top, bottom, n_rows, axis):
        pixels = image.rows(strip.rows) if isinstance(image, LookedUp) else image[strip.rows]
        fewer[strip.out] += strip.weights @ pixels.astype(np.float64, copy=False)
    return fewer


@dataclass(frozen=True, eq=False)
class _Strip:
    """Rows of the image, the rows of the result that they contribute to, and the weights, shape (out, rows)."""

    rows: slice
    out: slice
    weights: Exact


@functools.lru_cache(maxsize=64)
def _strips(rows: int, cols: int, top: float, bottom: float, n_rows: int, axis: Axis | None = None) -> tuple[_Strip, ...]:
    first, weights = _taps(axis.pixels if axis else rows, top, bottom, n_rows)
    if axis:
        first, weights = _sample_taps(first, weights, axis)
    last = np.minimum(first + weights.shape[1], rows)
    height = _strip_rows(cols, (bottom - top) / n_rows * (axis.samples / axis.pixels if axis else 1))
    return tuple(_cut(first, last, weights, range(int(first[0]), int(last[-1]), height), height))


def _strip_rows(cols: int, reduction: float) -> int:
    """Most rows of a strip whose product stays below `_MOST_PRODUCTS`: rows × (rows / reduction + 3) × cols."""
    most = (math.sqrt(9 + 4 * _MOST_PRODUCTS / cols / reduction) - 3) * reduction / 2
    return max(1, min(int(most), _MOST_STRIP_ROWS))


def _cut(first: NDArray[np.intp], last: NDArray[np.intp], weights: Exact, starts: range, height: int) -> Iterator[_Strip]:
    for start in starts:
        stop = min(start + height, int(last[-1]))
        out = slice(int(np.searchsorted(last, start, "right")), int(np.searchsorted(first, stop, "left")))
        part = np.zeros((out.stop - out.start, stop - start))
        for k in range(out.start, out.stop):
            low, high = max(start, int(first[k])), min(stop, int(last[k]))
            part[k - out.start, low - start : high - start] = weights[k, low - first[k] : high - first[k]]
        yield _Strip(slice(start, stop), out, part)


def _taps(cells: int, start: float, stop: float, size: int) -> tuple[NDArray[np.intp], Exact]:
    """First cell and weights of each of `size` new cells over [start, stop), as Pillow computes them (``Resample.c``).

    The half-width of the triangle is the distance between two new cells, and at least that between two cells.
    """
    step = (stop - start) / size
    width = max(step, 1.0)
    centre = start + (np.arange(size) + 0.5) * step
    first = np.maximum((centre - width + 0.5).astype(np.intp), 0)
    at = first[:, None] + np.arange(math.ceil(width) * 2 + 1)
    inside = at < np.minimum((centre + width + 0.5).astype(np.intp), cells)[:, None]
    triangle = np.maximum(1 - np.abs((at + 0.5 - centre[:, None]) / width), 0) * inside
    return first, triangle / triangle.sum(1, keepdims=True)


def _sample_taps(first: NDArray[np.intp], weights: Exact, axis: Axis) -> tuple[NDArray[np.intp], Exact]:
    """First sample and weights for the first pixel and weights of each new cell."""
    of_pixels = np.zeros((len(first), axis.pixels + weights.shape[1]))
    np.put_along_axis(of_pixels, first[:, None] + np.arange(weights.shape[1]), weights, axis=1)
    of_samples = axis.of_samples(of_pixels[:, : axis.pixels])
    occurs = of_samples != 0
    first, last = occurs.argmax(1), axis.samples - occurs[:, ::-1].argmax(1)
    at = first[:, None] + np.arange((last - first).max())
    return first, np.take_along_axis(of_samples, np.minimum(at, axis.samples - 1), axis=1) * (at < last[:, None])
