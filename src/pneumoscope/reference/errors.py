"""Errors of reference regions."""

from pneumoscope import PneumoscopeError


class RegionsError(PneumoscopeError):
    """A source of reference regions cannot be read, or does not fit the radiographs that it is about."""
