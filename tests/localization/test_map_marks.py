"""Marks of heat maps by hand, and by the pixels around them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pneumoscope.localization.map_marks import marks as marks_of
from pneumoscope.readings.mark import Mark


def hill(shape, *peaks):
    values = np.zeros(shape, np.float32)
    for row, col, height in peaks:
        values[row, col] = height
    return values


def test_marks_are_the_centres_of_maxima_highest_first():
    values = hill((40, 40), (5, 6, 0.4), (30, 20, 0.8), (30, 21, 0.6))
    assert marks_of(values, 0.5) == (Mark(30.5, 20.5, pytest.approx(0.4)), Mark(5.5, 6.5, pytest.approx(0.2)))


@pytest.mark.parametrize("level", [0, 0.7])
def test_a_flat_map_gives_no_mark(level):
    assert marks_of(np.full((40, 40), level, np.float32), 0.9) == ()


def test_maxima_below_the_smallest_value_are_no_marks_however_probable():
    values = hill((40, 40), (5, 5, 0.05), (30, 30, 0.04))
    assert [(m.row, m.col) for m in marks_of(values, 0.01)] == [(5.5, 5.5)]
    assert len(marks_of(values, 0.01, min_height=0.01)) == 2


def test_at_most_so_many_marks_and_the_highest_of_them():
    values = hill((100, 100), *((10 * k, 50, 0.1 * k) for k in range(1, 10)))
    assert [m.row for m in marks_of(values, 1)] == [90.5, 80.5, 70.5, 60.5, 50.5, 40.5, 30.5, 20.5]
    assert [m.row for m in marks_of(values, 1, max_marks=2)] == [90.5, 80.5]


def test_a_maximum_suppresses_others_within_six_percent():
    """6 % of 100 is 6 pixels: 6 away is suppressed, 7 away is not, nor is what only a suppressed one is near to."""
    values = hill((50, 100), (10, 10, 0.9), (10, 16, 0.5), (12, 17, 0.4), (3, 10, 0.3))
    assert [(m.row, m.col) for m in marks_of(values, 1)] == [(10.5, 10.5), (12.5, 17.5), (3.5, 10.5)]


def test_a_plateau_is_marked_once_at_its_middle():
    values = np.zeros((60, 60), np.float32)
    values[10:13, 20:27] = 0.5
    assert marks_of(values, 1) == (Mark(11.5, 23.5, 0.5),)


def test_the_mark_of_a_ring_lies_on_the_ring():
    values = np.zeros((60, 60), np.float32)
    values[10:15, 10:15] = 0.5
    values[11:14, 11:14] = 0.2
    (mark,) = marks_of(values, 1)
    assert values[int(mark.row), int(mark.col)] == 0.5


def test_a_shoulder_is_no_maximum():
    """The plateau of 0.5 goes on to 0.9 at its end, its far pixels see nothing higher among their neighbours."""
    values = np.zeros((60, 60), np.float32)
    values[10, 10:40] = 0.5
    values[10, 40] = 0.9
    assert [(m.row, m.col) for m in marks_of(values, 1)] == [(10.5, 40.5)]


def test_of_equal_maxima_the_first_in_reading_order_stays():
    values = hill((100, 100), (10, 15, 0.5), (12, 10, 0.5))
    assert [(m.row, m.col) for m in marks_of(values, 1)] == [(10.5, 15.5)]
    values = hill((100, 100), *((row, 10, 0.5) for row in range(10, 15)), (11, 14, 0.5))
    assert [(m.row, m.col) for m in marks_of(values, 1)] == [(11.5, 14.5)]  # the plateau starts before, its middle is after


def test_marks_of_a_reduced_map_are_on_the_radiographs_grid():
    """641 px go in blocks of 3 to 214; block (10, 20) has its centre at (31.5, 61.5), the last one, 2 px wide, at 640."""
    values = np.zeros((641, 641), np.float32)
    values[30:33, 60:63] = 0.9
    values[639:, 639:] = 0.6
    values[300, 300] = 0.9  # a single pixel is a ninth of that
    first, second, third = marks_of(values, 1)
    assert first == Mark(31.5, 61.5, pytest.approx(0.9))
    assert second == Mark(640.0, 640.0, pytest.approx(0.6))
    assert (third.row, third.col, third.rating) == (301.5, 301.5, pytest.approx(0.1))


@given(hnp.arrays(np.float32, (9, 12), elements=st.integers(0, 4).map(float)))
def test_every_mark_stands_on_a_pixel_with_no_higher_neighbour(values):
    marks = marks_of(values, 0.5, max_marks=100)
    for mark in marks:
        row, col = int(mark.row), int(mark.col)
        assert values[row, col] == mark.rating / 0.5 >= 0.05
        assert values[max(row - 1, 0) : row + 2, max(col - 1, 0) : col + 2].max() == values[row, col]
    assert [m.rating for m in marks] == sorted((m.rating for m in marks), reverse=True)
    if values.min() < values.max():
        assert marks[0].rating == 0.5 * values.max()
