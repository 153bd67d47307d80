"""One file or byte string (DICOM CR/DX, PNG, JPEG) becomes a `Radiograph`."""

from pneumoscope.radiograph.errors import (
    EmptyImageError,
    NotARadiographError,
    RadiographError,
    TooLargeError,
    UnreadableFileError,
)
from pneumoscope.radiograph.files import read
from pneumoscope.radiograph.placement import Placement
from pneumoscope.radiograph.radiograph import Identity, Radiograph, Spacing
from pneumoscope.radiograph.region import Region

__all__ = [
    "EmptyImageError",
    "Identity",
    "NotARadiographError",
    "Placement",
    "Radiograph",
    "RadiographError",
    "Region",
    "Spacing",
    "TooLargeError",
    "UnreadableFileError",
    "read",
]
