"""De-identified copies: nothing that identifies is left, also below sequences; pixels are untouched; UIDs follow from a key."""

import pytest
from pydicom.dataset import Dataset

from pneumoscope.dicom_objects import NotDicomError, Profile, source_image, write_objects
from pneumoscope.dicom_objects.deidentification import deidentified
from pneumoscope.dicom_objects.encoding import parsed
from pneumoscope.radiograph import read
from tests.dicom_objects.builders import CREATED, SOURCES, cr_without_ids, reading, well_formed_dx, with_raw
from tests.radiograph.builders import written

PLANTED = b"PLANTED"
KEY = "ab" * 32


def identified() -> Dataset:
    """An image with a name in every place where devices write one."""
    text = PLANTED.decode()
    dataset = with_raw(
        well_formed_dx(), PatientName=text, PatientID=text, OtherPatientIDs=text, InstitutionName=text, OperatorsName=text,
        StudyDescription=text, ImageComments=text, AccessionNumber=text, StationName=text, ProtocolName=text,
    )  # fmt: skip
    kept, request = Dataset(), Dataset()
    kept.CodeValue, kept.CodingSchemeDesignator, kept.CodeMeaning = "51185008", "SCT", "Chest"
    kept.PatientName, kept.PersonName, kept.SOPInstanceUID = text, text, "1.2.3.3"
    request.PatientID = request.RequestedProcedureDescription = text
    dataset.AnatomicRegionSequence, dataset.RequestAttributesSequence = [kept], [request]
    dataset.private_block(0x0019, text, create=True).add_new(1, "LO", text)
    dataset.preamble = PLANTED * 16 + bytes(16)
    dataset.file_meta.SourceApplicationEntityTitle = text
    return dataset


def test_nothing_that_identifies_is_left():
    content = written(identified())
    assert content.count(PLANTED) > 15  # the test can fail
    clean = deidentified(content, KEY)
    assert PLANTED not in clean
    assert b"1.2.3." not in clean
    dataset = parsed(clean)
    assert (dataset.PatientIdentityRemoved, dataset.StudyDate) == ("YES", "")
    assert dataset.DeidentificationMethodCodeSequence[0].CodeValue == "113100"
    assert "pixels not cleaned" in dataset.DeidentificationMethod


@pytest.mark.parametrize("name", SOURCES)
def test_the_pixels_and_the_spacing_are_those_of_the_source(name):
    content = written(SOURCES[name])
    clean = deidentified(content, KEY)
    first, second = read(content), read(clean)
    assert (first.pixels == second.pixels).all()
    assert (first.spacing, first.orientation) == (second.spacing, second.orientation)


def test_uids_follow_from_the_key_and_stay_together():
    content = written(well_formed_dx())
    one, again, other = deidentified(content, KEY), deidentified(content, KEY), deidentified(content, "cd" * 32)
    assert one == again
    assert parsed(one).StudyInstanceUID != parsed(other).StudyInstanceUID
    sibling = well_formed_dx()
    sibling.SOPInstanceUID = sibling.file_meta.MediaStorageSOPInstanceUID = "1.2.3.4"
    clean = parsed(deidentified(written(sibling), KEY))
    assert clean.StudyInstanceUID == parsed(one).StudyInstanceUID
    assert clean.SOPInstanceUID != parsed(one).SOPInstanceUID
    assert clean.file_meta.MediaStorageSOPInstanceUID == clean.SOPInstanceUID


def test_a_patient_has_one_pseudonym_and_two_patients_have_two():
    def pseudonym(key=KEY, **elements):
        return parsed(deidentified(written(with_raw(cr_without_ids(), **elements)), key)).PatientID

    one = pseudonym(PatientID="1")
    assert one.startswith("ANON-")
    assert one == pseudonym(PatientID="1", StudyInstanceUID="1.2.9")
    others = [pseudonym(PatientID="2"), pseudonym(), pseudonym(StudyInstanceUID="1.2.9"), pseudonym("cd", PatientID="1")]
    assert len({one, *others}) == 5


def test_objects_of_a_de_identified_image_refer_to_it_and_name_nobody():
    content = written(identified())
    clean = deidentified(content, KEY)
    made = write_objects(clean, read(content), reading(), ("sr", "seg", "pm", "sc", "gsps"), Profile.OHIF, CREATED)
    assert len(made) == 5
    for one in made:
        assert PLANTED not in one.content
        assert b"1.2.3." not in one.content
        assert parsed(one.content).StudyInstanceUID == source_image(clean).dataset.StudyInstanceUID
        assert parsed(one.content).PatientIdentityRemoved == "YES"


def test_a_file_that_is_no_dicom_is_refused():
    with pytest.raises(NotDicomError, match="only a DICOM image can be de-identified"):
        deidentified(b"\x89PNG\r\n\x1a\n", KEY)
