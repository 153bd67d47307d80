"""Lung fields drawn by hand: two rectangles on a 40 × 40 square over a radiograph."""

import numpy as np

from pneumoscope.lung_fields import LungFields
from pneumoscope.radiograph import Placement, Region

SIDE = 40
RIGHT, LEFT = (10, 4, 34, 16), (10, 24, 34, 36)  # (top, left, bottom, right) in cells; right is the patient's


def drawn(box: tuple[int, int, int, int] | None) -> np.ndarray:
    cells = np.zeros((SIDE, SIDE), bool)
    if box:
        top, left, bottom, right = box
        cells[top:bottom, left:right] = True
    return cells


def lungs(rows: int = 80, cols: int = 160, state="found", right=RIGHT, left=LEFT) -> LungFields:
    """Lung fields of a radiograph of this size."""
    placement = Placement(rows, cols, Region(0, 0, rows, cols), SIDE)
    return LungFields(drawn(right), drawn(left), placement, 0.98, 0.96, state)
