"""`Placement`: where the model's square lies on the radiograph, and the way there and back.

It is the only path by which pixels reach a model and by which maps and boxes return. All coordinates are continuous:
pixel (r, c) covers [r, r + 1) × [c, c + 1), its centre is (r + ½, c + ½).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pneumoscope.radiograph.radiograph import Grey, Radiograph
from pneumoscope.radiograph.region import Region

Points = NDArray[np.float64]


def _between(centres: NDArray[np.floating], start: float, extent: float, cells: int) -> tuple[NDArray[np.intp], Grey, slice]:
    """Where pixel centres lie among the centres of `cells` that are spread over [start, start + extent).

    Returns, for the pixels inside, the cell before each and the share of the one behind it, and which of the pixels they are.
    Beyond the outermost cell centres the outermost value holds (half-pixel convention, `align_corners=False`).
    """
    inside = np.flatnonzero((centres >= start) & (centres < start + extent))
    where = slice(int(inside[0]), int(inside[-1]) + 1) if inside.size else slice(0, 0)
    at = np.clip((centres[where] - start) / extent * cells - 0.5, 0, cells - 1)
    before = at.astype(np.intp)
    return before, (at - before).astype(np.float32), where


@dataclass(frozen=True)
class Placement:
    """A rectangle of a (rows, cols) radiograph, squashed to a square of `side` pixels.

    The map from radiograph to square is affine and diagonal, hence exactly invertible:
    ``square = (radiograph − (top, left)) × (side / height, side / width)``.
    """

    rows: int
    cols: int
    rectangle: Region
    side: int

    def __post_init__(self) -> None:
        box = self.rectangle
        if self.side < 1 or box.top < 0 or box.left < 0 or box.bottom > self.rows or box.right > self.cols:
            raise ValueError(f"{box} does not lie on a grid of {self.rows} × {self.cols} (side {self.side})")

    @property
    def _scale(self) -> Points:
        return np.array([self.side / self.rectangle.height, self.side / self.rectangle.width])

    @property
    def _origin(self) -> Points:
        return np.array([self.rectangle.top, self.rectangle.left])

    def points_to_square(self, points: Points) -> Points:
        """Map (row, col) points, shape (n, 2), from the radiograph to the square."""
        return (np.asarray(points, np.float64) - self._origin) * self._scale

    def points_to_radiograph(self, points: Points) -> Points:
        """Map (row, col) points, shape (n, 2), from the square to the radiograph."""
        return np.asarray(points, np.float64) / self._scale + self._origin

    def region_to_square(self, region: Region) -> Region:
        (top, left), (bottom, right) = self.points_to_square(np.array([[region.top, region.left], [region.bottom, region.right]]))
        return Region(float(top), float(left), float(bottom), float(right))

    def region_to_radiograph(self, region: Region) -> Region:
        (top, left), (bottom, right) = self.points_to_radiograph(
            np.array([[region.top, region.left], [region.bottom, region.right]])
        )
        return Region(float(top), float(left), float(bottom), float(right))

    def pixels_to_square(self, radiograph: Radiograph) -> Grey:
        """Resample the rectangle to the square: float32 (side, side), antialiased triangle filter, same range."""
        if (radiograph.rows, radiograph.cols) != (self.rows, self.cols):
            raise ValueError(
                f"a placement on {self.rows} × {self.cols} was given a radiograph of {radiograph.rows} × {radiograph.cols}"
            )
        box = self.rectangle
        resized = Image.fromarray(radiograph.pixels).resize(
            (self.side, self.side), Image.Resampling.BILINEAR, box=(box.left, box.top, box.right, box.bottom)
        )
        return np.asarray(resized, np.float32)

    def on_grid(self, rows: int, cols: int) -> "Placement":
        """The same rectangle on the same radiograph, resampled to `rows` × `cols`."""
        box, down, across = self.rectangle, rows / self.rows, cols / self.cols
        bottom, right = min(box.bottom * down, rows), min(box.right * across, cols)
        return Placement(rows, cols, Region(box.top * down, box.left * across, bottom, right), self.side)

    def map_to_radiograph(self, values: Grey, step: int = 1) -> Grey:
        """Spread a map over the square, shape (h, w), over the radiograph: float32 (rows, cols), zero outside the rectangle.

        With a `step`, at every so manieth pixel of both sides alone, the first of them number ``step // 2``.
        """
        box = self.rectangle
        at_rows, at_cols = (np.arange(min(step // 2, length - 1), length, step) + 0.5 for length in (self.rows, self.cols))
        down, down_share, rows = _between(at_rows, box.top, box.height, values.shape[0])
        across, across_share, cols = _between(at_cols, box.left, box.width, values.shape[1])
        cells = values.astype(np.float32)
        behind = np.minimum(across + 1, values.shape[1] - 1)
        wide = cells[:, across] + (cells[:, behind] - cells[:, across]) * across_share
        full = np.zeros((at_rows.size, at_cols.size), np.float32)
        # Between two rows of cells at a time: no copy as large as the radiograph, and no threads of a matrix product, which
        # would keep a core from the next reading.
        for before in np.unique(down):
            first, last = np.searchsorted(down, [before, before + 1])
            part = full[rows, cols][first:last]
            step_down = wide[min(before + 1, len(wide) - 1)] - wide[before]
            np.multiply(down_share[first:last, None], step_down, out=part)
            part += wide[before]
        return full


def on_whole(radiograph: Radiograph, side: int) -> Placement:
    """The placement of the published protocol: the whole radiograph, squashed to `side` × `side`."""
    return Placement(radiograph.rows, radiograph.cols, radiograph.whole, side)
