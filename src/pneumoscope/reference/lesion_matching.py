"""Match marks of a reader with the reference regions of one case."""

from collections.abc import Sequence

import numpy as np

from pneumoscope.radiograph import Region
from pneumoscope.readings.mark import Mark
from pneumoscope.statistics.metrics import Array


def match(marks: Sequence[Mark], boxes: Sequence[Region]) -> tuple[Array, Array]:
    """Match the marks of one case with its lesions.

    A mark hits a lesion whose box it lies in. The rating of a lesion is that of its highest hit. Marks that lie in no box are
    false. Further marks in a box that is hit are neither true nor false (Chakraborty 1989, doi 10.1118/1.596358; Chakraborty &
    Berbaum 2004, doi 10.1118/1.1769352). Does not show: how near a false mark came to a box.

    Parameters
    ----------
    marks
        The reader's marks, in pixels of the radiograph.
    boxes
        One `Region` a lesion, in pixels of the radiograph.

    Returns
    -------
    tuple of ndarray
        Ratings of the lesions, float64 (n_boxes,), −∞ where no mark hits; ratings of the false marks, float64 (k,).

    Examples
    --------
    >>> lesions, false = match([Mark(5, 5, 0.9), Mark(50, 50, 0.3)], [Region(0, 0, 10, 10), Region(20, 20, 30, 30)])
    >>> lesions.tolist(), false.tolist()
    ([0.9, -inf], [0.3])
    """
    ratings = np.array([m.rating for m in marks], np.float64)
    inside = np.array(
        [[b.top <= m.row < b.bottom and b.left <= m.col < b.right for m in marks] for b in boxes], np.bool_
    ).reshape(len(boxes), len(marks))
    return np.where(inside, ratings, -np.inf).max(1, initial=-np.inf), ratings[~inside.any(0)]
