"""Lung masks by the names of their radiographs: which file is meant, and when nobody can tell."""

import numpy as np
import pytest
from PIL import Image

from pneumoscope.reference.errors import RegionsError
from pneumoscope.reference.lung_masks import lung_masks
from tests.localization.builders import filled

MASK = filled((20, 40), (4, 4, 16, 36))


@pytest.fixture
def save(tmp_path):
    def save(name, mask=MASK):
        file = tmp_path / "lungs" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(mask.astype(np.uint8) * 255).save(file)
        return tmp_path / "lungs"

    return save


@pytest.mark.parametrize("name", ["a/x.png", "x.png", "elsewhere/x.png"])
def test_a_mask_is_found_by_path_or_stem(save, name):
    found = lung_masks(save(name), ["a/x.jpeg", "a/y.jpeg"])
    assert list(found.files) == ["a/x.jpeg"]
    np.testing.assert_array_equal(found.on_grid("a/x.jpeg", (20, 40)), MASK)
    np.testing.assert_array_equal(found.stored("a/x.jpeg"), MASK)
    assert found.on_grid("a/y.jpeg", (20, 40)) is None


def test_a_mask_is_brought_to_the_grid_of_its_radiograph(save):
    found = lung_masks(save("x.png"), ["x.dcm"])
    np.testing.assert_array_equal(found.on_grid("x.dcm", (40, 80)), MASK.repeat(2, 0).repeat(2, 1))


def test_a_stem_of_two_radiographs_is_an_error_and_the_path_tells_them_apart(save):
    paths = ["a/x.jpeg", "b/x.jpeg"]
    folder = save("b/x.png")
    assert list(lung_masks(folder, paths).files) == ["b/x.jpeg"]
    with pytest.raises(RegionsError, match=r"the lung mask 'x\.png' may belong to any of 2 radiographs"):
        lung_masks(save("x.png"), paths)


def test_two_masks_of_one_radiograph_are_an_error(save):
    save("a/x.png")
    with pytest.raises(RegionsError, match=r"'x\.png' and 'a/x\.png' belong to one radiograph"):
        lung_masks(save("x.png"), ["a/x.jpeg"])


def test_a_folder_without_a_mask_of_these_cases_is_an_error(save):
    with pytest.raises(RegionsError, match="has the name of a radiograph of these cases"):
        lung_masks(save("z.png"), ["a/x.jpeg"])


@pytest.mark.parametrize(
    ("mask", "says"), [(filled((20, 20), (2, 2, 9, 9)), "another aspect ratio"), (np.zeros((20, 40), bool), "marks too little")]
)
def test_a_mask_of_another_shape_or_without_a_lung_is_an_error(save, mask, says):
    found = lung_masks(save("x.png", mask), ["x.png"])
    with pytest.raises(RegionsError, match=says):
        found.on_grid("x.png", (40, 80))
