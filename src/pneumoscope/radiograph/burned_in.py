"""What a file states of text that is burned into its pixels, such as a patient's name: DICOM PS3.3 C.7.6.1.1 and C.8.6.1."""

import io
from typing import Literal

import pydicom

from pneumoscope.radiograph.dicom_prefix import looks_like_dicom
from pneumoscope.radiograph.header import identifier_of, term_of
from pneumoscope.radiograph.silenced_decoders import silenced_decoders

BurnedIn = Literal["yes", "no", "converted", "not stated"]
_SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
"""UID of the SOP Class Secondary Capture Image Storage, which starts those of its multi-frame classes (PS3.4 annex B)."""


def burned_in_of(content: bytes) -> BurnedIn:
    """Return what a file states of burned-in annotation; its pixels are not looked at.

    Parameters
    ----------
    content : bytes
        Content of a DICOM, PNG or JPEG file that `read` accepts.

    Returns
    -------
    {"yes", "no", "converted", "not stated"}
        ``yes`` and ``no``: as Burned In Annotation (0028,0301) states. ``converted``: the attribute is missing, and the image was
        digitised, captured from a screen or drawn by a workstation (SOP Class Secondary Capture, or a Conversion Type
        (0008,0064)), which often writes names into the pixels. ``not stated``: the attribute is missing, or the file is a
        picture, which has no such attribute.
    """
    if not looks_like_dicom(content):
        return "not stated"
    with silenced_decoders():
        dataset = pydicom.dcmread(io.BytesIO(content), force=content[128:132] != b"DICM", stop_before_pixels=True)
        if (stated := term_of(dataset, "BurnedInAnnotation")) in ("YES", "NO"):
            return "yes" if stated == "YES" else "no"
        captured = identifier_of(dataset, "SOPClassUID").startswith(_SECONDARY_CAPTURE)
        return "converted" if captured or term_of(dataset, "ConversionType") else "not stated"
