"""`read`: PNG and JPEG of every kind, the format found from the content, one sentence for every file that is none."""

import io
import tarfile
import zipfile
import zlib
from typing import Literal

import numpy as np
import pytest
from PIL import Image

from pneumoscope import PneumoscopeError
from pneumoscope.radiograph import EmptyImageError, NotARadiographError, RadiographError, TooLargeError, UnreadableFileError, read
from pneumoscope.radiograph.limits import MAX_PIXELS
from tests.radiograph.builders import (
    GREY_ALPHA,
    PALETTE,
    RGB,
    RGBA,
    chunk,
    cr,
    exif,
    jpeg,
    png,
    png_header,
    real,
    written,
)

SMALL = np.array([[1, 2, 3], [4, 5, 6]])
# Exif 2.32, tag 0x0112: where the stored 0th row and 0th column lie when the picture is seen upright.
UPRIGHT = {
    1: [[1, 2, 3], [4, 5, 6]],
    2: [[3, 2, 1], [6, 5, 4]],
    3: [[6, 5, 4], [3, 2, 1]],
    4: [[4, 5, 6], [1, 2, 3]],
    5: [[1, 4], [2, 5], [3, 6]],
    6: [[4, 1], [5, 2], [6, 3]],
    7: [[6, 3], [5, 2], [4, 1]],
    8: [[3, 6], [2, 5], [1, 4]],
}


# PNG


@pytest.mark.parametrize("depth", [1, 2, 4, 8, 16])
def test_grey_of_every_png_depth_runs_from_black_to_white(depth):
    white = 2**depth - 1
    grey = white // 3

    pixels = read(png([[0, white], [grey, 0]], depth)).pixels

    np.testing.assert_allclose(pixels, [[0, 1], [grey / white, 0]], atol=1e-7)
    assert pixels.dtype == np.float32


def test_a_16_bit_png_keeps_all_65536_levels():
    levels = np.arange(65536).reshape(256, 256)

    pixels = read(png(levels, 16)).pixels

    np.testing.assert_array_equal(np.rint(pixels.astype(np.float64) * 65535), levels)
    assert len(np.unique(pixels)) == 65536


@pytest.mark.parametrize("depth", [8, 16])
def test_colour_becomes_luma(depth):
    white = 2**depth - 1
    samples = np.array([[[1, 0, 0], [0, 1, 0]], [[0, 0, 1], [1, 1, 1]]]) * white

    # ITU-R BT.601: 0.299 red + 0.587 green + 0.114 blue.
    np.testing.assert_allclose(read(png(samples, depth, RGB)).pixels, [[0.299, 0.587], [0.114, 1]], atol=0.5 / 255)


@pytest.mark.parametrize(("depth", "colour", "channels"), [(8, GREY_ALPHA, 1), (16, GREY_ALPHA, 1), (8, RGBA, 3)])
def test_what_is_transparent_shows_black(depth, colour, channels):
    white = 2**depth - 1
    alpha = [[white, 0], [white // 5, white // 3]]
    samples = np.dstack([np.full((2, 2, channels), white), alpha])

    np.testing.assert_allclose(read(png(samples, depth, colour)).pixels, [[1, 0], [1 / 5, 1 / 3]], atol=0.5 / 255)


def test_a_palette_is_looked_up():
    palette = chunk(b"PLTE", bytes([0, 0, 0, 102, 102, 102, 255, 255, 255]))

    pixels = read(png([[0, 1], [2, 1]], 2, PALETTE, palette)).pixels

    np.testing.assert_allclose(pixels, [[0, 0.4], [1, 0.4]], atol=1e-7)


def test_a_transparent_palette_entry_shows_black():
    palette = chunk(b"PLTE", bytes([51, 51, 51, 102, 102, 102, 255, 255, 255])) + chunk(b"tRNS", bytes([255, 255, 0]))

    pixels = read(png([[0, 1], [2, 1]], 2, PALETTE, palette)).pixels

    np.testing.assert_allclose(pixels, [[0.2, 0.4], [0, 0.4]], atol=1e-7)


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("orientation", UPRIGHT)
def test_a_png_is_turned_as_its_exif_orientation_says(orientation, depth):
    unit = 2 ** (depth - 3)  # so that the highest bit of the format is used
    content = png(SMALL * unit, depth, extra=chunk(b"eXIf", exif(orientation)))

    pixels = read(content).pixels

    assert np.rint(pixels * (2**depth - 1) / unit).tolist() == UPRIGHT[orientation]


# JPEG


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"optimize": True}])
def test_a_grey_jpeg_keeps_its_levels(options):
    # Flat 8 × 8 blocks have a DC coefficient only, which quality 100 (divisor 1) keeps to an eighth of a level.
    blocks = np.kron([[0, 60], [180, 255]], np.ones((8, 8)))

    pixels = read(jpeg(blocks, quality=100, **options)).pixels

    np.testing.assert_allclose(pixels, blocks / 255, atol=1 / 255)


def test_a_colour_jpeg_becomes_luma():
    blocks = np.kron([[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [255, 255, 255]]], np.ones((16, 16, 1)))

    pixels = read(jpeg(blocks, quality=100, subsampling=0)).pixels

    # ITU-R BT.601; the way through YCbCr and back rounds twice.
    np.testing.assert_allclose(pixels[::16, ::16], [[0.299, 0.587], [0.114, 1]], atol=2 / 255)


@pytest.mark.parametrize("orientation", UPRIGHT)
def test_a_jpeg_is_turned_as_its_exif_orientation_says(orientation):
    blocks = np.kron(SMALL * 40, np.ones((8, 8)))

    pixels = read(jpeg(blocks, quality=100, exif=b"Exif\0\0" + exif(orientation))).pixels

    np.testing.assert_allclose(pixels[4::8, 4::8], np.array(UPRIGHT[orientation]) * 40 / 255, atol=1 / 255)


