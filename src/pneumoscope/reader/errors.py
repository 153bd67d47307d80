"""Define the errors of readers.

PneumoscopeError
├── BundleError        a bundle is missing, damaged, or does not match its card
├── SourceError        a source is not a radiograph, path or bytes
└── ModelOutputError   the model gave no valid output for a radiograph
"""

from pneumoscope import PneumoscopeError


class BundleError(PneumoscopeError):
    """A bundle is missing, damaged, or does not match its card."""


class SourceError(PneumoscopeError, TypeError):
    """A source is neither a radiograph nor a path nor the bytes of a file."""


class ModelOutputError(PneumoscopeError):
    """The model failed on a radiograph, or an output is NaN, infinite or out of its range."""
