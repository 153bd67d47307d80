"""The noun `Orientation`: how the stored rows and columns of a radiograph lie in the patient."""

from dataclasses import dataclass
from typing import Literal, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

Direction = Literal["", "L", "R", "A", "P", "H", "F"]
"""Toward the patient's left, right, anterior, posterior, head or feet; empty where the file does not state it."""
Plane = Literal["unknown", "coronal", "sagittal", "other"]

_OPPOSITE: dict[Direction, Direction] = {"": "", "L": "R", "R": "L", "A": "P", "P": "A", "H": "F", "F": "H"}
_Pixel = TypeVar("_Pixel", bound=np.generic)
_AXES = {"L": "lateral", "R": "lateral", "A": "depth", "P": "depth", "H": "height", "F": "height"}


@dataclass(frozen=True)
class Edges:
    """Directions in the patient at the edges of a picture, the letters of a viewer.

    Parameters
    ----------
    left, right, top, bottom : {"", "L", "R", "A", "P", "H", "F"}
        Toward what the edge lies; empty where unknown.
    """

    left: Direction
    right: Direction
    top: Direction
    bottom: Direction


@dataclass(frozen=True)
class Orientation:
    """Directions of a radiograph's stored rows and columns, DICOM Patient Orientation (PS3.3 C.7.6.1.1.1).

    A frontal radiograph is displayed as ``L\\F``: columns go toward the patient's left, rows toward the feet, so that the
    patient's right side is on the left of the picture. The default, an unknown orientation, is taken as displayed.

    Parameters
    ----------
    row_direction : {"", "L", "R", "A", "P", "H", "F"}
        Direction in which the column index grows (along a row).
    column_direction : {"", "L", "R", "A", "P", "H", "F"}
        Direction in which the row index grows (along a column).

    Examples
    --------
    A radiograph stored as its mirror image is turned back, and what was computed on the turned one is brought to the grid of
    the file:

    >>> import numpy as np
    >>> mirrored = Orientation("R", "F")
    >>> mirrored.to_display(np.array([[1, 2, 3]])).tolist()
    [[3, 2, 1]]
    >>> mirrored.to_stored(np.array([[30, 20, 10]])).tolist()
    [[10, 20, 30]]
    """

    row_direction: Direction = ""
    column_direction: Direction = ""

    @classmethod
    def parse(cls, values: tuple[str, ...]) -> Self | None:
        """Parse the two values of Patient Orientation.

        Parameters
        ----------
        values : tuple of str
            Values of the attribute; each begins with the direction that counts, such as ``L`` of ``LF``.

        Returns
        -------
        Orientation or None
            Unknown (the default) where no value is given; None where the values are no two directions of different axes.
        """
        if not any(values):
            return cls()
        if len(values) != 2 or any(not value or set(value) - set(_AXES) for value in values):
            return None
        along_row, along_column = (value[0] for value in values)
        if _AXES[along_row] == _AXES[along_column]:
            return None
        return cls(along_row, along_column)  # type: ignore[arg-type]  # one of the letters, checked above

    @property
    def plane(self) -> Plane:
        """Plane of the picture: coronal in a frontal view, sagittal in a lateral one."""
        if not self.row_direction or not self.column_direction:
            return "unknown"
        axes = {_AXES[self.row_direction], _AXES[self.column_direction]}
        if axes == {"lateral", "height"}:
            return "coronal"
        return "sagittal" if axes == {"depth", "height"} else "other"

    @property
    def transposed(self) -> bool:
        """Whether the stored rows are columns of the displayed picture."""
        return self.plane in ("coronal", "sagittal") and self.row_direction in ("H", "F")

    @property
    def flipped(self) -> tuple[bool, bool]:
        """Whether rows, and columns, are in reverse of the displayed order, once they are transposed where they need to be."""
        down, across = self.column_direction, self.row_direction
        if self.transposed:
            down, across = across, down
        turnable = self.plane in ("coronal", "sagittal")
        return turnable and down == "H", turnable and across == "R"

    @property
    def is_displayed(self) -> bool:
        """Whether the stored pixels are in the order of the displayed picture, or nothing else is known."""
        return not self.transposed and not any(self.flipped)

    @property
    def edges(self) -> Edges:
        """What lies at the edges of the displayed picture."""
        down, across = self.column_direction, self.row_direction
        if self.transposed:
            down, across = across, down
        rows_flipped, cols_flipped = self.flipped
        bottom = _OPPOSITE[down] if rows_flipped else down
        right = _OPPOSITE[across] if cols_flipped else across
        return Edges(left=_OPPOSITE[right], right=right, top=_OPPOSITE[bottom], bottom=bottom)

    def to_display(self, values: NDArray[_Pixel]) -> NDArray[_Pixel]:
        """Turn values of the stored grid into the displayed order.

        Parameters
        ----------
        values : ndarray, shape (rows, cols)
            Values on the stored grid.

        Returns
        -------
        ndarray, shape (rows, cols), or (cols, rows) where transposed
            A view of `values`.
        """
        turned = values.T if self.transposed else values
        return turned[self._steps]

    def to_stored(self, values: NDArray[_Pixel]) -> NDArray[_Pixel]:
        """Turn values in the displayed order back into that of the stored grid, the inverse of `to_display`.

        Parameters
        ----------
        values : ndarray, shape (rows, cols)
            Values in the displayed order.

        Returns
        -------
        ndarray, shape (rows, cols), or (cols, rows) where transposed
            A view of `values`.
        """
        turned = values[self._steps]
        return turned.T if self.transposed else turned

    @property
    def _steps(self) -> tuple[slice, slice]:
        down, across = self.flipped
        return slice(None, None, -1 if down else 1), slice(None, None, -1 if across else 1)


UNKNOWN = Orientation()
"""The orientation of a file that states none."""