# Where it comes from


def test_a_picture_knows_nothing_but_its_pixels():
    radiograph = read(png(SMALL))

    assert (radiograph.rows, radiograph.cols) == (2, 3)
    assert (radiograph.spacing, radiograph.modality, radiograph.view_position, radiograph.body_part) == (None, "", "", "")
    assert radiograph.identity.patient_id == ""


@pytest.mark.parametrize("content", [png(SMALL), jpeg(SMALL * 40), written(cr(SMALL))], ids=["png", "jpeg", "dicom"])
@pytest.mark.parametrize("name", ["a.png", "a.dcm", "a"])
def test_the_content_decides_not_the_name(content, name, tmp_path):
    path = tmp_path / name
    path.write_bytes(content)

    expected = read(content).pixels

    np.testing.assert_array_equal(read(path).pixels, expected)
    np.testing.assert_array_equal(read(str(path)).pixels, expected)


def test_a_path_that_is_not_there_is_an_os_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        read(tmp_path / "missing.png")


# What is no radiograph


def zipped() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a.png", png(SMALL))
    return file.getvalue()


def tarred(mode: Literal["w", "w:gz"] = "w") -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode=mode) as archive:
        archive.addfile(tarfile.TarInfo("a.png"))
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (zipped(), "the file is a ZIP archive; read the radiographs in it with  pneumoscope archive manifest  and  archive read"),
        (tarred(), "the file is a TAR archive; read the radiographs in it with  pneumoscope archive manifest  and  archive read"),
        (tarred("w:gz"), "the file is a gzip archive; unpack it, and read what it holds"),
    ],
    ids=["ZIP", "TAR", "gzip"],
)
def test_an_archive_is_named_with_what_reads_it(content, says):
    with pytest.raises(UnreadableFileError, match=says):
        read(content)


def picture(kind: str) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.arange(256, dtype=np.uint8).reshape(16, 16)).save(file, kind)
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "error", "says"),
    [
        (b"", UnreadableFileError, "empty"),
        (b"a text of no picture\n" * 40, UnreadableFileError, "neither DICOM nor PNG nor JPEG"),
        (bytes(1000), UnreadableFileError, "neither DICOM nor PNG nor JPEG"),
        (picture("TIFF"), UnreadableFileError, "neither DICOM nor PNG nor JPEG"),
        (picture("GIF"), UnreadableFileError, "neither DICOM nor PNG nor JPEG"),
        (picture("BMP"), UnreadableFileError, "neither DICOM nor PNG nor JPEG"),
        (png(SMALL)[:20], UnreadableFileError, "truncated"),
        (jpeg(SMALL)[:20], UnreadableFileError, "truncated"),
        (png_header(4, 0) + chunk(b"IDAT", zlib.compress(b"")), EmptyImageError, "no rows"),
        (png_header(0, 4) + chunk(b"IDAT", zlib.compress(b"\0" * 4)), EmptyImageError, "no columns"),
        (png(np.zeros((5, 7), int)), EmptyImageError, "5 × 7 pixels has the same grey level"),
        (png(np.full((5, 7), 65535), 16), EmptyImageError, "5 × 7 pixels has the same grey level"),
        (jpeg(np.zeros((8, 8))), EmptyImageError, "8 × 8 pixels has the same grey level"),
        (png(np.dstack([SMALL, SMALL * 0]), 8, GREY_ALPHA), EmptyImageError, "same grey level"),
    ],
    ids=[
        "no byte",
        "text",
        "zeros",
        "TIFF",
        "GIF",
        "BMP",
        "PNG header cut",
        "JPEG header cut",
        "PNG without rows",
        "PNG without columns",
        "black PNG",
        "white PNG",
        "black JPEG",
        "transparent PNG",
    ],
)
def test_a_file_that_is_no_radiograph_is_a_named_error(content, error, says):
    with pytest.raises(error, match=says):
        read(content)


@pytest.mark.parametrize(("rows", "cols"), [(4_001, 10_000), (12_000, 12_000), (20_000, 20_000), (2**31 - 1, 2**31 - 1)])
def test_a_picture_that_declares_too_much_is_refused_before_it_is_decoded(rows, cols):
    # 4,001 × 10,000 is one row above the limit; Pillow itself warns at 89 and refuses at 179 million pixels.
    with pytest.raises(TooLargeError, match="not decoded"):
        read(png_header(cols, rows) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b""))


def test_a_picture_at_the_limit_is_not_too_large():
    content = png_header(10_000, MAX_PIXELS // 10_000) + chunk(b"IDAT", zlib.compress(bytes(1000)))

    with pytest.raises(UnreadableFileError, match="truncated"):
        read(content)


def test_a_bomb_in_a_text_chunk_is_refused():
    text = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(5_000_000)))

    with pytest.raises(UnreadableFileError):
        read(png(SMALL, extra=text))


@pytest.mark.parametrize("error", [EmptyImageError, NotARadiographError, TooLargeError, UnreadableFileError])
def test_every_error_can_be_caught_by_its_family(error):
    assert issubclass(error, RadiographError)
    assert issubclass(RadiographError, PneumoscopeError)


def test_a_real_file_gives_the_same_radiograph_from_its_path_and_from_its_bytes():
    path = real("RG3_UNCR.dcm")

    from_path, from_bytes = read(path), read(path.read_bytes())

    np.testing.assert_array_equal(from_path.pixels, from_bytes.pixels)
    assert from_path.identity == from_bytes.identity
