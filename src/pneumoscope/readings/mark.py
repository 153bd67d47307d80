"""The noun `Mark`: a place that a reader points at."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Mark:
    """A place that a reader points at: in pixels of the radiograph (0.5 is the first pixel's centre), with a rating."""

    row: float
    col: float
    rating: float
