"""DICOM CR and DX instances: which are read, what they tell beside pixels, and which sentence refuses the others."""

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.sr._snomed_dict import mapping as snomed_mapping
from pydicom.sr.codedict import codes
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from pneumoscope.radiograph import (
    EmptyImageError,
    NotARadiographError,
    RadiographError,
    Spacing,
    TooLargeError,
    UnreadableFileError,
    dicom,
    read,
)
from tests.radiograph.builders import PATIENT, cr, real, real_as_cr, show_stored, without_meta, written

STORED = [[0, 1024], [2048, 3072]]
AS_SHOWN = [[0, 0.25], [0.5, 0.75]]


def without(dataset: Dataset, *keywords: str) -> Dataset:
    for keyword in keywords:
        del dataset[keyword]
    return dataset


def with_size(rows: int, cols: int) -> Dataset:
    dataset = cr(STORED)
    dataset.Rows, dataset.Columns = rows, cols
    return dataset


def colour_photograph() -> Dataset:
    dataset = cr(np.arange(12).reshape(2, 6), bits=8, SamplesPerPixel=3, PlanarConfiguration=0)
    dataset.Columns, dataset.PhotometricInterpretation = 2, "RGB"
    return dataset


def palette_picture() -> Dataset:
    return cr(STORED, bits=16, PhotometricInterpretation="PALETTE COLOR")


# What is read


@pytest.mark.parametrize("modality", ["CR", "DX", "RG"])
def test_projection_radiographs_are_read(modality):
    radiograph = read(written(cr(STORED, Modality=modality, **show_stored(12))))

    assert radiograph.pixels.tolist() == AS_SHOWN
    assert radiograph.pixels.dtype == np.float32
    assert radiograph.modality == modality


def test_spare_bytes_after_the_pixels_are_left_out():
    dataset = cr(STORED, **show_stored(12))
    dataset.PixelData += bytes(4)
    assert read(written(dataset)).pixels.tolist() == AS_SHOWN


def test_an_odd_number_of_bytes_is_padded():
    assert read(written(cr([[0, 64, 128]], bits=8, **show_stored(8)))).pixels.tolist() == [[0, 0.25, 0.5]]


@pytest.mark.parametrize("frames", ["1", "0", ""])
def test_one_frame_may_be_stated(frames):
    assert read(written(cr(STORED, NumberOfFrames=frames, **show_stored(12)))).pixels.tolist() == AS_SHOWN


def test_what_the_file_tells_beside_pixels_is_kept():
    radiograph = read(written(cr(STORED, ViewPosition="PA", BodyPartExamined="CHEST")))

    assert (radiograph.view_position, radiograph.body_part) == ("PA", "CHEST")


def test_what_the_file_does_not_tell_is_empty():
    radiograph = read(written(cr(STORED)))

    assert (radiograph.view_position, radiograph.body_part, radiograph.spacing) == ("", "", None)


def test_identifiers_are_kept_for_those_who_write_dicom():
    identity = read(written(cr(STORED, StudyInstanceUID="1.2.3", SeriesInstanceUID="1.2.3.4"))).identity

    assert identity.patient_id == PATIENT["PatientID"]
    assert (identity.study_instance_uid, identity.series_instance_uid) == ("1.2.3", "1.2.3.4")
    assert (identity.sop_class_uid, identity.sop_instance_uid) == ("1.2.840.10008.5.1.4.1.1.1", "1.2.3.4.5")


def test_no_identifier_is_printed():
    radiograph = read(written(cr(STORED, StudyInstanceUID="1.2.3.777", SeriesInstanceUID="1.2.3.888")))

    printed = f"{radiograph!r} {radiograph} {radiograph.identity!r} {radiograph.identity}"
    assert not [value for value in [*PATIENT.values(), "1.2.3.777", "1.2.3.888", "1.2.3.4.5"] if value in printed]


# How it is wrapped


