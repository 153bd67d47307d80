"""Write a reading as a Secondary Capture image (PS3.3 A.8.1): a picture for systems that show no other object.

The picture is the radiograph with heat map and findings, in the displayed order, above a strip with the answer and the warning.
Both are pixels, so that no system can show one without the other.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.uid import SecondaryCaptureImageStorage

from pneumoscope import DISCLAIMER
from pneumoscope.dicom_objects.dicom_object import DicomObject
from pneumoscope.dicom_objects.encoding import coded, common_attributes, finished, parsed, set_body_part
from pneumoscope.dicom_objects.errors import DicomObjectError
from pneumoscope.dicom_objects.result import Result
from pneumoscope.dicom_objects.silenced_libraries import silenced_libraries
from pneumoscope.readings import ModelReading
from pneumoscope.reports.overlay import caption_of, paint_overlay

_MOST_ST = 1024
LARGEST_PX = 1024
"""Largest height and width of the picture."""
_NARROWEST_PX = 640
_MARGIN_PX = 10
_TEXT_PX, _WARNING_PX = 17, 22
_BACKGROUND, _WHITE, _YELLOW = (18, 18, 18), (255, 255, 255), (255, 220, 90)


@dataclass(frozen=True)
class Capture:
    """What a Secondary Capture image holds.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (rows, cols, 3)
        The picture, RGB.
    text : str
        The text of its strip.
    source_uid : str
        SOP Instance UID of the image that was read.
    """

    pixels: NDArray[np.uint8] = field(repr=False)
    text: str
    source_uid: str = field(repr=False)


def write(result: Result) -> DicomObject:
    """Write the picture of a reading.

    Parameters
    ----------
    result : Result
        The reading.

    Returns
    -------
    DicomObject
        Secondary Capture Image, RGB with 8 bits, at most `LARGEST_PX` high and wide.
    """
    dataset = common_attributes(result, "sc", SecondaryCaptureImageStorage, f"Pneumoscope picture. {DISCLAIMER}")
    dataset.Modality, dataset.ConversionType = "OT", "WSD"
    dataset.ImageType = ["DERIVED", "SECONDARY"]
    dataset.PatientOrientation = ""
    dataset.DerivationDescription = text_of(result.reading)[:_MOST_ST]
    dataset.SourceImageSequence = [_source(result)]
    if "BurnedInAnnotation" in result.source.dataset:  # whether the radiograph in the picture shows who the patient is
        dataset.BurnedInAnnotation = result.source.dataset.BurnedInAnnotation
    _set_pixels(dataset, np.asarray(picture(result)))
    dataset.LossyImageCompression = result.source.dataset.get("LossyImageCompression", "00")
    _copy_lossy(dataset, result.source.dataset)
    set_body_part(dataset, result)
    return finished(dataset, result, "sc")


def read(content: bytes) -> Capture:
    """Read a picture back.

    Parameters
    ----------
    content : bytes
        A Secondary Capture image that `write` made.

    Returns
    -------
    Capture
        The picture and what it says.

    Raises
    ------
    DicomObjectError
        The object is no such image.
    """
    with silenced_libraries("read"):
        dataset = parsed(content)
        if dataset.get("SOPClassUID") != SecondaryCaptureImageStorage or "DerivationDescription" not in dataset:
            raise DicomObjectError("the DICOM object is no Secondary Capture of Pneumoscope's; give its SC image")
        (source,) = dataset.SourceImageSequence
        return Capture(dataset.pixel_array, str(dataset.DerivationDescription), str(source.ReferencedSOPInstanceUID))


def text_of(reading: ModelReading) -> str:
    """Say a reading as the strip below the picture says it.

    Parameters
    ----------
    reading : ModelReading
        The reading.

    Returns
    -------
    str
        Warning, answer and origin.
    """
    answer, origin = caption_of(reading)
    return f"{DISCLAIMER} {answer}. {origin}."


def picture(result: Result) -> Image.Image:
    """Render the picture of a reading.

    Parameters
    ----------
    result : Result
        The reading.

    Returns
    -------
    PIL.Image.Image
        RGB, at most `LARGEST_PX` high and wide.
    """
    lines = _lines(result.reading, _NARROWEST_PX)
    strip = _height(lines)
    overlay = paint_overlay(result.radiograph, result.reading, LARGEST_PX - strip)
    width = max(overlay.width, _NARROWEST_PX)
    canvas = Image.new("RGB", (width, overlay.height + strip), _BACKGROUND)
    canvas.paste(overlay, ((width - overlay.width) // 2, 0))
    top = overlay.height + _MARGIN_PX
    for text, size, colour in lines:
        ImageDraw.Draw(canvas).text((_MARGIN_PX, top), text, fill=colour, font=ImageFont.load_default(size))
        top += size + 6
    return canvas


def _lines(reading: ModelReading, width: int) -> list[tuple[str, int, tuple[int, int, int]]]:
    """The lines of the strip, with size and colour, broken so that each fits a width."""
    answer, origin = caption_of(reading)
    parts = ((DISCLAIMER, _WARNING_PX, _YELLOW), (answer, _TEXT_PX, _WHITE), (origin, _TEXT_PX, _WHITE))
    return [(line, size, colour) for text, size, colour in parts for line in _broken(text, size, width - 2 * _MARGIN_PX)]


def _broken(text: str, size: int, width: int) -> list[str]:
    font, lines = ImageFont.load_default(size), [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if font.getlength(longer) <= width or not lines[-1]:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def _height(lines: list[tuple[str, int, tuple[int, int, int]]]) -> int:
    return 2 * _MARGIN_PX + sum(size + 6 for _, size, _ in lines)


def _source(result: Result) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = result.source.sop_class_uid, result.source.sop_instance_uid
    item.PurposeOfReferenceCodeSequence = [coded(codes.DCM.SourceImageForImageProcessingOperation)]
    return item


def _copy_lossy(dataset: Dataset, source: Dataset) -> None:
    """Say that the radiograph in the picture had been compressed with loss (PS3.3 C.7.6.1.1.5)."""
    for keyword in ("LossyImageCompressionRatio", "LossyImageCompressionMethod"):
        if dataset.LossyImageCompression == "01" and keyword in source:
            setattr(dataset, keyword, source[keyword].value)


def _set_pixels(dataset: Dataset, pixels: NDArray[np.uint8]) -> None:
    dataset.Rows, dataset.Columns, dataset.SamplesPerPixel = pixels.shape
    dataset.PhotometricInterpretation, dataset.PlanarConfiguration = "RGB", 0
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 8, 8, 7, 0
    frame = pixels.tobytes()
    dataset.add_new("PixelData", "OB", frame + b"\0" * (len(frame) % 2))
