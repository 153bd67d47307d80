"""`Placement`: exact and invertible, half-pixel centres, nothing outside its rectangle."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from pneumoscope.radiograph import Orientation, Placement, Radiograph, Region
from pneumoscope.radiograph.orientation import UNKNOWN
from pneumoscope.radiograph.placement import on_whole
from tests.radiograph.builders import property_test

ORIENTATIONS = [UNKNOWN, *(Orientation(*pair) for pair in ("LF", "RF", "LH", "RH", "FL", "FR", "HL", "HR"))]
"""Unknown, and all eight of a frontal radiograph: as displayed, mirrored, upside down, and so on."""


@st.composite
def placements(draw, largest: int = 3000, least: float = 1, sides=(1, 1024)):
    """A rectangle of at least `least` pixels each way on a grid of at most `largest`, in any orientation."""
    rows, cols = (draw(st.integers(int(least), largest)) for _ in range(2))
    top, left = draw(st.floats(0, rows - least)), draw(st.floats(0, cols - least))
    bottom, right = draw(st.floats(top + least, rows)), draw(st.floats(left + least, cols))
    return Placement(rows, cols, Region(top, left, bottom, right), draw(st.integers(*sides)), draw(st.sampled_from(ORIENTATIONS)))


def edges(region: Region) -> tuple[float, float, float, float]:
    return region.top, region.left, region.bottom, region.right


def interpolated(values: np.ndarray, rows: int, cols: int) -> np.ndarray:
    """PyTorch's bilinear resampling with half-pixel centres, the independent implementation."""
    tensor = torch.from_numpy(values)[None, None]
    return F.interpolate(tensor, size=(rows, cols), mode="bilinear", align_corners=False)[0, 0].numpy()


def radiograph_of(pixels) -> Radiograph:
    return Radiograph(np.asarray(pixels, np.float32))


# Points and regions


def test_points_of_a_rectangle_counted_by_hand():
    # 50 rows on 50 pixels: scale 1; 100 columns on 50 pixels: scale ½.
    placement = Placement(100, 200, Region(10, 20, 60, 120), size_px=50)

    square = placement.points_to_square(np.array([[10, 20], [35, 70], [60, 120], [11, 22]]))

    assert square.tolist() == [[0, 0], [25, 25], [50, 50], [1, 1]]


@property_test
@given(placements(), st.lists(st.tuples(st.floats(0, 3000), st.floats(0, 3000)), min_size=1, max_size=5))
def test_a_point_comes_back_from_the_square(placement, points):
    points = np.array(points)

    back = placement.points_to_radiograph(placement.points_to_square(points))

    np.testing.assert_allclose(back, points, rtol=0, atol=1e-9)


@property_test
@given(placements(), st.tuples(st.floats(0, 1), st.floats(0, 1)))
def test_a_point_comes_back_from_the_radiograph(placement, fraction):
    point = np.array([fraction]) * placement.size_px

    back = placement.points_to_square(placement.points_to_radiograph(point))

    np.testing.assert_allclose(back, point, rtol=0, atol=1e-9)


@property_test
@given(placements())
def test_the_rectangle_is_the_whole_square(placement):
    side = placement.size_px

    np.testing.assert_allclose(edges(placement.region_to_square(placement.rectangle)), (0, 0, side, side), atol=1e-9)
    np.testing.assert_allclose(
        edges(placement.region_to_radiograph(Region(0, 0, side, side))), edges(placement.rectangle), atol=1e-9
    )


@property_test
@given(placements(), placements())
def test_a_region_comes_back_from_the_square(placement, other):
    region = other.rectangle

    back = placement.region_to_radiograph(placement.region_to_square(region))

    np.testing.assert_allclose(edges(back), edges(region), rtol=0, atol=1e-9)


# Pixels


def test_a_square_of_the_same_size_holds_the_same_pixels():
    pixels = np.random.default_rng(0).random((24, 24), np.float32)

    square = on_whole(radiograph_of(pixels), 24).pixels_to_square(radiograph_of(pixels))

    np.testing.assert_array_equal(square, pixels)


