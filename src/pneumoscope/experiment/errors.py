"""The error of an experiment."""

from pneumoscope import PneumoscopeError


class ComparisonError(PneumoscopeError):
    """A comparison cannot be made as it was asked for."""
