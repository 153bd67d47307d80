"""How a radiograph becomes a model's input."""

import numpy as np

from pneumoscope.classifier.preprocessing import Preprocessing, prepare
from pneumoscope.radiograph import Radiograph


def test_the_input_lies_on_256_grey_levels():
    pixels = np.random.default_rng(0).random((50, 40), np.float32)

    square = prepare(Radiograph(pixels), Preprocessing(32)).pixels

    levels = square.astype(np.float64) * 255
    assert square.dtype == np.float32
    assert square.shape == (1, 32, 32)
    assert np.abs(levels - np.rint(levels)).max() < 1e-4
    assert np.array_equal(np.rint(levels).astype(np.uint8).astype(np.float32) / np.float32(255), square)


def test_a_radiograph_of_the_models_size_is_only_rounded():
    pixels = np.random.default_rng(0).random((32, 32), np.float32)

    square = prepare(Radiograph(pixels), Preprocessing(32)).pixels

    assert np.abs(square[0] - pixels).max() <= 0.5 / 255 + 1e-6


def test_the_placement_is_of_the_whole_radiograph():
    radiograph = Radiograph(np.zeros((50, 40), np.float32))

    placement = prepare(radiograph, Preprocessing(32)).placement

    assert (placement.rectangle, placement.side) == (radiograph.whole, 32)
