"""What can be wrong with a bundle or with what it is asked.

PneumoscopeError
├── BundleError        a bundle is missing, damaged, or not what its card says
├── SourceError        what should be read is no radiograph, path or bytes
└── ModelOutputError   the model gave no usable answer for this radiograph
"""

from pneumoscope import PneumoscopeError


class BundleError(PneumoscopeError):
    """A bundle is missing, damaged, or not what its card says."""


class SourceError(PneumoscopeError, TypeError):
    """A reader was given something that is neither a radiograph nor a file nor its bytes."""


class ModelOutputError(PneumoscopeError):
    """The model failed on this radiograph, or gave a value that no model can give (NaN, infinite, out of range)."""
