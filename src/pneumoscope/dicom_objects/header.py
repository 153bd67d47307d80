"""Copy from the header of a source image what an object of it needs, each value checked against its value representation."""

import io
import re
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
import pydicom
from pydicom import config
from pydicom.datadict import dictionary_VM, dictionary_VR, tag_for_keyword
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence
from pydicom.valuerep import validate_value

from pneumoscope.dicom_objects.errors import DicomObjectError, NotDicomError, UnidentifiedImageError
from pneumoscope.radiograph.dicom_prefix import looks_like_dicom
from pneumoscope.radiograph.header import attribute
from pneumoscope.radiograph.silenced_decoders import silenced_decoders
from pneumoscope.radiograph.terms import TERMS

_UIDS = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")
_TYPE_2 = (
    "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "AccessionNumber",
    "ReferringPhysicianName", "StudyID",
)  # fmt: skip
"""Attributes of the Patient and General Study modules (PS3.3 C.7.1.1, C.7.2.1): present in every object, if need be empty."""
_TYPE_3 = (
    "IssuerOfPatientID", "PatientAge", "PatientSize", "PatientWeight", "StudyDescription", "TimezoneOffsetFromUTC",
    "PatientIdentityRemoved", "DeidentificationMethod", "LongitudinalTemporalInformationModified",
)  # fmt: skip
_IMAGE = (
    "Modality", "BodyPartExamined", "Laterality", "ViewPosition", "PatientOrientation", "SeriesNumber", "InstanceNumber",
    "Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "SamplesPerPixel",
    "PhotometricInterpretation", "PresentationLUTShape", "PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing",
    "PixelAspectRatio", "WindowCenter", "WindowWidth", "VOILUTFunction", "RescaleSlope", "RescaleIntercept", "RescaleType",
    "BurnedInAnnotation", "LossyImageCompression", "LossyImageCompressionRatio", "LossyImageCompressionMethod",
    "FrameOfReferenceUID", "AcquisitionDate", "AcquisitionTime",
)  # fmt: skip
_TERMS = {
    "PatientSex": TERMS["PatientSex"],
    "PhotometricInterpretation": TERMS["PhotometricInterpretation"],
    "PresentationLUTShape": frozenset({"IDENTITY", "INVERSE"}),
    "VOILUTFunction": TERMS["VOILUTFunction"],
    "Laterality": frozenset("RL"),
    "PatientIdentityRemoved": frozenset({"YES", "NO"}),
    "BurnedInAnnotation": frozenset({"YES", "NO"}),
    "LossyImageCompression": frozenset({"00", "01"}),
    "LongitudinalTemporalInformationModified": frozenset({"REMOVED", "MODIFIED", "UNMODIFIED"}),
    "Modality": TERMS["Modality"],
}
"""Attributes whose other values are dropped."""
_POSITIVE = frozenset({"PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing", "PixelAspectRatio", "WindowWidth"})
_ZONE = re.compile(r"[+-](0\d|1[0-4])[0-5]\d")
_UID = re.compile(r"\d+(\.\d+)+", re.ASCII)
"""A UID, also with leading zeros, which PS3.5 9.1 forbids and some devices write: an object has to name what the PACS knows."""
_MOST_UID = 64
_CONTROL = re.compile(r"[\x00-\x1f\x7f\ufffd]")


@dataclass(frozen=True)
class SourceImage:
    """The image that was read, as far as its objects need it.

    Parameters
    ----------
    dataset : Dataset
        Validated attributes, in UTF-8 (``ISO_IR 192``), without pixel data: attributes of type 2 are present, if need be empty,
        and other attributes whose value was invalid are absent.
    rows, cols : int
        Size of its pixel grid.
    """

    dataset: Dataset = field(repr=False)
    rows: int
    cols: int

    @property
    def sop_class_uid(self) -> str:
        """SOP Class UID of the image."""
        return str(self.dataset.SOPClassUID)

    @property
    def sop_instance_uid(self) -> str:
        """SOP Instance UID of the image."""
        return str(self.dataset.SOPInstanceUID)


def source_image(content: bytes) -> SourceImage:
    """Read and validate the header of a source image.

    Parameters
    ----------
    content : bytes
        The image's file.

    Returns
    -------
    SourceImage
        Its validated header.

    Raises
    ------
    NotDicomError
        The file is no DICOM file.
    UnidentifiedImageError
        A UID by which an object refers to the image is missing or invalid.
    DicomObjectError
        The file cannot be parsed, or is no image.
    """
    if not looks_like_dicom(content):
        raise NotDicomError(
            "DICOM objects refer to a DICOM image, and this file is none; give the DICOM file, or leave out the DICOM output"
        )
    with silenced_decoders():
        return _validated(_parsed(content))


def _parsed(content: bytes) -> Dataset:
    try:
        return pydicom.dcmread(io.BytesIO(content), stop_before_pixels=True, force=True)
    except Exception:  # pydicom raises errors of many classes, and some quote the header
        raise DicomObjectError("the DICOM header could not be parsed; send the image again from its source") from None


