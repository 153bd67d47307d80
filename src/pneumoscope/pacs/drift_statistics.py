"""Differences between two groups of readings, with 95 % intervals that need no assumption about their distribution."""

import math
from collections.abc import Sequence
from itertools import accumulate
from statistics import NormalDist

LEVEL = 0.95
"""Coverage of every interval."""
_Z = NormalDist().inv_cdf((1 + LEVEL) / 2)

Interval = tuple[float, float, float]
"""A difference with the lower and the upper end of its interval."""
UNDEFINED: Interval = (math.nan, math.nan, math.nan)


def wilson(hits: int, n: int) -> tuple[float, float]:
    """Compute the score interval of a share.

    Parameters
    ----------
    hits : int
        Number that counts, 0 to n.
    n : int
        Number in all, >= 1.

    Returns
    -------
    tuple of float
        Lower and upper end, 0 to 1.

    References
    ----------
    Wilson 1927, Journal of the American Statistical Association 22:209.

    Examples
    --------
    >>> print("{:.4f} {:.4f}".format(*wilson(81, 263)))
    0.2553 0.3662
    """
    middle, half = 2 * hits + _Z**2, _Z * math.sqrt(_Z**2 + 4 * hits * (1 - hits / n))
    return (middle - half) / (2 * (n + _Z**2)), (middle + half) / (2 * (n + _Z**2))


def share_difference(hits: int, n: int, reference_hits: int, reference_n: int) -> Interval:
    """Compute the difference of two shares of different readings.

    Parameters
    ----------
    hits, n : int
        Number that counts, and number in all.
    reference_hits, reference_n : int
        The same of the reference.

    Returns
    -------
    tuple of float
        Difference, lower and upper end; NaN where one side has no reading.

    References
    ----------
    Newcombe 1998, Statistics in Medicine 17:873, method 10.

    Examples
    --------
    >>> print("{:.4f} {:.4f} {:.4f}".format(*share_difference(56, 70, 48, 80)))
    0.2000 0.0524 0.3339
    """
    if not (n and reference_n):
        return UNDEFINED
    share, reference = hits / n, reference_hits / reference_n
    (low, high), (reference_low, reference_high) = wilson(hits, n), wilson(reference_hits, reference_n)
    below, above = math.hypot(share - low, reference_high - reference), math.hypot(high - share, reference - reference_low)
    return share - reference, share - reference - below, share - reference + above


def distance(counts: Sequence[int], reference: Sequence[int]) -> Interval:
    """Compute the Kolmogorov-Smirnov distance of two distributions that are counted in the same classes.

    Parameters
    ----------
    counts, reference : sequence of int
        Number in each class, in the order of the classes.

    Returns
    -------
    tuple of float
        Distance, lower and upper end, each 0 to 1; NaN where one side is empty. The interval holds for every distribution and is
        rather too wide than too narrow: each distribution function lies in a band of half the error.

    References
    ----------
    Massart 1990, Annals of Probability 18:1269 (the constant of the inequality of Dvoretzky, Kiefer and Wolfowitz).

    Examples
    --------
    >>> print("{:.3f} {:.3f} {:.3f}".format(*distance([50, 150], [500, 500])))
    0.250 0.099 0.401
    """
    n, reference_n = sum(counts), sum(reference)
    if not (n and reference_n):
        return UNDEFINED
    functions = zip(accumulate(counts), accumulate(reference), strict=True)
    largest = max(abs(of_week / n - of_reference / reference_n) for of_week, of_reference in functions)
    margin = _band(n) + _band(reference_n)
    return largest, max(largest - margin, 0.0), min(largest + margin, 1.0)


def _band(n: int) -> float:
    """Half the width of a band that a distribution function leaves with half of the error."""
    return math.sqrt(math.log(2 / ((1 - LEVEL) / 2)) / (2 * n))
