"""What the samples of a reduced picture stand for, against the transforms of OpenJPEG: its pixels are encoded again."""

import io
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openjpeg.utils import encode_array
from PIL import Image

from pneumoscope.radiograph.levels import count_levels
from pneumoscope.radiograph.looked_up import LookedUp
from pneumoscope.radiograph.reduction import LEAST_SAMPLES, MOST_HALVINGS, Axis, Reduction
from pneumoscope.radiograph.region import Region
from pneumoscope.radiograph.resampling import resample
from tests.radiograph.builders import property_test

WAVELETS = ("5/3", "9/7")
ONCE = [(1, (160, 208)), (1, (161, 203)), (1, (167, 198))]
TWICE = [(2, (160, 208)), (2, (167, 198))]  # Pillow rounds sizes with a remainder of 1 down; such pictures are not reduced


def waves(rows, cols, top):
    """A smooth picture that leaves room for the overshoot of a filter."""
    at_rows, at_cols = np.indices((rows, cols))
    return (np.sin(at_rows / 7) + np.cos(at_cols / 5 + at_rows / 11) + 2.6) / 5.2 * top


def pixels_of(samples, reduction):
    """The pixels that samples stand for: each pixel's own weights."""
    down, across = (axis.of_samples(np.eye(axis.pixels)) for axis in reduction.axes)
    return down @ samples @ across.T


def jpeg_2000(pixels, wavelet):
    """A codestream of 12 bits; without a compression ratio OpenJPEG uses the wavelet 5/3, with one the wavelet 9/7."""
    ratios = {} if wavelet == "5/3" else {"compression_ratios": [2]}
    return encode_array(pixels.astype(np.uint16), bits_stored=12, photometric_interpretation=2, **ratios)


@property_test
@given(st.integers(1, 6000), st.integers(1, 6000), st.integers(1, 700), st.sampled_from(WAVELETS), st.integers(0, MOST_HALVINGS))
def test_the_smallest_scale_with_enough_samples_is_chosen(rows, cols, seen_px, wavelet, most):
    reduction = Reduction.choose(rows, cols, seen_px, wavelet, most)
    least, chosen = LEAST_SAMPLES * seen_px, reduction.halvings if reduction else 0
    sides = [min(-(-side // 2**halvings) for side in (rows, cols)) for halvings in range(most + 1)]
    assert chosen == max([halvings for halvings in range(1, most + 1) if sides[halvings] >= least], default=0)
    assert reduction is None or reduction.shape == (-(-rows // 2**chosen), -(-cols // 2**chosen))


@property_test
@given(st.integers(64, 400), st.integers(1, 3), st.sampled_from(WAVELETS), st.integers(0, 2**32 - 1))
def test_sums_of_weights_stay_what_they_are(pixels, halvings, wavelet, seed):
    weights = np.random.default_rng(seed).random((3, pixels))
    axis = Axis(pixels, halvings, wavelet)
    of_samples = axis.of_samples(weights)
    assert of_samples.shape == (3, axis.samples)
    np.testing.assert_allclose(of_samples.sum(1), weights.sum(1), rtol=1e-9)


@pytest.mark.parametrize(("halvings", "shape"), ONCE + TWICE)
@pytest.mark.parametrize("wavelet", WAVELETS)
def test_pixels_without_high_frequencies_are_reduced_to_their_samples_by_openjpeg(wavelet, halvings, shape):
    reduction = Reduction(*shape, halvings, wavelet)
    samples = waves(*reduction.shape, 4000)
    frame = jpeg_2000(np.rint(pixels_of(samples, reduction)), wavelet)
    with Image.open(io.BytesIO(frame)) as image:
        image.reduce = halvings
        by_openjpeg = np.asarray(image) >> 4
    np.testing.assert_allclose(by_openjpeg, samples, rtol=0, atol=4)


@pytest.mark.parametrize("wavelet", WAVELETS)
@pytest.mark.parametrize("box", [Region(0, 0, 161, 203), Region(13.5, 40.25, 150, 203), Region(70, 80, 90, 101.5)])
def test_samples_are_resampled_as_the_pixels_that_they_stand_for(wavelet, box):
    reduction = Reduction(161, 203, 1, wavelet)
    levels = np.random.default_rng(1).integers(0, 256, reduction.shape).astype(np.uint8)
    whole = LookedUp.of(levels, np.arange(256, dtype=np.float32) / np.float32(255), count_levels(levels))
    samples = replace(whole, reduction=reduction)
    pixels = pixels_of(samples.rows(slice(None)).astype(np.float64), reduction).astype(np.float32)
    np.testing.assert_allclose(resample(samples, box, 24, 30), resample(pixels, box, 24, 30), rtol=0, atol=2e-6)
