"""Match marks of a reader with the reference regions of one case."""

from collections.abc import Sequence

import numpy as np

from pneumoscope.radiograph import Region
from pneumoscope.readings.mark import Mark
from pneumoscope.statistics.metrics import Array


def match(marks: Sequence[Mark], boxes: Sequence[Region]) -> tuple[Array, Array]:
    """Ratings of the regions (n_boxes,) and of the false marks (k,) of one case.

    A mark hits a box it lies in; a box's rating is its highest hit, −∞ if none; marks in no box are false. Further marks in a
    box that is hit are neither true nor false (Chakraborty 1989; Chakraborty & Berbaum 2004). Does not show: how near a false
    mark came to a box.
    """
    ratings = np.array([m.rating for m in marks], np.float64)
    inside = np.array(
        [[b.top <= m.row < b.bottom and b.left <= m.col < b.right for m in marks] for b in boxes], np.bool_
    ).reshape(len(boxes), len(marks))
    return np.where(inside, ratings, -np.inf).max(1, initial=-np.inf), ratings[~inside.any(0)]
