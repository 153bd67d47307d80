"""The error of the statistics."""

from pneumoscope import PneumoscopeError


class StatisticsError(PneumoscopeError, ValueError):
    """A figure was asked of numbers that it cannot be computed from, such as NaN or arrays of different lengths."""
