"""Choose the form of the objects by the system that receives them."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Literal, get_args

from pydicom.uid import Comprehensive3DSRStorage, ComprehensiveSRStorage

Kind = Literal["sr", "seg", "pm", "sc", "gsps"]
"""Structured Report, Segmentation, Parametric Map, Secondary Capture, Grayscale Softcopy Presentation State."""
KINDS: tuple[Kind, ...] = get_args(Kind)


class Profile(StrEnum):
    """The system that the objects are for."""

    OHIF = "ohif"
    """OHIF Viewer 3: Comprehensive 3D SR, Segmentation and Parametric Map."""
    AIR = "air"
    """IHE Radiology profile AI Results (AIR): Comprehensive 3D SR, Segmentation and Parametric Map."""
    ORTHANC = "orthanc"
    """Orthanc with the Stone Web Viewer: Comprehensive SR, Segmentation, Secondary Capture and presentation state."""
    PLAIN = "plain"
    """Any other PACS: Comprehensive SR, Secondary Capture and presentation state."""

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """The kinds of object that the system shows."""
        return _KINDS[self]

    @property
    def sr_class_uid(self) -> str:
        """SOP Class UID of the Structured Report."""
        return str(Comprehensive3DSRStorage if self in (Profile.OHIF, Profile.AIR) else ComprehensiveSRStorage)


_KINDS: Mapping[Profile, tuple[Kind, ...]] = {
    Profile.OHIF: ("sr", "seg", "pm", "sc"),
    Profile.AIR: ("sr", "seg", "pm"),
    Profile.ORTHANC: ("sr", "seg", "sc", "gsps"),
    Profile.PLAIN: ("sr", "sc", "gsps"),
}
