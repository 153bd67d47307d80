"""The noun `Container`: how a file holds a radiograph, apart from its pixels and its patient.

A colour profile, a JPEG quality or the trace of an editor says nothing about a lung. Where such a fact differs between the labels
of a data set, a classifier can learn it instead of the disease.
"""

import io
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pydicom
from numpy.typing import NDArray
from PIL import ExifTags, Image
from PIL.JpegImagePlugin import JpegImageFile

from pneumoscope.radiograph.dicom_prefix import looks_like_dicom
from pneumoscope.radiograph.header import identifier_of, integer_of, value_of
from pneumoscope.radiograph.silenced_decoders import silenced_decoders

_LUMINANCE = np.array(
    [
        16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56,
        14, 17, 22, 29, 51, 87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92,
        49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99,
    ]
)  # fmt: skip
"""Quantization of luminance in ITU-T T.81, table K.1, row by row."""
_PNG_BITS, _PNG_COLOUR = 24, 25  # offsets of bit depth and colour type in the header chunk, ISO/IEC 15948 11.2.2
_PNG_CHANNELS = {0: 1, 2: 3, 3: 3, 4: 2, 6: 4}
_TEXT_KEYS = frozenset({"comment", "Comment", "Description", "Title", "Author", "Software"})
_XMP_KEYS = ("xmp", "XML:com.adobe.xmp")


@dataclass(frozen=True)
class Container:
    """Facts of a file.

    Parameters
    ----------
    file_format : {"DICOM", "PNG", "JPEG"}
        Format of the file.
    bits : int
        Bits of a sample that are stored.
    channels : int
        Samples of a pixel; 3 for a palette.
    transfer_syntax : str
        UID of the DICOM transfer syntax; empty for pictures and where it is missing.
    colour_profile_bytes : int
        Size of the ICC profile; 0 without one.
    jpeg_quality : float, optional
        Quality of a JPEG in [1, 100] by `jpeg_quality`; None for other formats.
    jpeg_step : float, optional
        Mean step of the luminance quantization of a JPEG; None for other formats.
    chroma_share : float, optional
        Chroma samples per luminance sample of a JPEG: 1, 0.5, 0.25, or 0 for grey; None for other formats.
    progressive : bool
        Whether a JPEG is progressive or a PNG interlaced.
    exif_bytes : int
        Size of the Exif block; 0 without one.
    software : bool
        Whether the file names a program that wrote it (Exif, XMP or a PNG text; DICOM Software Versions).
    xmp, text, resolution, jfif, adobe : bool
        Whether the file has an XMP packet, a comment or text chunk, a stated resolution, a JFIF marker, an Adobe marker.
    """

    file_format: Literal["DICOM", "PNG", "JPEG"]
    bits: int
    channels: int
    transfer_syntax: str = ""
    colour_profile_bytes: int = 0
    jpeg_quality: float | None = None
    jpeg_step: float | None = None
    chroma_share: float | None = None
    progressive: bool = False
    exif_bytes: int = 0
    software: bool = False
    xmp: bool = False
    text: bool = False
    resolution: bool = False
    jfif: bool = False
    adobe: bool = False


def container_of(content: bytes) -> Container:
    """Read the facts of a file that `radiograph.read` accepts; its pixels are not decoded.

    Parameters
    ----------
    content : bytes
        Content of a DICOM, PNG or JPEG file.

    Returns
    -------
    Container
        Its facts. Damaged metadata counts as present, and as naming no program.
    """
    with silenced_decoders():
        return _of_dicom(content) if looks_like_dicom(content) else _of_picture(content)


def jpeg_quality(table: NDArray[np.integer[Any]]) -> float:
    """Estimate the quality setting of the Independent JPEG Group's encoder from a quantization table.

    Parameters
    ----------
    table : ndarray of integers, shape (64,)
        Quantization of luminance, row by row.

    Returns
    -------
    float
        The quality in [1, 100] whose table is nearest in absolute difference; tables of other encoders get the nearest one too.
    """
    qualities = np.arange(1, 101)
    scale = np.where(qualities < 50, 5000 // qualities, 200 - 2 * qualities)
    tables = np.clip((_LUMINANCE * scale[:, None] + 50) // 100, 1, 255)
    return float(qualities[np.abs(tables - table).sum(1).argmin()])


def _of_dicom(content: bytes) -> Container:
    dataset = pydicom.dcmread(io.BytesIO(content), force=content[128:132] != b"DICM", stop_before_pixels=True)
    profile = value_of(dataset, "ICCProfile")
    return Container(
        file_format="DICOM",
        bits=integer_of(dataset, "BitsStored"),
        channels=integer_of(dataset, "SamplesPerPixel", 1),
        transfer_syntax=identifier_of(dataset.file_meta, "TransferSyntaxUID"),
        colour_profile_bytes=len(profile) if isinstance(profile, bytes) else 0,
        software=value_of(dataset, "SoftwareVersions") is not None,
    )


def _of_picture(content: bytes) -> Container:
    with Image.open(io.BytesIO(content), formats=("PNG", "JPEG")) as image:
        info = image.info
        shared: dict[str, Any] = {
            "colour_profile_bytes": len(info.get("icc_profile") or b""),
            "progressive": bool(info.get("progressive") or info.get("interlace")),
            "exif_bytes": len(info.get("exif") or b""),
            "software": _names_software(image),
            "xmp": any(key in info for key in _XMP_KEYS),
            "text": any(key in info for key in _TEXT_KEYS),
            "resolution": "dpi" in info or ("jfif_unit" in info and info["jfif_unit"] > 0),
        }
        if isinstance(image, JpegImageFile):
            return Container(
                "JPEG", image.bits, image.layers, jfif="jfif" in info, adobe="adobe" in info, **shared, **_jpeg(image)
            )
        return Container("PNG", content[_PNG_BITS], _PNG_CHANNELS.get(content[_PNG_COLOUR], 1), **shared)


def _jpeg(image: JpegImageFile) -> dict[str, Any]:
    table = np.array(image.quantization[image.layer[0][3]])
    areas = [across * down for _, across, down, _ in image.layer]
    share = areas[1] / areas[0] if len(areas) > 1 else 0.0
    return {"jpeg_quality": jpeg_quality(table), "jpeg_step": float(table.mean()), "chroma_share": share}


def _names_software(image: Image.Image) -> bool:
    packets = [image.info[key] for key in _XMP_KEYS if key in image.info]
    texts = [packet if isinstance(packet, str) else bytes(packet).decode("latin-1") for packet in packets]
    if "Software" in image.info or any("CreatorTool" in text or "softwareAgent" in text for text in texts):
        return True
    try:
        return ExifTags.Base.Software in image.getexif()
    except Exception:  # Pillow reports damaged Exif with errors of many classes
        return False