def test_an_aligned_crop_of_the_same_size_holds_the_same_pixels():
    pixels = np.random.default_rng(1).random((20, 30), np.float32)
    placement = Placement(20, 30, Region(3, 11, 13, 21), size_px=10)

    np.testing.assert_array_equal(placement.pixels_to_square(radiograph_of(pixels)), pixels[3:13, 11:21])


@pytest.mark.parametrize(("rows", "cols", "side"), [(64, 64, 32), (300, 171, 64), (50, 400, 96), (20, 31, 128)])
def test_pixels_are_resampled_as_pytorch_does_with_antialiasing(rows, cols, side):
    pixels = np.random.default_rng(2).random((rows, cols), np.float32)
    expected = F.interpolate(torch.from_numpy(pixels)[None, None], (side, side), mode="bilinear", antialias=True)[0, 0]

    square = on_whole(radiograph_of(pixels), side).pixels_to_square(radiograph_of(pixels))

    np.testing.assert_allclose(square, expected.numpy(), atol=1e-5)


@pytest.mark.parametrize("axis", [0, 1])
@property_test
@given(placement=placements(largest=200, least=4, sides=(4, 128)))
def test_a_ramp_keeps_its_place_within_half_a_pixel(placement, axis):
    centres = np.indices((placement.rows, placement.cols))[axis] + 0.5
    length = centres.shape[axis]

    square = placement.pixels_to_square(radiograph_of(centres / length))

    where = placement.points_to_radiograph(np.argwhere(np.ones(square.shape)) + 0.5)[:, axis].reshape(square.shape)
    extent = (placement.rectangle.height, placement.rectangle.width)[axis]
    coarser_pixel = max(1, extent / placement.size_px)
    assert np.abs(square * length - where).max() <= coarser_pixel / 2 + 1e-3


@property_test
@given(placements(largest=60, least=2, sides=(1, 64)), st.integers(0, 2**32 - 1))
def test_no_pixel_leaves_the_range_of_the_radiograph(placement, seed):
    pixels = np.random.default_rng(seed).random((placement.rows, placement.cols), np.float32)

    square = placement.pixels_to_square(radiograph_of(pixels))

    assert square.dtype == np.float32
    assert square.shape == (placement.size_px, placement.size_px)
    assert pixels.min() - 1e-6 <= square.min() <= square.max() <= pixels.max() + 1e-6


def test_a_radiograph_of_another_shape_is_refused():
    placement = on_whole(radiograph_of(np.zeros((10, 12))), 8)

    with pytest.raises(ValueError, match="10 × 12 was given a radiograph of 12 × 10"):
        placement.pixels_to_square(radiograph_of(np.zeros((12, 10))))


# Maps


@property_test
@given(placements(largest=120, least=2), st.floats(0.125, 1), st.integers(1, 9), st.integers(1, 9))
def test_a_constant_map_is_constant_inside_and_zero_outside(placement, level, height, width):
    full = placement.map_to_radiograph(np.full((height, width), level, np.float32))

    rows, cols = np.arange(placement.rows) + 0.5, np.arange(placement.cols) + 0.5
    box = placement.rectangle
    inside = np.outer((rows >= box.top) & (rows < box.bottom), (cols >= box.left) & (cols < box.right))
    assert full.dtype == np.float32
    np.testing.assert_allclose(full[inside], level, rtol=1e-6)
    assert not full[~inside].any()


@pytest.mark.parametrize("cells", [(7, 7), (14, 14), (1, 1), (1, 6), (5, 3)])
@pytest.mark.parametrize("shape", [(224, 224), (301, 517), (33, 20)])
def test_a_map_on_the_whole_radiograph_is_what_pytorch_interpolates(cells, shape):
    values = np.random.default_rng(3).random(cells, np.float32)

    full = on_whole(radiograph_of(np.zeros(shape)), 224).map_to_radiograph(values)

    np.testing.assert_allclose(full, interpolated(values, *shape), atol=1e-6)


