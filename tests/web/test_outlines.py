"""Outlines of masks, held against the contours that scikit-image finds (marching squares at 0.5)."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from skimage.measure import find_contours

from pneumoscope.radiograph import Orientation, Placement, Region
from pneumoscope.web.outlines import on_grid, on_radiograph, outlines

masks = arrays(bool, array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=9), elements=st.booleans())


def signed_area(points) -> float:
    """Shoelace formula."""
    (row, col), (next_row, next_col) = np.transpose(points), np.transpose(np.roll(points, -1, 0))
    return float((row * next_col - next_row * col).sum() / 2)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(masks)
def test_outlines_are_those_of_marching_squares(mask):
    ours = outlines(mask)
    # Around the mask lies one pixel of background, so that every contour is closed; its index 1 is our pixel 0, centred at 0.5.
    theirs = [contour[:-1] - 0.5 for contour in find_contours(np.pad(mask, 1).astype(float), 0.5, fully_connected="low")]
    assert len(ours) == len(theirs)
    corners = {tuple(point) for contour in theirs for point in contour.tolist()}
    assert {tuple(point) for polygon in ours for point in polygon.tolist()} <= corners
    areas = [sorted(abs(signed_area(polygon)) for polygon in polygons) for polygons in (ours, theirs)]
    assert np.allclose(*areas)


def test_one_pixel_is_a_diamond_around_its_centre():
    (polygon,) = outlines(np.array([[False, False], [False, True]]))
    assert sorted(map(tuple, polygon.tolist())) == [(1, 1.5), (1.5, 1), (1.5, 2), (2, 1.5)]


def test_a_hole_is_a_polygon_of_the_other_direction():
    ring = np.ones((3, 3), bool)
    ring[1, 1] = False
    outer, hole = sorted((signed_area(polygon) for polygon in outlines(ring)), key=abs, reverse=True)
    assert outer * hole < 0


def test_an_empty_mask_has_no_outline():
    assert outlines(np.zeros((3, 3), bool)) == []


def test_a_square_in_the_displayed_order_comes_to_the_stored_grid():
    placement = Placement(20, 10, Region(0, 0, 20, 10), 4, Orientation("R", "F"))  # stored as its mirror image
    mask = np.zeros((2, 2), bool)
    mask[0, 0] = True  # upper left as displayed: rows 0 to 10, stored columns 5 to 10
    (polygon,) = on_radiograph(mask, placement)
    rows, cols = np.transpose(polygon)
    assert (rows.min(), rows.max(), cols.min(), cols.max()) == (0, 10, 5, 10)


def test_a_mask_on_the_grid_keeps_its_place():
    mask = np.zeros((5, 7), bool)
    mask[1:3, 2:6] = True
    (polygon,) = on_grid(mask)
    rows, cols = np.transpose(polygon)
    assert (rows.min(), rows.max(), cols.min(), cols.max()) == (1, 3, 2, 6)
