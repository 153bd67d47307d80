"""`Orientation`: the eight ways in which a frontal radiograph can be stored, and what is no orientation."""

import numpy as np
import pytest

from pneumoscope.radiograph import Orientation, Placement, Radiograph, Region, read
from pneumoscope.radiograph.orientation import UNKNOWN
from pneumoscope.radiograph.placement import on_whole
from tests.radiograph.builders import cr, show_stored, written

# What is displayed: the patient's right (1, 4) on the left, the head (1, 2, 3) on top.
DISPLAYED = np.array([[1, 2, 3], [4, 5, 6]])
# Written down by hand: along a row the column index grows toward the first direction, along a column toward the second.
STORED = {
    ("L", "F"): [[1, 2, 3], [4, 5, 6]],
    ("R", "F"): [[3, 2, 1], [6, 5, 4]],
    ("L", "H"): [[4, 5, 6], [1, 2, 3]],
    ("R", "H"): [[6, 5, 4], [3, 2, 1]],
    ("F", "L"): [[1, 4], [2, 5], [3, 6]],
    ("F", "R"): [[3, 6], [2, 5], [1, 4]],
    ("H", "L"): [[4, 1], [5, 2], [6, 3]],
    ("H", "R"): [[6, 3], [5, 2], [4, 1]],
}
every_orientation = pytest.mark.parametrize(("directions", "stored"), STORED.items(), ids=["".join(pair) for pair in STORED])


@every_orientation
def test_stored_values_are_turned_for_display_and_back(directions, stored):
    orientation = Orientation(*directions)

    assert orientation.to_display(np.array(stored)).tolist() == DISPLAYED.tolist()
    assert orientation.to_stored(DISPLAYED).tolist() == stored
    assert orientation.plane == "coronal"
    assert orientation.is_displayed == (directions == ("L", "F"))


def test_an_unknown_orientation_is_taken_as_displayed():
    assert UNKNOWN.plane == "unknown"
    assert UNKNOWN.is_displayed
    assert UNKNOWN.to_display(DISPLAYED).tolist() == DISPLAYED.tolist()


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ((), UNKNOWN),
        (("", ""), UNKNOWN),
        (("R", "F"), Orientation("R", "F")),
        (("LA", "FP"), Orientation("L", "F")),  # oblique: the principal direction comes first (PS3.3 C.7.6.1.1.1)
        (("P", "F"), Orientation("P", "F")),
        (("L",), None),
        (("L", ""), None),
        (("L", "R"), None),
        (("L", "L"), None),
        (("L", "F", "F"), None),
        (("DOE^JANE", "F"), None),
    ],
)
def test_patient_orientation_is_two_directions_of_different_axes(values, expected):
    assert Orientation.parse(values) == expected


@pytest.mark.parametrize(("directions", "plane"), [("AF", "sagittal"), ("PF", "sagittal"), ("LP", "other"), ("RA", "other")])
def test_a_view_that_is_not_frontal_is_turned_upright_at_most(directions, plane):
    orientation = Orientation(*directions)

    assert orientation.plane == plane
    assert orientation.to_display(DISPLAYED).tolist() == DISPLAYED.tolist()


@every_orientation
def test_a_dicom_image_keeps_its_stored_grid_and_its_square_is_displayed(directions, stored):
    values = np.kron(stored, np.ones((8, 8), int)) * 512
    radiograph = read(written(cr(values, PatientOrientation=list(directions), **show_stored(12))))

    assert radiograph.orientation == Orientation(*directions)
    np.testing.assert_array_equal(radiograph.pixels * 8, np.kron(stored, np.ones((8, 8))))
    np.testing.assert_array_equal(radiograph.displayed * 8, np.kron(DISPLAYED, np.ones((8, 8))))
    square = on_whole(radiograph, 48).pixels_to_square(radiograph)
    expected = Radiograph(np.float32(np.kron(DISPLAYED, np.ones((8, 8))) / 8))
    np.testing.assert_array_equal(square, on_whole(expected, 48).pixels_to_square(expected))


@every_orientation
def test_a_map_comes_back_to_the_place_it_was_computed_from(directions, stored):
    orientation = Orientation(*directions)
    radiograph = Radiograph(np.float32(np.kron(stored, np.ones((8, 8))) / 8), orientation=orientation)
    upright = Radiograph(np.float32(np.kron(DISPLAYED, np.ones((8, 8))) / 8))
    values = np.random.default_rng(0).random((5, 7), np.float32)

    full = on_whole(radiograph, 32).map_to_radiograph(values)

    np.testing.assert_allclose(full, orientation.to_stored(on_whole(upright, 32).map_to_radiograph(values)), atol=1e-6)


def test_points_of_a_mirrored_rectangle_counted_by_hand():
    # Columns 20 to 120 of a mirrored grid: its right edge, column 120, is the left edge of the square.
    placement = Placement(100, 200, Region(10, 20, 60, 120), 50, Orientation("R", "F"))

    square = placement.points_to_square(np.array([[10, 120], [60, 20], [35, 100]]))

    assert square.tolist() == [[0, 0], [50, 50], [25, 10]]
    assert placement.region_to_radiograph(Region(0, 0, 50, 25)) == Region(10, 70, 60, 120)


def test_points_of_a_transposed_rectangle_counted_by_hand():
    # Rows go toward the patient's left, columns toward the feet: row 10 of the grid is the left edge of the square.
    placement = Placement(100, 200, Region(10, 20, 60, 120), 50, Orientation("F", "L"))

    square = placement.points_to_square(np.array([[10, 20], [60, 20], [10, 120]]))

    assert square.tolist() == [[0, 0], [0, 50], [50, 0]]
