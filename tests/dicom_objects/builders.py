"""Source images as real devices write them, and a reading with two findings on an asymmetric radiograph."""

from collections.abc import Mapping
from datetime import UTC, datetime

import numpy as np
from pydicom import config
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.uid import DigitalXRayImageStorageForPresentation, SecondaryCaptureImageStorage

from pneumoscope.classifier import GreyZone, OperatingPoint, PopulationChoice, Score
from pneumoscope.dicom_objects import Profile, Result, source_image
from pneumoscope.dicom_objects.encoding import coded
from pneumoscope.radiograph import Region, read
from pneumoscope.readings import DomainCheck, Finding, ModelIdentity, ModelReading
from tests.heatmap.builders import heatmap_of
from tests.lung_fields.builders import lungs
from tests.radiograph.builders import cr, written

ROWS, COLS = 96, 80
CREATED = datetime(2026, 3, 4, 5, 6, 7, 890_000, tzinfo=UTC)
UIDS = {"StudyInstanceUID": "1.2.3.1", "SeriesInstanceUID": "1.2.3.2", "SOPInstanceUID": "1.2.3.3"}
PLANTED = "Planted^Name"
_ABSENT = {"PatientName": "", "PatientID": "", "AccessionNumber": ""}
_BOXES = Region(30.0, 8.0, 60.0, 32.0), Region(10.0, 50.0, 24.0, 70.0)


def stored() -> np.ndarray:
    """Stored values of 12 bits that no turn, no flip and no negative maps on themselves."""
    values = np.linspace(200, 3000, ROWS * COLS).reshape(ROWS, COLS)
    values[8:24, 6:14] = 4095
    return values.astype(np.uint16)


def with_raw(dataset: Dataset, **values: str) -> Dataset:
    """The image with values that are not valid, as devices write them."""
    for keyword, value in values.items():
        parts = value.split("\\") if "\\" in value else value
        dataset.add(DataElement(tag_for_keyword(keyword), dictionary_VR(keyword), parts, validation_mode=config.IGNORE))
    return dataset


def cr_without_ids() -> Dataset:
    """A CR image without patient, dates or spacing."""
    return cr(stored(), **UIDS, **_ABSENT)


def monochrome1() -> Dataset:
    """A MONOCHROME1 image with an age without unit and a date in the form of ACR-NEMA."""
    dataset = cr(
        stored(), **UIDS, PhotometricInterpretation="MONOCHROME1", PresentationLUTShape="INVERSE", PatientName=PLANTED,
        StudyDate="20260102", ImagerPixelSpacing=["0.2", "0.2"],
        PatientOrientation=["L", "F"], ViewPosition="PA", BodyPartExamined="CHEST",
    )  # fmt: skip
    return with_raw(dataset, PatientAge="62", PatientBirthDate="1995.07.20")


def secondary_capture() -> Dataset:
    """A Secondary Capture image whose Modality is CR, 8 bits, with a spacing of its own."""
    dataset = cr(stored() >> 4, bits=8, **UIDS, PixelSpacing=["0.5", "0.5"], ConversionType="WSD")
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    return dataset


def well_formed_dx() -> Dataset:
    """A DX image for presentation that lacks nothing."""
    dataset = cr(
        stored(), **UIDS, Modality="DX", PatientName="Müller^Änne", PatientAge="062Y", PatientSex="F",
        PatientBirthDate="19640102", StudyDate="20260102", StudyTime="101112", StudyID="S1", ReferringPhysicianName="Ref^Erring",
        AccessionNumber="A1", PresentationIntentType="FOR PRESENTATION", PresentationLUTShape="IDENTITY",
        ImagerPixelSpacing=["0.2", "0.2"], PixelSpacing=["0.19", "0.19"], PatientOrientation=["L", "F"], ViewPosition="PA",
        BodyPartExamined="CHEST", ImageLaterality="U", BurnedInAnnotation="NO", LossyImageCompression="00", SeriesNumber=1,
        InstanceNumber=1, TimezoneOffsetFromUTC="+0130", SpecificCharacterSet="ISO_IR 100", WindowCenter="2000",
        WindowWidth="4000", AnatomicRegionSequence=[coded(codes.SCT.Chest)],
    )  # fmt: skip
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = DigitalXRayImageStorageForPresentation
    return dataset


SOURCES: Mapping[str, Dataset] = {
    "CR without IDs or spacing": cr_without_ids(),
    "MONOCHROME1": monochrome1(),
    "SC class with Modality CR": secondary_capture(),
    "well-formed DX": well_formed_dx(),
}


def reading(**changes) -> ModelReading:
    """A positive reading with two findings: right mid, and left upper."""
    values = np.zeros((ROWS, COLS), np.float32)
    for box, top in zip(_BOXES, (0.9, 0.7), strict=True):
        values[int(box.top) : int(box.bottom), int(box.left) : int(box.right)] = top
    findings = (
        Finding(_BOXES[0], 720, (45, 20), 0.81, "right", "mid"),
        Finding(_BOXES[1], 280, (17, 60), 0.63, "left", "upper"),
    )
    answer = {
        "score": Score("pneumonia", 0.9, 2.2),
        "decision": "positive",
        "operating_point": OperatingPoint(0.55, "sensitivity>=0.95", "tune", "ef" * 32),
        "heatmap": heatmap_of(values),
        "findings": findings,
        "lung_fields": lungs(ROWS, COLS),
        "model": ModelIdentity("default", "ab" * 32),
        "grey_zone": GreyZone(0.4, 0.6, "a rule", "tune", "ef" * 32),
        "domain": DomainCheck(1.25, 2.5, lungs=True),
        "population": PopulationChoice("adult", "age", "adult"),
    }
    return ModelReading(**(answer | changes))


def result_of(dataset: Dataset, profile: Profile = Profile.OHIF, **changes) -> Result:
    """The reading of a source image."""
    content = written(dataset)
    return Result(source_image(content), read(content), reading(**changes), profile, CREATED)
