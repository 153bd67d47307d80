"""The error of this folder."""

from pneumoscope import PneumoscopeError


class LocalizationError(PneumoscopeError):
    """Heat maps cannot be measured on the cases that were given."""
