"""How a radiograph becomes a model's input."""

import numpy as np

from pneumoscope.classifier.preprocessing import Preprocessing, prepare
from pneumoscope.radiograph import Radiograph


def test_a_radiograph_of_the_models_size_is_left_as_it_is():
    pixels = np.random.default_rng(0).random((32, 32), np.float32)

    square = prepare(Radiograph(pixels), Preprocessing(32)).pixels

    assert (square.dtype, square.shape) == (np.float32, (1, 32, 32))
    assert np.abs(square[0] - pixels).max() <= 1e-6


def test_the_placement_is_of_the_whole_radiograph():
    radiograph = Radiograph(np.zeros((50, 40), np.float32))

    placement = prepare(radiograph, Preprocessing(32)).placement

    assert (placement.rectangle, placement.size_px) == (radiograph.whole, 32)
