"""Pixels as levels and a table: the same pixels, range and contrast as the array that they stand for."""

import pickle
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pneumoscope.radiograph import Radiograph
from pneumoscope.radiograph.levels import count_levels
from pneumoscope.radiograph.looked_up import LookedUp, count_grey_levels
from tests.radiograph.builders import property_test


def looked_up(seed, dtype, linear):
    rng = np.random.default_rng(seed)
    n_levels = int(rng.integers(2, 256 if dtype == np.uint8 else 5000))
    levels = rng.integers(0, n_levels, (int(rng.integers(1, 40)), int(rng.integers(1, 40)))).astype(dtype)
    shown = np.arange(n_levels, dtype=np.float32) / np.float32(n_levels) if linear else rng.random(n_levels, np.float32)
    return LookedUp.of(levels, shown, count_levels(levels))


@property_test
@given(st.integers(0, 2**32 - 1), st.sampled_from([np.uint8, np.uint16]), st.booleans())
def test_levels_stand_for_their_pixels_to_the_bit(seed, dtype, linear):
    given_levels = looked_up(seed, dtype, linear)
    pixels = given_levels.shown[given_levels.levels]
    lazy, eager = Radiograph(given_levels), Radiograph(pixels)
    assert lazy.shape == eager.shape
    assert lazy.grey_range == eager.grey_range
    assert lazy.grey_levels_used == eager.grey_levels_used
    assert (lazy.pixels == pixels).all()
    assert (given_levels.rows(slice(1, 5)) == pixels[1:5]).all()


def test_a_radiograph_of_levels_travels_as_levels():
    radiograph = Radiograph(looked_up(1, np.uint16, linear=False), view_position="PA")
    before = len(pickle.dumps(radiograph))
    pixels = radiograph.pixels
    assert len(pickle.dumps(radiograph)) <= before + 100
    arrived = pickle.loads(pickle.dumps(radiograph))
    assert arrived.view_position == "PA"
    assert (arrived.pixels == pixels).all()
    assert (replace(arrived, view_position="AP").pixels == pixels).all()


def test_levels_outside_of_the_display_are_refused():
    levels = np.array([[0, 1]], np.uint8)
    with pytest.raises(ValueError, match=r"must lie in \[0, 1\], not in \[0, 255\]"):
        Radiograph(LookedUp.of(levels, np.float32([0, 255]), count_levels(levels)))


def test_grey_levels_are_counted_between_percentiles():
    # 1000 pixels: 4 are darker and 4 brighter than the others, less than half a percent each.
    greys = np.repeat(np.float32([0, 100 / 255, 109 / 255, 1]), [4, 500, 492, 4])
    assert count_grey_levels(greys) == 10
    assert count_grey_levels(np.float32([0, 100 / 255, 109 / 255, 1]), np.array([4, 500, 492, 4])) == 10
