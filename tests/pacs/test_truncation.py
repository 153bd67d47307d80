"""Data sets that are cut off, in every form in which lengths are stated."""

import io
import zlib

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    RLELossless,
)

from pneumoscope.pacs.receive import truncation
from pneumoscope.pacs.receive.truncation import is_truncated

PIXELS = bytes(range(200))


def icon():
    """A nested image, whose Pixel Data is not that of the instance."""
    item = Dataset()
    item.add_new(0x7FE00010, "OW", PIXELS[:8])
    return item


def data_set(syntax, undefined_lengths=False):
    """The bytes of a data set with a nested image before its Pixel Data."""
    made = Dataset()
    made.Rows = made.Columns = 10
    made.IconImageSequence = Sequence([icon(), icon()])
    made["IconImageSequence"].is_undefined_length = undefined_lengths
    for item in made.IconImageSequence:
        item.is_undefined_length_sequence_item = undefined_lengths
    is_encapsulated = syntax == RLELossless
    made.add_new(0x7FE00010, "OB" if is_encapsulated else "OW", encapsulate([PIXELS]) if is_encapsulated else PIXELS)
    made["PixelData"].is_undefined_length = is_encapsulated
    stream = DicomBytesIO()
    stream.is_implicit_VR, stream.is_little_endian = syntax == ImplicitVRLittleEndian, syntax != ExplicitVRBigEndian
    write_dataset(stream, made)
    return stream.getvalue()


def truncated(content, syntax):
    return is_truncated(io.BytesIO(content), syntax, len(content))


@pytest.mark.parametrize("undefined_lengths", [False, True])
@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian, RLELossless])
def test_a_data_set_is_truncated_wherever_it_is_cut_within_an_element(syntax, undefined_lengths):
    content = data_set(syntax, undefined_lengths)
    assert not truncated(content, syntax)
    assert not truncated(content + b"\xfc\xff\xfc\xff padding", syntax)
    boundaries = {length for length in range(len(content)) if not truncated(content[:length], syntax)}
    assert len(boundaries) == 4, "nothing, and the ends of Rows, Columns and the sequence"
    assert max(boundaries) < len(content) - len(PIXELS)


def test_more_elements_than_any_radiograph_has_are_refused_soon():
    assert truncated(b"\x09\x00\x10\x00LO\x00\x00" * 200_000, ExplicitVRLittleEndian)


def deflated(content):
    compressing = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return compressing.compress(content) + compressing.flush()


def test_a_deflated_data_set_is_truncated_wherever_it_is_cut():
    content = deflated(np.random.default_rng(0).integers(0, 256, 3000, np.uint8).tobytes())
    assert not truncated(content, DeflatedExplicitVRLittleEndian)
    assert not truncated(content + b"\0", DeflatedExplicitVRLittleEndian)
    assert all(truncated(content[:length], DeflatedExplicitVRLittleEndian) for length in range(0, len(content), 7))
    assert truncated(b"\xff" * 100, DeflatedExplicitVRLittleEndian)


def test_a_deflated_data_set_that_inflates_without_end_is_left_to_the_reader(monkeypatch):
    monkeypatch.setattr(truncation, "_MOST_INFLATED", 2**21)
    content = deflated(bytes(2**23))
    assert not truncated(content[:-1], DeflatedExplicitVRLittleEndian)
