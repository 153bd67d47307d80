"""The noun `LookedUp`: the pixels of an image as levels and a table, looked up where and when they are needed."""

from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray

from pneumoscope.radiograph.errors import ReducedError
from pneumoscope.radiograph.grey_range import BULK, Counts
from pneumoscope.radiograph.levels import Levels, look_up
from pneumoscope.radiograph.reduction import Reduction

GREY_LEVELS = 256
"""Grey levels of a display, by which the contrast of a radiograph is counted."""


@dataclass(frozen=True, eq=False)
class LookedUp:
    """The pixels of an image as a level per pixel and the grey of each level.

    It takes a quarter to half of the memory of the pixels, and whoever needs a small picture never makes the large one.

    Parameters
    ----------
    levels : ndarray of uint8 or uint16, shape (rows, cols)
        Index of each pixel into `shown`; of each sample where the picture was decoded at a reduced scale.
    shown : ndarray of float32, shape (n_levels,)
        Display grey of each level, in [0, 1].
    low, high : float
        Lowest and highest display grey of a pixel.
    grey_levels_used : int
        How many of the `GREY_LEVELS` of a display lie between the 0.5 and 99.5 percentiles of the pixels, 1 to 256.
    reduction : Reduction, optional
        What the samples of a reduced picture stand for; None where every pixel was decoded.
    """

    levels: Levels
    shown: NDArray[np.float32]
    low: float
    high: float
    grey_levels_used: int
    reduction: Reduction | None = None

    @classmethod
    def of(cls, levels: Levels, shown: NDArray[np.float32], counts: Counts) -> Self:
        """Measure the range of pixels by the number of pixels of each level.

        Parameters
        ----------
        levels : ndarray of uint8 or uint16, shape (rows, cols)
            Index of each pixel into `shown`.
        shown : ndarray of float32, shape (n_levels,)
            Display grey of each level, in [0, 1].
        counts : ndarray of int64, shape (at most n_levels,)
            Number of pixels of each level; levels beyond its end do not occur.

        Returns
        -------
        LookedUp
            The pixels.
        """
        at = np.flatnonzero(counts)
        greys, n_pixels = shown[at], counts[at]
        return cls(levels, shown, float(greys.min()), float(greys.max()), count_grey_levels(greys, n_pixels))

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the grid of the file."""
        if self.reduction:
            return self.reduction.rows, self.reduction.cols
        rows, cols = self.levels.shape
        return rows, cols

    @property
    def pixels(self) -> NDArray[np.float32]:
        """The pixels, shape (rows, cols): a new array at each access.

        Raises
        ------
        ReducedError
            If the picture was decoded at a reduced scale.
        """
        if self.reduction:
            raise ReducedError(
                f"the radiograph was decoded at {self.reduction.scale:g} of its scale, so that its pixels are not known; decode "
                "it in full"
            )
        return self.rows(slice(None))

    def rows(self, rows: slice) -> NDArray[np.float32]:
        """Look up some rows.

        Parameters
        ----------
        rows : slice
            Rows of `levels`.

        Returns
        -------
        ndarray of float32, shape (n_rows, cols)
            Their pixels or samples, a new array.
        """
        if self._white is not None:
            return np.divide(self.levels[rows], self._white, dtype=np.float32)
        return look_up(self.shown, self.levels[rows])

    @cached_property
    def _white(self) -> np.float32 | None:
        """The number by which every level is divided, where that gives the table to the bit: it is quicker than looking up."""
        white = np.float32(1) / self.shown[1] if len(self.shown) > 1 and self.shown[1] > 0 else np.float32(1)
        white = np.rint(white)
        return white if np.array_equal(np.arange(len(self.shown), dtype=np.float32) / white, self.shown) else None


def count_grey_levels(greys: NDArray[np.float32], n_pixels: NDArray[np.integer] | None = None) -> int:
    """Count the grey levels of a display between the 0.5 and 99.5 percentiles of pixels.

    Parameters
    ----------
    greys : ndarray of float32
        Display greys, cut at 0 and 1.
    n_pixels : ndarray of int, of the shape of `greys`, optional
        Number of pixels that have each grey; 1 by default.

    Returns
    -------
    int
        1 to `GREY_LEVELS`.
    """
    levels = np.rint(np.clip(greys, 0, 1) * (GREY_LEVELS - 1)).astype(np.intp).reshape(-1)
    counts = np.bincount(levels, None if n_pixels is None else n_pixels.reshape(-1), minlength=GREY_LEVELS)
    share = np.cumsum(counts) / counts.sum()
    low, high = np.searchsorted(share, BULK)
    return int(high - low) + 1
