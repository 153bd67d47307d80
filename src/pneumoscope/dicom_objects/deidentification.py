"""De-identify a source image by the Basic Application Level Confidentiality Profile (PS3.15 E.1) of `dicom-anonymizer`.

Pixels are not touched: text that is burned into them, such as a name, stays readable.
"""

import hashlib
import io
import json
from collections.abc import Callable, Mapping

import pydicom
from dicomanonymizer import simpledicomanonymizer
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.multival import MultiValue
from pydicom.sr.coding import Code

from pneumoscope.dicom_objects.encoding import IMPLEMENTATION_CLASS_UID, coded
from pneumoscope.dicom_objects.errors import NotDicomError
from pneumoscope.dicom_objects.silenced_libraries import silenced_libraries
from pneumoscope.dicom_objects.uids import derived_uid
from pneumoscope.radiograph.dicom_prefix import looks_like_dicom

Action = Callable[[Dataset, tuple[int, int]], None]

METHOD = "PS3.15 Basic Profile by dicom-anonymizer; pixels not cleaned"
_PSEUDONYM_DIGITS = 12
_PROFILE = Code("113100", "DCM", "Basic Application Confidentiality Profile")
_DUMMIES = frozenset({"00010101", "00010101010101.000000+0000", "000000.00"})
"""What the library writes for dates and times; they are emptied, since a date of the year 1 is an answer that is not true."""
_TYPE_2 = ("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "AccessionNumber",
           "ReferringPhysicianName", "StudyID")  # fmt: skip


def deidentified(content: bytes, key: str) -> bytes:
    """De-identify a DICOM image.

    Parameters
    ----------
    content : bytes
        The image's file.
    key : str
        Secret from which UIDs are derived together with the original ones: the same key gives images of one study one new
        Study Instance UID, and only who has the key can tell which original UID a new one stands for.

    Returns
    -------
    bytes
        The de-identified file with the same pixels; the same bytes for the same arguments.

    Raises
    ------
    NotDicomError
        The file is no DICOM file.
    DicomObjectError
        The header cannot be parsed or written.
    """
    if not looks_like_dicom(content):
        raise NotDicomError("only a DICOM image can be de-identified, and this file is none; give the DICOM file")
    with silenced_libraries("de-identified"):
        dataset = pydicom.dcmread(io.BytesIO(content), force=True)
        patient = _pseudonym(dataset, key)
        _clean(dataset, _actions(key))
        dataset.PatientID = dataset.PatientName = patient
        for keyword in _TYPE_2:
            if keyword not in dataset:
                setattr(dataset, keyword, "")
        dataset.PatientIdentityRemoved, dataset.DeidentificationMethod = "YES", METHOD
        dataset.DeidentificationMethodCodeSequence = [coded(_PROFILE)]
        dataset.LongitudinalTemporalInformationModified = "REMOVED"
        return _written(dataset)


def _pseudonym(dataset: Dataset, key: str) -> str:
    """A name for the patient, the same in all images with one Patient ID and issuer, or of one study where there is no ID."""
    identity = [str(dataset.get(keyword, "")).strip() for keyword in ("PatientID", "IssuerOfPatientID")]
    known = identity if identity[0] else [str(dataset.get("StudyInstanceUID", ""))]
    return f"ANON-{hashlib.sha256(json.dumps([key, *known]).encode()).hexdigest()[:_PSEUDONYM_DIGITS].upper()}"


def _actions(key: str) -> Mapping[tuple[int, ...], Action]:
    """The rules of the profile, with UIDs that follow from the original ones in place of random ones."""

    def replace_uid(dataset: Dataset, tag: tuple[int, int]) -> None:
        element = dataset.get(tag)
        if element is not None and element.VR == "UI" and element.value:
            several = isinstance(element.value, MultiValue)
            made = [derived_uid("de-identified", key, str(uid)) for uid in (element.value if several else [element.value])]
            element.value = made if several else made[0]

    def replace_uids_below(dataset: Dataset, tag: tuple[int, int]) -> None:
        element = dataset.get(tag)
        if element is not None and element.VR != "UI":
            simpledicomanonymizer.empty_element(element)
        replace_uid(dataset, tag)

    own = {
        simpledicomanonymizer.replace_UID: replace_uid,
        simpledicomanonymizer.delete_or_empty_or_replace_UID: replace_uids_below,
    }
    rules: Mapping[tuple[int, ...], Action] = simpledicomanonymizer.initialize_actions_2024b()
    return {tag: own.get(action, action) for tag, action in rules.items() if tag[0] != 0x0002}


def _clean(dataset: Dataset, actions: Mapping[tuple[int, ...], Action]) -> None:
    """Clean a data set and the items of the sequences that it keeps, which the library alone does not reach."""
    simpledicomanonymizer.anonymize_dataset(dataset, base_rules_gen=lambda: dict(actions))
    for element in dataset:
        if element.VR == "SQ":
            for item in element.value:
                _clean(item, actions)
        elif element.VR in ("DA", "TM", "DT") and str(element.value) in _DUMMIES:
            element.value = ""


def _written(dataset: Dataset) -> bytes:
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = dataset.file_meta.TransferSyntaxUID
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = dataset.SOPClassUID, dataset.SOPInstanceUID
    meta.ImplementationClassUID = pydicom.uid.UID(IMPLEMENTATION_CLASS_UID)
    dataset.file_meta, dataset.preamble = meta, b"\0" * 128
    stream = io.BytesIO()
    dataset.save_as(stream, enforce_file_format=True)
    return stream.getvalue()
