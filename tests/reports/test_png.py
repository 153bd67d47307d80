"""PNG files against Pillow's decoder, an independent implementation of the standard."""

import io

import numpy as np
import pytest
from PIL import Image

from pneumoscope.reports import png


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (300, 1), (123, 45)])
def test_a_picture_comes_back_to_the_bit(size):
    pixels = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3)).astype(np.uint8)
    content = png.encode(Image.fromarray(pixels))
    with Image.open(io.BytesIO(content)) as picture:
        picture.verify()
    with Image.open(io.BytesIO(content)) as picture:
        assert (picture.format, picture.mode, picture.size) == ("PNG", "RGB", size)
        assert (np.asarray(picture) == pixels).all()


def test_other_modes_are_refused():
    with pytest.raises(ValueError, match="not those of mode L"):
        png.encode(Image.new("L", (2, 2)))
