"""From stored DICOM values to display grey levels, in the order of PS3.3 C.11 and PS3.4 N.2."""

import struct

import numpy as np
import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.pixels import apply_voi, apply_windowing
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian

from pneumoscope.radiograph import EmptyImageError, UnreadableFileError, read
from pneumoscope.radiograph.window import window
from tests.radiograph.builders import cr, lut, property_test, real, real_as_cr, show_stored, written


def shown(stored, **options) -> list[list[float]]:
    return read(written(cr(stored, **options))).pixels.tolist()


def assert_shown(stored, expected, **options):
    np.testing.assert_allclose(shown(stored, **options), expected, atol=1e-6)


# Stored values


@pytest.mark.parametrize("bits", range(8, 17))
def test_every_depth_from_8_to_16_bits_is_read(bits):
    most = 2**bits - 1
    stored = [[0, 1], [2 ** (bits - 1), most]]

    assert (np.array(shown(stored, bits=bits, **show_stored(bits))) * 2**bits).tolist() == stored


@pytest.mark.parametrize("bits", range(8, 17))
def test_every_signed_depth_is_read(bits):
    half = 2 ** (bits - 1)
    stored = [[-half, -1], [0, half - 1]]
    window = {"WindowCenter": 0, "WindowWidth": 2**bits, "VOILUTFunction": "LINEAR_EXACT"}

    values = np.array(shown(stored, bits=bits, signed=True, **window)) * 2**bits - half

    assert values.tolist() == stored


def test_overlay_bits_above_the_high_bit_are_taken_out():
    # 12 bits stored of 16: the upper four bits of a word are no part of the value (PS3.5 8.1.1).
    assert_shown([[0xF000, 0x1800], [0x8FFF, 0x0000]], [[0, 2048 / 4095], [1, 0]])


def test_overlay_bits_above_a_signed_value_are_taken_out():
    # 0x7FFF is −1, 0x0800 is −2048, 0xF7FF is 2047 in the lower twelve bits.
    stored = np.array([[0x7FFF, 0x0800], [0xF7FF, 0x0000]], np.uint16).view(np.int16)

    assert_shown(stored, [[2047 / 4095, 0], [1, 2048 / 4095]], signed=True)


def test_without_window_the_range_of_the_image_is_shown():
    assert_shown([[100, 200], [150, 300]], [[0, 0.5], [0.25, 1]])


# Photometric Interpretation


def test_monochrome1_is_inverted():
    assert_shown([[100, 200], [150, 300]], [[1, 0.5], [0.75, 0]], PhotometricInterpretation="MONOCHROME1")


def test_monochrome1_is_inverted_after_the_window():
    # Inverting before it would show 1023 as white: LINEAR_EXACT, centre 1024, width 2048 shows x as x / 2048.
    window = {"WindowCenter": 1024, "WindowWidth": 2048, "VOILUTFunction": "LINEAR_EXACT"}

    assert_shown([[0, 512], [1024, 4095]], [[1, 0.75], [0.5, 0]], PhotometricInterpretation="MONOCHROME1", **window)


def test_monochrome1_is_inverted_after_the_voi_lut():
    sequence = lut(0, [0, 65535, 0, 0])

    assert_shown([[0, 1], [2, 3]], [[1, 0], [1, 1]], PhotometricInterpretation="MONOCHROME1", VOILUTSequence=sequence)


# Modality LUT


def test_rescale_comes_before_the_window():
    # x → 2x − 1000, then the window of PS3.3 C.11.2.1.2.1 note 3: centre 0, width 100, black to −50, white from 49.
    stored = [[475, 476], [524, 525]]

    assert_shown(
        stored,
        [[0, 2 / 99], [98 / 99, 1]],
        RescaleSlope="2",
        RescaleIntercept="-1000",
        WindowCenter="0",
        WindowWidth="100",
    )


def test_rescale_comes_before_the_voi_lut():
    assert_shown(
        [[10, 11], [12, 13]],
        [[0.2, 0.4], [0.6, 0.8]],
        RescaleSlope="1",
        RescaleIntercept="-10",
        VOILUTSequence=lut(0, [13107, 26214, 39321, 52428]),
    )


