"""The Secondary Capture image: at most 1024 px, with the warning in its pixels, in the displayed order, read back."""

import numpy as np
import pytest

from pneumoscope import DISCLAIMER
from pneumoscope.dicom_objects import DicomObjectError, secondary_capture
from pneumoscope.dicom_objects.encoding import parsed
from pneumoscope.dicom_objects.secondary_capture import LARGEST_PX, picture, read, text_of
from pneumoscope.radiograph import Caution, Radiograph
from tests.dicom_objects.builders import COLS, ROWS, SOURCES, cr_without_ids, reading, result_of
from tests.heatmap.builders import heatmap_of
from tests.lung_fields.builders import lungs
from tests.radiograph.builders import written

YELLOW = (255, 220, 90)
NOTHING = {"findings": (), "heatmap": heatmap_of(np.zeros((ROWS, COLS)))}


def test_the_picture_is_read_back_with_its_text_and_its_source():
    result = result_of(SOURCES["well-formed DX"])
    back = read(secondary_capture.write(result).content)
    assert np.array_equal(back.pixels, np.asarray(picture(result)))
    assert back.source_uid == "1.2.3.3"
    assert back.text == text_of(reading())
    assert back.text.startswith(DISCLAIMER)
    assert "pneumonia 0.900, positive (threshold 0.550), 2 findings" in back.text


@pytest.mark.parametrize(("rows", "cols"), [(3000, 2500), (400, 2000), (2000, 300), (1, 900), (96, 80)])
def test_no_picture_is_larger_than_1024_px_and_none_lacks_the_warning(rows, cols):
    result = result_of(SOURCES["well-formed DX"])
    changes = {"heatmap": heatmap_of(np.zeros((rows, cols))), "findings": (), "lung_fields": lungs(rows, cols)}
    object.__setattr__(result, "radiograph", Radiograph(np.zeros((rows, cols), np.float32)))
    object.__setattr__(result, "reading", reading(**changes, cautions=tuple(Caution)))
    made = picture(result)
    assert max(made.size) <= LARGEST_PX
    strip = np.asarray(made)[max(0, made.height - 200) :]
    assert (strip == YELLOW).all(axis=-1).sum() > 300


def test_the_whole_radiograph_is_in_the_picture_above_the_strip():
    made = np.asarray(
        picture(result_of(SOURCES["CR without IDs or spacing"], findings=(), heatmap=heatmap_of(np.zeros((ROWS, COLS)))))
    )
    left = (made.shape[1] - COLS) // 2
    assert (made[10:20, left + 7 : left + 13] == 255).all()  # the bright corner block, top left as stored
    assert not (made[10:20, left + COLS - 13 : left + COLS - 7] == 255).any()


def test_a_mirrored_radiograph_is_shown_in_the_displayed_order():
    mirrored = cr_without_ids()
    mirrored.PatientOrientation = ["R", "F"]
    made = np.asarray(picture(result_of(mirrored, **NOTHING)))
    left = (made.shape[1] - COLS) // 2
    assert (made[10:20, left + COLS - 13 : left + COLS - 7] == 255).all()


@pytest.mark.parametrize("stated", ["YES", "NO", None])
def test_burned_in_annotation_is_that_of_the_source(stated):
    source = cr_without_ids()
    if stated:
        source.BurnedInAnnotation = stated
    assert parsed(secondary_capture.write(result_of(source)).content).get("BurnedInAnnotation") == stated


def test_another_object_is_not_read_back():
    with pytest.raises(DicomObjectError, match="no Secondary Capture of Pneumoscope's"):
        read(written(cr_without_ids()))
