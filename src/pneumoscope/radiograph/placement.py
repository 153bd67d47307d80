"""The noun `Placement`: where the model's square lies on the radiograph, and the way there and back.

It is the only path by which pixels reach a model and by which maps and boxes return. The radiograph keeps the stored order of
its pixels; the model's square is always in the displayed order, the patient's right side on its left. All coordinates are
continuous: pixel (r, c) covers [r, r + 1) × [c, c + 1), its centre is (r + ½, c + ½).
"""

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Self

import numpy as np
from numpy.typing import NDArray

from pneumoscope.radiograph.looked_up import LookedUp
from pneumoscope.radiograph.orientation import UNKNOWN, Orientation
from pneumoscope.radiograph.radiograph import Grey, Radiograph
from pneumoscope.radiograph.region import Region
from pneumoscope.radiograph.resampling import resample

Points = NDArray[np.float64]
_SMALL = 2**18
"""Pixels of a map up to which it is made in one step; its copies then lie in the cache of a processor core."""


def _between(centres: NDArray[np.floating], start: float, extent: float, cells: int) -> tuple[NDArray[np.intp], Grey, slice]:
    """Find pixel centres, in ascending order, among the centres of `cells` that are spread over [start, start + extent).

    Returns, for the pixels inside, the cell before each and the share of the one after it, and the slice of those pixels.
    Beyond the outermost cell centres the outermost value holds (half-pixel convention, `align_corners=False`).
    """
    where = slice(*np.searchsorted(centres, (start, start + extent)).tolist())
    at = np.clip((centres[where] - start) / extent * cells - 0.5, 0, cells - 1)
    before = at.astype(np.intp)
    return before, (at - before).astype(np.float32), where


