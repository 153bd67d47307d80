"""The Pareto front of a figure and a cost."""

import math
from collections.abc import Mapping


def front(points: Mapping[str, tuple[float, float]]) -> list[str]:
    """Find the members that no other dominates: none is at least as good in both and better in one.

    Parameters
    ----------
    points
        Cost (lower is better) and figure (higher is better) by name.

    Returns
    -------
    list[str]
        Names on the front, cheapest first.

    Examples
    --------
    >>> front({"a": (1, 0.8), "b": (2, 0.9), "c": (3, 0.85)})
    ['a', 'b']
    """
    best, names = -math.inf, []
    for name, (_, figure) in sorted(points.items(), key=lambda item: (item[1][0], -item[1][1])):
        if figure > best:
            best = figure
            names.append(name)
    return names
