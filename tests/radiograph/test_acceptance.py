"""`review`: what is refused, what is marked, and the one option for each."""

import dataclasses

import numpy as np
import pytest
from pydicom.dataset import Dataset

from pneumoscope.radiograph import (
    AcceptancePolicy,
    Caution,
    NotAcceptedError,
    NotAChestError,
    Radiograph,
    read,
    review,
)
from pneumoscope.radiograph.silenced_decoders import silenced_decoders
from tests.radiograph.builders import PATIENT, cr, png, written

RAMP = np.arange(4096).reshape(64, 64)
FRONTAL = {"ViewPosition": "PA", "PatientOrientation": ["L", "F"], "BodyPartExamined": "CHEST"}


def radiograph(**elements) -> Radiograph:
    """A frontal chest radiograph with elements replaced; None deletes one."""
    with silenced_decoders():  # pydicom warns of what is no term
        dataset = cr(RAMP, **FRONTAL | {k: v for k, v in elements.items() if v is not None})
        for keyword in [k for k, v in elements.items() if v is None]:
            del dataset[keyword]
        content = written(dataset)
    return read(content)


def view_code(value: str, scheme: str = "SCT") -> list[Dataset]:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, "a view"
    return [item]


# Each concern: elements that raise it, its caution, the field of the policy, what the sentence says.
CONCERNS = {
    "left lateral": ({"ViewPosition": "LL"}, Caution.LATERAL, "lateral", "View Position is LL, .*--lateral mark"),
    "right lateral": ({"ViewPosition": "RL"}, Caution.LATERAL, "lateral", "View Position is RL"),
    "lateral in words": ({"ViewPosition": "LATERAL"}, Caution.LATERAL, "lateral", "View Position is LATERAL"),
    "lateral in other words": ({"ViewPosition": "LEFT LATERAL"}, Caution.LATERAL, "lateral", "View Position is LATERAL"),
    "oblique in words": ({"ViewPosition": "OBLIQUE R"}, Caution.LATERAL, "lateral", "View Position is OBLIQUE"),
    "lateral by orientation": (
        {"ViewPosition": None, "PatientOrientation": ["A", "F"]},
        Caution.LATERAL,
        "lateral",
        "Patient Orientation is that of a lateral view",
    ),
    "lateral by its code": (
        {"ViewPosition": None, "ViewCodeSequence": view_code("399173006")},
        Caution.LATERAL,
        "lateral",
        "View Position is LL",
    ),
    "lateral by its old code": (
        {"ViewPosition": "", "ViewCodeSequence": view_code("R-10236", "SRT")},
        Caution.LATERAL,
        "lateral",
        "View Position is LL",
    ),
    "raw": ({"PresentationIntentType": "FOR PROCESSING"}, Caution.RAW, "raw", "raw detector data .*--raw mark"),
    "raw by its class": ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.1.1.1"}, Caution.RAW, "raw", "raw detector data"),
    "no orientation": (
        {"PatientOrientation": None},
        Caution.ORIENTATION,
        "orientation",
        "states no Patient Orientation, .*--unknown-orientation mark",
    ),
    "empty orientation": ({"PatientOrientation": ""}, Caution.ORIENTATION, "orientation", "states no Patient Orientation"),
    "one axis twice": (
        {"PatientOrientation": ["L", "R"]},
        Caution.CONTRADICTION,
        "contradiction",
        "does not name two directions .*--contradiction mark",
    ),
    "a frontal view from the side": (
        {"PatientOrientation": ["P", "F"]},
        Caution.CONTRADICTION,
        "contradiction",
        r"Patient Orientation is P\\F, which is not that of a frontal view",
    ),
    "from above": ({"PatientOrientation": ["L", "P"]}, Caution.CONTRADICTION, "contradiction", r"Orientation is L\\P"),
    "flipped from an unknown side": (
        {"PatientOrientation": None, "FieldOfViewHorizontalFlip": "YES"},
        Caution.CONTRADICTION,
        "contradiction",
        "Horizontal Flip is YES and Patient Orientation is not stated",
    ),
    "two polarities": (
        {"PresentationLUTShape": "INVERSE"},
        Caution.CONTRADICTION,
        "contradiction",
        "MONOCHROME2 and Presentation LUT Shape is INVERSE",
    ),
    "no modality": ({"Modality": None}, Caution.MODALITY, "modality", "Modality is missing, .*--modality mark"),
    "odd modality": ({"Modality": "DR"}, Caution.MODALITY, "modality", r"Modality is \(no defined term\)"),
    "other modality": ({"Modality": "OT"}, Caution.MODALITY, "modality", "Modality is OT"),
    "a leg": ({"BodyPartExamined": "LEG"}, Caution.BODY_PART, "body_part", "Body Part Examined is LEG, .*--body-part mark"),
    "an odd part": ({"BodyPartExamined": "UNKNOWN"}, Caution.BODY_PART, "body_part", r"Examined is \(no defined term\)"),
}
every_concern = pytest.mark.parametrize(("elements", "caution", "field", "says"), CONCERNS.values(), ids=CONCERNS)


