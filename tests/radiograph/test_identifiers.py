"""No identifier leaves the folder: a name in any attribute reaches no representation, error, warning or log."""

import logging
import warnings

import numpy as np
import pytest
from pydicom.datadict import dictionary_VR
from pydicom.dataset import Dataset

from pneumoscope.radiograph import RadiographError, read, review
from pneumoscope.radiograph.silenced_decoders import silenced_decoders
from pneumoscope.radiograph.terms import TERMS
from tests.radiograph.builders import cr, written

NAME = "QUAX^JAN"
NUMBERS = [
    "RescaleSlope",
    "RescaleIntercept",
    "WindowCenter",
    "WindowWidth",
    "PixelSpacing",
    "ImagerPixelSpacing",
    "NumberOfFrames",
]
TEXTS = [
    "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "PatientAge", "PatientAddress", "OtherPatientIDs",
    "AccessionNumber", "InstitutionName", "ReferringPhysicianName", "OperatorsName", "StudyDescription", "SeriesDescription",
    "StudyID", "ImageComments", "PatientOrientation", "StudyInstanceUID", "SeriesInstanceUID", "ImageType", "ProtocolName",
    "WindowCenterWidthExplanation", "SpecificCharacterSet",
]  # fmt: skip
SEQUENCE_TEXTS = ["CodeValue", "CodingSchemeDesignator", "CodeMeaning"]


def with_name(keyword: str) -> bytes:
    """An instance in which an attribute holds the name, whatever its value representation allows."""
    dataset = cr(np.arange(4096).reshape(64, 64), WindowCenter="2048", WindowWidth="4096", RescaleSlope="1", RescaleIntercept="0")
    filler = "7" * len(NAME)
    holder = dataset
    if keyword in SEQUENCE_TEXTS:
        holder = Dataset()
        dataset.ViewCodeSequence = [holder]
    vr = dictionary_VR(keyword)
    with silenced_decoders():
        holder.add_new(keyword, "LO" if vr in ("DA", "AS") else vr, NAME if vr not in ("DS", "IS", "UI") else filler)
        content = written(dataset)
    return content.replace(filler.encode(), NAME.encode())


@pytest.mark.parametrize("keyword", [*TERMS, *NUMBERS, *TEXTS, *SEQUENCE_TEXTS])
def test_a_name_in_any_attribute_is_said_nowhere(keyword, caplog, capfd):
    content = with_name(keyword)
    assert NAME.encode() in content

    with warnings.catch_warnings(record=True) as heard, caplog.at_level(logging.DEBUG):
        warnings.simplefilter("always")
        try:
            radiograph = read(content)
            said = f"{radiograph!r} {radiograph} {review(radiograph)!r}"
        except RadiographError as error:
            said = f"{error!r} {error}"

    printed = capfd.readouterr()
    everything = f"{said} {caplog.text} {[str(w.message) for w in heard]} {printed.out} {printed.err}"
    assert not [part for part in (NAME, *NAME.split("^")) if part in everything.upper()]
