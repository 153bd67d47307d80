"""Encoded elements: as pydicom encodes and reads them, and refused where a value does not fit."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.sr.coding import Code

from pneumoscope.dicom_objects.content_items import code_item
from pneumoscope.dicom_objects.data_elements import element, item, sequence


def by_pydicom(**values):
    dataset = Dataset()
    dataset.SpecificCharacterSet = "ISO_IR 192"
    stream = io.BytesIO()
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    dataset.save_as(stream, implicit_vr=False, little_endian=True)
    return stream.getvalue().removeprefix(element("SpecificCharacterSet", "ISO_IR 192")[1])


@given(
    text=st.text(st.characters(exclude_categories=["C", "Z"], exclude_characters="\\"), max_size=64),
    uid=st.sampled_from(["1.2", "1.2.3"]),
)
def test_texts_are_encoded_as_by_pydicom(text, uid):
    assert element("CodeMeaning", text)[1] == by_pydicom(CodeMeaning=text)
    assert element("TextValue", text)[1] == by_pydicom(TextValue=text)
    assert element("UID", uid)[1] == by_pydicom(UID=uid)


@given(numbers=st.lists(st.floats(-1e6, 1e6, width=32), min_size=2, max_size=12))
def test_numbers_are_encoded_as_by_pydicom(numbers):
    assert element("GraphicData", numbers)[1] == by_pydicom(GraphicData=numbers)
    assert element("FloatingPointValue", numbers[:1])[1] == by_pydicom(FloatingPointValue=numbers[0])


def test_a_sequence_is_encoded_as_by_pydicom_with_its_elements_in_order():
    one = Dataset()
    one.CodeValue, one.CodeMeaning = "A", "B"
    encoded = sequence("ConceptCodeSequence", item(element("CodeMeaning", "B"), element("CodeValue", "A")), item())
    assert encoded[1] == by_pydicom(ConceptCodeSequence=[one, Dataset()])


@pytest.mark.parametrize(
    ("keyword", "value", "sentence"),
    [
        ("CodeMeaning", "x" * 2**16, "does not fit the value representation LO"),
        ("CodeMeaning", [1.0], "which a list does not fit"),
        ("GraphicData", "1", "which a str does not fit"),
        ("NoSuchKeyword", "1", "no keyword of an attribute"),
    ],
)
def test_a_value_that_does_not_fit_is_refused(keyword, value, sentence):
    with pytest.raises(ValueError, match=sentence):
        element(keyword, value)


def test_long_code_values_have_their_own_attribute_and_long_meanings_are_refused():
    coded = code_item("CONTAINS", Code("x" * 17, "99X", "m", "1.0"), Code("y" * 16, "99X", "n"))
    content = io.BytesIO(sequence("ContentSequence", coded)[1])
    (read,) = dcmread(content, force=True).ContentSequence
    (name,) = read.ConceptNameCodeSequence
    assert (name.LongCodeValue, name.CodingSchemeVersion, "CodeValue" in name) == ("x" * 17, "1.0", False)
    assert read.ConceptCodeSequence[0].CodeValue == "y" * 16
    with pytest.raises(ValueError, match="65 characters, more than 64"):
        code_item("CONTAINS", Code("x", "99X", "m" * 65), Code("y", "99X", "n"))
