"""A film as a DICOM object that DICOMweb clients open: a DICOM film with or without its identifiers, or a picture in a wrapper.

Everything here runs in a worker process, since it parses and decodes files from strangers.
"""

import hashlib
import io
from dataclasses import dataclass, field

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    ComputedRadiographyImageStorage,
    DigitalXRayImageStorageForPresentation,
    DigitalXRayImageStorageForProcessing,
    ExplicitVRLittleEndian,
    SecondaryCaptureImageStorage,
)

from pneumoscope import DISCLAIMER, __version__
from pneumoscope.radiograph import read
from pneumoscope.radiograph.dicom import parse
from pneumoscope.radiograph.dicom_prefix import looks_like_dicom
from pneumoscope.radiograph.errors import UnreadableFileError
from pneumoscope.radiograph.header import identifier_of
from pneumoscope.radiograph.pictures import JPEG_PREFIX, PNG_PREFIX
from pneumoscope.radiograph.radiograph import Grey
from pneumoscope.radiograph.silenced_decoders import silenced_decoders
from pneumoscope.radiograph.stored_values import Stored, stored_values
from pneumoscope.web.dicomweb import json_model
from pneumoscope.web.dicomweb.identifiers import Identifiers
from pneumoscope.web.dicomweb.kept_attributes import kept

STUDY, SERIES, INSTANCE = "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"

_CLASSES = frozenset(
    {
        ComputedRadiographyImageStorage,
        DigitalXRayImageStorageForPresentation,
        DigitalXRayImageStorageForProcessing,
        SecondaryCaptureImageStorage,
    }
)
_EMPTY = (
    "StudyDate", "StudyTime", "AccessionNumber", "ReferringPhysicianName", "StudyID", "PatientID", "PatientBirthDate",
    "PatientSex", "Manufacturer", "PatientOrientation", "SeriesNumber", "InstanceNumber",
)  # fmt: skip
"""Attributes of type 2: empty where nothing is known, or nothing may be said."""
_MOST_LABEL = 64


@dataclass(frozen=True)
class DicomObject:
    """A film as a DICOM object with uncompressed pixels.

    Parameters
    ----------
    uids : tuple of three str
        Study, Series and SOP Instance UID.
    metadata : bytes
        All attributes in the DICOM JSON model (PS3.18 F), with relative URIs of bulk data.
    bulk : dict of str to bytes
        Bulk data by the end of its URI; that of the pixels is ``frames/1``.
    file : bytes
        The object as a file, Explicit VR Little Endian.
    """

    uids: tuple[str, str, str] = field(repr=False)
    metadata: bytes = field(repr=False)
    bulk: dict[str, bytes] = field(repr=False)
    file: bytes = field(repr=False)

    @property
    def n_bytes(self) -> int:
        """Bytes of memory that the object takes."""
        return len(self.metadata) + len(self.file) + sum(map(len, self.bulk.values()))


def dicom_object(content: bytes, label: str, identifiers: Identifiers) -> DicomObject:
    """Make the DICOM object of a film.

    Parameters
    ----------
    content : bytes
        The film's file.
    label : str
        Name of the film that clients may see.
    identifiers : Identifiers
        What stands for the identifiers of the film.

    Returns
    -------
    DicomObject
        The object.

    Raises
    ------
    RadiographError
        If the file cannot be decoded.
    """
    with silenced_decoders():
        dataset = (
            _of_dicom(content, label, identifiers) if looks_like_dicom(content) else _of_picture(content, label, identifiers)
        )
        try:
            metadata, bulk = json_model.encoded(dataset)
            return DicomObject(uids_of(dataset), metadata, bulk, _file(dataset))
        except Exception as error:  # pydicom refuses to write some values that it has read
            raise UnreadableFileError("the DICOM attributes of the film cannot be written again; export it again") from error


def attributes_for_search(content: bytes, label: str, identifiers: Identifiers) -> bytes:
    """Read what a search can match and return of a film, without decoding its pixels.

    Parameters
    ----------
    content, label, identifiers
        As for `dicom_object`.

    Returns
    -------
    bytes
        The attributes in the DICOM JSON model.

    Raises
    ------
    RadiographError
        If the file cannot be parsed.
    """
    with silenced_decoders():
        if looks_like_dicom(content):
            return json_model.for_search(_identified(parse(content), content, label, identifiers))
        if not content.startswith((PNG_PREFIX, JPEG_PREFIX)):
            raise UnreadableFileError("the file is neither DICOM nor PNG nor JPEG; convert it to one of them")
        return json_model.for_search(_wrapper(content, label, identifiers))


def uids_of(dataset: Dataset) -> tuple[str, str, str]:
    """Return the UIDs by which an object is retrieved.

    Parameters
    ----------
    dataset : Dataset
        The object.

    Returns
    -------
    tuple of three str
        Study, Series and SOP Instance UID.
    """
    return str(dataset.StudyInstanceUID), str(dataset.SeriesInstanceUID), str(dataset.SOPInstanceUID)


def _of_dicom(content: bytes, label: str, identifiers: Identifiers) -> Dataset:
    parsed = parse(content)
    stored = stored_values(parsed)  # completes the attributes of the Image Pixel module
    dataset = _identified(parsed, content, label, identifiers)
    _set_pixels(dataset, stored, int(parsed.BitsStored))
    return dataset


