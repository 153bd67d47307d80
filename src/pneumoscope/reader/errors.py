"""What can be wrong with a bundle or with what it is asked."""

from pneumoscope import PneumoscopeError


class BundleError(PneumoscopeError):
    """A bundle is missing, damaged, or not what its card says."""
