"""Define the errors of lung-field models."""

from pneumoscope import PneumoscopeError


class LungFieldsError(PneumoscopeError):
    """A lung-field model is missing, damaged, or differs from the one that a card names."""
