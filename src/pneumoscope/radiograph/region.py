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
        """The smallest rectangle around the true pixels of a mask of shape (rows, cols); ValueError if there are none."""
        rows, cols = np.nonzero(mask)
        if not rows.size:
            raise ValueError("an empty mask has no rectangle around it")
        return cls(float(rows.min()), float(cols.min()), float(rows.max() + 1), float(cols.max() + 1))

    @property
    def height(self) -> float:
        return self.bottom - self.top

    @property
    def width(self) -> float:
        return self.right - self.left
