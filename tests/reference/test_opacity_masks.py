"""Opacity masks: mean opaqueness of lung zones by hand, and masks that cannot mean opaqueness."""

import numpy as np
import pytest
from PIL import Image

from pneumoscope.reference import opacity_masks
from pneumoscope.reference.errors import RegionsError
from tests.lung_fields.builders import lungs


def mask(right_upper=0, left_lower=0, rows=80, cols=160) -> np.ndarray:
    """Grey values over the right upper and the left lower zone of the lungs of `lungs`: rows 20 to 35 and 52 to 67."""
    down, across = rows / 80, cols / 160
    picture = np.zeros((rows, cols), np.uint8)
    picture[: round(36 * down), : round(80 * across)] = right_upper
    picture[round(52 * down) :, round(80 * across) :] = left_lower
    return picture


@pytest.fixture
def masks(tmp_path):
    def go(mode="", **pictures):
        for name, picture in pictures.items():
            file = tmp_path / f"{name.replace('__', '/').replace('_', '-')}.png"
            file.parent.mkdir(exist_ok=True)
            image = Image.fromarray(picture)
            (image.convert(mode) if mode else image).save(file)
        return opacity_masks.read(tmp_path, ["a.png", "b.png"])

    return go


def test_the_opaqueness_of_a_zone_is_the_mean_grey_value_over_its_lung(masks):
    read = masks(a=mask(right_upper=128, left_lower=255))
    assert read.zone_opaqueness("a.png", lungs()) == pytest.approx([128 / 255, 0, 0, 0, 0, 1])
    assert read.summary() == "opacity masks of 1 cases, grey values 0, 128, 255 (128 is ground glass, 255 consolidated)"


def test_a_mask_of_another_size_lies_where_the_radiograph_lies(masks):
    read = masks(a=mask(right_upper=128, left_lower=255, rows=40, cols=80))
    assert read.zone_opaqueness("a.png", lungs()) == pytest.approx([128 / 255, 0, 0, 0, 0, 1])


def test_the_masks_of_several_readers_are_averaged(masks):
    read = masks(reader_x__a=mask(right_upper=255), reader_y__a=mask())
    assert read.zone_opaqueness("a.png", lungs())[0] == pytest.approx(0.5)


def test_a_case_without_a_mask_or_without_both_lungs_has_no_reference(masks):
    read = masks(a=mask(right_upper=255))
    assert read.zone_opaqueness("b.png", lungs()) is None
    assert read.zone_opaqueness("a.png", lungs(state="partly found")) is None


def test_a_picture_of_one_bit_is_consolidated_where_it_is_white(masks):
    assert masks("1", a=mask(left_lower=255)).zone_opaqueness("a.png", lungs())[5] == 1


def test_numbers_of_classes_are_refused(masks):
    with pytest.raises(RegionsError, match=r"highest grey value .* is 2, so they hold numbers of classes"):
        masks(a=mask(1, 2))


def test_a_coloured_mask_is_refused(masks):
    with pytest.raises(RegionsError, match=r"'a\.png' has pixels of the kind RGB; save it as a grey PNG"):
        masks("RGB", a=mask(255))


def test_a_mask_of_another_aspect_ratio_is_refused(masks):
    read = masks(a=mask(255, rows=80, cols=80))
    with pytest.raises(RegionsError, match="another aspect ratio"):
        read.zone_opaqueness("a.png", lungs())


def test_masks_of_other_images_are_refused(masks):
    with pytest.raises(RegionsError, match=r"no mask in .* has the name of a radiograph"):
        masks(other=mask(255))
