"""Every transfer syntax gives back the stored values: encoded here, and real files with published values."""

import io
import subprocess
import sys

import numpy as np
import pydicom
import pytest
from pydicom.pixels import apply_windowing
from pydicom.uid import (
    JPEG2000,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)

from pneumoscope.radiograph import read
from pneumoscope.radiograph import stored_values as decoder
from pneumoscope.radiograph.silenced_decoders import silenced_decoders
from tests.radiograph.builders import cr, encoded_by_gdcm, framed, jpeg, real, real_as_cr, show_stored, written

UNCOMPRESSED = [
    ImplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    DeflatedExplicitVRLittleEndian,
]
LOSSLESS = [RLELossless, JPEGLSLossless, JPEG2000Lossless]
SHAPE = (40, 49)


def noise(bits: int, signed: bool = False) -> np.ndarray:
    """Every value of the depth may occur; the extreme ones do."""
    low = -(2 ** (bits - 1)) if signed else 0
    values = np.random.default_rng(bits).integers(low, low + 2**bits, SHAPE)
    values[0, :2] = low, low + 2**bits - 1
    return values


def ramp(top: int) -> np.ndarray:
    """Slow waves from 0 to `top`, the kind of picture that lossy coding is made for."""
    rows, cols = np.indices(SHAPE)
    return np.rint((np.sin(rows / 9) + np.cos(cols / 11) + 2) / 4 * top).astype(int)


def stored_values(content: bytes) -> np.ndarray:
    """The stored values of an instance."""
    with silenced_decoders():
        return decoder.stored_values(pydicom.dcmread(io.BytesIO(content))).astype(int)


def window(bits: int, signed: bool = False) -> dict:
    return show_stored(bits) | ({"WindowCenter": 0} if signed else {})


# Encoded here


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("bits", [8, 10, 12, 16])
@pytest.mark.parametrize("syntax", UNCOMPRESSED, ids=lambda uid: uid.keyword)
def test_uncompressed_values_are_read(syntax, bits, signed):
    stored = noise(bits, signed)
    content = written(cr(stored, bits=bits, signed=signed, syntax=syntax, **window(bits, signed)))

    np.testing.assert_array_equal(stored_values(content), stored)


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("bits", [8, 10, 12, 16])
@pytest.mark.parametrize("syntax", LOSSLESS, ids=lambda uid: uid.keyword)
def test_losslessly_compressed_values_are_read(syntax, bits, signed):
    stored = noise(bits, signed)
    dataset = cr(stored, bits=bits, signed=signed, **window(bits, signed))
    dataset.compress(syntax)

    assert dataset.file_meta.TransferSyntaxUID == syntax
    np.testing.assert_array_equal(stored_values(written(dataset)), stored)


@pytest.mark.parametrize("bits", [8, 12, 16])
@pytest.mark.parametrize("process", ["JPEGLosslessProcess14", "JPEGLosslessProcess14_1"])
def test_jpeg_lossless_values_are_read(process, bits, tmp_path):
    stored = noise(bits)
    content = encoded_by_gdcm(cr(stored, bits=bits, **show_stored(bits)), process, tmp_path)

    np.testing.assert_array_equal(stored_values(content), stored)


@pytest.mark.parametrize("near", [1, 5])
def test_jpeg_ls_near_lossless_is_within_its_stated_error(near):
    # ISO/IEC 14495-1: every sample differs by at most NEAR.
    stored = noise(12)
    dataset = cr(stored, **show_stored(12))
    dataset.compress(JPEGLSNearLossless, jls_error=near)

    difference = np.abs(stored_values(written(dataset)) - stored)

    assert 0 < difference.max() <= near


def test_lossy_jpeg_2000_is_close():
    stored = ramp(4095)
    dataset = cr(stored, **show_stored(12))
    dataset.compress(JPEG2000, j2k_psnr=[60])

    error = stored_values(written(dataset)) - stored

    # The encoder was asked for 60 dB and comes within one.
    assert 59 < 20 * np.log10(4095 / np.sqrt((error**2).mean())) < 90


@pytest.mark.parametrize("syntax", [JPEGBaseline8Bit, JPEGExtended12Bit], ids=lambda uid: uid.keyword)
def test_8_bit_jpeg_is_close(syntax):
    stored = ramp(255)
    dataset = framed(cr(stored, bits=8, **show_stored(8)), jpeg(stored, quality=98), syntax)

    assert np.abs(stored_values(written(dataset)) - stored).max() <= 3


def test_12_bit_jpeg_extended_is_close(tmp_path):
    stored = ramp(4095)
    content = encoded_by_gdcm(cr(stored, **show_stored(12)), "JPEGExtendedProcess2_4", tmp_path)

    assert pydicom.dcmread(pydicom.filebase.DicomBytesIO(content)).file_meta.TransferSyntaxUID == JPEGExtended12Bit
    assert np.abs(stored_values(content) - stored).max() <= 16


# Real files. The values are those of pydicom's own tests (tests/pixels/pixels_reference.py), each confirmed there with
# several decoders.


@pytest.mark.parametrize(
    "name",
    [
        "MR_small.dcm",
        "MR_small_implicit.dcm",
        "MR_small_bigendian.dcm",
        "MR_small_expb.dcm",
        "MR_small_padded.dcm",
        "MR_small_RLE.dcm",
        "MR_small_jpeg_ls_lossless.dcm",
        "MR_small_jp2klossless.dcm",
    ],
)
def test_one_real_image_has_the_same_values_in_eight_files(name):
    values = stored_values(real_as_cr(name))

    assert values[0, 31:34].tolist() == [422, 319, 361]
    assert values[31, :3].tolist() == [366, 363, 322]
    assert values[-1, -3:].tolist() == [1369, 1129, 862]