def _validated(parsed: Dataset) -> SourceImage:
    dataset = Dataset()
    dataset.SpecificCharacterSet = "ISO_IR 192"
    for keyword in (*_TYPE_2, *_TYPE_3, *_IMAGE):
        value = _valid(parsed, keyword)
        if value is not None or keyword in _TYPE_2:
            setattr(dataset, keyword, "" if value is None else value)
    for keyword in ("ModalityLUTSequence", "VOILUTSequence"):
        tables = _tables(parsed, keyword)
        if tables:
            setattr(dataset, keyword, tables)
    for keyword in _UIDS:
        setattr(dataset, keyword, _uid(parsed, keyword))
    if "Rows" not in dataset or "Columns" not in dataset:
        raise DicomObjectError("the DICOM source states no Rows and Columns, so that it is no image; give a radiograph")
    return SourceImage(dataset, int(dataset.Rows), int(dataset.Columns))


def _tables(parsed: Dataset, keyword: str) -> list[Dataset]:
    """The tables of a Modality or VOI LUT Sequence (PS3.3 C.11.1, C.11.2), without their explanations."""
    items = _value(parsed, keyword)
    little_endian = parsed.original_encoding[1] is not False
    tables = [_table(item, little_endian) for item in items] if isinstance(items, Sequence) else []
    return [table for table in tables if table is not None]


def _table(item: Dataset, little_endian: bool) -> Dataset | None:
    """A table with entries of 16 bits in little endian order; None where its descriptor and its entries do not fit."""
    try:
        descriptor, data = item["LUTDescriptor"], item["LUTData"].value
        count, first, bits = (int(number) for number in descriptor.value)
        count = count or 2**16
        if isinstance(data, bytes):
            words = "u1" if len(data) < 2 * count else "<u2" if little_endian else ">u2"
            entries = np.frombuffer(data, words)[:count]
        else:
            entries = np.asarray(data)
        table = Dataset()
        table.add_new("LUTDescriptor", descriptor.VR, [count % 2**16, first, bits])
        table.add_new("LUTData", "OW", entries.astype("<u2").tobytes())
    except Exception:  # pydicom converts values late, with errors of many classes
        return None
    if "ModalityLUTType" in item:
        table.ModalityLUTType = "US"
    return table if entries.shape == (count,) else None


def _uid(parsed: Dataset, keyword: str) -> str:
    text = _text(_value(parsed, keyword) or "").strip(" \0")
    if not _UID.fullmatch(text) or len(text) > _MOST_UID:
        state = "invalid" if text else "missing"
        raise UnidentifiedImageError(
            f"the attribute {attribute(keyword)} of the DICOM source is {state}, so that no object can refer to the image; "
            "export it again from its source"
        )
    return text


def _value(parsed: Dataset, keyword: str) -> object:
    """The value as pydicom converts it; None where it is absent, empty or cannot be converted."""
    try:
        value = parsed.get(keyword)
    except Exception:  # pydicom converts values late, with errors of many classes
        return None
    return None if value is None or value == "" else value


def _valid(parsed: Dataset, keyword: str) -> object | None:
    """The value of an attribute, None where it is absent or not valid for its value representation and multiplicity."""
    value = _value(parsed, keyword)
    if value is None:
        return None
    several = list(value) if isinstance(value, MultiValue | list | tuple) else [value]
    tag = tag_for_keyword(keyword) or 0
    if not _fits(len(several), dictionary_VM(tag)):
        return None
    written = [_valid_item(item, keyword, dictionary_VR(tag)) for item in several]
    if any(item is None for item in written):
        return None
    return written[0] if len(written) == 1 else written


def _text(item: object) -> str:
    """The value as text; empty for what has none, such as a damaged item of a sequence."""
    try:
        return str(item)
    except Exception:  # pydicom converts values late, with errors of many classes
        return ""


def _fits(count: int, multiplicity: str) -> bool:
    low, _, high = multiplicity.partition("-")
    return int(low) <= count and (high.endswith("n") or count <= int(high or low))


def _valid_item(item: object, keyword: str, vr: str) -> object | None:
    if vr == "US":
        return int(item) if isinstance(item, int) and 0 <= item < 2**16 else None
    text = _text(item).strip(" \0")
    if not text or _CONTROL.search(text) or (keyword in _TERMS and text not in _TERMS[keyword]):
        return None
    try:
        validate_value(vr, text, config.RAISE)
        if vr == "DA":
            datetime.strptime(text, "%Y%m%d")
        if keyword == "TimezoneOffsetFromUTC" and not _ZONE.fullmatch(text):
            return None
        low = float(text) if keyword in _POSITIVE else 1.0
    except ValueError:
        return None
    return text if low > 0 and not (vr in ("DA", "TM") and "-" in text) else None  # validate_value allows ranges for queries
