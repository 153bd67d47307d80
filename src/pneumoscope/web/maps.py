"""Heat maps as clients get them: geometry, what was looked at, and the difference of two maps."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pneumoscope.classifier import Card
from pneumoscope.classifier.preprocessing import lung_channel
from pneumoscope.heatmap import Heatmap
from pneumoscope.heatmap.heatmap import EVIDENCE
from pneumoscope.radiograph import Placement, Region, Spacing
from pneumoscope.readings import ModelReading
from pneumoscope.web.bodies import BoxBody, CellSize, DifferenceBody, MapBody

EVERYWHERE_HEAD = "evidence-everywhere"
"""Head that pools its evidence over all cells (`pneumoscope.classifier.evidence_network`)."""
COMMON_PX = 256
"""Longer edge of the grid on which two maps are compared: finer than the cells of any map."""
FULL_SCALE = 1.0
"""Value of the last colour, the same for all films: a probability of 1, or the model's full scale."""

Cells = NDArray[np.float32]
Looked = NDArray[np.bool_]


def box_body(region: Region) -> BoxBody:
    """Convert a region.

    Parameters
    ----------
    region : Region
        In pixels of the stored grid.

    Returns
    -------
    BoxBody
        The same rectangle.
    """
    return BoxBody(region.top, region.left, region.bottom, region.right)


def looked_at(card: Card, reading: ModelReading) -> Looked | None:
    """Determine the cells of a map that take part in the score.

    A model of evidence pools over cells that hold lung: those in which the lung channel of its square is above 0 somewhere. A
    model with another head uses its whole square.

    Parameters
    ----------
    card : Card
        Card of the model.
    reading : ModelReading
        Its reading.

    Returns
    -------
    ndarray of bool, shape (h, w), or None
        None where every cell takes part.
    """
    heatmap = reading.heatmap
    if heatmap.method != EVIDENCE or card.head == EVERYWHERE_HEAD or not card.preprocessing.lungs:
        return None
    if reading.lung_fields.state != "found":
        return None  # everything counts as lung then (`LungFields.looked_at`)
    return _pooled(lung_channel(reading.lung_fields, heatmap.placement) > 0, *heatmap.cells.shape)


def map_body(model: str, card: Card, reading: ModelReading, spacing: Spacing | None) -> MapBody:
    """Describe the map of a reading.

    Parameters
    ----------
    model : str
        Id of the model.
    card : Card
        Its card.
    reading : ModelReading
        The reading.
    spacing : Spacing, optional
        Of the radiograph.

    Returns
    -------
    MapBody
        Its geometry and scale.
    """
    heatmap, looked = reading.heatmap, looked_at(card, reading)
    rows, cols = heatmap.cells.shape
    return MapBody(
        name=f"{heatmap.method} · {card.name}",
        model=model,
        method=heatmap.method,
        target=heatmap.target,
        rows=rows,
        cols=cols,
        rectangle=box_body(heatmap.placement.rectangle),
        looked=None if looked is None else tuple(looked.ravel().astype(int).tolist()),
        threshold=heatmap.threshold,
        full_scale=FULL_SCALE,
        unit=unit_of(heatmap),
        scale=heatmap.scale,
        cell_mm=_cell_size(heatmap, spacing) if spacing else None,
    )


def unit_of(heatmap: Heatmap) -> Literal["probability", "share of full scale"]:
    """Name the unit of a map's values.

    Parameters
    ----------
    heatmap : Heatmap
        The map.

    Returns
    -------
    {"probability", "share of full scale"}
        Evidence is the probability of an image in which every cell had this evidence; other maps are shares of the model's
        full scale.
    """
    return "probability" if heatmap.method == EVIDENCE else "share of full scale"


@dataclass(frozen=True, eq=False)
class MapDifference:
    """The second of two maps minus the first.

    Parameters
    ----------
    values : ndarray of float32, shape (rows, cols)
        On a grid over the whole radiograph, in the stored order; NaN where one of the models did not look.
    unit : str
        Unit of the values.
    reason : str
        Why the values mean nothing; empty where they do.
    """

    values: Cells
    unit: str
    reason: str

    @property
    def body(self) -> DifferenceBody:
        """The difference without its values."""
        known = self.values[np.isfinite(self.values)]
        largest = float(np.abs(known).max()) if known.size else None
        rows, cols = self.values.shape
        return DifferenceBody(rows, cols, self.unit, not self.reason, self.reason or None, largest)


def difference(first: tuple[Card, ModelReading], second: tuple[Card, ModelReading]) -> MapDifference:
    """Subtract the map of one reading from that of another reading of the same radiograph.

    Parameters
    ----------
    first, second : tuple of (Card, ModelReading)
        The readings with the cards of their models.

    Returns
    -------
    MapDifference
        Second minus first.
    """
    placement = first[1].heatmap.placement
    shrink = min(1.0, COMMON_PX / max(placement.rows, placement.cols))
    rows, cols = max(1, round(placement.rows * shrink)), max(1, round(placement.cols * shrink))
    one, other = (_on_common_grid(card, reading, rows, cols) for card, reading in (first, second))
    units = unit_of(first[1].heatmap), unit_of(second[1].heatmap)
    alike = units[0] == units[1]
    reason = "" if alike else f"the first map is a {units[0]}, the second a {units[1]}: their values are not of one unit"
    return MapDifference(np.asarray(other - one, np.float32), units[0] if alike else "none", reason)


def _on_common_grid(card: Card, reading: ModelReading, rows: int, cols: int) -> Cells:
    placement = reading.heatmap.placement.on_grid(rows, cols)
    values = placement.map_to_radiograph(reading.heatmap.cells)
    looked = looked_at(card, reading)
    cells = np.ones(reading.heatmap.cells.shape, bool) if looked is None else looked
    values[~_nearest(cells, placement)] = np.nan
    return values


def _nearest(cells: Looked, placement: Placement) -> Looked:
    """A mask over the square on the grid of its placement: that of the cell that holds each pixel's centre; false outside."""
    grid = np.indices((placement.rows, placement.cols), np.float64).reshape(2, -1).T + 0.5
    at = placement.points_to_square(grid) / placement.size_px
    within = ((at >= 0) & (at < 1)).all(1)
    row, col = np.clip(at * cells.shape, 0, np.array(cells.shape) - 1).astype(int).T
    return np.asarray((within & cells[row, col]).reshape(placement.rows, placement.cols))


def _pooled(mask: Looked, rows: int, cols: int) -> Looked:
    """Whether each cell holds a true pixel; cells overlap where the size is no multiple (as `torch.adaptive_avg_pool2d`)."""
    return np.array(
        [[mask[_span(r, rows, mask.shape[0]), _span(c, cols, mask.shape[1])].any() for c in range(cols)] for r in range(rows)]
    )


def _span(index: int, n_cells: int, size: int) -> slice:
    return slice(index * size // n_cells, -(-(index + 1) * size // n_cells))


def _cell_size(heatmap: Heatmap, spacing: Spacing) -> CellSize:
    box, transposed = heatmap.placement.rectangle, heatmap.placement.orientation.transposed
    down, across = heatmap.cells.shape[::-1] if transposed else heatmap.cells.shape
    return CellSize(box.height / down * spacing.row_mm, box.width / across * spacing.col_mm, spacing.kind)