@pytest.mark.parametrize(
    ("name", "bits", "where", "expected"),
    [
        ("image_dfl.dcm", 8, (300, slice(255, 263)), [138, 65, 65, 65, 65, 35, 35, 35]),
        ("JPGLosslessP14SV1_1s_1f_8b.dcm", 8, (300, slice(512, 520)), [26, 26, 25, 22, 19, 16, 14, 15]),
        ("JPGLosslessP14SV1_1s_1f_8b.dcm", 8, (600, slice(512, 520)), [45, 43, 41, 38, 33, 30, 26, 21]),
        ("JPEG-LL.dcm", 12, (400, slice(124, 132)), [60, 58, 61, 68, 59, 65, 64, 67]),
        ("JPEG-LL.dcm", 12, (600, slice(124, 132)), [3, 1, 2, 0, 2, 1, 2, 0]),
        ("JPGExtended.dcm", 12, ([420, 230], [140, 120]), [244, 95]),
    ],
)
def test_real_files_have_their_published_values(name, bits, where, expected):
    assert stored_values(real_as_cr(name))[where].tolist() == expected


def test_12_bit_jpeg_is_decoded_without_a_word_on_the_terminal(capfd):
    read(real_as_cr("JPGExtended.dcm"))

    assert capfd.readouterr() == ("", "")


def test_a_jpeg_2000_stream_of_the_other_sign_is_read_as_the_header_says():
    content = real_as_cr("J2K_pixelrep_mismatch.dcm")

    values = stored_values(content)

    assert values[0, 0] == -2000
    assert values[47:57, 279].tolist() == [621, 412, 138, -193, -520, -767, -907, -966, -988, -995]


# The chest radiograph of NEMA's compressed samples: J2KR is the lossless and J2KI the lossy file, UNCR and UNCI are what
# they decompress to.


@pytest.fixture(scope="module")
def chest():
    return {kind: read(real(f"RG1_{kind}.dcm")) for kind in ("UNCI", "UNCR", "J2KI", "J2KR")}


@pytest.mark.parametrize(("compressed", "plain"), [("J2KR", "UNCR"), ("J2KI", "UNCI")])
def test_the_compressed_chest_has_the_pixels_of_the_uncompressed_one(chest, compressed, plain):
    np.testing.assert_array_equal(chest[compressed].pixels, chest[plain].pixels)


def test_the_lossy_chest_is_not_the_lossless_one(chest):
    difference = np.abs(chest["J2KI"].pixels - chest["J2KR"].pixels)

    assert 0 < difference.mean() < 0.005


@pytest.mark.parametrize("kind", ["UNCI", "UNCR"])
def test_the_chest_is_windowed_and_inverted_as_pydicom_does(chest, kind):
    dataset = pydicom.dcmread(real(f"RG1_{kind}.dcm"))
    stored = np.frombuffer(dataset.PixelData, "<u2").reshape(1955, 1841)

    # 15 bits stored, window 15000 / 30000, MONOCHROME1.
    np.testing.assert_allclose(chest[kind].pixels, 1 - apply_windowing(stored, dataset) / 32767, atol=1e-6)


def test_the_chest_tells_its_view_and_no_spacing(chest):
    # Its Pixel Spacing is 0.000\0.000, which is no spacing.
    for radiograph in chest.values():
        assert (radiograph.rows, radiograph.cols) == (1955, 1841)
        assert (radiograph.modality, radiograph.view_position, radiograph.spacing) == ("CR", "PA", None)


def test_the_air_beside_the_chest_is_dark_and_its_middle_bright(chest):
    pixels = chest["UNCR"].pixels

    assert pixels[:200, :200].mean() < pixels[800:1200, 800:1000].mean()


# Damage that ends the process in a decoder library cannot be caught, so it is looked for in a process of its own.

READ_ALL = """
import sys
from pneumoscope.radiograph import RadiographError, read
for path in sys.argv[1:]:
    try:
        read(path)
        print("read")
    except RadiographError as error:
        print(type(error).__name__)
"""


def test_no_damaged_stream_ends_the_process(tmp_path):
    # Offsets into the stream and the byte put there: marker codes, precision, Huffman tables, SIZ depth, JPEG-LS header.
    damage = {
        "JPEG-LL.dcm": (b"\xff\xd8\xff", [{15: 196}, {16: 0}, {112: 255, 15: 175}, {6: 33, 246: 226}, {6: 255, 41: 255}]),
        "JPGExtended.dcm": (b"\xff\xd8\xff", [{6: 97}, {6: 33, 246: 226}, {15: 0}]),
        "MR_small_jp2klossless.dcm": (b"\xff\x4f\xff\x51", [{42: 66}, {42: 211}]),
        "MR_small_jpeg_ls_lossless.dcm": (b"\xff\xd8\xff", [{10: 0, 63: 255, 298: 0, 1365: 255}]),
    }
    paths = []
    for name, (start, edits) in damage.items():
        content = real_as_cr(name)
        for edit in edits:
            broken = bytearray(content)
            for offset, value in edit.items():
                broken[content.rindex(start) + offset] = value
            paths.append(tmp_path / f"{len(paths)}.dcm")
            paths[-1].write_bytes(broken)

    run = subprocess.run([sys.executable, "-c", READ_ALL, *map(str, paths)], capture_output=True, text=True, check=False)

    assert run.returncode == 0
    assert run.stdout.split() == ["UnreadableFileError"] * len(paths)