@every_concern
def test_a_concern_is_refused_in_one_sentence_with_its_option(elements, caution, field, says):
    with pytest.raises(NotAcceptedError, match=says) as refused:
        review(radiograph(**elements), AcceptancePolicy(**{field: "refuse"}))
    assert isinstance(refused.value, NotAChestError) == (caution is Caution.BODY_PART)


@every_concern
def test_a_concern_that_is_overridden_is_marked(elements, caution, field, says):
    assert review(radiograph(**elements), AcceptancePolicy(**{field: "mark"})) == (caution,)


def test_only_an_orientation_that_is_not_stated_is_marked_by_default():
    assert {f.name for f in dataclasses.fields(AcceptancePolicy) if f.default == "mark"} == {"orientation"}


@pytest.mark.parametrize(
    "elements",
    [
        {},
        {"ViewPosition": "AP"},
        {"ViewPosition": None},
        {"ViewPosition": "LLD"},  # lateral decubitus: the patient lies on the side, the beam goes from front to back
        {"BodyPartExamined": None},
        {"BodyPartExamined": "THORAX PA"},
        {"BodyPartExamined": "Torax"},
        {"PresentationIntentType": "FOR PRESENTATION"},
        {"PresentationLUTShape": "IDENTITY"},
        {"PresentationLUTShape": "INVERSE", "PhotometricInterpretation": "MONOCHROME1"},
        {"FieldOfViewHorizontalFlip": "YES"},  # relative to the detector; the orientation of the stored pixels is stated
        {"Modality": "DX"},
        {"ViewPosition": None, "ViewCodeSequence": view_code("272479007")},
    ],
)
def test_a_frontal_chest_radiograph_for_presentation_is_read_without_a_caution(elements):
    assert review(radiograph(**elements)) == ()


def test_a_mirrored_image_is_read_and_says_so():
    assert review(radiograph(PatientOrientation=["R", "F"])) == (Caution.TURNED,)


def test_a_picture_states_no_side_and_is_read_with_that_caution():
    picture = read(png(np.arange(256).reshape(16, 16)))

    assert picture.orientation.plane == "unknown"
    assert review(picture, AcceptancePolicy(orientation="refuse")) == (Caution.SIDE,)


def test_pixels_of_a_program_have_no_caution_of_a_picture():
    assert review(Radiograph(np.linspace(0, 1, 256, dtype=np.float32).reshape(16, 16))) == ()


def test_what_the_header_states_is_kept():
    given = radiograph(PresentationIntentType="FOR PRESENTATION", FieldOfViewHorizontalFlip="YES")

    assert (given.view_position, given.intent, given.horizontal_flip) == ("PA", "FOR PRESENTATION", True)
    assert (given.file_format, given.modality, given.body_part) == ("DICOM", "CR", "CHEST")


@pytest.mark.parametrize(
    "keyword",
    ["BodyPartExamined", "Modality", "ViewPosition", "PresentationIntentType", "PresentationLUTShape", "VOILUTFunction"],
)
def test_a_name_in_place_of_a_term_is_quoted_nowhere(keyword):
    given = radiograph(**{keyword: "DOE^JANE"})

    assert "DOE" not in f"{given!r} {given}"
    try:
        said = f"{review(given)!r}"
    except NotAcceptedError as error:
        said = f"{error!r} {error}"
    assert "DOE" not in said


@pytest.mark.parametrize("keyword", ["body_part", "modality"])
def test_a_name_that_a_caller_gives_in_place_of_a_term_is_not_quoted(keyword):
    pixels = np.linspace(0, 1, 4096, dtype=np.float32).reshape(64, 64)
    with pytest.raises(NotAcceptedError, match="no defined term") as refused:
        review(Radiograph(pixels, file_format="DICOM", **{"modality": "CR", keyword: PATIENT["PatientName"]}))
    assert "Doe" not in f"{refused.value!r}"


# Grey levels


@pytest.mark.parametrize(("levels", "cautious"), [(150, False), (64, False), (63, True), (12, True)])
def test_a_picture_of_few_grey_levels_is_marked(levels, cautious):
    picture = read(png(np.tile(np.arange(levels), (levels, 1))))

    assert picture.grey_levels_used == levels
    assert (Caution.FEW_GREY_LEVELS in review(picture)) == cautious


def test_grey_levels_are_those_of_the_bulk_of_the_pixels():
    # 100 × 100 pixels of levels 0 to 9 and 0.4 % at 255, such as a burned-in letter: the bulk has ten levels.
    values = np.tile(np.arange(100) // 10, (100, 1))
    values[:2, :20] = 255

    assert read(png(values)).grey_levels_used == 10
