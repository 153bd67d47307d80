"""Files as devices and converters write them: padding, grey range, attributes that cannot be read, and paths that are no file."""

import errno
import os
import socket
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from pneumoscope.radiograph import Caution, NotARadiographError, TooLargeError, UnreadableFileError, files, read, review
from pneumoscope.radiograph.grey_range import bulk, range_or_bulk, spread, stated_or_bulk, without_extremes
from pneumoscope.radiograph.header import number_of
from tests.radiograph.builders import cr, lut, png, property_test, real_as_cr, written
from tests.radiograph.real_files import scene, with_text, without


def shown(content: bytes) -> np.ndarray:
    return read(content).pixels


# Bit layout


@pytest.mark.parametrize(
    ("bits", "signed", "stored", "vr", "padding"),
    [
        (16, True, -2000, "US", 63536),
        (16, False, 63536, "SS", -2000),
        (12, False, 4095, "SS", -1),
        (12, True, -1, "US", 4095),
        (12, False, 4095, "US", 4095),
    ],
)
def test_padding_of_the_other_signedness_is_padding(bits, signed, stored, vr, padding):
    dataset = cr([[stored, 100], [150, 200]], bits=bits, signed=signed)
    dataset.add_new("PixelPaddingValue", vr, padding)

    np.testing.assert_allclose(shown(written(dataset)), [[0, 0], [0.5, 1]], atol=1e-6)


def test_a_padding_range_of_the_other_signedness_is_padding():
    dataset = cr([[63536, 63540], [100, 200], [150, 63541]], bits=16)
    dataset.add_new("PixelPaddingValue", "SS", -2000)
    dataset.add_new("PixelPaddingRangeLimit", "SS", -1996)

    np.testing.assert_allclose(shown(written(dataset))[:2], [[0, 0], [0, 100 / 63441]], atol=1e-6)


@pytest.mark.parametrize("high", [7, 10, 16])
def test_a_high_bit_that_does_not_fit_is_named(high):
    with pytest.raises(UnreadableFileError, match=rf"High Bit \(0028,0102\) is {high}, which does not fit 12 bits"):
        read(written(cr(scene(), HighBit=high)))


@pytest.mark.parametrize(("bits", "high"), [(12, 11), (16, 15), (12, 31)])
def test_cells_of_32_bits_are_read(bits, high):
    stored = scene(4000)
    dataset = cr(stored, bits=bits, HighBit=high, BitsAllocated=32)
    dataset.PixelData = (stored << (high - bits + 1)).astype("<u4").tobytes()

    np.testing.assert_allclose(shown(written(dataset)), stored / 4000, atol=1e-6)


@pytest.mark.parametrize("allocated", [1, 12, 64])
def test_cells_of_other_sizes_are_refused_by_name(allocated):
    with pytest.raises(NotARadiographError, match=f"allocates {allocated} bits a pixel"):
        read(written(cr(scene(), BitsAllocated=allocated)))


# Numbers of a header


def data_set(text: str) -> Dataset:
    """A data set as a file has it, with one decimal string of any text."""
    tag = Tag("RescaleSlope")
    return Dataset({tag: RawDataElement(tag, "DS", len(text), text.encode("latin-1"), 0, False, True)})


@property_test
@given(st.floats(-1e6, 1e6, allow_nan=False), st.sampled_from(["{}", " {} ", "{}\0", "+{}", "{},5", "{}\\7"]))
def test_a_number_is_read_whatever_stands_around_it(number, around):
    text = around.format(abs(int(number)) if around.startswith("+") or "," in around else number)

    assert number_of(data_set(text), "RescaleSlope") == float(text.strip(" \0").split("\\")[0].split(",")[0])


@property_test
@given(st.text(st.characters(max_codepoint=255, exclude_characters="\\,"), max_size=16))
def test_any_other_text_is_no_number(text):
    try:
        expected = float(text.strip(" \0\t\r\n")) if text.strip(" \0\t\r\n") else None
    except ValueError:
        expected = np.nan
    if expected is None or np.isfinite(expected):
        assert text.count("_") or number_of(data_set(text), "RescaleSlope") == expected
    else:
        with pytest.raises(UnreadableFileError, match="Rescale Slope"):
            number_of(data_set(text), "RescaleSlope")


# Grey range


def test_a_window_far_wider_than_the_data_gives_way_to_the_bulk_of_the_data():
    wide = read(written(cr(scene(400), bits=16, WindowCenter="32768", WindowWidth="65536")))
    fitting = read(written(cr(scene(400), bits=16, WindowCenter="200.5", WindowWidth="401")))

    assert (wide.grey_source, fitting.grey_source) == ("bulk", "header")
    assert review(wide)[-1] is Caution.GREY_SCALE
    assert np.abs(wide.pixels - fitting.pixels).mean() < 0.01
    assert Caution.FEW_GREY_LEVELS not in review(wide)


