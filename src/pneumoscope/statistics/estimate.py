"""The noun `Estimate`: a figure with its interval, which is what every measurement returns."""

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pneumoscope.statistics import formatting

EQUAL_DRAWS = "the same in every bootstrap draw"
"""The reason for no interval where resampling patients never changes the figure."""


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95 % interval.

    Parameters
    ----------
    value
        The figure; NaN if it is undefined.
    low, high
        Ends of the interval; NaN if there is none.
    n
        Number of units that the figure is of.
    unit
        What was counted and resampled, nearly always ``patient``.
    method
        How the interval was computed.
    reason
        Why the figure is undefined, or why it has no interval; else empty.

    Examples
    --------
    >>> print(Estimate(0.98765, 0.97, 0.99, 120, "patient", "DeLong"))
    0.9877 (0.9700–0.9900)
    >>> print(undefined(1, "fewer than two cases of a class"))
    undefined (fewer than two cases of a class)
    """

    value: float
    low: float
    high: float
    n: int
    unit: str
    method: str
    reason: str = ""

    def __str__(self) -> str:
        """The value and its interval with four decimals, or why there is none."""
        return formatting.figure(self.value, self.low, self.high, reason=self.reason)

    def __neg__(self) -> "Estimate":
        """The estimate of the negative figure: the ends of the interval change places."""
        return dataclasses.replace(self, value=-self.value, low=-self.high, high=-self.low)

    @property
    def defined(self) -> bool:
        """Whether the figure has a value."""
        return not math.isnan(self.value)

    @property
    def has_interval(self) -> bool:
        """Whether the figure has an interval."""
        return not (math.isnan(self.low) or math.isnan(self.high))


def undefined(n: int, reason: str) -> Estimate:
    """Make the estimate of a figure that does not exist.

    Parameters
    ----------
    n
        Number of patients that it was asked of.
    reason
        Why it does not exist.

    Returns
    -------
    Estimate
        With NaN for the value and both ends.
    """
    return Estimate(math.nan, math.nan, math.nan, n, "patient", "none", reason)


def from_json(tree: Mapping[str, Any]) -> Estimate:
    """Read an estimate that was written to JSON, where NaN is null.

    Parameters
    ----------
    tree
        The fields of an `Estimate` by name.

    Returns
    -------
    Estimate
        With NaN wherever the tree has null.

    Examples
    --------
    >>> from_json({"value": 0.5, "low": None, "high": None, "n": 3, "unit": "patient", "method": "none"}).low
    nan
    """
    fields: dict[str, Any] = {key: math.nan if value is None else value for key, value in tree.items()}
    return Estimate(**fields)


def plain(value: Any) -> Any:
    """Turn a tree of mappings, sequences and numbers into values that JSON can hold.

    Parameters
    ----------
    value
        Mappings, lists, tuples, texts, numbers, booleans or None, nested at will.

    Returns
    -------
    Any
        The same with lists for tuples and None for NaN.

    Examples
    --------
    >>> plain({"low": math.nan, "shape": (2, 3)})
    {'low': None, 'shape': [2, 3]}
    """
    if isinstance(value, Mapping):
        return {key: plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    return None if isinstance(value, float) and math.isnan(value) else value
