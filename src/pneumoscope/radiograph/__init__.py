"""Read one file or byte string (DICOM CR, DX or RG, PNG, JPEG) into a `Radiograph`, or a `Film` for a viewer.

pydicom takes long to import: it is loaded with the first DICOM file, or when a name that needs it is used.
"""

import importlib
from typing import TYPE_CHECKING

from pneumoscope.radiograph.acceptance import AcceptancePolicy, Caution, review
from pneumoscope.radiograph.errors import (
    EmptyImageError,
    NotAcceptedError,
    NotAChestError,
    NotARadiographError,
    RadiographError,
    TooLargeError,
    UnreadableFileError,
)
from pneumoscope.radiograph.files import read, read_film
from pneumoscope.radiograph.film import Film
from pneumoscope.radiograph.listing import Listing, list_folder
from pneumoscope.radiograph.orientation import Edges, Orientation
from pneumoscope.radiograph.placement import Placement
from pneumoscope.radiograph.radiograph import Identity, Radiograph, Spacing
from pneumoscope.radiograph.region import Region
from pneumoscope.radiograph.window import Window, window

if TYPE_CHECKING:
    from pneumoscope.radiograph.burned_in import BurnedIn, burned_in_of
    from pneumoscope.radiograph.container import Container, container_of

_NEED_PYDICOM = {"BurnedIn": "burned_in", "burned_in_of": "burned_in", "Container": "container", "container_of": "container"}
"""Names whose modules import pydicom, each with its module."""
__all__ = [
    "AcceptancePolicy",
    "BurnedIn",
    "Caution",
    "Container",
    "Edges",
    "EmptyImageError",
    "Film",
    "Identity",
    "Listing",
    "NotAChestError",
    "NotARadiographError",
    "NotAcceptedError",
    "Orientation",
    "Placement",
    "Radiograph",
    "RadiographError",
    "Region",
    "Spacing",
    "TooLargeError",
    "UnreadableFileError",
    "Window",
    "burned_in_of",
    "container_of",
    "list_folder",
    "read",
    "read_film",
    "review",
    "window",
]


def __getattr__(name: str) -> object:
    """Import a name that needs pydicom when it is first used (PEP 562)."""
    if name not in _NEED_PYDICOM:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    value = globals()[name] = getattr(importlib.import_module(f"{__name__}.{_NEED_PYDICOM[name]}"), name)
    return value
