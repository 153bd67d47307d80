"""Find the lung fields of a radiograph: side, zone, box, how sure. The network and its training alone need PyTorch."""

from pneumoscope.lung_fields.errors import LungFieldsError
from pneumoscope.lung_fields.finder import LungFinder
from pneumoscope.lung_fields.lung_fields import LungFields

__all__ = ["LungFields", "LungFieldsError", "LungFinder"]
