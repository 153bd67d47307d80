"""Load a model bundle and read radiographs with ONNX Runtime, without PyTorch."""

from pneumoscope.radiograph import NotAChestError
from pneumoscope.reader.errors import BundleError, ModelOutputError, SourceError
from pneumoscope.reader.outcome import Outcome
from pneumoscope.reader.read_radiograph import read
from pneumoscope.reader.reader import Reader
from pneumoscope.reader.shipped import DEFAULT_BUNDLE

__all__ = ["DEFAULT_BUNDLE", "BundleError", "ModelOutputError", "NotAChestError", "Outcome", "Reader", "SourceError", "read"]
