"""Segment the lung fields of a radiograph and locate points in them. Only the network and its training need PyTorch."""

from pneumoscope.lung_fields.errors import LungFieldsError
from pneumoscope.lung_fields.finder import LungFinder
from pneumoscope.lung_fields.lung_fields import LungFields

__all__ = ["LungFields", "LungFieldsError", "LungFinder"]