@pytest.mark.parametrize(("factor", "source"), [(1, "header"), (4, "header"), (7.5, "header"), (8.5, "bulk"), (100, "bulk")])
def test_a_window_counts_as_wrong_from_eight_times_the_bulk_on(factor, source):
    width = 1000 * factor

    assert read(written(cr(scene(1000), WindowCenter="500", WindowWidth=f"{width:g}"))).grey_source == source


def test_a_window_that_is_wide_but_not_wrong_makes_the_reading_abstain():
    given = read(written(cr(scene(1000), WindowCenter="500", WindowWidth="6000")))

    assert 32 < given.grey_levels_used < 64
    assert review(given)[-1] is Caution.FEW_GREY_LEVELS


def test_a_window_beside_the_data_gives_way_to_the_data():
    given = read(written(cr(scene(400), WindowCenter="3000", WindowWidth="100")))

    assert given.grey_source == "bulk"
    assert given.pixels.max() == 1
    assert np.corrcoef(given.pixels.ravel(), scene(400).ravel())[0, 1] > 0.999


def test_a_voi_lut_that_turns_the_scale_keeps_its_direction_where_its_depth_is_wrong():
    content = written(cr(scene(4095), VOILUTSequence=lut(0, list(range(255, -1, -1)) + [0] * 3840, bits=8)))
    turned = written(cr(scene(255), VOILUTSequence=lut(0, list(range(65535, 63487, -8)), bits=16)))

    assert np.corrcoef(shown(turned).ravel(), -scene(255).ravel())[0, 1] > 0.999
    assert shown(turned).min() == 0
    assert read(content).grey_source == "header"


@pytest.mark.parametrize("position", [(0, 0), (30, 40)])
def test_one_burned_in_maximum_does_not_darken_an_image_without_window(position):
    stored = scene(1000)
    stored[position] = 65535

    burned_in, clean = read(written(cr(stored, bits=16))), read(written(cr(scene(1000), bits=16)))

    assert (burned_in.grey_source, clean.grey_source) == ("bulk", "range")
    assert burned_in.pixels[position] == 1
    assert np.abs(burned_in.pixels - clean.pixels).mean() < 0.01


@pytest.mark.parametrize(("bits", "source"), [(10, "range"), (12, "range"), (14, "range"), (16, "header")])
def test_the_white_of_a_16_bit_png_is_that_of_its_data(bits, source):
    levels = scene(2**bits - 1)

    picture = read(png(levels, 16))

    np.testing.assert_allclose(picture.pixels, levels / (2**bits - 1), atol=1e-6)
    assert picture.grey_source == source
    assert review(picture) == (Caution.SIDE,)


def test_a_burned_in_maximum_in_12_bits_of_a_16_bit_png_does_not_darken_it():
    levels = scene(4095)
    levels[0, 0] = 65535

    picture = read(png(levels, 16))

    assert picture.grey_source == "bulk"
    assert np.abs(picture.pixels - scene(4095) / 4095).mean() < 0.01