def test_a_file_without_preamble_is_read():
    content = written(cr(STORED, **show_stored(12)))

    assert content[128:132] == b"DICM"
    assert read(content[132:]).pixels.tolist() == AS_SHOWN


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian])
@pytest.mark.parametrize("first", [{}, {"SpecificCharacterSet": "ISO_IR 100"}, {"ImageType": ["ORIGINAL", "PRIMARY"]}])
def test_a_data_set_without_file_meta_information_is_read(syntax, first):
    content = without_meta(cr(STORED, syntax=syntax, **show_stored(12), **first))

    assert b"DICM" not in content
    assert read(content).pixels.tolist() == AS_SHOWN


def test_a_file_without_transfer_syntax_is_read_as_its_elements_are_encoded():
    # The same length and value representation, but an element that no reader asks for.
    content = written(cr(STORED, **show_stored(12)))
    syntax = content.index(b"\x02\x00\x10\x00UI")

    assert read(content[:syntax] + b"\x02\x00\x11\x00" + content[syntax + 4 :]).pixels.tolist() == AS_SHOWN


# Spacing: PS3.3 10.7.1.1 and C.8.7.1.1


@pytest.mark.parametrize(
    ("elements", "expected"),
    [
        ({}, None),
        ({"ImagerPixelSpacing": [0.2, 0.1]}, Spacing(0.2, 0.1, "detector")),
        # Equal values: the image has not been calibrated.
        ({"ImagerPixelSpacing": [0.2, 0.1], "PixelSpacing": [0.2, 0.1]}, Spacing(0.2, 0.1, "detector")),
        # Different values: corrected for magnification or calibrated.
        ({"ImagerPixelSpacing": [0.2, 0.1], "PixelSpacing": [0.16, 0.08]}, Spacing(0.16, 0.08, "patient")),
        # Nothing to compare with: "it cannot be determined whether or not correction or calibration have been performed".
        ({"PixelSpacing": [0.16, 0.08]}, Spacing(0.16, 0.08, "unstated")),
        ({"PixelSpacing": [0.16, 0.08], "PixelSpacingCalibrationType": "GEOMETRY"}, Spacing(0.16, 0.08, "patient")),
        ({"PixelSpacing": [0.16, 0.08], "PixelSpacingCalibrationType": "FIDUCIAL"}, Spacing(0.16, 0.08, "calibrated")),
        (
            {"ImagerPixelSpacing": [0.2, 0.1], "PixelSpacing": [0.1, 0.05], "PixelSpacingCalibrationType": "FIDUCIAL"},
            Spacing(0.1, 0.05, "calibrated"),
        ),
        # A digitized film: the spacing on the film.
        ({"NominalScannedPixelSpacing": [0.2, 0.1]}, Spacing(0.2, 0.1, "detector")),
        ({"NominalScannedPixelSpacing": [0.2, 0.1], "PixelSpacing": [0.2, 0.1]}, Spacing(0.2, 0.1, "detector")),
        ({"NominalScannedPixelSpacing": [0.2, 0.1], "PixelSpacing": [0.16, 0.08]}, Spacing(0.16, 0.08, "patient")),
        # Source to detector 1800 mm, to patient 1440 mm: factor 1.25.
        (
            {"ImagerPixelSpacing": [0.2, 0.1], "EstimatedRadiographicMagnificationFactor": "1.25"},
            Spacing(0.16, 0.08, "patient"),
        ),
        # A factor below 1 would put the patient behind the detector.
        (
            {"ImagerPixelSpacing": [0.2, 0.1], "EstimatedRadiographicMagnificationFactor": "0.5"},
            Spacing(0.2, 0.1, "detector"),
        ),
        # Spacing shall be positive (10.7.1.3) and a pair.
        ({"PixelSpacing": [0, 0]}, None),
        ({"PixelSpacing": [0.2, -0.2]}, None),
        ({"PixelSpacing": [0, 0], "ImagerPixelSpacing": [0.2, 0.1]}, Spacing(0.2, 0.1, "detector")),
        ({"PixelSpacing": "0.2"}, None),
        ({"ImagerPixelSpacing": [0.2, 0.1, 0.3]}, None),
        ({"PixelSpacing": None}, None),
    ],
)
def test_spacing_says_where_it_holds(elements, expected):
    spacing = read(written(cr(STORED, **elements))).spacing

    assert spacing == (expected and Spacing(pytest.approx(expected.row_mm), pytest.approx(expected.col_mm), expected.kind))


