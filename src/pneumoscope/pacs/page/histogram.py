"""Small histograms of scores, drawn without a style or a script."""

from collections.abc import Sequence
from dataclasses import dataclass

HEIGHT, WIDTH, GAP = 24, 6, 1
"""Height of a histogram, width of a class and the gap between two, in units of its drawing."""


@dataclass(frozen=True)
class Bar:
    """A class of a histogram.

    Parameters
    ----------
    x, y, width, height : float
        Its rectangle, in units of the drawing; y points down.
    """

    x: float
    y: float
    width: float
    height: float


def bars(counts: Sequence[int]) -> list[Bar]:
    """Draw a histogram; the highest class has the whole height.

    Parameters
    ----------
    counts : sequence of int
        Number in each class.

    Returns
    -------
    list of Bar
        One for each class that is not empty.

    Examples
    --------
    >>> bars([1, 0, 2])
    [Bar(x=0, y=12.0, width=5, height=12.0), Bar(x=12, y=0.0, width=5, height=24.0)]
    """
    highest = max(counts, default=0)
    heights = [number / highest * HEIGHT if highest else 0.0 for number in counts]
    return [Bar(k * WIDTH, HEIGHT - height, WIDTH - GAP, height) for k, height in enumerate(heights) if height]


def described(counts: Sequence[int]) -> str:
    """Say a histogram in words, for those who do not see it.

    Parameters
    ----------
    counts : sequence of int
        Number in each of ten classes from 0 to 1.

    Returns
    -------
    str
        Share of each class in percent, from the lowest class to the highest.

    Examples
    --------
    >>> described([1, 0, 0, 0, 0, 0, 0, 0, 0, 3])
    'share of scores by tenths, from low to high: 25, 0, 0, 0, 0, 0, 0, 0, 0, 75 percent'
    """
    n = sum(counts) or 1
    shares = ", ".join(f"{100 * number / n:.0f}" for number in counts)
    return f"share of scores by tenths, from low to high: {shares} percent"
