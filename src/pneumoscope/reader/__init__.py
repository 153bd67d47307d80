"""Load a model bundle and `read(radiograph) -> Reading`, with ONNX Runtime and without PyTorch."""

from pneumoscope.radiograph import NotAChestError
from pneumoscope.reader.errors import BundleError
from pneumoscope.reader.reader import DEFAULT_BUNDLE, Outcome, Reader

__all__ = ["DEFAULT_BUNDLE", "BundleError", "NotAChestError", "Outcome", "Reader"]