# What is refused

REFUSED = {
    "a CT": (lambda: written(cr(STORED, Modality="CT")), NotARadiographError, "Modality is CT"),
    "multi-frame": (lambda: written(cr(STORED, NumberOfFrames="2")), NotARadiographError, "2 frames"),
    "a colour photograph": (lambda: written(colour_photograph()), NotARadiographError, "RGB with 3 sample"),
    "three grey samples": (
        lambda: written(cr(STORED, SamplesPerPixel=3)),
        NotARadiographError,
        "MONOCHROME2 with 3 sample",
    ),
    "a palette picture": (lambda: written(palette_picture()), NotARadiographError, "PALETTE COLOR"),
    "no photometric interpretation": (
        lambda: written(without(cr(STORED), "PhotometricInterpretation")),
        NotARadiographError,
        "no stated Photometric",
    ),
    "7 bits": (lambda: written(cr(STORED, BitsStored=7)), NotARadiographError, "stores 7 bits"),
    "32 bits": (lambda: written(cr(STORED, BitsStored=32)), NotARadiographError, "stores 32 bits"),
    "no bits": (lambda: written(without(cr(STORED), "BitsStored")), UnreadableFileError, r"Bits Stored \(0028,0101\) is missing"),
    "zero rows": (lambda: written(with_size(0, 2)), EmptyImageError, "0 rows and 2 columns"),
    "zero columns": (lambda: written(with_size(2, 0)), EmptyImageError, "2 rows and 0 columns"),
    "no rows": (lambda: written(without(cr(STORED), "Rows")), EmptyImageError, "0 rows and 2 columns"),
    "too large": (lambda: written(with_size(10_001, 10_000)), TooLargeError, "10001 × 10000"),
    "one level": (lambda: written(cr(np.ones((2, 2)))), EmptyImageError, "same grey level"),
    "no pixel data": (lambda: written(without(cr(STORED), "PixelData")), UnreadableFileError, "no Pixel Data"),
    "too few pixels": (lambda: written(with_size(3, 2)), UnreadableFileError, "could not be decoded"),
    "cut pixel data": (lambda: written(cr(STORED))[:-2], UnreadableFileError, "truncated"),
    "pixel data of two frames": (lambda: written(with_size(1, 2)), UnreadableFileError, r"of shape \(2, 1, 2\)"),
    "cut header": (lambda: written(cr(STORED))[:200], UnreadableFileError, "truncated"),
    "a prefix only": (lambda: bytes(128) + b"DICM", UnreadableFileError, "truncated"),
    "a preamble and a text": (lambda: bytes(128) + b"DICM" + b"no element " * 20, UnreadableFileError, "truncated"),
    "the real CT": (lambda: real("CT_small.dcm").read_bytes(), NotARadiographError, "Modality is CT"),
    "the real multi-frame MR": (lambda: real_as_cr("emri_small.dcm"), NotARadiographError, "10 frames"),
    "the real colour picture": (lambda: real_as_cr("SC_rgb.dcm"), NotARadiographError, "RGB with 3 sample"),
    "the real palette picture": (lambda: real_as_cr("OBXXXX1A.dcm"), NotARadiographError, "PALETTE COLOR"),
    "the real truncated MR": (lambda: real_as_cr("MR_truncated.dcm"), UnreadableFileError, "truncated"),
    "the real plan": (lambda: real("rtplan.dcm").read_bytes(), UnreadableFileError, "no Pixel Data"),
}


@pytest.mark.parametrize(("make", "error", "says"), REFUSED.values(), ids=REFUSED)
def test_an_instance_that_is_no_radiograph_is_a_named_error(make, error, says):
    with pytest.raises(error, match=says):
        read(make())


