"""Finish a data set that a writer made, and encode it as a file: what all kinds of object share."""

import io
from typing import Any

import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.errors import InvalidDicomError
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian

from pneumoscope import DISCLAIMER, __version__
from pneumoscope.dicom_objects.data_elements import Element
from pneumoscope.dicom_objects.dicom_object import DicomObject
from pneumoscope.dicom_objects.errors import NotDicomError
from pneumoscope.dicom_objects.profiles import KINDS, Kind
from pneumoscope.dicom_objects.result import Result
from pneumoscope.dicom_objects.uids import derived_uid
from pneumoscope.radiograph.terms import NOT_A_TERM

MANUFACTURER = "Pneumoscope"
IMPLEMENTATION_CLASS_UID = derived_uid("implementation class", MANUFACTURER)
_FIRST_SERIES_NUMBER = 9001
_MOST_LO = 64
_COPIED = (
    "IssuerOfPatientID", "PatientAge", "PatientSize", "PatientWeight", "StudyDescription", "TimezoneOffsetFromUTC",
    "PatientIdentityRemoved", "DeidentificationMethod", "LongitudinalTemporalInformationModified",
)  # fmt: skip


def common_arguments(result: Result, kind: Kind, description: str) -> dict[str, Any]:
    """Give the arguments that the constructors of all highdicom objects share.

    Parameters
    ----------
    result : Result
        The reading to be written.
    kind : {"sr", "seg", "pm", "sc", "gsps"}
        Kind of object.
    description : str
        Series Description, at most 64 characters.

    Returns
    -------
    dict
        UIDs, series and instance number, and equipment.
    """
    return {
        "series_instance_uid": result.uid(kind, "series"),
        "series_number": _FIRST_SERIES_NUMBER + KINDS.index(kind),
        "sop_instance_uid": result.uid(kind, "instance"),
        "instance_number": 1,
        "manufacturer": MANUFACTURER,
        "manufacturer_model_name": result.reading.model.name[:_MOST_LO],
        "software_versions": __version__,
        "device_serial_number": result.reading.model.sha256[:_MOST_LO],
        "series_description": description,
        "transfer_syntax_uid": ExplicitVRLittleEndian,
    }


def common_attributes(result: Result, kind: Kind, sop_class_uid: str, description: str) -> Dataset:
    """Make a data set with the attributes that all objects have, for a kind that highdicom does not make.

    Parameters
    ----------
    result : Result
        The reading to be written.
    kind : {"sr", "seg", "pm", "sc", "gsps"}
        Kind of object.
    sop_class_uid : str
        Its SOP Class UID.
    description : str
        Series Description, at most 64 characters.

    Returns
    -------
    Dataset
        UIDs, series and instance number, equipment, and empty times.
    """
    dataset = Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID = UID(sop_class_uid), UID(result.uid(kind, "instance"))
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = result.source.dataset.StudyInstanceUID, result.uid(kind, "series")
    dataset.SeriesNumber, dataset.InstanceNumber = _FIRST_SERIES_NUMBER + KINDS.index(kind), 1
    dataset.SeriesDescription = description
    dataset.Manufacturer, dataset.SoftwareVersions = MANUFACTURER, __version__
    dataset.ManufacturerModelName = result.reading.model.name[:_MOST_LO]
    dataset.DeviceSerialNumber = result.reading.model.sha256[:_MOST_LO]
    for name in ("InstanceCreation", "Content"):
        setattr(dataset, f"{name}Date", "")
        setattr(dataset, f"{name}Time", "")
    return dataset


def set_body_part(dataset: Dataset, result: Result) -> None:
    """State the body part in the General Series module (PS3.3 C.7.3.1); where it is unknown, it may be paired, so that the module
    needs an empty Laterality.

    Parameters
    ----------
    dataset : Dataset
        The object. It is changed.
    result : Result
        The reading that it is made of.
    """
    part = result.radiograph.body_part
    if part and part != NOT_A_TERM:
        dataset.BodyPartExamined = part
    else:
        dataset.Laterality = ""


