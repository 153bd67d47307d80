"""`extract`: regions counted by hand, and held against a flood fill."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pneumoscope.radiograph import Region
from pneumoscope.readings import extract, mask_of
from tests.heatmap.builders import heatmap_of


def drawn(rows: int = 10, cols: int = 10, **regions) -> np.ndarray:
    """A map of zeros with rectangles: name=(top, left, bottom, right, value)."""
    values = np.zeros((rows, cols))
    for top, left, bottom, right, value in regions.values():
        values[top:bottom, left:right] = value
    return values


def test_two_blobs_have_their_boxes_areas_peaks_and_ratings_highest_first():
    values = drawn(a=(1, 1, 3, 4, 0.6), peak_a=(2, 3, 3, 4, 0.9), b=(6, 7, 10, 9, 0.7), peak_b=(7, 8, 8, 9, 1.4))

    first, second = extract(heatmap_of(values), probability=0.8)

    assert (first.box, first.area_px, first.peak) == (Region(6, 7, 10, 9), 8, (7, 8))
    assert (second.box, second.area_px, second.peak) == (Region(1, 1, 3, 4), 6, (2, 3))
    assert first.rating == pytest.approx(0.8, abs=1e-4)  # 1.4 is cut at full scale
    assert second.rating == pytest.approx(0.8 * 0.9, abs=1e-4)


def test_pixels_that_touch_at_a_corner_are_one_region():
    values = drawn(a=(2, 2, 4, 4, 0.7), b=(4, 4, 6, 6, 0.7))
    (found,) = extract(heatmap_of(values), 1.0)
    assert (found.box, found.area_px) == (Region(2, 2, 6, 6), 8)


def test_pixels_with_one_between_them_are_two_regions():
    values = drawn(a=(2, 2, 4, 4, 0.7), b=(2, 5, 4, 7, 0.7))
    assert {f.box for f in extract(heatmap_of(values), 1.0)} == {Region(2, 2, 4, 4), Region(2, 5, 4, 7)}


@pytest.mark.parametrize(("value", "regions"), [(0.0, 0), (0.499, 0), (0.5, 1), (3.0, 1)])
def test_a_region_begins_at_half_of_full_scale(value, regions):
    assert len(extract(heatmap_of(drawn(a=(2, 2, 6, 6, value))), 1.0)) == regions


def test_another_threshold_may_be_asked_for():
    values = drawn(a=(2, 2, 6, 6, 0.3))
    assert len(extract(heatmap_of(values, 0.25), 1.0)) == 1
    assert extract(heatmap_of(values, 0.35), 1.0) == ()


@pytest.mark.parametrize(("pixels", "regions"), [(19, 0), (20, 1)])
def test_a_region_below_a_five_hundredth_of_the_radiograph_is_dropped(pixels, regions):
    values = drawn(100, 100, a=(50, 10, 51, 10 + pixels, 0.9))  # of 10,000 pixels
    assert len(extract(heatmap_of(values), 1.0)) == regions


def test_a_region_at_the_edges_has_a_box_that_ends_with_the_grid():
    values = drawn(7, 9, a=(4, 5, 7, 9, 0.8))
    (found,) = extract(heatmap_of(values), 1.0)
    assert found.box == Region(4, 5, 7, 9)


def test_a_map_that_is_high_everywhere_is_one_region_of_the_whole():
    (found,) = extract(heatmap_of(np.full((4, 6), 0.75)), 0.5)
    assert (found.box, found.area_px, found.rating) == (Region(0, 0, 4, 6), 24, pytest.approx(0.375, abs=1e-4))


def test_a_region_within_the_box_of_another_does_not_lend_it_its_peak():
    values = drawn(a=(1, 1, 2, 8, 0.6), b=(1, 1, 8, 2, 0.6), inner=(4, 4, 6, 6, 0.95))  # a and b are an L around it

    inner, outer = extract(heatmap_of(values), 1.0)

    assert (inner.box, inner.area_px) == (Region(4, 4, 6, 6), 4)
    assert (outer.box, outer.area_px) == (Region(1, 1, 8, 8), 13)
    assert outer.rating == pytest.approx(0.6, abs=1e-4)
    assert outer.peak[0] == 1 or outer.peak[1] == 1


def flooded(high: np.ndarray) -> set[tuple]:
    """Box and area of every region by a flood fill over the eight neighbours."""
    left = {tuple(map(int, p)) for p in np.argwhere(high)}
    found = set()
    while left:
        front, region = [left.pop()], set()
        while front:
            row, col = front.pop()
            region.add((row, col))
            near = {(row + r, col + c) for r in (-1, 0, 1) for c in (-1, 0, 1)} & left
            left -= near
            front += near
        rows, cols = zip(*region, strict=True)
        found.add((min(rows), min(cols), max(rows) + 1, max(cols) + 1, len(region)))
    return found


maps = hnp.arrays(
    np.float32, st.tuples(st.integers(1, 16), st.integers(1, 16)), elements=st.sampled_from([0, 0.25, 0.5, 0.75, 1, 2])
)


@given(maps, st.floats(0, 1))
@settings(max_examples=150, deadline=None, derandomize=True)
def test_regions_are_those_of_a_flood_fill_on_the_grid_around_their_peak_and_in_order(values, probability):
    found = extract(heatmap_of(values), probability)

    # None is dropped: a 500th of 256 pixels is less than one.
    assert {(f.box.top, f.box.left, f.box.bottom, f.box.right, f.area_px) for f in found} == flooded(values >= 0.5)
    for finding in found:
        row, col = finding.peak
        box = finding.box
        assert 0 <= box.top <= row < box.bottom <= values.shape[0]
        assert 0 <= box.left <= col < box.right <= values.shape[1]
        assert finding.rating == pytest.approx(probability * min(values[row, col], 1), abs=1e-4)
    assert [f.rating for f in found] == sorted((f.rating for f in found), reverse=True)


def test_a_strip_one_pixel_high_has_its_region_on_it():
    values = np.zeros((1, 3000))
    values[0, 1000:1500] = 0.9
    (found,) = extract(heatmap_of(values), 1.0)
    assert found.peak[0] == 0
    assert (found.box.top, found.box.bottom) == (0, 1)
    assert abs(found.box.left - 1000) <= 11
    assert abs(found.box.right - 1500) <= 11


@pytest.mark.parametrize("shape", [(20, 30), (300, 520), (777, 1031)])
def test_the_mask_of_a_finding_has_its_box_area_and_peak(shape):
    heatmap = heatmap_of(blobs(*shape))
    findings = extract(heatmap, 0.9)
    assert len(findings) == 2
    for finding in findings:
        mask = mask_of(finding, heatmap)
        assert mask.shape == shape
        assert mask[finding.peak]
        assert Region.around(mask) == finding.box
        assert mask.sum() == finding.area_px


def test_a_finding_of_another_map_has_no_mask():
    finding, _ = extract(heatmap_of(blobs(20, 30)), 0.9)
    with pytest.raises(ValueError, match="below its threshold at the peak"):
        mask_of(finding, heatmap_of(np.zeros((20, 30))))


def blobs(rows, cols):
    """An L and a square, away from the edges."""
    values = np.zeros((rows, cols), np.float32)
    values[rows // 5 : rows // 2, cols // 5 : cols // 4] = values[rows // 3 : rows // 2, cols // 5 : cols // 2] = 0.8
    values[2 * rows // 3 : 5 * rows // 6, 2 * cols // 3 : 5 * cols // 6] = 0.7
    return values
