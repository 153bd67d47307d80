"""Name the folders of the shipped bundles."""

from pathlib import Path

_BUNDLES = Path(__file__).parent / "bundles"
SHIPPED = {"default": _BUNDLES / "default", "whole": _BUNDLES / "whole"}
"""Folders of the shipped bundles: the lung model, which is the default, and the published whole-image model with Grad-CAM."""
DEFAULT_BUNDLE = SHIPPED["default"]
