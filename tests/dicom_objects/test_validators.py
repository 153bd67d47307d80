"""Every object of every source under every profile, by validators of other people; what is allowed is listed with its reason."""

import functools
from dataclasses import replace

import pytest
from pydicom.uid import ExplicitVRLittleEndian

from pneumoscope.dicom_objects import KINDS, Profile, structured_report
from pneumoscope.dicom_objects.encoding import parsed
from pneumoscope.dicom_objects.objects import WRITERS, omitted
from tests.dicom_objects import validators
from tests.dicom_objects.builders import SOURCES, result_of
from tests.radiograph.builders import written

ALLOWED_IN_THE_STANDARD_OF_2020 = {
    "sop-common: (0018,A001) / (0018,1002) TagUnexpected": "Device UID joined the Contributing Equipment Sequence after 2020b",
}
ALLOWED_BY_DCMPSCHK = {
    "PatientName (0010,0010), Type PN": "it knows no character set of several bytes, and the name is in UTF-8",
}
ALLOWED_BY_PIXELMED = {
    '(276214006,SCT,"Finding category"): Content Item not in template': "its edition of TID 1410 lacks the row",
    '(122405,DCM,"Algorithm Manufacturer"): Content Item not in template': "its edition of TID 4019 lacks the row",
    '(233604007,SCT,"Pneumonia"): Content Item not in template': "TID 1410 is extensible: a qualitative evaluation",
    "99PNEUMOSCOPE": "TID 1410 is extensible: measurements and qualitative evaluations of the private scheme",
}
needs_java = pytest.mark.skipif(
    not validators.HAS_PIXELMED, reason="PixelMed is not installed (Debian: default-jre-headless, libpixelmed-java)"
)
needs_dcmpschk = pytest.mark.skipif(not validators.HAS_DCMPSCHK, reason="DCMTK is not installed (Debian: dcmtk)")


@functools.cache
def made(kind, name, profile=Profile.OHIF):
    """An object; None where its source does not allow one."""
    result = result_of(SOURCES[name], profile)
    return None if kind in omitted(result.radiograph, result.reading) else WRITERS[kind](result).content


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", SOURCES)
@pytest.mark.parametrize("profile", [Profile.OHIF, Profile.PLAIN])
def test_dciodvfy_finds_no_error(kind, name, profile, tmp_path):
    content = made(kind, name, profile)
    assert content is not None or (kind, name) == ("pm", "CR without IDs or spacing")
    assert content is None or validators.dciodvfy(content, tmp_path) == []


@pytest.mark.parametrize("name", SOURCES)
def test_dciodvfy_finds_no_error_in_a_segmentation_of_label_map(name, tmp_path):
    content = WRITERS["seg"](replace(result_of(SOURCES[name]), segmentation="LABELMAP")).content
    assert parsed(content).SegmentationType == "LABELMAP"
    assert validators.dciodvfy(content, tmp_path) == []


def test_dciodvfy_finds_no_error_in_a_deflated_map(tmp_path):
    dataset = parsed(WRITERS["pm"](replace(result_of(SOURCES["well-formed DX"]), deflated_maps=True)).content)
    assert "rounded" in dataset.ContentDescription
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian  # it reads no deflated file
    assert validators.dciodvfy(written(dataset), tmp_path) == []


def test_dciodvfy_finds_the_error_of_an_object_without_its_modality(tmp_path):
    dataset = parsed(made("sc", "well-formed DX"))
    dataset.ConversionType = ""
    assert len(validators.dciodvfy(written(dataset), tmp_path)) == 1


@pytest.mark.slow
@pytest.mark.parametrize("name", SOURCES)
@pytest.mark.parametrize("kind", ["seg", "pm", "sc", "gsps"])
def test_dicom_validator_finds_what_is_allowed_and_nothing_else(kind, name):
    content = made(kind, name)
    if content is not None:
        assert set(validators.dicom_validator(content)) <= set(ALLOWED_IN_THE_STANDARD_OF_2020)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "keyword", "says"),
    [
        ("seg", "SegmentationType", "segmentation-image: (0062,0001) TagMissing"),
        ("pm", "ContentLabel", "parametric-map-image: (0070,0080) TagMissing"),
        ("sc", "ConversionType", "sc-equipment: (0008,0064) TagMissing"),
        ("gsps", "PresentationLUTShape", "softcopy-presentation-lut: (2050,0020) TagMissing"),
    ],
)
def test_dicom_validator_finds_an_attribute_that_is_missing(kind, keyword, says):
    dataset = parsed(made(kind, "well-formed DX"))
    del dataset[keyword]
    assert says in validators.dicom_validator(written(dataset))


@needs_java
@pytest.mark.slow
@pytest.mark.parametrize("profile", [Profile.AIR, Profile.PLAIN])
def test_pixelmed_finds_the_template_1500_and_no_error(profile, tmp_path):
    said = validators.pixelmed(made("sr", "CR without IDs or spacing", profile), tmp_path)
    assert [line for line in said if not any(allowed in line for allowed in ALLOWED_BY_PIXELMED)] == []
    assert not any(line.startswith("Error") for line in said)


@needs_java
@pytest.mark.slow
def test_pixelmed_finds_the_error_of_a_report_without_its_measurements(tmp_path):
    dataset = parsed(structured_report.write(result_of(SOURCES["well-formed DX"])).content)
    dataset.ContentSequence = dataset.ContentSequence[:2]
    assert any(line.startswith("Error") for line in validators.pixelmed(written(dataset), tmp_path))


@needs_dcmpschk
@pytest.mark.parametrize("name", SOURCES)
def test_dcmpschk_finds_what_is_allowed_and_nothing_else(name, tmp_path):
    assert set(validators.dcmpschk(made("gsps", name), tmp_path)) <= set(ALLOWED_BY_DCMPSCHK)


@needs_dcmpschk
def test_dcmpschk_finds_the_error_of_a_bad_date(tmp_path):
    content = made("gsps", "CR without IDs or spacing").replace(b"20260304", b"2026.3.4")
    assert validators.dcmpschk(content, tmp_path)
