"""The noun `LungFields`: where the lungs lie on a radiograph, and how sure that is."""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pneumoscope.radiograph import Placement, Region

Mask = NDArray[np.bool_]
Laterality = Literal["right", "left"]
Zone = Literal["upper", "mid", "lower"]
State = Literal["found", "partly found", "not found"]

MARGIN = 0.07
"""Of the lung box's height and width, on each side, that a model sees around the lungs."""
FALLBACK = 0.8
"""Share of the radiograph's height and width, about its centre, that is looked at where the lungs were not found."""
MIN_AREA_SHARE, MAX_AREA_SHARE = 0.01, 0.34
"""Share of the radiograph below and above which a region is no lung: noise looks like lung everywhere."""
STATES: tuple[State, State, State] = ("not found", "partly found", "found")
"""By the number of lungs that count as found."""


@dataclass(frozen=True, eq=False)
class LungFields:
    """Right and left lung field of one radiograph.

    Right and left are the patient's. The finder's square is in the displayed order, the right lung on its left; the masks on the
    radiograph's grid are in the stored order.

    Attributes
    ----------
    right_cells, left_cells: masks on the finder's square, bool (side, side); an all-false one where that lung was not found.
    placement: where that square lies on the radiograph.
    right_quality, left_quality: agreement of the finder's probabilities with its own mask (a Dice coefficient), in [0, 1].
    state: ``found`` when both lungs reach the card's quality, ``partly found`` when one does, else ``not found``.
    """

    right_cells: Mask
    left_cells: Mask
    placement: Placement
    right_quality: float
    left_quality: float
    state: State

    @property
    def quality(self) -> float:
        """Of the less certain lung, in [0, 1]."""
        return min(self.right_quality, self.left_quality)

    @cached_property
    def right(self) -> Mask:
        """The right lung on the radiograph's grid, bool (rows, cols)."""
        return self._on_radiograph(self.right_cells)

    @cached_property
    def left(self) -> Mask:
        """The left lung on the radiograph's grid, bool (rows, cols)."""
        return self._on_radiograph(self.left_cells)

    @property
    def mask(self) -> Mask:
        """Both lungs on the radiograph's grid, bool (rows, cols)."""
        return np.asarray(self.right | self.left)

    @property
    def cells(self) -> Mask:
        """Both lungs on the finder's square, bool (side, side)."""
        return np.asarray(self.right_cells | self.left_cells)

    @property
    def area_share(self) -> float:
        """Share of the radiograph that is lung, in [0, 1]."""
        return float(self.cells.mean())

    @property
    def box(self) -> Region:
        """The rectangle that a reader looks at: around both lungs with a margin, cut at the edges of the radiograph.

        Unless both lungs were found it is the central part of the radiograph (`FALLBACK`).
        """
        rows, cols = self.placement.rows, self.placement.cols
        if self.state != "found":
            top, left = rows * (1 - FALLBACK) / 2, cols * (1 - FALLBACK) / 2
            return Region(top, left, rows - top, cols - left)
        tight = self.placement.region_to_radiograph(Region.around(self.cells))
        down, across = MARGIN * tight.height, MARGIN * tight.width
        return Region(
            max(tight.top - down, 0.0),
            max(tight.left - across, 0.0),
            min(tight.bottom + down, float(rows)),
            min(tight.right + across, float(cols)),
        )

    @property
    def looked_at(self) -> NDArray[np.float32]:
        """What counts as lung for a score, on the finder's square, float32 (side, side) in {0, 1}.

        Unless both lungs were found this is everything: no part of the box may be left out on a guess.
        """
        return self.cells.astype(np.float32) if self.state == "found" else np.ones_like(self.cells, np.float32)

    def where(self, row: float, col: float) -> tuple[Laterality, Zone] | None:
        """Laterality and zone of a point of the radiograph: of the lung that it lies in, or of the nearest one.

        Zones are thirds of the lung's own height. None unless both lungs were found.
        """
        if self.state != "found":
            return None
        at = self.placement.points_to_square(np.array([[row, col]]))[0]
        laterality: Laterality = "right" if _distance(self.right_cells, at) <= _distance(self.left_cells, at) else "left"
        lung = Region.around(self.right_cells if laterality == "right" else self.left_cells)
        third = int(np.clip((at[0] - lung.top) / lung.height * 3, 0, 2))
        zones: tuple[Zone, Zone, Zone] = ("upper", "mid", "lower")
        return laterality, zones[third]

    def _on_radiograph(self, cells: Mask) -> Mask:
        return np.asarray(self.placement.map_to_radiograph(cells.astype(np.float32)) >= 0.5)


def _distance(cells: Mask, at: NDArray[np.float64]) -> float:
    """Distance from a point to the centre of the nearest cell of a mask, in cells."""
    return float(np.sqrt((((np.argwhere(cells) + 0.5) - at) ** 2).sum(1)).min())
