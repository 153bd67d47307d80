"""`Region`: edges in pixels, rows before columns."""

import numpy as np
import pytest

from pneumoscope.radiograph import Region


def test_around_covers_the_true_pixels_and_no_more():
    mask = np.zeros((6, 8), bool)
    mask[2, 3] = mask[4, 6] = True

    assert Region.around(mask) == Region(2, 3, 5, 7)


def test_around_one_pixel_is_one_pixel_large():
    region = Region.around(np.eye(1, dtype=bool))

    assert (region.height, region.width) == (1, 1)


def test_an_empty_mask_has_no_region():
    with pytest.raises(ValueError, match="empty mask"):
        Region.around(np.zeros((3, 3), bool))


@pytest.mark.parametrize("edges", [(0, 0, 0, 1), (0, 0, 1, 0), (2, 0, 1, 1), (0, float("nan"), 1, 1), (0, 0, float("nan"), 1)])
def test_a_region_without_area_is_refused(edges):
    with pytest.raises(ValueError, match="bottom > top"):
        Region(*edges)


def test_height_counts_rows_and_width_columns():
    region = Region(top=1.5, left=10, bottom=4, right=17)

    assert (region.height, region.width) == (2.5, 7)
