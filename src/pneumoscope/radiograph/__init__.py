"""Read one file or byte string (DICOM CR, DX or RG, PNG, JPEG) into a `Radiograph`."""

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
from pneumoscope.radiograph.files import read
from pneumoscope.radiograph.listing import Listing, list_folder
from pneumoscope.radiograph.orientation import Orientation
from pneumoscope.radiograph.placement import Placement
from pneumoscope.radiograph.radiograph import Identity, Radiograph, Spacing
from pneumoscope.radiograph.region import Region

__all__ = [
    "AcceptancePolicy",
    "Caution",
    "EmptyImageError",
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
    "list_folder",
    "read",
    "review",
]