def test_a_map_on_a_part_is_what_pytorch_interpolates_there():
    values = np.random.default_rng(4).random((6, 5), np.float32)
    placement = Placement(90, 80, Region(20, 30, 70, 65), size_px=224)
    expected = np.zeros((90, 80), np.float32)
    expected[20:70, 30:65] = interpolated(values, 50, 35)

    np.testing.assert_allclose(placement.map_to_radiograph(values), expected, atol=1e-6)


@property_test
@given(placements(largest=120, least=8), st.integers(1, 7))
def test_a_map_at_every_nth_pixel_is_the_map_at_those_pixels(placement, step):
    values = np.random.default_rng(step).random((7, 5)).astype(np.float32)
    every = placement.map_to_radiograph(values)
    np.testing.assert_allclose(placement.map_to_radiograph(values, step), every[step // 2 :: step, step // 2 :: step], atol=1e-6)


def test_a_placement_on_another_grid_holds_the_same_part_of_the_radiograph():
    placement = Placement(100, 200, Region(10.0, 20.0, 60.0, 180.0), 32).on_grid(50, 400)
    assert placement == Placement(50, 400, Region(5.0, 40.0, 30.0, 360.0), 32)


@property_test
@given(placements(largest=200, least=40), st.integers(1, 9), st.integers(1, 9), st.data())
def test_the_peak_of_a_map_comes_back_in_its_cell(placement, height, width, data):
    row, col = data.draw(st.integers(0, height - 1)), data.draw(st.integers(0, width - 1))
    values = np.zeros((height, width), np.float32)
    values[row, col] = 1

    full = placement.map_to_radiograph(values)

    peak = np.array(np.unravel_index(full.argmax(), full.shape)) + 0.5
    cell = placement.points_to_square(peak[None])[0] / placement.size_px * (height, width)
    assert tuple(np.floor(cell)) == (row, col)


@property_test
@given(placements(largest=200, least=40), st.integers(1, 5), st.integers(1, 5))
def test_the_peak_of_an_inner_cell_comes_back_at_its_centre(placement, row, col):
    values = np.zeros((7, 7), np.float32)
    values[row, col] = 1

    full = placement.map_to_radiograph(values)

    peak = np.array(np.unravel_index(full.argmax(), full.shape)) + 0.5
    centre = placement.points_to_radiograph(np.array([[row + 0.5, col + 0.5]]) / 7 * placement.size_px)[0]
    assert np.abs(peak - centre).max() <= 0.5 + 1e-3


def test_a_bright_spot_is_found_where_it_was_after_the_way_there_and_back():
    pixels = np.zeros((300, 400), np.float32)
    pixels[120:140, 250:270] = 1
    placement = Placement(300, 400, Region(50, 100, 250, 350), size_px=64)

    full = placement.map_to_radiograph(placement.pixels_to_square(radiograph_of(pixels)))

    rows, cols = np.nonzero(full > 0.5)
    assert np.abs(np.array([rows.mean(), cols.mean()]) - (129.5, 259.5)).max() < 1


# What a placement refuses


@pytest.mark.parametrize(
    ("region", "side"),
    [
        (Region(-0.5, 0, 5, 5), 8),
        (Region(0, -0.5, 5, 5), 8),
        (Region(0, 0, 10.5, 5), 8),
        (Region(0, 0, 5, 12.5), 8),
        (Region(0, 0, 5, 5), 0),
    ],
)
def test_a_rectangle_beyond_the_grid_or_an_empty_square_is_refused(region, side):
    with pytest.raises(ValueError, match="does not lie on a grid of 10 × 12"):
        Placement(10, 12, region, side)


def test_the_published_protocol_squashes_the_whole_radiograph():
    placement = on_whole(radiograph_of(np.zeros((30, 40))), 224)

    assert placement == Placement(30, 40, Region(0, 0, 30, 40), 224)


@pytest.mark.parametrize(("rows", "cols"), [(7, 9), (1, 4), (5, 1)])
def test_a_map_of_the_radiographs_own_grid_comes_back_to_the_bit(rows, cols):
    values = np.random.default_rng(3).random((rows, cols)).astype(np.float32)
    placement = Placement(rows, cols, Region(0, 0, rows, cols), 8)
    assert np.array_equal(placement.map_to_radiograph(values), values)
