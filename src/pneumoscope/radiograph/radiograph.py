"""The noun `Radiograph`: one projection image of declared meaning."""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pneumoscope.radiograph.region import Region

Grey = NDArray[np.float32]


@dataclass(frozen=True)
class Spacing:
    """Distance between pixel centres, DICOM PS3.3 10.7.1.

    `plane` says where it holds: at the ``detector`` (Imager Pixel Spacing, so anatomy is magnified) or in the
    ``patient`` (corrected for magnification or calibrated).
    """

    row_mm: float
    col_mm: float
    plane: Literal["detector", "patient"]


@dataclass(frozen=True)
class Identity:
    """Who and what the image is, copied from DICOM for those who write DICOM; never printed."""

    patient_id: str = field(default="", repr=False)
    study_instance_uid: str = field(default="", repr=False)
    series_instance_uid: str = field(default="", repr=False)
    sop_class_uid: str = field(default="", repr=False)
    sop_instance_uid: str = field(default="", repr=False)


@dataclass(frozen=True, eq=False)
class Radiograph:
    """A grey projection radiograph.

    Attributes
    ----------
    pixels: float32, shape (rows, cols), in [0, 1] as displayed: 0 is black (air), 1 is white (bone, opacity).
    spacing: distance between pixels, or None where the file does not tell.
    modality: DICOM Modality (CR, DX, …), empty for PNG and JPEG.
    view: DICOM View Position (AP, PA, LL, …), empty where unknown.
    body_part: DICOM Body Part Examined, empty where unknown.
    identity: DICOM identifiers, empty for PNG and JPEG.
    """

    pixels: Grey
    spacing: Spacing | None = None
    modality: str = ""
    view: str = ""
    body_part: str = ""
    identity: Identity = Identity()

    def __post_init__(self) -> None:
        if self.pixels.dtype != np.float32 or self.pixels.ndim != 2:
            raise ValueError(f"pixels must be float32 (rows, cols), not {self.pixels.dtype} {self.pixels.shape}")

    @property
    def rows(self) -> int:
        return int(self.pixels.shape[0])

    @property
    def cols(self) -> int:
        return int(self.pixels.shape[1])

    @property
    def whole(self) -> Region:
        """The rectangle that covers the radiograph."""
        return Region(0.0, 0.0, float(self.rows), float(self.cols))