@pytest.mark.parametrize("make", [make for make, _, _ in REFUSED.values()], ids=REFUSED)
def test_an_error_is_one_sentence_without_identifiers(make):
    content = make()

    with pytest.raises(RadiographError) as caught:
        read(content)

    message, printed = str(caught.value), f"{caught.value!r} {caught.value}"
    assert message
    assert "\n" not in message
    assert ". " not in message.rstrip(".")
    dataset = pydicom.dcmread(pydicom.filebase.DicomBytesIO(content), stop_before_pixels=True, force=True)
    names = [str(dataset.get(keyword, "")) for keyword in [*PATIENT, "SOPInstanceUID", "StudyInstanceUID"]]
    assert not [name for name in [*PATIENT.values(), *filter(None, names)] if name in printed]


def test_a_number_that_cannot_be_parsed_is_not_quoted():
    # The name in place of a number: the error of float() quotes it.
    content = written(cr(STORED, RescaleSlope="1.234567", RescaleIntercept="0"))

    with pytest.raises(UnreadableFileError, match=r"Rescale Slope \(0028,1053\) is not finite or not a number") as caught:
        read(content.replace(b"1.234567", b"Doe^Jane"))

    assert "Doe" not in f"{caught.value!r} {caught.value}"


@pytest.mark.parametrize("code", [b"CS\x02\x00CR", b"IS\x02\x001 ", b"CS\x0c\x00MONOCHROME2 ", b"US\x02\x00\x01\x00"])
def test_an_element_that_swallows_the_next_ones_is_not_quoted(code):
    # The length of one element is damaged, so that the identifiers behind it become part of its value.
    dataset = cr(STORED, NumberOfFrames="1")
    dataset.add_new(0x00290010, "LO", "Doe^Jane SECRET-4711")
    content = written(dataset)
    at = content.index(code)
    behind = b"\x10\x00\x10\x00PN\x08\x00Doe^Jane"
    swallowed = code[:2] + bytes([len(code) - 4 + len(behind), 0]) + code[4:] + behind

    try:
        result = read(content[:at] + swallowed + content[at + len(code) :])
    except RadiographError as error:
        result = error

    assert "Doe" not in f"{result!r} {result}"


def test_a_transfer_syntax_that_is_none_is_not_quoted():
    content = written(cr(STORED)).replace(b"UI\x14\x001.2.840.10008.1.2.1\0", b"UI\x14\x001.2.840 Doe^Jane 471")

    with pytest.raises(UnreadableFileError) as caught:
        read(content)

    assert "Doe" not in f"{caught.value!r} {caught.value}"


def test_an_odd_value_is_not_logged(caplog):
    # pydicom logs and quotes a UID that is none.
    content = written(cr(STORED, StudyInstanceUID="1.2.345678")).replace(b"1.2.345678", b"Doe^Jane 1")

    assert read(content).identity.study_instance_uid == "Doe^Jane 1"
    assert "Doe" not in caplog.text


def test_a_malformed_element_that_is_not_needed_does_no_harm():
    content = written(cr(STORED, PatientSize="1.234567", **show_stored(12)))

    assert read(content.replace(b"1.234567", b"1 m 80cm")).pixels.tolist() == AS_SHOWN


def test_view_codes_are_those_of_the_standard():
    """By the tables that pydicom makes from PS3.16: CID 4010 in SNOMED CT, and its mapping from SNOMED-RT."""
    names = {
        "PA": "PosteroAnterior", "AP": "AnteroPosterior", "LL": "LeftLateral", "RL": "RightLateral",
        "LATERAL": "LateralProjection", "LAO": "LeftAnteriorOblique", "RAO": "RightAnteriorOblique",
        "LPO": "LeftPosteriorOblique", "RPO": "RightPosteriorOblique",
    }  # fmt: skip
    by_table = {view: getattr(codes.cid4010, name) for view, name in names.items()}
    assert {view: (code.value, snomed_mapping["SCT"][code.value]) for view, code in by_table.items()} == dicom._VIEWS
