"""Define the DICOM object that a reading is written as."""

from dataclasses import dataclass, field

from pneumoscope.dicom_objects.profiles import Kind


@dataclass(frozen=True)
class DicomObject:
    """A reading, or a part of it, as a DICOM file.

    Parameters
    ----------
    kind : {"sr", "seg", "pm", "sc", "gsps"}
        Kind of object.
    sop_class_uid, sop_instance_uid : str
        What it is in DICOM, and its identifier.
    content : bytes
        The file (PS3.10), Explicit VR Little Endian; a deflated Parametric Map is Deflated Explicit VR Little Endian.
    """

    kind: Kind
    sop_class_uid: str
    sop_instance_uid: str = field(repr=False)
    content: bytes = field(repr=False)
