"""What a file states of burned-in annotation."""

import io

import numpy as np
import pytest
from PIL import Image
from pydicom.uid import MultiFrameGrayscaleByteSecondaryCaptureImageStorage, SecondaryCaptureImageStorage

from pneumoscope.radiograph import burned_in_of
from tests.radiograph.builders import cr, without_meta, written

STORED = np.arange(64 * 64).reshape(64, 64) % 4096


def captured(sop_class, **elements):
    dataset = cr(STORED, **elements)
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = sop_class
    return dataset


@pytest.mark.parametrize(
    ("dataset", "stated"),
    [
        (cr(STORED), "not stated"),
        (cr(STORED, BurnedInAnnotation=""), "not stated"),
        (cr(STORED, BurnedInAnnotation="YES"), "yes"),
        (cr(STORED, BurnedInAnnotation="NO"), "no"),
        (cr(STORED, BurnedInAnnotation="MUSTERMANN"), "not stated"),
        (cr(STORED, ConversionType="DF"), "converted"),  # a digitised film
        (cr(STORED, ConversionType="DF", BurnedInAnnotation="NO"), "no"),
        (captured(SecondaryCaptureImageStorage), "converted"),
        (captured(SecondaryCaptureImageStorage, BurnedInAnnotation="YES"), "yes"),
        (captured(MultiFrameGrayscaleByteSecondaryCaptureImageStorage), "converted"),
    ],
)
def test_the_attribute_decides_and_without_it_the_way_in_which_the_image_was_made(dataset, stated):
    assert burned_in_of(written(dataset)) == stated
    assert burned_in_of(without_meta(dataset)) == stated


def test_a_picture_states_nothing():
    file = io.BytesIO()
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(file, "PNG")
    assert burned_in_of(file.getvalue()) == "not stated"
