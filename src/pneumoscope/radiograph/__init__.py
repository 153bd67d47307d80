"""Read one file or byte string (DICOM CR, DX or RG, PNG, JPEG) into a `Radiograph`, or a `Film` for a viewer."""

from pneumoscope.radiograph.acceptance import AcceptancePolicy, Caution, review
from pneumoscope.radiograph.burned_in import BurnedIn, burned_in_of
from pneumoscope.radiograph.container import Container, container_of
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
from pneumoscope.radiograph.grey_scale import Window, window
from pneumoscope.radiograph.listing import Listing, list_folder
from pneumoscope.radiograph.orientation import Edges, Orientation
from pneumoscope.radiograph.placement import Placement
from pneumoscope.radiograph.radiograph import Identity, Radiograph, Spacing
from pneumoscope.radiograph.region import Region

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
