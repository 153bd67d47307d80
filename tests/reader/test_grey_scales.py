"""Normal radiographs whose file spoils their grey scale, read by the published model, which takes dark images for pneumonia.

Each picture of the shipped radiographs is stored as 12 bits in one of the ways that devices and converters have been seen to.
"""

import io

import numpy as np
import pytest
from PIL import Image

from pneumoscope import radiograph
from pneumoscope.cohort.sample import sample
from pneumoscope.reader.reader import Reader
from pneumoscope.reader.shipped import SHIPPED
from tests.radiograph.builders import cr, lut, written


def picture(levels: np.ndarray, kind=np.uint16) -> bytes:
    """A PNG file of 16 or 8 bits."""
    file = io.BytesIO()
    Image.fromarray(levels.astype(kind)).save(file, "PNG", compress_level=1)
    return file.getvalue()


def burned_in(stored: np.ndarray) -> np.ndarray:
    """The image in 16 bits with one pixel at the maximum."""
    changed = stored.copy()
    changed[0, 0] = 65535
    return changed


FRONTAL = {"PatientOrientation": ["L", "F"]}
SPOILED = {
    "a window 16 times as wide as the data": lambda s: written(
        cr(s, bits=16, WindowCenter="32768", WindowWidth="65536", **FRONTAL)
    ),
    "a VOI LUT that claims 16 bits": lambda s: written(cr(s, VOILUTSequence=lut(0, list(range(4096)), bits=16), **FRONTAL)),
    "12 bits in a 16 bit PNG": lambda s: picture(s),
    "one burned-in maximum": lambda s: written(cr(burned_in(s), bits=16, **FRONTAL)),
    "one burned-in maximum in a 16 bit PNG": lambda s: picture(burned_in(s)),
    "12 bits at the top of 16": lambda s: written(cr(s << 4, bits=16, BitsStored=12, HighBit=15, **FRONTAL)),
}  # fmt: skip


@pytest.fixture(scope="module")
def reader():
    return Reader.load(SHIPPED["whole"], threads=1)


@pytest.fixture(scope="module")
def normals():
    """Pixels of every second normal radiograph in 12 bits."""
    with sample() as cohort:
        images = [radiograph.read(cohort.file(case)) for case in cohort.cases if not case.reference][::2]
    return [np.rint(image.pixels * 4095).astype(int) for image in images]


@pytest.mark.parametrize("make", SPOILED.values(), ids=SPOILED)
def test_a_normal_radiograph_stays_negative(make, reader, normals):
    assert len(normals) == 4
    readings = [reader.read(radiograph.read(make(stored))) for stored in normals]

    assert [reading.decision for reading in readings] == ["negative"] * 4


def test_a_radiograph_that_a_converter_made_dark_abstains(reader, normals):
    readings = [reader.read(radiograph.read(picture(stored // 256, np.uint8))) for stored in normals]

    assert all(reading.abstains for reading in readings)
    # The reason to abstain: without it most of these would be called positive.
    assert sum(reading.decision == "positive" for reading in readings) > 2
