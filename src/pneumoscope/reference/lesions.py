"""Lesions from the boxes of several readers: one lesion is one lesion, however many readers drew it."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from pneumoscope.radiograph import Region

LesionRule = Literal["merged", "per-reader"]
"""How boxes of several readers become lesions: overlapping boxes are one lesion, or each reader's box is one."""
MERGE_IOU = 0.4
"""Intersection over union from which boxes of two readers are one lesion: the level at which VinDr-CXR counts a box as a match
(Nguyen et al. 2022, doi 10.1038/s41597-022-01498-w)."""


def intersection_over_union(first: Region, second: Region) -> float:
    """Compute the intersection over union of two rectangles.

    Parameters
    ----------
    first, second
        Rectangles in pixels of one grid, each with an area above 0.

    Returns
    -------
    float
        In [0, 1].

    Examples
    --------
    >>> intersection_over_union(Region(0, 0, 10, 10), Region(0, 5, 10, 15))
    0.3333333333333333
    """
    height = min(first.bottom, second.bottom) - max(first.top, second.top)
    width = min(first.right, second.right) - max(first.left, second.left)
    common = max(height, 0.0) * max(width, 0.0)
    return common / (first.height * first.width + second.height * second.width - common)


def merge(boxes: Sequence[tuple[str, Region]], rule: LesionRule = "merged") -> tuple[Region, ...]:
    """Join the boxes that several readers drew around one lesion.

    Two boxes of different readers are one lesion if their intersection over union is at least `MERGE_IOU`; so are boxes that
    are linked through others in this way. The lesion is the smallest rectangle around its boxes. Boxes of one reader are
    different lesions unless a box of another reader links them.

    Parameters
    ----------
    boxes
        (reader, rectangle) of each box, in pixels of one grid.
    rule
        ``merged``, or ``per-reader`` to keep every box as a lesion.

    Returns
    -------
    tuple of Region
        The lesions, in the order of their first boxes.

    Examples
    --------
    Three readers box one opacity, one of them another:

    >>> drawn = [("A", Region(0, 0, 10, 10)), ("B", Region(0, 1, 10, 11)), ("C", Region(1, 0, 11, 10))]
    >>> drawn.append(("C", Region(40, 40, 50, 50)))
    >>> len(merge(drawn)), len(merge(drawn, "per-reader"))
    (2, 4)
    """
    if rule == "per-reader" or not boxes:
        return tuple(region for _, region in boxes)
    linked = [
        (i, j)
        for i, (reader, box) in enumerate(boxes)
        for j, (other_reader, other) in enumerate(boxes[:i])
        if reader != other_reader and intersection_over_union(box, other) >= MERGE_IOU
    ]
    rows, cols = np.array(linked, np.intp).reshape(-1, 2).T
    graph = csr_array((np.ones(len(linked)), (rows, cols)), shape=(len(boxes), len(boxes)))
    lesion_of = connected_components(graph, directed=False)[1]
    members = [
        [region for lesion, (_, region) in zip(lesion_of, boxes, strict=True) if lesion == k] for k in dict.fromkeys(lesion_of)
    ]
    return tuple(_around(regions) for regions in members)


def _around(regions: Sequence[Region]) -> Region:
    return Region(
        min(r.top for r in regions), min(r.left for r in regions), max(r.bottom for r in regions), max(r.right for r in regions)
    )