def test_a_negative_slope_turns_the_grey_scale():
    assert_shown([[0, 1], [2, 4]], [[1, 0.75], [0.5, 0]], RescaleSlope="-1", RescaleIntercept="0")


def test_a_modality_lut_is_looked_up_before_the_range_is_taken():
    # Below the first value mapped the first entry holds, beyond the last one the last (PS3.3 C.11.1.1.1).
    assert_shown([[0, 10], [11, 12]], [[0, 0], [1, 0.5]], ModalityLUTSequence=lut(10, [1000, 3000, 2000]))
    assert_shown([[10, 11], [12, 4000]], [[0, 1], [0.5, 0.5]], ModalityLUTSequence=lut(10, [1000, 3000, 2000]))


def test_a_modality_lut_comes_before_the_window():
    window = {"WindowCenter": 2000, "WindowWidth": 4000, "VOILUTFunction": "LINEAR_EXACT"}

    assert_shown([[0, 1], [2, 3]], [[0, 0.25], [0.5, 1]], ModalityLUTSequence=lut(0, [0, 1000, 2000, 9000]), **window)


def test_a_modality_lut_of_all_signed_16_bit_values_is_read():
    # Number of entries 0 means 2¹⁶ (PS3.3 C.11.1.1); entry n is for the value n − 32768.
    entries = np.arange(65536, dtype="<u2").tobytes()

    assert_shown(
        [[-32768, -1], [0, 32767]],
        [[0, 32767 / 65535], [32768 / 65535, 1]],
        bits=16,
        signed=True,
        ModalityLUTSequence=lut(-32768, entries, vr="OW", count=0),
    )


def test_a_real_modality_lut_is_looked_up():
    dataset = pydicom.dcmread(real("mlut_18.dcm"))
    sequence = dataset.ModalityLUTSequence[0]
    table = np.array(sequence.LUTData)
    values = table[np.clip(dataset.pixel_array.astype(int) - sequence.LUTDescriptor[1], 0, len(table) - 1)]

    pixels = read(real_as_cr("mlut_18.dcm")).pixels

    np.testing.assert_allclose(pixels, (values - values.min()) / np.ptp(values), atol=1e-6)


# Window


def test_the_linear_window_examples_of_the_standard():
    # PS3.3 C.11.2.1.2.1, note 1: centre 2048, width 4096 shows x as ((x − 2047.5) / 4095 + 0.5).
    assert_shown([[0, 4095], [1, 2048]], [[0, 1], [1 / 4095, 2048 / 4095]], WindowCenter="2048", WindowWidth="4096")
    # Note 2: centre 2048, width 1 is a threshold above 2047.5.
    assert_shown([[0, 2047], [2048, 4095]], [[0, 0], [1, 1]], WindowCenter="2048", WindowWidth="1")


@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID"])
@property_test
@given(
    centre=st.integers(-2000, 12000),
    width=st.integers(2, 16000),
    stored=st.lists(st.integers(0, 4095), min_size=6, max_size=6),
)
def test_windows_agree_with_pydicom(function, centre, width, stored):
    # Halves, so that values fall between and on the edges. pydicom is the independent implementation.
    stored = np.array(stored, np.uint16).reshape(2, 3)
    dataset = cr(stored, WindowCenter=centre / 2, WindowWidth=width / 2, VOILUTFunction=function)

    shown = window(stored.astype(np.float64), centre / 2, width / 2, function)

    with np.errstate(over="ignore"):
        expected = apply_windowing(stored, dataset) / 4095
    np.testing.assert_allclose(shown, expected, atol=1e-6)


