"""The noun `Region`: a rectangle on a radiograph's grid."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Region:
    """A rectangle by its edges in pixels, rows before columns.

    Pixel (r, c) covers [r, r + 1) × [c, c + 1), so the whole of a grid is ``Region(0, 0, rows, cols)`` and the centre of
    its first pixel is (0.5, 0.5).

    Parameters
    ----------
    top, left : float
        First row and first column that the rectangle covers.
    bottom, right : float
        Row and column at which it ends.

    Raises
    ------
    ValueError
        If the rectangle has no area, or an edge is NaN.

    Examples
    --------
    >>> import numpy as np
    >>> mask = np.zeros((6, 8), bool)
    >>> mask[2:5, 3] = True
    >>> Region.around(mask)
    Region(top=2.0, left=3.0, bottom=5.0, right=4.0)
    >>> Region.around(mask).height
    3.0
    """

    top: float
    left: float
    bottom: float
    right: float

    def __post_init__(self) -> None:
        if not (self.bottom > self.top and self.right > self.left):
            raise ValueError(f"a region needs bottom > top and right > left, got {self}")

    @classmethod
    def around(cls, mask: NDArray[np.bool_]) -> Self:
        """Find the smallest rectangle around the true pixels of a mask.

        Parameters
        ----------
        mask : ndarray of bool, shape (rows, cols)
            The mask.

        Returns
        -------
        Region
            In pixels of the mask.

        Raises
        ------
        ValueError
            If no pixel is true.
        """
        rows, cols = (np.flatnonzero(mask.any(axis)) for axis in (1, 0))
        if not rows.size:
            raise ValueError("an empty mask has no rectangle around it")
        return cls(float(rows[0]), float(cols[0]), float(rows[-1] + 1), float(cols[-1] + 1))

    @property
    def height(self) -> float:
        """Number of rows that the rectangle spans."""
        return self.bottom - self.top

    @property
    def width(self) -> float:
        """Number of columns that the rectangle spans."""
        return self.right - self.left
