"""The Structured Report: what it says, that it comes back as the same reading, and that it has the form of TID 1500."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.uid import Comprehensive3DSRStorage, ComprehensiveSRStorage

from pneumoscope.classifier import GreyZone, PopulationChoice, Score
from pneumoscope.dicom_objects import DicomObjectError, NotDicomError, Profile, concepts, structured_report
from pneumoscope.dicom_objects.encoding import parsed
from pneumoscope.dicom_objects.report_reading import read
from pneumoscope.radiograph import Caution
from pneumoscope.readings import CaseKey, DomainCheck, ModelIdentity, form
from tests.dicom_objects import highdicom_report
from tests.dicom_objects.builders import SOURCES, reading, result_of, well_formed_dx
from tests.lung_fields.builders import lungs
from tests.radiograph.builders import written

READINGS = {
    "positive": {},
    "negative": {"score": Score("pneumonia", 0.1, -2.0), "decision": "negative", "findings": ()},
    "abstains": {"score": Score("pneumonia", 0.5, 0.0), "grey_zone": GreyZone(0.4, 0.6, "r", "tune", "")},
    "outside": {"domain": DomainCheck(3.75, 2.5, lungs=False, photograph=True), "lung_fields": lungs(96, 80, "not found")},
    "unlike": {"domain": DomainCheck(3.75, 2.5, lungs=True)},
    "no domain": {"domain": None, "population": None, "cautions": (Caution.ORIENTATION, Caution.FEW_GREY_LEVELS)},
    "unknown population": {"population": PopulationChoice(None, "unknown", "child")},
    "another target": {"score": Score("effusion", 0.25, -1.0), "decision": "negative"},
    "no place": {"findings": tuple(replace(one, laterality=None, zone=None) for one in reading().findings)},
}


def report(profile=Profile.OHIF, **changes):
    return structured_report.write(result_of(well_formed_dx(), profile, **changes))


@pytest.mark.parametrize("name", READINGS)
def test_a_report_is_read_back_to_the_line_of_the_reading(name):
    line = form.line_of(CaseKey(""), reading(**READINGS[name]))
    back = read(report(**READINGS[name]).content)
    near = replace(line.lung_fields, box=back.lung_fields.box)
    assert back == replace(line, lung_fields=near)
    for edge in ("top", "left", "bottom", "right"):
        assert getattr(back.lung_fields.box, edge) == pytest.approx(getattr(line.lung_fields.box, edge), abs=1e-3)


@pytest.mark.parametrize(
    ("profile", "sop_class"),
    [
        (Profile.OHIF, Comprehensive3DSRStorage),
        (Profile.AIR, Comprehensive3DSRStorage),
        (Profile.ORTHANC, ComprehensiveSRStorage),
        (Profile.PLAIN, ComprehensiveSRStorage),
    ],
)
def test_the_class_is_that_of_the_profile(profile, sop_class):
    made = report(profile)
    assert (made.kind, made.sop_class_uid) == ("sr", sop_class)
    assert parsed(made.content).SOPInstanceUID == made.sop_instance_uid


def groups_of(content):
    measurements = next(
        item for item in parsed(content).ContentSequence if item.ConceptNameCodeSequence[0].CodeMeaning == "Imaging Measurements"
    )
    return measurements.ContentSequence


@pytest.mark.parametrize("name", READINGS)
def test_every_group_has_a_region_on_the_source_and_a_tracking_identifier_and_uid_of_its_own(name):
    groups = groups_of(report(**READINGS[name]).content)
    assert len(groups) == 1 + len(reading(**READINGS[name]).findings)
    tracked = set()
    for group in groups:
        (region,) = [item for item in group.ContentSequence if item.ValueType == "SCOORD"]
        (image,) = region.ContentSequence
        assert image.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == "1.2.3.3"
        named = {item.ConceptNameCodeSequence[0].CodeMeaning: item for item in group.ContentSequence}
        assert named["Algorithm Version"].TextValue == "ab" * 32
        assert named["Tracking Identifier"].TextValue
        tracked.add(named["Tracking Unique Identifier"].UID)
    assert len(tracked) == len(groups)


def test_a_negative_report_says_absent_and_never_names_the_target_as_its_finding():
    (group,) = groups_of(report(**READINGS["negative"]).content)
    said = {
        item.ConceptNameCodeSequence[0].CodeMeaning: item.ConceptCodeSequence[0].CodeMeaning
        for item in group.ContentSequence
        if item.ValueType == "CODE"
    }
    assert (said["Pneumonia"], said["Finding"]) == ("Absent", "Lung")


@pytest.mark.parametrize("decision", ["positive", "negative"])
def test_where_the_model_abstains_the_report_says_neither_present_nor_absent_and_the_decision_comes_back(decision):
    made = report(**READINGS["abstains"], decision=decision).content
    items = [item for group in groups_of(made) for item in group.ContentSequence]
    (value,) = [i.ConceptCodeSequence[0] for i in items if i.ConceptNameCodeSequence[0].CodeMeaning == "Pneumonia"]
    assert (value.CodeValue, value.CodingSchemeDesignator, value.CodeMeaning) == ("82334004", "SCT", "Indeterminate")
    tracked = [i.TextValue for i in items if i.ConceptNameCodeSequence[0].CodeMeaning == "Tracking Identifier"]
    assert tracked[0] == "pneumonia: indeterminate"
    assert (read(made).decision, read(made).abstains) == (decision, True)


@pytest.mark.parametrize("name", SOURCES)
def test_the_report_has_the_identity_of_its_source_and_names_the_device(name):
    dataset = parsed(structured_report.write(result_of(SOURCES[name])).content)
    assert dataset.StudyInstanceUID == "1.2.3.1"
    assert (dataset.ContentDate, dataset.SeriesDate) == ("20260304", "20260304")
    (equipment,) = dataset.ContributingEquipmentSequence
    assert equipment.DeviceUID.startswith("2.25.")
    assert equipment.DeviceSerialNumber == "ab" * 32
    assert "not a medical device" in dataset.SeriesDescription
    assert dataset.VerificationFlag == "UNVERIFIED"


def test_a_private_code_is_short_enough_and_its_scheme_is_identified():
    own = [code for code in vars(concepts).values() if getattr(code, "scheme_designator", "") == concepts.SCHEME]
    own += [*concepts.CAUTIONS.values(), *concepts.STATES.values(), concepts.target_code("t" * 99)]
    assert all(len(code.value) <= 16 and len(code.meaning) <= 64 for code in own)
    assert set(concepts.CAUTIONS) == {caution.value for caution in Caution}
    (scheme,) = parsed(report().content).CodingSchemeIdentificationSequence
    assert scheme.CodingSchemeDesignator == concepts.SCHEME


def test_another_file_is_not_read_back():
    with pytest.raises(NotDicomError, match="this is no DICOM object"):
        read(b"\x89PNG")
    with pytest.raises(DicomObjectError, match="no report of Pneumoscope's"):
        read(written(well_formed_dx()))


def test_a_report_names_the_report_of_an_earlier_model_as_its_predecessor():
    earlier = parsed(report().content)
    assert "PredecessorDocumentsSequence" not in earlier
    later = parsed(structured_report.write(replace(result_of(well_formed_dx()), predecessors=(report().content,))).content)
    (study,) = later.PredecessorDocumentsSequence
    (series,) = study.ReferencedSeriesSequence
    (instance,) = series.ReferencedSOPSequence
    named = (study.StudyInstanceUID, series.SeriesInstanceUID, instance.ReferencedSOPInstanceUID, instance.ReferencedSOPClassUID)
    assert named == (earlier.StudyInstanceUID, earlier.SeriesInstanceUID, earlier.SOPInstanceUID, earlier.SOPClassUID)


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("name", READINGS)
def test_the_content_is_byte_for_byte_that_of_highdicom(name, source):
    result = result_of(SOURCES[source], **READINGS[name])
    assert structured_report.write(result).content.endswith(highdicom_report.content_sequence(result))


def test_the_root_is_that_of_highdicom():
    result = result_of(well_formed_dx())
    ours, reference = parsed(structured_report.write(result).content), highdicom_report.root_of(result)
    assert {keyword: ours[keyword] for keyword in reference.dir() if keyword != "ContentSequence"} == {
        element.keyword: element for element in reference if element.keyword != "ContentSequence"
    }


@given(
    name=st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=80),
    probability=st.floats(0, 1),
    log_odds=st.floats(-50, 50),
    quality=st.floats(0, 1),
)
@settings(max_examples=30, deadline=None)
def test_any_model_name_and_numbers_give_the_bytes_of_highdicom(name, probability, log_odds, quality):
    changes = {
        "model": ModelIdentity(name, "cd" * 32),
        "score": Score("pneumonia", probability, log_odds),
        "decision": "positive" if probability >= reading().operating_point.threshold else "negative",
        "lung_fields": replace(lungs(96, 80), right_quality=quality),
    }
    result = replace(result_of(well_formed_dx()), reading=reading(**changes))
    assert structured_report.write(result).content.endswith(highdicom_report.content_sequence(result))


def test_codes_that_are_equal_but_for_their_meaning_keep_it():
    for target in ("effusion", "nodule"):  # both have the private code TARGET
        (group, *_) = groups_of(report(score=Score(target, 0.25, -1.0), decision="negative", findings=()).content)
        assert target in {item.ConceptNameCodeSequence[0].CodeMeaning for item in group.ContentSequence}
