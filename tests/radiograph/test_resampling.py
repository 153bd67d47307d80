"""Strips of rows against Pillow's own resampling, an independent implementation of the same filter."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from pneumoscope.radiograph.levels import count_levels
from pneumoscope.radiograph.looked_up import LookedUp
from pneumoscope.radiograph.region import Region
from pneumoscope.radiograph.resampling import _MOST_PRODUCTS, _strips, resample
from tests.radiograph.builders import property_test


def made(seed, rows, cols):
    rng = np.random.default_rng(seed)
    levels = rng.integers(0, 3000, (rows, cols)).astype(np.uint16)
    return LookedUp.of(levels, rng.random(3000, np.float32), count_levels(levels))


def by_pillow(pixels, box, rows, cols):
    picture = Image.fromarray(pixels)
    edges = box.left, box.top, box.right, box.bottom
    return np.asarray(picture.resize((cols, rows), Image.Resampling.BILINEAR, box=edges))


@property_test
@given(st.integers(0, 2**32 - 1), st.integers(1, 90), st.integers(1, 90), st.integers(1, 40), st.integers(1, 40))
def test_a_whole_image_is_resampled_as_by_pillow(seed, rows, cols, to_rows, to_cols):
    image = made(seed, rows, cols)
    box = Region(0, 0, rows, cols)
    small = resample(image, box, to_rows, to_cols)
    np.testing.assert_allclose(small, by_pillow(image.pixels, box, to_rows, to_cols), rtol=0, atol=3e-7)
    assert (small == resample(image.pixels, box, to_rows, to_cols)).all()


@pytest.mark.parametrize("box", [Region(3.25, 10.5, 700, 801.75), Region(0, 0, 1100, 300.5), Region(512, 600, 1100, 900)])
def test_a_part_is_resampled_as_by_pillow(box):
    image = made(5, 1100, 900)
    small = resample(image, box, 96, 64)
    # Pillow keeps the edges of a box as float32.
    np.testing.assert_allclose(small, by_pillow(image.pixels, box, 96, 64), rtol=0, atol=3e-6)


@pytest.mark.parametrize(("rows", "cols", "size_px"), [(2500, 2800, 224), (1250, 1111, 224), (900, 800, 720), (5000, 4000, 512)])
def test_every_row_is_taken_once_in_products_too_small_for_threads(rows, cols, size_px):
    strips = _strips(rows, cols, 0.0, float(rows), size_px)
    assert [strip.rows.start for strip in strips[1:]] == [strip.rows.stop for strip in strips[:-1]]
    assert (strips[0].rows.start, strips[-1].rows.stop) == (0, rows)
    assert max(strip.weights.size * cols for strip in strips) <= _MOST_PRODUCTS
    total = np.zeros(size_px)
    for strip in strips:
        total[strip.out] += strip.weights.sum(1)
    np.testing.assert_allclose(total, 1, atol=1e-6)
