"""The noun `Estimate`: what every metric returns."""

import math
from dataclasses import dataclass

EQUAL_DRAWS = "the same in every bootstrap draw"
"""The reason for no interval where resampling patients never changes the figure."""


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95 % interval.

    Attributes
    ----------
    value, low, high: NaN where undefined; `reason` then says why.
    n: number of units; unit: what was resampled or counted (``patient``).
    method: how the interval was made.
    """

    value: float
    low: float
    high: float
    n: int
    unit: str
    method: str
    reason: str = ""

    def __str__(self) -> str:
        if math.isnan(self.value):
            return f"undefined ({self.reason})"
        if math.isnan(self.low):
            return f"{self.value:.4f} (no interval: {self.reason})"
        return f"{self.value:.4f} ({self.low:.4f}–{self.high:.4f})"


def undefined(n: int, reason: str) -> Estimate:
    """An estimate that does not exist, with the reason."""
    return Estimate(math.nan, math.nan, math.nan, n, "patient", "none", reason)
