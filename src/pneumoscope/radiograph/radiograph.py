"""The noun `Radiograph`: one projection image of declared meaning."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from pneumoscope.radiograph.grey_range import Source
from pneumoscope.radiograph.looked_up import GREY_LEVELS, LookedUp, count_grey_levels
from pneumoscope.radiograph.orientation import UNKNOWN, Orientation
from pneumoscope.radiograph.region import Region
from pneumoscope.radiograph.terms import Sex

Grey = NDArray[np.float32]
SpacingKind = Literal["detector", "patient", "calibrated", "unstated"]
Intent = Literal["", "FOR PRESENTATION", "FOR PROCESSING"]

__all__ = ["GREY_LEVELS", "Grey", "Identity", "Intent", "LookedUp", "Radiograph", "Spacing", "SpacingKind"]

_ROUNDING = 1e-6
"""Of float32 resampling, by which a pixel may lie outside [0, 1]."""
_MOST_COUNTED = 2**20


@dataclass(frozen=True)
class Spacing:
    """Distance between pixel centres, DICOM PS3.3 10.7.1.

    Parameters
    ----------
    row_mm, col_mm : float
        Distance between rows and between columns, in millimetres.
    kind : {"detector", "patient", "calibrated", "unstated"}
        Where the distance holds. ``detector``: at the detector, or on the film that was scanned, so that anatomy is magnified.
        ``patient``: in the patient, corrected for known or assumed geometric magnification, or by a method that is not stated.
        ``calibrated``: in the patient, by an object of known size (Pixel Spacing Calibration Type FIDUCIAL). ``unstated``: the
        file has Pixel Spacing alone, and whether it was corrected cannot be determined (PS3.3 10.7.1.1).
    """

    row_mm: float
    col_mm: float
    kind: SpacingKind


@dataclass(frozen=True)
class Identity:
    """DICOM identifiers of an image, for code that writes DICOM; never printed.

    Parameters
    ----------
    patient_id, study_instance_uid, series_instance_uid, sop_class_uid, sop_instance_uid : str
        Values of the attributes of these names; empty where unknown.
    """

    patient_id: str = field(default="", repr=False)
    study_instance_uid: str = field(default="", repr=False)
    series_instance_uid: str = field(default="", repr=False)
    sop_class_uid: str = field(default="", repr=False)
    sop_instance_uid: str = field(default="", repr=False)


class _Pixels:
    """The field `Radiograph.pixels`: an array, or levels that are looked up at the first access."""

    def __get__(self, radiograph: "Radiograph | None", _: type) -> Grey:
        if radiograph is None:
            raise AttributeError("pixels")  # so that the field has no default
        given = radiograph.__dict__["pixels"]
        if isinstance(given, LookedUp):
            given = radiograph.__dict__["pixels"] = given.pixels
        array: Grey = given
        return array

    def __set__(self, radiograph: "Radiograph", given: Grey | LookedUp) -> None:
        radiograph.__dict__["pixels"] = given
        radiograph.__dict__["levels"] = given if isinstance(given, LookedUp) else None


@dataclass(frozen=True, eq=False)
class Radiograph:
    """A grey projection radiograph on the grid of its file.

    Parameters
    ----------
    pixels : ndarray of float32, shape (rows, cols)
        Grey levels in [0, 1] as displayed: 0 is black (air), 1 is white (bone, opacity), in the stored order of rows and
        columns. `LookedUp` levels are accepted in their place; they become an array at the first access, which raises
        `ReducedError` if they were decoded at a reduced scale.
    spacing : Spacing, optional
        Distance between pixels; None where the file does not state it.
    modality : str
        DICOM Modality (CR, DX, …), `terms.NOT_A_TERM` for other text; empty for PNG and JPEG.
    view_position : str
        DICOM View Position (AP, PA, LL, …), `terms.NOT_A_TERM` for other text; empty where unknown.
    body_part : str
        DICOM Body Part Examined, CHEST for every spelling of the chest, `terms.NOT_A_TERM` for other text; empty where
        unknown.
    identity : Identity
        DICOM identifiers; empty for PNG and JPEG.
    orientation : Orientation
        Directions of the stored rows and columns in the patient; unknown for PNG and JPEG.
    intent : {"", "FOR PRESENTATION", "FOR PROCESSING"}
        DICOM Presentation Intent Type; FOR PROCESSING is raw detector data.
    horizontal_flip : bool
        Whether DICOM Field of View Horizontal Flip is YES. The flip is relative to the detector, so that it says nothing of
        the patient's sides by itself.
    file_format : {"", "DICOM", "PNG", "JPEG"}
        Format of the file; empty for pixels of another origin.
    grey_source : {"", "header", "range", "bulk"}
        What the grey scale spans (`grey_range.Source`); empty where pixels are taken as they are.
    contradictions : tuple of str
        What the header says that cannot all be true.
    age_years : float, optional
        The patient's age in years, >= 0; None where the file does not state a valid one. Never printed.
    age_stated : bool
        Whether the file states an age, even one that is not valid and was therefore not interpreted.
    sex : {"", "F", "M", "O"}
        DICOM Patient's Sex; empty where the file does not state one of these. Never printed.
    photograph : bool
        Whether a camera took the picture, by its colours or its Exif: a photograph of a film or of a screen.
    stated_aspect : float
        Height of a pixel over its width as the file states it without a spacing (DICOM Pixel Aspect Ratio, PS3.3 C.7.6.3.1.7;
        the resolutions of a picture), finite and above 0.

    Raises
    ------
    ValueError
        If the pixels are not float32 of two dimensions, not finite, or not in [0, 1] within float32 rounding (1e-6); or if the
        age is negative or not finite, or an aspect not finite and above 0.

    Examples
    --------
    >>> import numpy as np
    >>> pixels = np.linspace(0, 1, 12, dtype=np.float32).reshape(3, 4)
    >>> radiograph = Radiograph(pixels, view_position="PA")
    >>> radiograph.rows, radiograph.cols, radiograph.grey_levels_used
    (3, 4, 256)
    >>> Radiograph(pixels * 255)
    Traceback (most recent call last):
    ValueError: pixels must lie in [0, 1], not in [0, 255]; divide them by the value of white
    """

    pixels: _Pixels = field(default=_Pixels(), repr=False)
    spacing: Spacing | None = None
    modality: str = ""
    view_position: str = ""
    body_part: str = ""
    identity: Identity = field(default=Identity(), repr=False)
    orientation: Orientation = UNKNOWN
    intent: Intent = ""
    horizontal_flip: bool = False
    file_format: Literal["", "DICOM", "PNG", "JPEG"] = ""
    grey_source: Source | Literal[""] = ""
    contradictions: tuple[str, ...] = ()
    age_years: float | None = field(default=None, repr=False)
    age_stated: bool = False
    sex: Sex | Literal[""] = field(default="", repr=False)
    photograph: bool = False
    stated_aspect: float = 1.0

    def __post_init__(self) -> None:
        if self.looked_up is None:
            _check_array(self.pixels)
        if not self.shape[0] * self.shape[1]:
            raise ValueError(f"pixels must not be empty, but their shape is {self.shape}")
        if self.age_years is not None and not 0 <= self.age_years < np.inf:
            raise ValueError(f"an age must be a finite number of years of at least 0, not {self.age_years}")
        if not 0 < self.stated_aspect < np.inf:
            raise ValueError(f"an aspect must be a finite number above 0, not {self.stated_aspect}")
        low, high = self.grey_range
        if not np.isfinite([low, high]).all():
            raise ValueError("pixels must be finite, but some are NaN or infinite")
        if low < -_ROUNDING or high > 1 + _ROUNDING:
            raise ValueError(f"pixels must lie in [0, 1], not in [{low:g}, {high:g}]; divide them by the value of white")

    def __getstate__(self) -> dict[str, Any]:
        """Leave out the pixels that can be looked up again."""
        return self.__dict__ | ({} if self.looked_up is None else {"pixels": self.looked_up})

    @property
    def looked_up(self) -> LookedUp | None:
        """The pixels as levels and a table, where the file was decoded to that; None for an array."""
        levels: LookedUp | None = self.__dict__["levels"]
        return levels

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the stored grid."""
        rows, cols = self.pixels.shape if self.looked_up is None else self.looked_up.shape
        return rows, cols

    @property
    def decoded_scale(self) -> float:
        """Scale at which the file was decoded: 1 in full, else 1/2, 1/4 or 1/8, and then the pixels are not known."""
        reduction = self.looked_up.reduction if self.looked_up else None
        return reduction.scale if reduction else 1.0

    @cached_property
    def grey_range(self) -> tuple[float, float]:
        """Lowest and highest grey level of a pixel."""
        if self.looked_up is not None:
            return self.looked_up.low, self.looked_up.high
        return float(self.pixels.min()), float(self.pixels.max())

    @property
    def rows(self) -> int:
        """Number of rows of the stored grid."""
        return self.shape[0]

    @property
    def cols(self) -> int:
        """Number of columns of the stored grid."""
        return self.shape[1]

    @property
    def whole(self) -> Region:
        """The rectangle that covers the radiograph."""
        return Region(0.0, 0.0, float(self.rows), float(self.cols))

    @property
    def aspect(self) -> float:
        """Height of a stored pixel over its width: by the spacing, else as stated, else 1."""
        return self.spacing.row_mm / self.spacing.col_mm if self.spacing else self.stated_aspect

    @property
    def displayed(self) -> Grey:
        """Pixels turned into the displayed order (the patient's right side on the left), shape (rows, cols) or (cols, rows)."""
        return self.orientation.to_display(self.pixels)

    @cached_property
    def grey_levels_used(self) -> int:
        """How many of the `GREY_LEVELS` of a display lie between the 0.5 and 99.5 percentiles of the pixels, 1 to 256.

        On a large radiograph that was given as an array every second, third, … pixel of each axis is counted.
        """
        if self.looked_up is not None:
            return self.looked_up.grey_levels_used
        step = max(1, int(np.sqrt(self.pixels.size / _MOST_COUNTED)))
        return count_grey_levels(self.pixels[::step, ::step])


def _check_array(pixels: object) -> None:
    if not isinstance(pixels, np.ndarray) or pixels.dtype != np.float32 or pixels.ndim != 2:
        kind = f"{getattr(pixels, 'dtype', type(pixels).__name__)} {getattr(pixels, 'shape', '')}".strip()
        raise ValueError(f"pixels must be float32 (rows, cols), not {kind}")