def test_a_picture_that_a_converter_made_dark_is_marked():
    # 12 bits divided by 256, as naive converters of 16 bits to 8 do: 16 grey levels.
    picture = read(png(scene(4095) // 256))

    assert picture.grey_levels_used == 16
    assert review(picture) == (Caution.SIDE, Caution.FEW_GREY_LEVELS)


counted = st.lists(st.tuples(st.integers(-1000, 1000), st.integers(0, 50)), min_size=2, max_size=40).filter(
    lambda pairs: sum(n for _, n in pairs) > 0 and len({v for v, _ in pairs}) == len(pairs)
)


@property_test
@given(counted)
def test_the_bulk_is_that_of_the_repeated_values(pairs):
    values, counts = (np.array(column) for column in zip(*pairs, strict=True))
    repeated = np.repeat(values, counts)

    expected = np.quantile(repeated, (0.005, 0.995), method="inverted_cdf")

    assert bulk(values.astype(float), counts) == tuple(expected)


def test_extremes_are_beyond_a_quarter_of_the_bulk():
    # Pixels from 0 to 999 and one more: the bulk is 5 to 995 or 4 to 994, its fences lie 247.5 beyond.
    values, counts = np.append(np.arange(1000.0), [1242, 1243, -243, -244]), np.append(np.ones(1000, int), [0, 0, 0, 0])

    assert bulk(values, counts) == (4, 994)
    for extreme, expected in (
        ([1, 0, 0, 0], (0, 1242)),
        ([0, 1, 0, 0], (0, 999)),
        ([0, 0, 1, 0], (-243, 999)),
        ([0, 0, 0, 1], (0, 999)),
    ):
        counts[1000:] = extreme
        assert without_extremes(values, counts) == expected


@property_test
@given(counted)
def test_a_scale_keeps_the_order_of_the_values(pairs):
    values, counts = (np.array(column) for column in zip(*sorted(pairs), strict=True))
    for shown_values, _ in (
        range_or_bulk(values.astype(float), counts),
        stated_or_bulk(spread(values.astype(float), -30000, 30000), values.astype(float), counts),
    ):
        assert (np.diff(shown_values) >= 0).all()
        assert 0 <= shown_values.min() <= shown_values.max() <= 1


# What cannot be read is named


@pytest.mark.parametrize(
    ("keyword", "name", "others"),
    [
        ("RescaleSlope", r"Rescale Slope \(0028,1053\)", {"RescaleIntercept": "0"}),
        ("RescaleIntercept", r"Rescale Intercept \(0028,1052\)", {"RescaleSlope": "1"}),
        ("WindowCenter", r"Window Center \(0028,1050\)", {"WindowWidth": "4096"}),
        ("WindowWidth", r"Window Width \(0028,1051\)", {"WindowCenter": "2048"}),
        ("PixelSpacing", r"Pixel Spacing \(0028,0030\)", {}),
        ("NumberOfFrames", r"Number of Frames \(0028,0008\)", {}),
    ],
)
@pytest.mark.parametrize("text", ["abcd", "Doe^Jane", "nan", "1.2.3", "12 mm"])
def test_an_attribute_that_is_no_number_is_named_and_nothing_is_called_truncated(keyword, name, others, text):
    with pytest.raises(UnreadableFileError, match=name) as refused:
        read(with_text(scene(), keyword, text, **others))

    assert "truncated" not in str(refused.value)
    assert text not in str(refused.value)


@pytest.mark.parametrize(
    ("keyword", "name"),
    [
        ("BitsStored", "Bits Stored"),
        ("BitsAllocated", "Bits Allocated"),
        ("PixelRepresentation", "Pixel Representation"),
    ],
)
def test_an_attribute_without_which_dcmtk_reads_nothing_is_named_where_it_is_missing(keyword, name):
    with pytest.raises(UnreadableFileError, match=rf"{name} \(0028,01\d\d\) is missing or empty") as refused:
        read(without(scene(), keyword))

    assert "truncated" not in str(refused.value)


# Paths that are no image file


def test_a_pipe_is_refused_at_once(tmp_path):
    pipe = tmp_path / "x.png"
    os.mkfifo(pipe)

    with pytest.raises(UnreadableFileError, match="no regular file"):
        read(pipe)


def test_a_socket_a_folder_and_a_device_are_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # the name of a socket is short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("x.png")
        with pytest.raises(UnreadableFileError, match="no regular file"):
            read("x.png")
    for path in (tmp_path, "/dev/zero"):
        with pytest.raises(UnreadableFileError, match="folder"):
            read(path)


def test_a_link_to_itself_is_refused(tmp_path):
    link = tmp_path / "x.png"
    link.symlink_to(link)

    with pytest.raises(UnreadableFileError, match="symbolic link that leads back to itself"):
        read(link)


def test_a_name_that_is_too_long_is_refused(tmp_path):
    with pytest.raises(UnreadableFileError, match="too long for the file system"):
        read(tmp_path / ("x" * 300 + ".png"))


@pytest.mark.parametrize(("code", "says"), [(errno.EACCES, "may not be opened"), (errno.EPERM, "may not be opened")])
def test_a_file_without_permission_is_refused(code, says, tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(files.os, "open", refuse)
    with pytest.raises(UnreadableFileError, match=says):
        read(tmp_path / "x.png")


def test_an_error_of_the_disk_stays_one_of_the_system(tmp_path, monkeypatch):
    def fail(*_):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(files.os, "open", fail)
    with pytest.raises(OSError, match="Input/output error"):
        read(tmp_path / "x.png")


def test_a_file_beyond_the_limit_is_refused(tmp_path):
    file = tmp_path / "x.png"
    file.write_bytes(bytes(1001))

    assert len(files.content_of(file, 1001)) == 1001
    with pytest.raises(TooLargeError, match="more than 1,000 bytes"):
        files.content_of(file, 1000)


# GDCM is an extra

WITHOUT_GDCM = """
import sys
from pathlib import Path
sys.modules["gdcm"] = None
from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import JPEGLosslessSV1
from pneumoscope.radiograph import UnreadableFileError, read
assert "pneumoscope" not in get_decoder(JPEGLosslessSV1).available_plugins
try:
    read(Path(sys.argv[1]).read_bytes())
except UnreadableFileError as error:
    print(error)
"""


def test_without_gdcm_the_package_is_imported_and_names_the_extra(tmp_path):
    file = tmp_path / "x.dcm"
    file.write_bytes(real_as_cr("JPGLosslessP14SV1_1s_1f_8b.dcm"))

    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", WITHOUT_GDCM, str(file)], capture_output=True, text=True, check=False
    )

    assert ran.returncode == 0, ran.stderr
    assert "pip install 'pneumoscope[gdcm]'" in ran.stdout
