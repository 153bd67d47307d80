"""Patient's Age: valid Age Strings become years, and no other text is interpreted."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataelem import DataElement
from pydicom.uid import ExplicitVRBigEndian, ImplicitVRLittleEndian

from pneumoscope.radiograph import Radiograph, read
from tests.radiograph.builders import cr, png, property_test, written

PIXELS = [[0, 1024], [2048, 3072]]


def aged(value: str, vr: str = "AS", **elements) -> Radiograph:
    dataset = cr(PIXELS, **elements)
    dataset.add(DataElement(0x00101010, vr, value, validation_mode=0))
    return read(written(dataset))


@pytest.mark.parametrize(
    ("text", "years"),
    [("018Y", 18), ("000Y", 0), ("130Y", 130), ("006M", 0.5), ("216M", 18), ("052W", 52 * 7 / 365.25), ("100D", 100 / 365.25)],
)
def test_an_age_string_is_read_in_years(text, years):
    """PS3.5 6.2: nnnD, nnnW, nnnM or nnnY; a year counted as 365.25 days and 12 months."""
    radiograph = aged(text)
    assert radiograph.age_years == pytest.approx(years)
    assert radiograph.age_stated


@property_test
@given(st.integers(0, 130))
def test_every_age_in_years_comes_back(years):
    assert aged(f"{years:03d}Y").age_years == years


@pytest.mark.parametrize(
    "text", ["62", "062", "62Y", "062y", "062 Y", "0062Y", "Y062", "-01Y", "131Y", "999Y", "06.Y", "ADULT", "062Y\\063Y"]
)
def test_any_other_text_is_stated_but_not_interpreted(text):
    radiograph = aged(text, "LO")
    assert (radiograph.age_years, radiograph.age_stated) == (None, True)


@pytest.mark.parametrize("text", ["", "    "])
def test_an_empty_age_is_not_stated(text):
    radiograph = aged(text)
    assert (radiograph.age_years, radiograph.age_stated) == (None, False)


def test_a_file_without_the_attribute_states_no_age():
    for radiograph in (read(written(cr(PIXELS))), read(png(np.array([[0, 255]], np.uint8)))):
        assert (radiograph.age_years, radiograph.age_stated) == (None, False)


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian])
def test_the_age_is_read_from_every_encoding(syntax):
    assert aged("007Y", syntax=syntax).age_years == 7


def test_an_age_that_is_no_text_is_stated_but_not_interpreted():
    dataset = cr(PIXELS)
    dataset.add(DataElement(0x00101010, "US", 62))
    radiograph = read(written(dataset))
    assert (radiograph.age_years, radiograph.age_stated) == (None, True)


def test_the_age_is_not_printed():
    assert "41.5" not in repr(Radiograph(np.zeros((1, 1), np.float32), age_years=41.5))


@pytest.mark.parametrize("age", [-1, float("nan"), float("inf")])
def test_a_number_that_is_no_age_is_refused(age):
    with pytest.raises(ValueError, match="an age must be a finite number of years"):
        Radiograph(np.zeros((1, 1), np.float32), age_years=age)
