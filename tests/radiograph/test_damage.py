"""Damaged files: whatever is cut or changed, the outcome is a `RadiographError` or a proper radiograph."""

import io

import numpy as np
import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.encaps import generate_frames
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLSLossless,
    RLELossless,
)

from pneumoscope.radiograph import Radiograph, RadiographError, TooLargeError, UnreadableFileError, read
from tests.radiograph.builders import (
    PATIENT,
    RGBA,
    chunk,
    cr,
    encoded_by_gdcm,
    exif,
    framed,
    jpeg,
    lut,
    png,
    property_test,
    written,
)

LEVELS = np.random.default_rng(0).integers(0, 256, (36, 40))
ELEMENTS = {
    "PixelSpacing": [0.2, 0.3],
    "ImagerPixelSpacing": [0.2, 0.3],
    "EstimatedRadiographicMagnificationFactor": "1.5",
    "NumberOfFrames": "1",
    "RescaleSlope": "1",
    "RescaleIntercept": "0",
    "PixelPaddingValue": 3000,
    "PixelPaddingRangeLimit": 3001,
    "WindowCenter": [2000, 1000],
    "WindowWidth": [4000, 100],
}
LUTS = {"ModalityLUTSequence": lut(0, [0, 9, 99, 65535]), "VOILUTSequence": lut(0, [0, 9, 99, 65535])}


def compressed(syntax) -> bytes:
    dataset = cr(LEVELS * 16, **ELEMENTS)
    dataset.compress(syntax)
    return written(dataset)


FILES = {
    "grey PNG": png(LEVELS),
    "16 bit PNG": png(LEVELS * 256, 16),
    "RGBA PNG": png(LEVELS.reshape(18, 20, 4), 8, RGBA, chunk(b"eXIf", exif(6))),
    "JPEG": jpeg(LEVELS, exif=b"Exif\0\0" + exif(6)),
    "progressive JPEG": jpeg(LEVELS.reshape(24, 20, 3), progressive=True),
    "implicit": written(cr(LEVELS * 16, syntax=ImplicitVRLittleEndian, **ELEMENTS)),
    "explicit": written(cr(LEVELS * 16, **ELEMENTS, **LUTS)),
    "big endian": written(cr(LEVELS * 16, syntax=ExplicitVRBigEndian, **ELEMENTS)),
    "deflated": written(cr(LEVELS * 16, syntax=DeflatedExplicitVRLittleEndian, **ELEMENTS)),
    "no preamble": written(cr(LEVELS * 16, syntax=ExplicitVRLittleEndian, **ELEMENTS))[132:],
    "RLE": compressed(RLELossless),
    "JPEG-LS": compressed(JPEGLSLossless),
    "JPEG 2000": compressed(JPEG2000Lossless),
    "JPEG baseline": written(framed(cr(LEVELS, bits=8, **ELEMENTS), jpeg(LEVELS), JPEGBaseline8Bit)),
}
every_file = pytest.mark.parametrize("content", FILES.values(), ids=FILES)


def outcome(content: bytes) -> Radiograph | RadiographError:
    """What `read` gives or raises; any other exception fails the test."""
    try:
        return read(content)
    except RadiographError as error:
        message = f"{error!r} {error}"
        assert "\n" not in message
        assert not [value for value in PATIENT.values() if value in message]
        return error


def assert_proper(radiograph: Radiograph) -> None:
    assert radiograph.pixels.dtype == np.float32
    assert np.isfinite(radiograph.pixels).all()
    assert 0 <= radiograph.pixels.min() < radiograph.pixels.max() <= 1


@every_file
def test_every_one_of_these_files_is_read_while_intact(content):
    assert_proper(read(content))


@every_file
def test_a_file_cut_anywhere_is_an_error_or_read_whole(content):
    whole = read(content).pixels
    cuts = {*range(0, len(content), max(1, len(content) // 60)), *range(len(content) - 30, len(content))}

    outcomes = {cut: outcome(content[:cut]) for cut in cuts}

    for result in outcomes.values():
        if isinstance(result, Radiograph):
            np.testing.assert_array_equal(result.pixels, whole)
    assert all(isinstance(result, RadiographError) for cut, result in outcomes.items() if cut < len(content) - 40)


@pytest.mark.parametrize("part", [0.5, 0.9, 0.99])
@pytest.mark.parametrize("kind", ["RLE", "JPEG-LS", "JPEG 2000", "JPEG baseline", "Process14_1", "Extended"])
def test_a_cut_stream_in_an_intact_file_is_an_error(kind, part, tmp_path):
    encode = {"Process14_1": "JPEGLosslessProcess14_1", "Extended": "JPEGExtendedProcess2_4"}
    content = encoded_by_gdcm(cr(LEVELS * 16), encode[kind], tmp_path) if kind in encode else FILES[kind]
    dataset = pydicom.dcmread(io.BytesIO(content))
    frame = next(generate_frames(dataset.PixelData, number_of_frames=1))

    cut = framed(dataset, frame[: int(len(frame) * part)], dataset.file_meta.TransferSyntaxUID)

    assert_proper(read(content))
    assert isinstance(outcome(written(cut)), UnreadableFileError)


@every_file
@property_test
@given(data=st.data())
def test_a_file_with_changed_bytes_is_an_error_or_a_proper_radiograph(content, data):
    # Headers are short and pixels many, so that half of the changes are sent to the first 600 bytes.
    where = st.one_of(st.integers(0, len(content) - 1), st.integers(0, min(600, len(content) - 1)))
    changes = data.draw(st.lists(st.tuples(where, st.integers(0, 255)), min_size=1, max_size=6))
    damaged = bytearray(content)
    for at, value in changes:
        damaged[at] = value

    result = outcome(bytes(damaged))

    if isinstance(result, Radiograph):
        assert_proper(result)


@every_file
@property_test
@given(data=st.data())
def test_a_file_with_bytes_lost_or_doubled_is_an_error_or_a_proper_radiograph(content, data):
    start = data.draw(st.integers(0, len(content) - 1))
    length = data.draw(st.integers(1, 40))
    piece = content[start : start + length] * data.draw(st.sampled_from([0, 2]))

    result = outcome(content[:start] + piece + content[start + length :])

    if isinstance(result, Radiograph):
        assert_proper(result)


@property_test
@given(st.binary(max_size=300), st.sampled_from([b"", bytes(128) + b"DICM", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"\x08\x00"]))
def test_arbitrary_bytes_are_an_error(content, start):
    assert isinstance(outcome(start + content), RadiographError)


def test_a_deflated_data_set_that_unpacks_without_end_is_refused_before_it_is_unpacked(monkeypatch):
    content = written(cr(LEVELS * 16, syntax=DeflatedExplicitVRLittleEndian, TextValue="x" * 5_000_000))
    assert len(content) < 20_000
    monkeypatch.setattr("pneumoscope.radiograph.declared_sizes.MAX_INFLATED_BYTES", 4_000_000)
    with pytest.raises(TooLargeError, match="unpacks to more than 4,000,000 bytes"):
        read(content)
