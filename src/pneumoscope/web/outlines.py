"""Trace the outlines of masks as polygons."""

from collections import defaultdict

import numpy as np
from numpy.typing import NDArray

from pneumoscope.radiograph import Placement

Mask = NDArray[np.bool_]
Polygon = tuple[tuple[float, float], ...]
_Corner = tuple[int, int]
_DECIMALS = 2


def outlines(mask: Mask) -> list[NDArray[np.float64]]:
    """Trace the borders of a mask between its pixels.

    The polygons go through the middles of the pixel edges that part the mask from the rest, as the contour at 0.5 of marching
    squares does; holes are polygons too. Pixels that touch at a corner alone belong to different polygons.

    Parameters
    ----------
    mask : ndarray of bool, shape (rows, cols)
        The mask.

    Returns
    -------
    list of ndarray of float64, shape (n, 2)
        Polygons of (row, col) in continuous pixels, where pixel (r, c) covers [r, r + 1) × [c, c + 1); points on a straight line
        between their neighbours are left out.
    """
    leaving = _edges(mask)
    polygons = []
    while leaving:
        loop = _loop(leaving)
        corners = np.array(loop, np.float64)
        polygons.append(_without_straight_points((corners + np.roll(corners, -1, 0)) / 2))
    return polygons


def on_radiograph(mask: Mask, placement: Placement) -> tuple[Polygon, ...]:
    """Trace a mask over a square, and place its outlines on the radiograph.

    Parameters
    ----------
    mask : ndarray of bool, shape (h, w)
        Mask over the square, in the displayed order.
    placement : Placement
        Where the square lies.

    Returns
    -------
    tuple of tuple of (float, float)
        Polygons of (row, col) on the stored grid.
    """
    scale = placement.size_px / np.array(mask.shape)
    return tuple(_rounded(placement.points_to_radiograph(polygon * scale)) for polygon in outlines(mask))


def on_grid(mask: Mask) -> tuple[Polygon, ...]:
    """Trace a mask on the grid of the radiograph.

    Parameters
    ----------
    mask : ndarray of bool, shape (rows, cols)
        Mask on the stored grid.

    Returns
    -------
    tuple of tuple of (float, float)
        Polygons of (row, col) on the stored grid.
    """
    return tuple(_rounded(polygon) for polygon in outlines(mask))


def _edges(mask: Mask) -> dict[_Corner, list[_Corner]]:
    """The directed pixel edges around a mask, clockwise with the mask on the right, by the corner where each begins."""
    padded = np.pad(mask, 1)
    inside = padded[1:-1, 1:-1]
    leaving: dict[_Corner, list[_Corner]] = defaultdict(list)
    neighbours = (
        (padded[:-2, 1:-1], (0, 0), (0, 1)),  # above: along the upper edge, to the right
        (padded[1:-1, 2:], (0, 1), (1, 1)),
        (padded[2:, 1:-1], (1, 1), (1, 0)),
        (padded[1:-1, :-2], (1, 0), (0, 0)),
    )
    for neighbour, begin, end in neighbours:
        for row, col in np.argwhere(inside & ~neighbour).tolist():
            leaving[row + begin[0], col + begin[1]].append((row + end[0], col + end[1]))
    return leaving


def _loop(leaving: dict[_Corner, list[_Corner]]) -> list[_Corner]:
    """Take one closed loop out of the edges."""
    start = next(iter(leaving))
    loop, before, here = [start], start, _take(leaving, start, None)
    while here != start:
        loop.append(here)
        before, here = here, _take(leaving, here, (here[0] - before[0], here[1] - before[1]))
    return loop


def _take(leaving: dict[_Corner, list[_Corner]], corner: _Corner, step: tuple[int, int] | None) -> _Corner:
    """Take the edge that leaves a corner; of two, the one to the right, which stays at the same pixel."""
    ends = leaving[corner]
    end = ends[0]
    if step is not None and len(ends) > 1:
        end = (corner[0] + step[1], corner[1] - step[0])
    ends.remove(end)
    if not ends:
        del leaving[corner]
    return end


def _without_straight_points(points: NDArray[np.float64]) -> NDArray[np.float64]:
    before, after = points - np.roll(points, 1, 0), np.roll(points, -1, 0) - points
    turns = before[:, 0] * after[:, 1] != before[:, 1] * after[:, 0]
    return np.asarray(points[turns])


def _rounded(polygon: NDArray[np.float64]) -> Polygon:
    return tuple((row, col) for row, col in np.round(polygon, _DECIMALS).tolist())