@dataclass(frozen=True)
class Placement:
    """A rectangle of a radiograph, squashed to the model's square.

    The map from radiograph to square is affine, and exactly invertible: ``(radiograph − (top, left)) × (size / height,
    size / width)``, turned into the displayed order by the radiograph's orientation.

    Parameters
    ----------
    rows, cols : int
        Stored grid of the radiograph, in pixels.
    rectangle : Region
        Part of the stored grid that the square covers.
    size_px : int
        Edge of the square, in pixels.
    orientation : Orientation
        Orientation of the stored grid in the patient.

    Raises
    ------
    ValueError
        If the rectangle does not lie on the grid, or the square is empty.
    """

    rows: int
    cols: int
    rectangle: Region
    size_px: int
    orientation: Orientation = UNKNOWN

    def __post_init__(self) -> None:
        box = self.rectangle
        if self.size_px < 1 or box.top < 0 or box.left < 0 or box.bottom > self.rows or box.right > self.cols:
            raise ValueError(f"{box} does not lie on a grid of {self.rows} × {self.cols} (square of {self.size_px} px)")

    @classmethod
    def of(cls, radiograph: Radiograph, rectangle: Region, size_px: int) -> Self:
        """Place a square on a rectangle of a radiograph, in the radiograph's orientation.

        Parameters
        ----------
        radiograph : Radiograph
            The radiograph.
        rectangle : Region
            Part of its stored grid.
        size_px : int
            Edge of the square, in pixels.

        Returns
        -------
        Placement
            On the radiograph's grid.

        Raises
        ------
        ValueError
            If the rectangle does not lie on the radiograph.
        """
        return cls(radiograph.rows, radiograph.cols, rectangle, size_px, radiograph.orientation)

    @property
    def _scale(self) -> Points:
        return np.array([self.size_px / self.rectangle.height, self.size_px / self.rectangle.width])

    @property
    def _origin(self) -> Points:
        return np.array([self.rectangle.top, self.rectangle.left])

    def points_to_square(self, points: Points) -> Points:
        """Map points from the radiograph to the square.

        Parameters
        ----------
        points : array_like, shape (n, 2)
            (row, col) on the stored grid, in pixels.

        Returns
        -------
        ndarray of float64, shape (n, 2)
            (row, col) on the square, in pixels.
        """
        at = (np.asarray(points, np.float64) - self._origin) * self._scale
        turned = at[:, ::-1] if self.orientation.transposed else at
        return np.where(self.orientation.flipped, self.size_px - turned, turned)

    def points_to_radiograph(self, points: Points) -> Points:
        """Map points from the square to the radiograph, the inverse of `points_to_square`.

        Parameters
        ----------
        points : array_like, shape (n, 2)
            (row, col) on the square, in pixels.

        Returns
        -------
        ndarray of float64, shape (n, 2)
            (row, col) on the stored grid, in pixels.
        """
        at = np.asarray(points, np.float64)
        turned = np.where(self.orientation.flipped, self.size_px - at, at)
        return (turned[:, ::-1] if self.orientation.transposed else turned) / self._scale + self._origin

    def region_to_square(self, region: Region) -> Region:
        """Map a rectangle from the radiograph to the square.

        Parameters
        ----------
        region : Region
            On the stored grid, in pixels.

        Returns
        -------
        Region
            On the square, in pixels.
        """
        return _spanned(self.points_to_square(_corners(region)))

    def region_to_radiograph(self, region: Region) -> Region:
        """Map a rectangle from the square to the radiograph, the inverse of `region_to_square`.

        Parameters
        ----------
        region : Region
            On the square, in pixels.

        Returns
        -------
        Region
            On the stored grid, in pixels.
        """
        return _spanned(self.points_to_radiograph(_corners(region)))

    def pixels_to_square(self, radiograph: Radiograph) -> Grey:
        """Resample the rectangle to the square, with an antialiased triangle filter, in the displayed order.

        Parameters
        ----------
        radiograph : Radiograph
            A radiograph of this grid.

        Returns
        -------
        ndarray of float32, shape (size_px, size_px)
            In the range of the radiograph's pixels.

        Raises
        ------
        ValueError
            If the radiograph has another grid.
        """
        if (radiograph.rows, radiograph.cols) != (self.rows, self.cols):
            raise ValueError(
                f"a placement on {self.rows} × {self.cols} was given a radiograph of {radiograph.rows} × {radiograph.cols}"
            )
        upright, image, turned = self.displayed, radiograph.looked_up, self.orientation.to_display
        if image is not None and image.reduction:
            return np.ascontiguousarray(turned(resample(image, self.rectangle, self.size_px, self.size_px)).clip(0, 1))
        # The pixels are turned before they are resampled, so that an image and its mirror give the same square to the bit.
        if image is None:
            source: Grey | LookedUp = np.ascontiguousarray(turned(radiograph.pixels))
        else:
            source = replace(image, levels=np.ascontiguousarray(turned(image.levels)))
        return resample(source, upright.rectangle, upright.size_px, upright.size_px)

    @property
    def displayed(self) -> "Placement":
        """The same square on the displayed grid."""
        if self.orientation.is_displayed:
            return Placement(self.rows, self.cols, self.rectangle, self.size_px)
        rows, cols = (self.cols, self.rows) if self.orientation.transposed else (self.rows, self.cols)
        box = self.rectangle
        if self.orientation.transposed:
            box = Region(box.left, box.top, box.right, box.bottom)
        down, across = self.orientation.flipped
        top, bottom = (rows - box.bottom, rows - box.top) if down else (box.top, box.bottom)
        left, right = (cols - box.right, cols - box.left) if across else (box.left, box.right)
        return Placement(rows, cols, Region(top, left, bottom, right), self.size_px)

    def on_grid(self, rows: int, cols: int) -> "Placement":
        """Place the same square on the same radiograph at another resolution.

        Parameters
        ----------
        rows, cols : int
            Resampled stored grid, in pixels.

        Returns
        -------
        Placement
            On that grid.
        """
        box, down, across = self.rectangle, rows / self.rows, cols / self.cols
        bottom, right = min(box.bottom * down, rows), min(box.right * across, cols)
        return Placement(rows, cols, Region(box.top * down, box.left * across, bottom, right), self.size_px, self.orientation)

    def map_to_radiograph(self, values: Grey, step: int = 1) -> Grey:
        """Spread a map over the square over the radiograph.

        Parameters
        ----------
        values : ndarray of float32, shape (h, w)
            A map over the square.
        step : int
            Evaluate only at pixels ``step // 2, step // 2 + step, …`` of each axis, at least 1.

        Returns
        -------
        ndarray of float32, shape (rows, cols), or fewer with a `step`
            Linear between the cells of the map, zero outside the rectangle.
        """
        at_rows, at_cols = (np.arange(min(step // 2, length - 1), length, step) + 0.5 for length in (self.rows, self.cols))
        if self.orientation.is_displayed:
            return _spread(values, self.rectangle, at_rows, at_cols)
        upright = self.displayed
        down, across = self.orientation.flipped
        if self.orientation.transposed:
            at_rows, at_cols = at_cols, at_rows
        at_rows = upright.rows - at_rows[::-1] if down else at_rows
        at_cols = upright.cols - at_cols[::-1] if across else at_cols
        return np.ascontiguousarray(self.orientation.to_stored(_spread(values, upright.rectangle, at_rows, at_cols)))


def _corners(region: Region) -> Points:
    return np.array([[region.top, region.left], [region.bottom, region.right]])


def _spanned(corners: Points) -> Region:
    (top, left), (bottom, right) = corners.min(0).tolist(), corners.max(0).tolist()
    return Region(top, left, bottom, right)


def _spread(values: Grey, box: Region, at_rows: NDArray[np.floating], at_cols: NDArray[np.floating]) -> Grey:
    """A map over `box` at the given rows and columns, in ascending order."""
    down, down_share, rows = _between(at_rows, box.top, box.height, values.shape[0])
    across, across_share, cols = _between(at_cols, box.left, box.width, values.shape[1])
    wide = np.ascontiguousarray(_interpolated(values.T.astype(np.float32), across, across_share).T)
    full = np.zeros((at_rows.size, at_cols.size), np.float32)
    if full.size <= _SMALL:
        full[rows, cols] = _interpolated(wide, down, down_share)
        return full
    # Between two rows of cells at a time: no copy as large as the radiograph, and no threads of a matrix product, which
    # would keep a core from the next reading.
    starts = np.flatnonzero(np.diff(down, prepend=-1))  # not np.unique, whose first call imports numpy.ma
    for first, last in pairwise([*starts.tolist(), down.size]):
        before = down[first]
        part = full[rows, cols][first:last]
        step_down = wide[min(before + 1, len(wide) - 1)] - wide[before]
        np.multiply(down_share[first:last, None], step_down, out=part)
        part += wide[before]
    return full


def _interpolated(values: Grey, before: NDArray[np.intp], share: Grey) -> Grey:
    """Rows of a map, each between the row before it and the next one."""
    steps = np.zeros(values.shape, np.float32)
    np.subtract(values[1:], values[:-1], out=steps[:-1])
    rows = steps[before]
    rows *= share[:, None]
    rows += values[before]
    return rows


def on_whole(radiograph: Radiograph, size_px: int) -> Placement:
    """Place the square on the whole radiograph, as in the published protocol.

    Parameters
    ----------
    radiograph : Radiograph
        The radiograph.
    size_px : int
        Edge of the square, in pixels.

    Returns
    -------
    Placement
        Of the whole radiograph, squashed to `size_px` × `size_px`.
    """
    return Placement.of(radiograph, radiograph.whole, size_px)
