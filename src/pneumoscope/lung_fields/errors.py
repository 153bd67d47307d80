"""What can be wrong with a lung-field model."""

from pneumoscope import PneumoscopeError


class LungFieldsError(PneumoscopeError):
    """A lung-field model is missing, damaged, or not the one that a card names."""
