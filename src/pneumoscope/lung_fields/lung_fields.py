"""Define `LungFields`: the lung masks of a radiograph, with their quality."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from pneumoscope.radiograph import Placement, Region

Mask = NDArray[np.bool_]
Laterality = Literal["right", "left"]
Zone = Literal["upper", "mid", "lower"]
State = Literal["found", "partly found", "not found"]
LungZone = tuple[Laterality, Zone]

THIRDS: tuple[Zone, Zone, Zone] = ("upper", "mid", "lower")
"""Zones of one lung: thirds of its own height, from above."""
ZONES: tuple[LungZone, ...] = tuple((laterality, zone) for laterality in ("right", "left") for zone in THIRDS)
"""The six zones of both lungs, in the order of the Brixia score (A to F): right lung from above, then left lung."""

MARGIN = 0.07
"""Margin of the lung box on each side, as a share of its height and width."""
FALLBACK = 0.8
"""Share of the radiograph's height and width, about its centre, that is the lung box unless both lungs were found."""
MIN_AREA_SHARE, MAX_AREA_SHARE = 0.01, 0.34
"""Smallest and largest share of the radiograph's area that one lung can have; noise is segmented as lung everywhere."""
STATES: tuple[State, State, State] = ("not found", "partly found", "found")
"""States, indexed by the number of lungs that count as found."""


