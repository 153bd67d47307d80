"""All objects of a reading: the same reading gives the same bytes, and nothing that a library says of a patient is heard."""

import logging
import warnings
from datetime import timedelta

import highdicom
import pytest
from pydicom.uid import SecondaryCaptureImageStorage

from pneumoscope.dicom_objects import KINDS, DicomObjectError, Profile, objects, source_image, write_objects
from pneumoscope.dicom_objects.encoding import parsed
from pneumoscope.dicom_objects.files import ObjectFiles
from pneumoscope.dicom_objects.objects import WRITERS, omitted
from pneumoscope.radiograph import read
from pneumoscope.readings import ModelIdentity
from tests.dicom_objects.builders import CREATED, SOURCES, cr_without_ids, reading, well_formed_dx, with_raw
from tests.radiograph.builders import written

NAME = "PLANTED"
"""A name of one component, which highdicom warns of."""


def objects_of(dataset, profile=Profile.OHIF, kinds=KINDS, created=CREATED, **changes):
    content = written(dataset)
    return write_objects(content, read(content), reading(**changes), [k for k in kinds if k in WRITERS], profile, created)


@pytest.mark.parametrize("profile", Profile)
@pytest.mark.parametrize("name", SOURCES)
def test_the_same_reading_gives_the_same_bytes(name, profile):
    first, again = objects_of(SOURCES[name], profile), objects_of(SOURCES[name], profile)
    assert [one.content for one in first] == [one.content for one in again]
    assert [one.kind for one in first] == [kind for kind in KINDS if kind in WRITERS and not (kind == "pm" and "CR with" in name)]


def test_every_object_has_uids_of_its_own_and_belongs_to_the_study_of_the_source():
    made = [parsed(one.content) for profile in Profile for one in objects_of(well_formed_dx(), profile)]
    uids = [uid for one in made for uid in (one.SOPInstanceUID, one.SeriesInstanceUID)]
    assert len(set(uids)) == len(uids)
    assert {one.StudyInstanceUID for one in made} == {"1.2.3.1"}
    assert {str(one.PatientName) for one in made} == {"Müller^Änne"}


def test_a_copy_of_a_file_that_is_read_later_in_the_same_run_gets_the_same_files():
    content = written(well_formed_dx())
    files = ObjectFiles(("sr",), Profile.PLAIN)
    first, copy = (files(content, read(content), reading(), CREATED + timedelta(hours=hours)) for hours in (0, 1))
    assert first == copy


def test_another_model_has_other_uids_and_a_later_reading_the_same():
    dataset = well_formed_dx()
    first = {one.sop_instance_uid for one in objects_of(dataset)}
    assert first.isdisjoint(one.sop_instance_uid for one in objects_of(dataset, model=ModelIdentity("default", "cd" * 32)))
    assert first == {one.sop_instance_uid for one in objects_of(dataset, created=CREATED + timedelta(days=1))}


def test_every_time_is_that_of_the_reading_or_of_the_source():
    for one in objects_of(well_formed_dx()):
        said = {str(element.value) for element in parsed(one.content).iterall() if element.VR in ("DA", "TM", "DT")}
        allowed = {"20260304", "063607", "20260304063607", "20260102", "101112", "19640102", ""}
        assert said <= allowed, one.kind


def test_a_name_that_a_library_warns_of_reaches_no_log_and_no_warning(caplog):
    dataset = with_raw(cr_without_ids(), PatientName=NAME)
    caplog.set_level(logging.DEBUG)
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        objects_of(dataset)
    assert not heard
    assert NAME not in caplog.text
    source = source_image(written(dataset)).dataset  # the same name without our silence: the test can fail
    with pytest.warns(UserWarning, match=NAME):
        highdicom.base.SOPClass("1.2", "1.3", 1, "1.4", SecondaryCaptureImageStorage, 1, "OT", patient_name=source.PatientName)


def test_an_error_of_a_library_quotes_nothing(monkeypatch):
    def failing(_):
        raise ValueError(f"the name {NAME} is bad")

    monkeypatch.setattr(objects, "WRITERS", {"sr": failing})
    with pytest.raises(DicomObjectError, match=r"could not be written \(ValueError\)") as caught:
        objects_of(cr_without_ids(), kinds=["sr"])
    assert NAME not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_a_parametric_map_is_left_out_where_the_source_has_no_spacing():
    assert omitted(read(written(cr_without_ids())), reading()) == {
        "pm": "the source states no pixel spacing, which a Parametric Map needs"
    }
    assert not omitted(read(written(well_formed_dx())), reading())