def _identified(parsed: Dataset, content: bytes, label: str, identifiers: Identifiers) -> Dataset:
    """The attributes of a DICOM film with its own identifiers, or those for display with others."""
    dataset = parsed if identifiers.are_kept else kept(parsed)
    if not identifiers.are_kept:
        _replace_identifiers(dataset, parsed, label, identifiers)
    given = {keyword: identifier_of(parsed, keyword) for keyword in (STUDY, SERIES, INSTANCE)}
    for keyword, uid in given.items():
        if not uid or not identifiers.are_kept:
            setattr(dataset, keyword, identifiers.derived_uid(keyword, uid or hashlib.sha256(content).hexdigest()))
    return dataset


def _replace_identifiers(dataset: Dataset, parsed: Dataset, label: str, identifiers: Identifiers) -> None:
    stated = identifier_of(parsed, "SOPClassUID")
    dataset.SOPClassUID = stated if stated in _CLASSES else SecondaryCaptureImageStorage
    _set_empty(dataset, *_EMPTY)
    if dataset.SOPClassUID == ComputedRadiographyImageStorage:
        _set_empty(dataset, "ViewPosition")
    if "BodyPartExamined" not in dataset:  # Laterality is there only where a part of the body may be paired
        _set_empty(dataset, "BodyPartExamined", "Laterality")
    who = [identifier_of(parsed, keyword) for keyword in ("PatientID", "IssuerOfPatientID", "PatientName", "PatientBirthDate")]
    dataset.PatientName = dataset.PatientID = identifiers.patient(*who)
    dataset.SeriesDescription = _line(label)
    dataset.PatientIdentityRemoved = "YES"
    dataset.DeidentificationMethod = "Only attributes for display kept; UIDs replaced"
    dataset.LongitudinalTemporalInformationModified = "REMOVED"


def _set_empty(dataset: Dataset, *keywords: str) -> None:
    for keyword in keywords:
        if keyword not in dataset:
            setattr(dataset, keyword, "")


def _wrapper(content: bytes, label: str, identifiers: Identifiers) -> Dataset:
    """A Secondary Capture image (PS3.3 A.8.1) that states what is known of a picture: no patient, device or view."""
    sha256 = hashlib.sha256(content).hexdigest()
    dataset = Dataset()
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.SOPClassUID = SecondaryCaptureImageStorage
    for keyword in (STUDY, SERIES, INSTANCE):
        setattr(dataset, keyword, identifiers.derived_uid(keyword, sha256))
    _set_empty(dataset, *_EMPTY, "Laterality")
    dataset.PatientName = _line(label).replace("^", " ").replace("=", " ")
    dataset.SeriesDescription = _line(label)
    dataset.Modality, dataset.ConversionType, dataset.ImageType = "OT", "WSD", ["DERIVED", "SECONDARY"]
    dataset.DerivationDescription = f"Made of a picture by Pneumoscope {__version__}. {DISCLAIMER}"
    return dataset


def _of_picture(content: bytes, label: str, identifiers: Identifiers) -> Dataset:
    """The wrapper with the picture: its grey levels as they are displayed, in as few bits as hold them."""
    radiograph = read(content)
    dataset = _wrapper(content, label, identifiers)
    bits = next(bits for bits in range(8, 17) if bits == 16 or _has_bits(radiograph.pixels, bits))
    levels = np.rint(radiograph.pixels.astype(np.float64) * (2**bits - 1)).astype(np.uint8 if bits == 8 else np.uint16)
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation, dataset.PixelRepresentation = 1, "MONOCHROME2", 0
    dataset.PresentationLUTShape = "IDENTITY"
    dataset.WindowCenter, dataset.WindowWidth = 2 ** (bits - 1), 2**bits
    if radiograph.file_format == "JPEG":
        dataset.LossyImageCompression, dataset.LossyImageCompressionMethod = "01", "ISO_10918_1"
        dataset.LossyImageCompressionRatio = f"{levels.nbytes / len(content):.4g}"
    _set_pixels(dataset, levels, bits)
    return dataset


def _has_bits(pixels: Grey, bits: int) -> bool:
    """Whether all grey levels are multiples of the smallest step of as many bits, within float32 rounding."""
    steps = pixels.astype(np.float64) * (2**bits - 1)
    return bool(np.abs(steps - np.rint(steps)).max() <= 2.0 ** (bits - 23))


def _set_pixels(dataset: Dataset, stored: Stored, bits: int) -> None:
    signed = stored.dtype.kind == "i"
    allocated = 8 if bits == 8 else 16
    dataset.Rows, dataset.Columns = stored.shape
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = allocated, bits, bits - 1
    dataset.PixelRepresentation = int(signed)
    frame = np.ascontiguousarray(stored, f"<{stored.dtype.kind}{allocated // 8}").tobytes()
    dataset.add_new("PixelData", "OB" if allocated == 8 else "OW", frame + b"\0" * (len(frame) % 2))


def _file(dataset: Dataset) -> bytes:
    """The object as a file; the meta information of the original, which names its device and software, is left out."""
    written = Dataset({element.tag: element for element in dataset})
    written.file_meta = FileMetaDataset()
    written.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    written.file_meta.MediaStorageSOPClassUID, written.file_meta.MediaStorageSOPInstanceUID = (
        dataset.SOPClassUID,
        dataset.SOPInstanceUID,
    )
    stream = io.BytesIO()
    written.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def _line(label: str) -> str:
    """A label as one value of VR LO."""
    return "".join(letter if letter.isprintable() and letter != "\\" else " " for letter in label)[:_MOST_LABEL].strip()