@dataclass(frozen=True, eq=False)
class LungFields:
    """Right and left lung field of one radiograph.

    Right and left are the patient's. The finder's square is in the displayed order, with the right lung on its left; the masks
    on the radiograph's grid are in the stored order.

    Attributes
    ----------
    right_cells, left_cells : ndarray of bool, shape (size_px, size_px)
        Masks of the lungs on the finder's square; may be empty.
    placement : Placement
        Placement of the finder's square on the radiograph.
    right_quality, left_quality : float
        Soft Dice coefficient of the finder's probabilities with the mask, in [0, 1].
    state : {"found", "partly found", "not found"}
        ``found`` if both lungs have the quality that the card demands and a plausible area, ``partly found`` if one has, else
        ``not found``.
    """

    right_cells: Mask
    left_cells: Mask
    placement: Placement
    right_quality: float
    left_quality: float
    state: State

    @property
    def quality(self) -> float:
        """Lower quality of the two lungs, in [0, 1]."""
        return min(self.right_quality, self.left_quality)

    @cached_property
    def right(self) -> Mask:
        """Mask of the right lung on the radiograph's stored grid, bool, shape (rows, cols)."""
        return self._on_radiograph(self.right_cells)

    @cached_property
    def left(self) -> Mask:
        """Mask of the left lung on the radiograph's stored grid, bool, shape (rows, cols)."""
        return self._on_radiograph(self.left_cells)

    @property
    def mask(self) -> Mask:
        """Mask of both lungs on the radiograph's stored grid, bool, shape (rows, cols)."""
        return np.asarray(self.right | self.left)

    @cached_property
    def cells(self) -> Mask:
        """Mask of both lungs on the finder's square, bool, shape (size_px, size_px)."""
        return np.asarray(self.right_cells | self.left_cells)

    @property
    def area_share(self) -> float:
        """Share of the radiograph that is lung, in [0, 1]."""
        return int(np.count_nonzero(self.cells)) / self.cells.size

    @cached_property
    def box(self) -> Region:
        """Lung box: the rectangle around both lungs with a margin, clipped to the radiograph.

        Unless both lungs were found, it is the central part of the radiograph (`FALLBACK`).
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
        """Mask over which a score is pooled, on the finder's square, float32, shape (size_px, size_px), in {0, 1}.

        Unless both lungs were found, it is 1 everywhere, so that no part of the lung box is excluded by a doubtful mask.
        """
        return self.cells.astype(np.float32) if self.state == "found" else np.ones_like(self.cells, np.float32)

    def where(self, row: float, col: float) -> tuple[Laterality, Zone] | None:
        """Determine the laterality and the zone of a point: of the lung that contains it, or of the nearest lung.

        Zones are thirds of the lung's own height.

        Parameters
        ----------
        row, col : float
            Point on the radiograph's stored grid, in pixels.

        Returns
        -------
        tuple of (str, str), or None
            Laterality, ``right`` or ``left`` of the patient, and zone, ``upper``, ``mid`` or ``lower``; a point above or below
            the lung has the nearest zone. None unless both lungs were found.
        """
        if self.state != "found":
            return None
        at = self.placement.points_to_square(np.array([[row, col]]))[0]
        right, left = self._around
        is_right = _distance(self.right_cells, right, at) <= _distance(self.left_cells, left, at)
        return "right" if is_right else "left", THIRDS[int(_third(at[0], right if is_right else left))]

    @cached_property
    def zone_cells(self) -> Mapping[LungZone, Mask] | None:
        """Masks of the six zones on the finder's square, each bool, shape (size_px, size_px).

        The keys are `ZONES`, the rule is that of `where`, so that the three zones of a lung divide its mask without rest. None
        unless both lungs were found.
        """
        if self.state != "found":
            return None
        return self._zones((self.right_cells, self.left_cells), (np.arange(len(self.right_cells)) + 0.5)[:, None])

    def in_zones(self, values: NDArray[Any]) -> Mapping[LungZone, NDArray[Any]] | None:
        """Take the values of a map within each of the six zones.

        Parameters
        ----------
        values : ndarray, shape (size_px, size_px)
            A map on the finder's square.

        Returns
        -------
        mapping of LungZone to ndarray, or None
            The values at the true cells of each mask of `zone_cells`, row by row; None unless both lungs were found.
        """
        if self.state != "found":
            return None
        parts = []
        for cells, around in zip((self.right_cells, self.left_cells), self._around, strict=True):
            edges = np.searchsorted(_third(np.arange(len(cells)) + 0.5, around), range(len(THIRDS) + 1)).tolist()
            parts += [values[top:bottom][cells[top:bottom]] for top, bottom in pairwise(edges)]
        return dict(zip(ZONES, parts, strict=True))

    @cached_property
    def zones(self) -> Mapping[LungZone, Mask] | None:
        """Masks of the six zones on the radiograph's stored grid, each bool, shape (rows, cols); keys as in `zone_cells`.

        None unless both lungs were found.
        """
        if self.state != "found":
            return None
        rows, cols = (np.stack([np.arange(n) + 0.5] * 2, 1) for n in (self.placement.rows, self.placement.cols))
        if self.placement.orientation.transposed:
            height = self.placement.points_to_square(cols)[None, :, 0]
        else:
            height = self.placement.points_to_square(rows)[:, 0, None]
        return self._zones((self.right, self.left), height)

    def _zones(self, lungs: tuple[Mask, Mask], height: NDArray[np.floating]) -> dict[LungZone, Mask]:
        """Divide the masks of the lungs by the row of the finder's square at which each of their pixels lies."""
        thirds = [_third(height, lung) for lung in self._around]
        each = zip(ZONES, np.repeat([0, 1], 3), [0, 1, 2] * 2, strict=True)
        return {name: np.asarray(lungs[lung] & (thirds[lung] == third)) for name, lung, third in each}

    @cached_property
    def _around(self) -> tuple[Region, Region]:
        """The smallest rectangles around the right and the left lung on the finder's square."""
        return Region.around(self.right_cells), Region.around(self.left_cells)

    def _on_radiograph(self, cells: Mask) -> Mask:
        return np.asarray(self.placement.map_to_radiograph(cells.astype(np.float32)) >= 0.5)


def _third(row: float | NDArray[np.floating], lung: Region) -> NDArray[np.intp]:
    """Number the third of a lung's height, 0 to 2 from above, at a row of the finder's square."""
    return np.asarray(np.clip((np.asarray(row) - lung.top) / lung.height * 3, 0, 2), np.intp)


def _distance(cells: Mask, around: Region, at: NDArray[np.float64]) -> float:
    """Compute the distance, in cells, from a point to the centre of the nearest cell of a mask, given the rectangle around it."""
    top, left, bottom, right = (int(edge) for edge in (around.top, around.left, around.bottom, around.right))
    down, across = ((np.arange(*ends) + 0.5 - here) ** 2 for ends, here in zip(((top, bottom), (left, right)), at, strict=True))
    return float(np.sqrt((down[:, None] + across)[cells[top:bottom, left:right]].min()))
