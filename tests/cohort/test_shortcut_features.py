"""Features that never see a lung, measured by hand."""

import math

import numpy as np
import pytest

from pneumoscope.cohort.shortcut_features import features, of_containers
from pneumoscope.radiograph import Container
from tests.cohort.conftest import case, cohort, picture


@pytest.fixture
def measured(tmp_path):
    """Features of pictures, with the size and the file size that a table gives."""

    def measure(*pictures, **values):
        for k, pixels in enumerate(pictures):
            picture(tmp_path / f"{k}.png", pixels)
        return features(cohort(*(case(f"{k}.png", f"p{k}", **values) for k in range(len(pictures))), root=tmp_path))

    return measure


def frame(**parts):
    """A picture of 50 × 100 px, dark grey with named parts that are bright."""
    pixels = np.full((50, 100), 51)
    where = {
        "top": np.s_[:2],
        "bottom": np.s_[-2:],
        "left": np.s_[:, :4],
        "right": np.s_[:, -4:],
        "top_left": np.s_[:5, :10],
        "bottom_right": np.s_[-5:, -10:],
        "middle": np.s_[5:-5, 10:-10],
    }
    for name, value in parts.items():
        pixels[where[name]] = value
    return pixels


def test_every_group_has_one_row_a_case(measured):
    found = measured(frame(top=255), frame(middle=255), rows=50, cols=100, file_bytes=1000)
    assert {name: values.shape for name, values in found.items()} == {
        "file size": (2, 1),
        "native size": (2, 3),
        "border and corners": (2, 16),
        "global histogram": (2, 32),
        "file format": (2, 6),
        "colour profile": (2, 1),
        "JPEG compression": (2, 4),
        "metadata": (2, 7),
        "container": (2, 18),
    }


def test_file_size_and_native_size_are_those_of_the_table(measured):
    found = measured(frame(top=255), rows=2000, cols=1000, file_bytes=1000)
    assert found["file size"].tolist() == [[math.log(1000)]]
    assert found["native size"].tolist() == [[2000, 1000, 0.5]]


def test_unknown_native_size_is_nan(measured):
    assert np.isnan(measured(frame(top=255), rows=2000, cols=0, file_bytes=1)["native size"]).all()


@pytest.mark.parametrize(
    ("part", "position"), [("top", 0), ("bottom", 1), ("left", 2), ("right", 3), ("top_left", 4), ("bottom_right", 7)]
)
def test_each_edge_is_four_percent_and_each_corner_ten(measured, part, position):
    # The part alone is bright, so its own mean is 1 with deviation 0; the middle, however bright, moves nothing.
    border = measured(frame(**{part: 255}), rows=50, cols=100, file_bytes=1)["border and corners"][0]
    assert border[2 * position : 2 * position + 2] == pytest.approx([1, 0], abs=1e-6)


def test_border_features_do_not_see_the_middle(measured):
    border = measured(frame(middle=255), rows=50, cols=100, file_bytes=1)["border and corners"][0]
    assert border == pytest.approx([0.2, 0] * 8, abs=1e-6)


def test_histogram_is_the_share_of_pixels_in_32_bins_wherever_they_are(measured):
    # 51/255 = 0.2 is in bin 6 of 32, 255/255 in the last; two rows of fifty are bright.
    found = measured(frame(top=255), frame(bottom=255), rows=50, cols=100, file_bytes=1)["global histogram"]
    expected = np.zeros(32)
    expected[6], expected[31] = 0.96, 0.04
    np.testing.assert_allclose(found, [expected, expected], atol=1e-12)


# Facts of the file


def test_containers_by_hand():
    plain = Container("JPEG", 8, 1, jpeg_quality=75, jpeg_step=30.5, chroma_share=0.0, jfif=True)
    edited = Container(
        "JPEG", 8, 3, colour_profile_bytes=560, jpeg_quality=90, jpeg_step=12.0, chroma_share=0.25, progressive=True,
        exif_bytes=1000, software=True, xmp=True, adobe=True,
    )  # fmt: skip
    dicom = Container("DICOM", 12, 1, transfer_syntax="1.2.840.10008.1.2.1")
    rows = of_containers([plain, edited, dicom])
    # bits, channels; DICOM, PNG, JPEG; no transfer syntax, the one that occurs
    assert rows["file format"].tolist() == [[8, 1, 0, 0, 1, 1, 0], [8, 3, 0, 0, 1, 1, 0], [12, 1, 1, 0, 0, 0, 1]]
    assert rows["colour profile"].tolist() == [[0], [math.log(561)], [0]]
    assert rows["JPEG compression"][:2].tolist() == [[75, 30.5, 0, 0], [90, 12, 0.25, 1]]
    assert np.isnan(rows["JPEG compression"][2]).all()
    assert rows["metadata"].tolist() == [[0, 0, 0, 0, 0, 1, 0], [math.log(1001), 1, 1, 0, 0, 0, 1], [0] * 7]
    assert rows["container"].shape == (3, 7 + 1 + 4 + 7)
    assert rows["container"][2, 8:12].tolist() == [-1] * 4
