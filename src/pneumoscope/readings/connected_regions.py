"""Label the connected regions of a mask, run by run (Rosenfeld & Pfaltz 1966, doi 10.1145/321356.321357)."""

import numpy as np
from numpy.typing import NDArray

Box = tuple[slice, slice]
Runs = NDArray[np.intp]


def connected_regions(mask: NDArray[np.bool_]) -> tuple[NDArray[np.intp], list[Box]]:
    """Label the connected regions (8 neighbours) of a mask.

    Parameters
    ----------
    mask : ndarray of bool, shape (rows, cols)
        True inside of regions.

    Returns
    -------
    labels : ndarray of int, shape (rows, cols)
        0 outside; 1, 2, … inside of each region, in the order of their first pixels.
    boxes : list of (slice, slice)
        Rows and columns of the smallest rectangle around each region.

    Examples
    --------
    >>> labels, boxes = connected_regions(np.array([[True, False, False], [False, True, False], [False, False, False]]))
    >>> labels.tolist(), len(boxes)
    ([[1, 0, 0], [0, 1, 0], [0, 0, 0]], 1)
    """
    padded = np.zeros((mask.shape[0], mask.shape[1] + 2), np.bool_)
    padded[:, 1:-1] = mask
    ends = np.flatnonzero(padded[:, 1:] != padded[:, :-1])  # quicker than the nonzero of two dimensions
    width = mask.shape[1] + 1
    rows, starts = np.divmod(ends[::2], width)
    stops = ends[1::2] % width
    label = _labels(rows, starts, stops, width)
    edges = rows[:, None] * mask.shape[1] + np.stack([starts, stops], 1)
    values = np.zeros(edges.size + 1, np.intp)
    values[1::2] = label
    labels = np.repeat(values, np.diff(edges.reshape(-1), prepend=0, append=mask.size)).reshape(mask.shape)
    boxes = []
    for number in range(1, int(label.max(initial=0)) + 1):
        own = label == number
        boxes.append(
            (slice(int(rows[own].min()), int(rows[own].max()) + 1), slice(int(starts[own].min()), int(stops[own].max())))
        )
    return labels, boxes


def _labels(rows: Runs, starts: Runs, stops: Runs, width: int) -> Runs:
    """The label of each run of true pixels: runs of neighbouring rows that touch are joined to the first run of their region.

    Runs are in the order of their pixels, so that those which touch a run in the row above follow each other.
    """
    low = np.searchsorted(rows * width + stops, (rows - 1) * width + starts)
    high = np.searchsorted(rows * width + starts, (rows - 1) * width + stops, "right")
    root: list[int] = np.where(low < high, low, np.arange(rows.size)).tolist()
    for run in np.flatnonzero(high - low > 1).tolist():
        for above in range(low[run] + 1, high[run]):
            one, other = _first(root, above), _first(root, run)
            root[max(one, other)] = min(one, other)
    labels: list[int] = []
    n_regions = 0
    for run, earlier in enumerate(root):
        n_regions += earlier == run
        labels.append(n_regions if earlier == run else labels[earlier])
    return np.array(labels, np.intp)


def _first(root: list[int], run: int) -> int:
    while root[run] != run:
        root[run] = root[root[run]]
        run = root[run]
    return run