def test_the_middle_of_a_sigmoid_is_half_and_its_slope_is_that_of_the_standard():
    # PS3.3 C.11.2.1.3.1: 1 / (1 + exp(−4 (x − c) / w)); at c ± w / 4 that is 1 / (1 + e^∓1).
    e = np.e

    assert_shown(
        [[1000, 1100], [900, 1400]],
        [[0.5, e / (1 + e)], [1 / (1 + e), 1 / (1 + np.exp(-4))]],
        WindowCenter="1000",
        WindowWidth="400",
        VOILUTFunction="SIGMOID",
    )


def test_a_sigmoid_far_from_its_centre_is_black_and_white():
    assert_shown([[0, 65535], [0, 65535]], [[0, 1], [0, 1]], bits=16, WindowCenter=30000, WindowWidth=1, VOILUTFunction="SIGMOID")


def test_the_first_of_several_windows_is_used():
    windows = {"WindowCenter": [100, 4000], "WindowWidth": [200, 10], "VOILUTFunction": "LINEAR_EXACT"}

    assert_shown([[0, 50], [100, 200]], [[0, 0.25], [0.5, 1]], **windows)


@pytest.mark.parametrize("function", ["LINEAR_EXACT", "SIGMOID"])
def test_a_window_narrower_than_one_is_valid_but_for_linear(function):
    # PS3.3 C.11.2.1.3: Window Width shall be greater than 0 for these two, at least 1 for LINEAR only.
    # x → x / 4096: values 0, 0.25, 0.5 and 0.75 in a window around 0.25 of width 0.5.
    expected = {
        "LINEAR_EXACT": [[0, 0.5], [1, 1]],
        "SIGMOID": [[1 / (1 + np.exp(2)), 0.5], [1 / (1 + np.exp(-2)), 1 / (1 + np.exp(-4))]],
    }

    assert_shown(
        [[0, 1024], [2048, 3072]],
        expected[function],
        RescaleSlope=str(1 / 4096),
        RescaleIntercept="0",
        WindowCenter="0.25",
        WindowWidth="0.5",
        VOILUTFunction=function,
    )


@pytest.mark.parametrize(
    "window",
    [{"WindowWidth": "0"}, {"WindowWidth": "-5"}, {"WindowWidth": "0.5"}, {"WindowWidth": "0.5", "VOILUTFunction": "ODD"}, {}],
)
def test_a_window_without_valid_width_is_not_used(window):
    assert_shown([[100, 200], [150, 300]], [[0, 0.5], [0.25, 1]], WindowCenter="10", **window)


# VOI LUT


def test_a_voi_lut_holds_its_first_entry_below_and_its_last_beyond():
    # PS3.3 C.11.2.1.1, hand counted: entries for 10, 11 and 12 of 8 bits.
    sequence = lut(10, [51, 255, 102], bits=8)

    assert_shown([[0, 10], [11, 12]], [[0.2, 0.2], [1, 0.4]], VOILUTSequence=sequence)
    assert_shown([[10, 11], [12, 4095]], [[0.2, 1], [0.4, 0.4]], VOILUTSequence=sequence)


def test_a_voi_lut_beats_a_window():
    assert_shown(
        [[0, 1], [2, 3]],
        [[0, 1], [0, 0.2]],
        VOILUTSequence=lut(0, [0, 65535, 0, 13107]),
        WindowCenter="2",
        WindowWidth="2",
    )


def test_the_first_of_several_voi_luts_is_used():
    sequence = [*lut(0, [0, 65535, 0, 13107]), *lut(0, [65535, 0, 0, 0])]

    assert_shown([[0, 1], [2, 3]], [[0, 1], [0, 0.2]], VOILUTSequence=sequence)


def test_a_voi_lut_may_start_at_a_negative_value():
    sequence = lut(-2, [0, 13107, 26214, 65535])

    assert_shown([[-2, -1], [0, 1]], [[0, 0.2], [0.4, 1]], signed=True, VOILUTSequence=sequence)


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ExplicitVRBigEndian])
def test_a_voi_lut_of_words_is_in_the_byte_order_of_the_file(syntax):
    order = ">" if syntax == ExplicitVRBigEndian else "<"
    sequence = lut(0, struct.pack(f"{order}4H", 0, 1000, 2000, 4095), bits=12, vr="OW", count=4)

    assert_shown([[0, 1], [2, 3]], [[0, 1000 / 4095], [2000 / 4095, 1]], syntax=syntax, VOILUTSequence=sequence)


