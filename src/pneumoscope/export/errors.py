"""Define what can go wrong when a classifier is exported; no PyTorch."""

from pneumoscope import PneumoscopeError


class ExportError(PneumoscopeError):
    """A network could not be exported, or the exported graph does not agree with the network or the bundle."""
