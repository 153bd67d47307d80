"""The presentation state: each finding where it is, the warning, the polarity and the grey scale of the source, read back."""

import numpy as np
import pytest

from pneumoscope import DISCLAIMER
from pneumoscope.dicom_objects import DicomObjectError, presentation_state
from pneumoscope.dicom_objects.encoding import parsed
from pneumoscope.dicom_objects.presentation_state import PresentedFinding, read
from tests.dicom_objects.builders import SOURCES, cr_without_ids, reading, result_of
from tests.radiograph.builders import lut, written


def made_of(name, **changes):
    return presentation_state.write(result_of(SOURCES[name], **changes)).content


def test_the_findings_are_read_back():
    back = read(made_of("well-formed DX"))
    boxes = [finding.box for finding in reading().findings]
    assert back.findings == (
        PresentedFinding(boxes[0], "1: 0.81 right mid"),
        PresentedFinding(boxes[1], "2: 0.63 left upper"),
    )
    assert back.source_uid == "1.2.3.3"
    assert back.text.startswith(f"{DISCLAIMER} pneumonia 0.900, positive")


def test_a_reading_without_findings_draws_its_text_alone():
    back = read(made_of("well-formed DX", findings=()))
    assert (back.findings, back.text[: len(DISCLAIMER)]) == ((), DISCLAIMER)


@pytest.mark.parametrize(
    ("name", "shape"),
    [("MONOCHROME1", "INVERSE"), ("CR without IDs or spacing", "IDENTITY"), ("well-formed DX", "IDENTITY")],
)
def test_the_polarity_is_that_of_the_source(name, shape):
    assert parsed(made_of(name)).PresentationLUTShape == shape


def test_the_window_of_the_source_is_kept():
    (voi,) = parsed(made_of("well-formed DX")).SoftcopyVOILUTSequence
    assert (voi.WindowCenter, voi.WindowWidth) == (2000, 4000)


def test_the_tables_of_the_source_are_kept():
    source = cr_without_ids()
    source.ModalityLUTSequence = lut(0, list(range(0, 4096 * 2, 2)))
    source.VOILUTSequence = lut(0, list(range(8192)), bits=13)
    dataset = parsed(presentation_state.write(result_of(source)).content)
    assert np.frombuffer(dataset.ModalityLUTSequence[0].LUTData, "<u2")[:3].tolist() == [0, 2, 4]
    assert list(dataset.SoftcopyVOILUTSequence[0].VOILUTSequence[0].LUTDescriptor) == [8192, 0, 13]


def test_a_table_takes_the_place_of_a_window_and_a_damaged_one_is_left_out():
    source = cr_without_ids()
    source.WindowCenter, source.WindowWidth = ["100", "200"], ["300", "400"]
    source.RescaleSlope = "2"
    source.VOILUTSequence = lut(0, list(range(100)), count=99)
    (voi,) = parsed(presentation_state.write(result_of(source)).content).SoftcopyVOILUTSequence
    assert (voi.WindowCenter, voi.WindowWidth, "VOILUTSequence" in voi) == (100, 300, False)
    source.VOILUTSequence = lut(0, bytes(range(100)), bits=8, vr="OW", count=100)
    (voi,) = parsed(presentation_state.write(result_of(source)).content).SoftcopyVOILUTSequence
    assert np.frombuffer(voi.VOILUTSequence[0].LUTData, "<u2").tolist() == list(range(100))
    assert "WindowCenter" not in voi


def test_the_whole_image_is_the_displayed_area():
    (area,) = parsed(made_of("well-formed DX")).DisplayedAreaSelectionSequence
    assert (area.DisplayedAreaTopLeftHandCorner, area.DisplayedAreaBottomRightHandCorner) == ([1, 1], [80, 96])


def test_another_object_is_not_read_back():
    with pytest.raises(DicomObjectError, match="no presentation state of Pneumoscope's"):
        read(written(SOURCES["well-formed DX"]))