def finished(dataset: Dataset, result: Result, kind: Kind, *, last: Element | None = None, deflated: bool = False) -> DicomObject:
    """Set what all objects have in common, make random UIDs and times those of the reading, and encode the object.

    Parameters
    ----------
    dataset : Dataset
        What a writer made. It is changed.
    result : Result
        The reading that it was made of.
    kind : {"sr", "seg", "pm", "sc", "gsps"}
        Kind of object.
    last : Element, optional
        An element that is encoded already and follows those of the data set.
    deflated : bool
        Whether the data set is deflated; without `last`.

    Returns
    -------
    DicomObject
        The same bytes for the same result.
    """
    _set_patient_and_study(dataset, result)
    _set_times(dataset, result)
    _replace_dimension_uids(dataset, result, kind)
    if "ContentLabel" in dataset and "ContentCreatorName" not in dataset:
        dataset.ContentCreatorName = ""  # of type 2 in the Content Identification macro (PS3.3 10.9)
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.ContributingEquipmentSequence = [_contributing_equipment(result)]
    dataset.SeriesDate, dataset.SeriesTime = _date(result), _time(result)
    return DicomObject(kind, str(dataset.SOPClassUID), str(dataset.SOPInstanceUID), _encoded(dataset, last, deflated))


def parsed(content: bytes) -> Dataset:
    """Parse an object.

    Parameters
    ----------
    content : bytes
        A DICOM file.

    Returns
    -------
    Dataset
        Its data set.

    Raises
    ------
    NotDicomError
        The content is no DICOM file.
    """
    try:
        return pydicom.dcmread(io.BytesIO(content))
    except InvalidDicomError:
        raise NotDicomError("this is no DICOM object; give a file that Pneumoscope wrote") from None


def device_uid(result: Result) -> str:
    """Derive the Device UID (0018,1002) of a model.

    Parameters
    ----------
    result : Result
        A reading of the model.

    Returns
    -------
    str
        The UID, the same in all objects of the model.
    """
    return derived_uid("device", result.reading.model.sha256)


def _set_patient_and_study(dataset: Dataset, result: Result) -> None:
    header = result.source.dataset
    for keyword in (
        "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "AccessionNumber",
        "ReferringPhysicianName", "StudyID", *_COPIED,
    ):  # fmt: skip
        if keyword in header:
            setattr(dataset, keyword, header[keyword].value)
        elif keyword in dataset:
            delattr(dataset, keyword)


def _set_times(dataset: Dataset, result: Result) -> None:
    for name in ("InstanceCreation", "Content", "PresentationCreation", "Acquisition"):
        for keyword, value in ((f"{name}Date", _date(result)), (f"{name}Time", _time(result))):
            if keyword in dataset:
                setattr(dataset, keyword, value)


def _replace_dimension_uids(dataset: Dataset, result: Result, kind: Kind) -> None:
    """Make the random UIDs of the dimension organization (PS3.3 C.7.6.17) follow from the reading."""
    for keyword in ("DimensionOrganizationSequence", "DimensionIndexSequence"):
        for item in dataset.get(keyword, ()):
            item.DimensionOrganizationUID = result.uid(kind, "dimension organization")


def _contributing_equipment(result: Result) -> Dataset:
    """An item of the Contributing Equipment Sequence (PS3.3 C.12.1.1.5): the model that read the image."""
    item = Dataset()
    item.PurposeOfReferenceCodeSequence = [coded(codes.DCM.ProcessingEquipment)]
    item.Manufacturer = MANUFACTURER
    item.ManufacturerModelName = result.reading.model.name[:_MOST_LO]
    item.SoftwareVersions = __version__
    item.DeviceSerialNumber = result.reading.model.sha256[:_MOST_LO]
    item.DeviceUID = device_uid(result)
    item.ContributionDateTime = _date(result) + _time(result)
    item.ContributionDescription = f"Read for {result.reading.score.target} by a model. {DISCLAIMER}"
    return item


def coded(code: Code) -> Dataset:
    """Make an item of a code sequence (PS3.3 8.8).

    Parameters
    ----------
    code : Code
        Value, scheme and meaning.

    Returns
    -------
    Dataset
        The item.
    """
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = code.value, code.scheme_designator, code.meaning
    return item


def _date(result: Result) -> str:
    return result.local_time.strftime("%Y%m%d")


def _time(result: Result) -> str:
    return result.local_time.strftime("%H%M%S")


def _encoded(dataset: Dataset, last: Element | None, deflated: bool) -> bytes:
    written = Dataset({element.tag: element for element in dataset})
    written.file_meta = FileMetaDataset()
    written.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    written.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    written.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian if deflated else ExplicitVRLittleEndian
    written.file_meta.ImplementationClassUID = UID(IMPLEMENTATION_CLASS_UID)
    written.file_meta.ImplementationVersionName = f"PNEUMOSCOPE {__version__}"[:16]
    stream = io.BytesIO()
    written.save_as(stream, enforce_file_format=True)
    if last is None:
        return stream.getvalue()
    if last[0] <= max(written.keys()):
        raise ValueError("the last element has a tag that is not the highest")
    return stream.getvalue() + last[1]
