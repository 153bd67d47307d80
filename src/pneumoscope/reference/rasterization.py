"""From outlines and masks of any grid to the pixels of a radiograph."""

import math
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from pneumoscope.radiograph import Region
from pneumoscope.reference.annotation import Mask, Outline
from pneumoscope.reference.errors import RegionsError

_Pixel = TypeVar("_Pixel", bound=np.generic)
Grid = tuple[int, int]
"""Size of a radiograph in pixels, (rows, cols)."""
ASPECT_TOLERANCE = 0.02
"""By how much height over width of a mask may differ from the radiograph's before it shows something else."""
EDGE_TOLERANCE = 0.02
"""By how much of a side a box may reach over the edge of its grid: a hand's slip. A box further out is of another grid."""


def scale(outline: Outline, grid: Grid) -> NDArray[np.float64]:
    """Compute the pixels of a radiograph per pixel of an outline's space.

    Parameters
    ----------
    outline
        The outline.
    grid
        Size of the radiograph, (rows, cols) in pixels.

    Returns
    -------
    ndarray
        float64 (2,): along x and along y, > 0.
    """
    rows, cols = grid
    return np.array([1.0, 1.0]) if outline.space is None else np.array([cols, rows]) / outline.space


def box_on_grid(outline: Outline, grid: Grid, where: str) -> Region:
    """Bring the box of an outline to the grid of a radiograph, cut at the edge.

    Parameters
    ----------
    outline
        The outline.
    grid
        Size of the radiograph, (rows, cols) in pixels.
    where
        The place of the entry in its source, for the message.

    Returns
    -------
    Region
        The rectangle in pixels of the radiograph.

    Raises
    ------
    RegionsError
        If the box has no area on the radiograph, or lies outside of it by more than `EDGE_TOLERANCE` of a side.
    """
    rows, cols = grid
    corners = np.reshape(outline.box, (2, 2)) * scale(outline, grid)
    size = np.array([cols, rows])
    slack = EDGE_TOLERANCE * size
    (left, top), (right, bottom) = np.clip(corners, 0, (cols, rows)).tolist()
    if not (right > left and bottom > top):
        raise RegionsError(
            f"the box of {where} has no area on its radiograph of {rows} × {cols} pixels; correct it, or leave it out"
        )
    if not outline.polygons and ((corners < -slack).any() or (corners > size + slack).any()):
        width, height = outline.space or (cols, rows)
        raise RegionsError(
            f"the box of {where} reaches outside of its grid of {height:g} × {width:g} (rows × columns); the boxes refer to a "
            "larger grid: state it with --box-space, or correct the box"
        )
    return Region(top, left, bottom, right)


def filled(outline: Outline, grid: Grid, where: str) -> Mask:
    """Fill the polygons of an outline, or its box where it has none.

    A pixel belongs to an outline that has its centre inside; edges are half-open, so that outlines which share an edge share
    no pixel.

    Parameters
    ----------
    outline
        The outline.
    grid
        Size of the radiograph, (rows, cols) in pixels.
    where
        The place of the entry in its source, for the message.

    Returns
    -------
    ndarray
        bool (rows, cols), true somewhere.

    Raises
    ------
    RegionsError
        If no pixel is covered, or as `box_on_grid` raises it.
    """
    mask = np.zeros(grid, bool)
    if outline.polygons:
        for points in outline.polygons:
            mask |= _within(points * scale(outline, grid), grid)
    else:
        box = box_on_grid(outline, grid, where)
        mask[_first_centre(box.top) : _first_centre(box.bottom), _first_centre(box.left) : _first_centre(box.right)] = True
    if not mask.any():
        raise RegionsError(
            f"the annotation of {where} covers no pixel of its radiograph of {grid[0]} × {grid[1]} pixels; "
            "correct it, or leave it out"
        )
    return mask


def _first_centre(edge: float) -> int:
    """The first pixel whose centre is not before the edge."""
    return math.ceil(edge - 0.5)


def _within(points: NDArray[np.float64], grid: Grid) -> Mask:
    """The pixels whose centres lie in a closed polygon of (x, y) points, shape (n, 2), by the even-odd rule."""
    rows, cols = grid
    crossings = np.zeros((rows, cols + 1), np.intp)
    for start, end in zip(points, np.roll(points, -1, axis=0), strict=True):
        (x0, y0), (x1, y1) = sorted((start.tolist(), end.tolist()), key=lambda point: point[1])
        first, stop = (min(max(_first_centre(y), 0), rows) for y in (y0, y1))
        at = np.arange(first, stop)
        if at.size:
            x = x0 + (at + 0.5 - y0) * (x1 - x0) / (y1 - y0)
            np.add.at(crossings, (at, np.clip(np.ceil(x - 0.5), 0, cols).astype(np.intp)), 1)
    return np.asarray(crossings[:, :cols].cumsum(1) % 2 == 1)


def fitted(mask: Mask, grid: Grid, where: str) -> Mask:
    """Bring a mask to the grid of its radiograph by the nearest pixel.

    Parameters
    ----------
    mask
        bool (rows, cols) on a grid of its own.
    grid
        Size of the radiograph, (rows, cols) in pixels.
    where
        The place of the entry in its source, for the message.

    Returns
    -------
    ndarray
        bool, of the size of the radiograph, true somewhere.

    Raises
    ------
    RegionsError
        If the aspect ratios differ by more than `ASPECT_TOLERANCE`, or nothing of the mask is left.
    """
    resized = resampled(mask, grid, where)
    if not resized.any():
        raise RegionsError(
            f"{where} marks too little to be seen on its radiograph of {grid[0]} × {grid[1]} pixels; draw it on that grid"
        )
    return resized


def resampled(values: NDArray[_Pixel], grid: Grid, where: str) -> NDArray[_Pixel]:
    """Bring the pixels of a mask to the grid of its radiograph by the nearest pixel.

    Parameters
    ----------
    values
        Shape (rows, cols), on a grid of their own.
    grid
        Size of the radiograph, (rows, cols) in pixels.
    where
        The place of the entry in its source, for the message.

    Returns
    -------
    ndarray
        Of the size of the radiograph and the type of `values`.

    Raises
    ------
    RegionsError
        If the aspect ratios differ by more than `ASPECT_TOLERANCE`.
    """
    rows, cols = values.shape
    if abs(rows * grid[1] / (cols * grid[0]) - 1) > ASPECT_TOLERANCE:
        raise RegionsError(
            f"{where} has {rows} × {cols} pixels and its radiograph {grid[0]} × {grid[1]}, which is another aspect ratio; "
            "draw it on the whole radiograph"
        )
    at = [((np.arange(new) + 0.5) * old / new).astype(np.intp) for new, old in zip(grid, values.shape, strict=True)]
    return values[np.ix_(*at)]