def test_a_voi_lut_of_an_odd_number_of_bytes_is_padded_not_words():
    # Three entries of 8 bits, and the byte that makes the length of an OW value even (PS3.5 6.2).
    sequence = lut(0, bytes([0, 51, 255, 0]), bits=8, vr="OW", count=3)

    assert_shown([[0, 1], [2, 3]], [[0, 0.2], [1, 1]], VOILUTSequence=sequence)


def test_a_voi_lut_of_65536_entries_is_read():
    entries = np.arange(65535, -1, -1, dtype="<u2").tobytes()

    assert_shown(
        [[0, 1], [65534, 65535]],
        [[1, 65534 / 65535], [1 / 65535, 0]],
        bits=16,
        VOILUTSequence=lut(0, entries, vr="OW", count=0),
    )


def test_a_real_voi_lut_agrees_with_pydicom():
    dataset = pydicom.dcmread(real("vlut_04.dcm"))
    bits = dataset.VOILUTSequence[0].LUTDescriptor[2]

    pixels = read(real_as_cr("vlut_04.dcm")).pixels

    np.testing.assert_allclose(pixels, apply_voi(dataset.pixel_array, dataset) / (2**bits - 1), atol=1e-6)


# Padding


@pytest.mark.parametrize(("photometric", "expected"), [("MONOCHROME2", [[0, 0], [0.5, 1]]), ("MONOCHROME1", [[0, 1], [0.5, 0]])])
def test_padding_is_black_and_no_part_of_the_range(photometric, expected):
    # 4095 pads; 100 to 300 is the range.
    assert_shown([[4095, 100], [200, 300]], expected, PixelPaddingValue=4095, PhotometricInterpretation=photometric)


@pytest.mark.parametrize(("value", "limit"), [(10, 12), (12, 10)])
def test_a_padding_range_includes_both_its_ends(value, limit):
    # PS3.3 C.7.5.1.1.2: the range is inclusive; which of the two is the larger is not prescribed.
    assert_shown(
        [[10, 11, 12], [9, 13, 17]],
        [[0, 0, 0], [0, 0.5, 1]],
        PixelPaddingValue=value,
        PixelPaddingRangeLimit=limit,
    )


def test_padding_is_compared_with_stored_values_not_rescaled_ones():
    assert_shown(
        [[0, 1000], [1500, 2000]],
        [[0, 0], [0.5, 1]],
        PixelPaddingValue=0,
        RescaleSlope="1",
        RescaleIntercept="-1000",
    )


def test_signed_padding_is_found():
    dataset = cr([[-2000, 0], [50, 100]], bits=16, signed=True)
    dataset.add_new("PixelPaddingValue", "SS", -2000)

    np.testing.assert_allclose(read(written(dataset)).pixels, [[0, 0], [0.5, 1]], atol=1e-6)


def test_an_image_of_padding_is_empty():
    with pytest.raises(EmptyImageError, match="padding"):
        read(written(cr([[7, 7], [7, 7]], PixelPaddingValue=7)))


# Values that show nothing


def test_an_image_of_one_level_is_empty():
    with pytest.raises(EmptyImageError, match="2 × 2 pixels has the same grey level"):
        read(written(cr([[0, 0], [0, 0]])))


@pytest.mark.parametrize("keyword", ["RescaleSlope", "RescaleIntercept", "WindowCenter"])
def test_a_value_that_is_no_number_is_an_error_not_a_picture(keyword):
    elements = {"RescaleSlope": "1", "RescaleIntercept": "0", "WindowCenter": "2", "WindowWidth": "4"}

    # The letters of a valid three-figure number, damaged in the finished file.
    content = written(cr([[0, 1], [2, 3]], **elements | {keyword: "789 "})).replace(b"789 ", b"nan ")

    with pytest.raises(UnreadableFileError, match="not finite"):
        read(content)
