"""The header of a source image: valid values are copied, others dropped or emptied; an image without UIDs is refused."""

import contextlib
import io
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.config import RAISE
from pydicom.valuerep import validate_value

from pneumoscope.dicom_objects import (
    KINDS,
    DicomObjectError,
    NotDicomError,
    Profile,
    UnidentifiedImageError,
    source_image,
    write_objects,
)
from pneumoscope.dicom_objects.encoding import parsed
from pneumoscope.dicom_objects.uids import derived_uid, object_uid
from pneumoscope.radiograph import read
from tests.dicom_objects.builders import (
    CREATED,
    PLANTED,
    SOURCES,
    cr_without_ids,
    monochrome1,
    reading,
    result_of,
    well_formed_dx,
    with_raw,
)
from tests.radiograph.builders import property_test, written

TYPE_2 = (
    "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "AccessionNumber",
    "ReferringPhysicianName", "StudyID",
)  # fmt: skip


def header_of(dataset):
    return source_image(written(dataset)).dataset


@pytest.mark.parametrize("name", SOURCES)
def test_attributes_of_type_2_are_always_present(name):
    header = header_of(SOURCES[name])
    assert all(keyword in header for keyword in TYPE_2)


def test_a_missing_patient_id_is_empty():
    assert header_of(cr_without_ids()).PatientID == ""


def test_an_age_without_unit_is_dropped_and_a_date_with_points_is_emptied():
    header = header_of(monochrome1())
    assert "PatientAge" not in header
    assert (header.PatientBirthDate, header.StudyDate) == ("", "20260102")


@pytest.mark.parametrize(
    ("keyword", "value", "kept"),
    [
        ("StudyDate", "20260230", ""),
        ("StudyDate", "20260101-20260102", ""),
        ("StudyDate", "20260228", "20260228"),
        ("StudyTime", "2560", ""),
        ("StudyTime", "1011", "1011"),
        ("PatientSex", "male", ""),
        ("PatientSex", "F", "F"),
        ("AccessionNumber", "A" * 17, ""),
        ("AccessionNumber", "A" * 16, "A" * 16),
        ("PatientID", "a\\b", ""),
        ("StudyID", "one\ntwo", ""),
    ],
)
def test_a_value_of_type_2_is_emptied_unless_it_is_valid(keyword, value, kept):
    assert getattr(header_of(with_raw(cr_without_ids(), **{keyword: value})), keyword) == kept


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("PatientAge", "62"),
        ("PatientAge", "062X"),
        ("PatientWeight", "70.1234567890123456"),
        ("ImagerPixelSpacing", "0.2"),
        ("ImagerPixelSpacing", "0\\0.2"),
        ("PixelSpacing", "-0.2\\0.2"),
        ("Laterality", "U"),
        ("FrameOfReferenceUID", "1.02.3"),
        ("TimezoneOffsetFromUTC", "1 hour"),
    ],
)
def test_another_value_is_dropped_unless_it_is_valid(keyword, value):
    assert keyword not in header_of(with_raw(cr_without_ids(), **{keyword: value}))


def test_a_name_in_another_character_set_is_kept():
    header = header_of(well_formed_dx())
    assert (header.SpecificCharacterSet, str(header.PatientName)) == ("ISO_IR 192", "Müller^Änne")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"StudyInstanceUID": ""}, r"Study Instance UID \(0020,000D\) of the DICOM source is missing"),
        ({"SeriesInstanceUID": "1.2.a"}, r"Series Instance UID \(0020,000E\) of the DICOM source is invalid"),
        ({"StudyInstanceUID": "1." * 40 + "1"}, "is invalid"),
        ({"StudyInstanceUID": PLANTED}, "is invalid"),
    ],
)
def test_an_image_that_no_object_can_refer_to_is_refused(changes, message):
    content = written(with_raw(cr_without_ids(), **changes))
    with pytest.raises(UnidentifiedImageError, match=message) as caught:
        source_image(content)
    assert "Planted" not in str(caught.value)


@pytest.mark.filterwarnings("ignore:Invalid value for VR UI")  # of the test's own reading
def test_a_uid_with_leading_zeros_is_kept_since_the_pacs_knows_the_image_by_it():
    source = with_raw(cr_without_ids(), SOPInstanceUID="999.01.23.4", StudyInstanceUID="1.02.3")
    content = written(source)
    for one in write_objects(content, read(content), reading(), KINDS, Profile.PLAIN, CREATED):
        assert b"999.01.23.4" in one.content, one.kind
        assert parsed(one.content).StudyInstanceUID == "1.02.3"


@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n\x1a\n", b"x" * 200])
def test_a_file_that_is_no_dicom_is_refused(content):
    with pytest.raises(NotDicomError, match="this file is none; give the DICOM file"):
        source_image(content)


def test_an_object_without_rows_is_refused():
    dataset = cr_without_ids()
    del dataset.Rows, dataset.PixelData
    with pytest.raises(DicomObjectError, match="states no Rows and Columns"):
        source_image(written(dataset))


@property_test
@given(st.binary(max_size=200))
def test_a_damaged_header_is_refused_with_a_sentence_or_read(tail):
    whole = io.BytesIO(written(cr_without_ids())).getvalue()
    with contextlib.suppress(DicomObjectError):
        source_image(whole[: 132 + len(tail)] + tail)


@property_test
@given(st.lists(st.text(), min_size=1, max_size=4), st.lists(st.text(), min_size=1, max_size=4))
def test_derived_uids_are_valid_and_differ_as_what_they_follow_from(first, second):
    uid = derived_uid(*first)
    assert uid.startswith("2.25.")
    assert len(uid) <= 44
    assert uid.isascii()
    assert (uid == derived_uid(*second)) == (first == second)


def test_a_uid_depends_on_everything_that_it_is_of():
    of = ["1.2.3", "model", "ohif", "sr", "instance"]
    uids = {object_uid(*of)} | {object_uid(*of[:k], "other", *of[k + 1 :]) for k in range(len(of))}
    assert len(uids) == len(of) + 1


def test_a_result_has_the_time_of_its_source_zone_and_needs_one_of_its_own():
    assert result_of(well_formed_dx()).local_time.isoformat() == "2026-03-04T06:36:07+01:30"
    assert result_of(cr_without_ids()).local_time == CREATED.replace(microsecond=0)
    result = result_of(cr_without_ids())
    with pytest.raises(ValueError, match="needs a time zone"):
        type(result)(result.source, result.radiograph, result.reading, Profile.OHIF, datetime(2026, 1, 1))


def test_the_population_that_decided_changes_the_uids():
    one, other = result_of(cr_without_ids()), result_of(cr_without_ids(), population=None)
    assert one.uid("sr", "instance") != other.uid("sr", "instance")


TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=70)
LATIN = st.text(st.characters(max_codepoint=255, exclude_characters="\0"), max_size=12)


@property_test
@given(
    st.fixed_dictionaries(
        {"PatientName": TEXT, "PatientID": TEXT, "StudyID": TEXT, "StudyDate": LATIN, "StudyTime": LATIN, "PatientAge": LATIN}
    )
)
def test_what_is_kept_of_any_text_is_valid(values):
    header = header_of(with_raw(cr_without_ids(), SpecificCharacterSet="ISO_IR 192", **values))
    for keyword in values:
        if keyword in header:
            validate_value(header[keyword].VR, str(header[keyword].value), RAISE)
