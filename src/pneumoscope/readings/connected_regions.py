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
    steps = np.diff(np.pad(mask.astype(np.int8), ((0, 0), (1, 1))))
    rows, starts = np.divmod(np.flatnonzero(steps == 1), steps.shape[1])  # quicker than the nonzero of two dimensions
    stops = np.flatnonzero(steps == -1) % steps.shape[1]
    label = _numbered(_roots(rows, starts, stops, steps.shape[1]))
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


def _roots(rows: Runs, starts: Runs, stops: Runs, width: int) -> list[int]:
    """For each run of true pixels, the first run of its region: runs of neighbouring rows that touch are joined.

    Runs are in the order of their pixels, so that those which touch a run in the row above follow each other.
    """
    low = np.searchsorted(rows * width + stops, (rows - 1) * width + starts)
    high = np.searchsorted(rows * width + starts, (rows - 1) * width + stops, "right")
    root = list(range(len(rows)))
    for run, (first, end) in enumerate(zip(low.tolist(), high.tolist(), strict=True)):
        for above in range(first, end):
            one, other = _first(root, above), _first(root, run)
            root[max(one, other)] = min(one, other)
    return [_first(root, run) for run in range(len(root))]


def _first(root: list[int], run: int) -> int:
    while root[run] != run:
        root[run] = root[root[run]]
        run = root[run]
    return run


def _numbered(roots: list[int]) -> NDArray[np.intp]:
    """Labels from 1 in the order of the first runs."""
    return np.unique(np.array(roots, np.intp), return_inverse=True)[1].astype(np.intp) + 1
