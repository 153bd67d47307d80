"""Marks by hand, and FROC figures against hand counts and a brute-force count."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pneumoscope.localization.map_marks import marks as marks_of
from pneumoscope.radiograph import Region
from pneumoscope.readings.mark import Mark
from pneumoscope.reference.lesion_matching import match
from pneumoscope.statistics import free_response as fr

NEVER = -np.inf

# Three images with regions (four of them) and two without.
LESIONS = [np.array(x, float) for x in ([9, 4], [6], [NEVER], [], [])]
FALSE = [np.array(x, float) for x in ([5], [], [8, 2], [7, 3], [])]
ONES = np.ones(5)

# A case: ratings of its regions (−∞: not hit) and of its false marks, both as small numbers that often tie.
CASE = st.tuples(st.lists(st.sampled_from([NEVER, 1, 2, 3, 4]), max_size=2), st.lists(st.integers(1, 4), max_size=3))
CASES = st.lists(st.tuples(CASE, st.integers(0, 3)), min_size=1, max_size=6)


def unpack(cases):
    lesions = [np.array(lesion, float) for (lesion, _), _ in cases]
    false = [np.array(misses, float) for (_, misses), _ in cases]
    return lesions, false, np.array([float(w) for _, w in cases])


def brute_points(lesions, false, weights):
    """(false marks per image, share of regions hit) at every threshold, counted mark by mark."""
    regions = sum(w * len(x) for x, w in zip(lesions, weights, strict=True))
    points = []
    for threshold in (np.inf, 4, 3, 2, 1):
        hit = sum(w for x, w in zip(lesions, weights, strict=True) for r in x if r >= threshold)
        missed = sum(w for x, w in zip(false, weights, strict=True) for r in x if r >= threshold)
        points.append((missed / sum(weights), hit / regions))
    return points


def brute_afroc(lesions, false, weights):
    """Trapezoids over the images without regions, counted image by image, closed by the straight line to (1, 1)."""
    regions = sum(w * len(x) for x, w in zip(lesions, weights, strict=True))
    healthy = [(max(m, default=NEVER), w) for x, m, w in zip(lesions, false, weights, strict=True) if not len(x)]
    points = []
    for threshold in (np.inf, 4, 3, 2, 1):
        hit = sum(w for x, w in zip(lesions, weights, strict=True) for r in x if r >= threshold)
        points.append((sum(w for m, w in healthy if m >= threshold) / sum(w for _, w in healthy), hit / regions))
    points.append((1.0, 1.0))
    return sum((x1 - x0) * (y0 + y1) / 2 for (x0, y0), (x1, y1) in pairwise(points))


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
    assert len(marks_of(values, 0.01, smallest=0.01)) == 2


def test_at_most_so_many_marks_and_the_highest_of_them():
    values = hill((100, 100), *((10 * k, 50, 0.1 * k) for k in range(1, 10)))
    assert [m.row for m in marks_of(values, 1)] == [90.5, 80.5, 70.5, 60.5, 50.5, 40.5, 30.5, 20.5]
    assert [m.row for m in marks_of(values, 1, most=2)] == [90.5, 80.5]


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


def test_match_by_hand():
    """The first box holds 0.3 and 0.7: it gets 0.7 and the 0.3 is nothing; 0.9 and 0.1 lie outside; nothing in the second."""
    marks = [Mark(2.5, 2.5, 0.3), Mark(3.5, 3.5, 0.7), Mark(50, 50, 0.9), Mark(20.5, 25, 0.1)]
    lesions, false = match(marks, [Region(2, 2, 5, 5), Region(20, 20, 25, 25)])
    assert lesions.tolist() == [0.7, NEVER]
    assert false.tolist() == [0.9, 0.1]  # column 25 is the box's edge and no longer in it


def test_match_without_boxes_or_marks():
    lesions, false = match([Mark(1, 1, 0.4)], [])
    assert (lesions.shape, false.tolist()) == ((0,), [0.4])
    lesions, false = match([], [Region(0, 0, 1, 1)])
    assert (lesions.tolist(), false.shape) == ([NEVER], (0,))
    assert [x.shape for x in match([], [])] == [(0,), (0,)]


def test_a_mark_in_two_boxes_hits_both():
    lesions, false = match([Mark(3, 3, 0.4)], [Region(0, 0, 5, 5), Region(2, 2, 8, 8)])
    assert (lesions.tolist(), false.tolist()) == ([0.4, 0.4], [])


def test_froc_by_hand():
    """Ratings 9 (hit), 8 (false), 7 (false), 6 (hit), 5 (false), 4 (hit), 3, 2 (false); 4 regions, 5 images."""
    curve = fr.froc(LESIONS, FALSE, ONES)
    assert curve.threshold.tolist() == [np.inf, 9, 8, 7, 6, 5, 4, 3, 2]
    assert curve.false_per_image == pytest.approx(np.array([0, 0, 1, 2, 2, 3, 3, 4, 5]) / 5)
    assert curve.sensitivity == pytest.approx(np.array([0, 1, 1, 1, 2, 2, 3, 3, 3]) / 4)


def test_sensitivity_at_a_rate_by_hand():
    """From the curve above: ≤ 0.125 → 1/4; ≤ 0.4 → 2/4 and just below 1/4; ≤ 0.6 and anything more → 3/4."""
    at = [fr.sensitivity_at(LESIONS, FALSE, ONES, rate) for rate in (0.125, 0.39, 0.4, 0.59, 0.6, 8)]
    assert at == pytest.approx([1 / 4, 1 / 4, 2 / 4, 2 / 4, 3 / 4, 3 / 4])


def test_images_without_regions_count_among_all_images():
    """Without them there are 3 false marks on 3 images: 5 and 8 are 2/3 per image, so 4 is reached at 2/3 only."""
    assert fr.sensitivity_at(LESIONS[:3], FALSE[:3], ONES[:3], 0.6) == pytest.approx(2 / 4)


def test_froc_score_by_hand():
    """1/8 → 1/4, 1/4 → 1/4, 1/2 → 2/4, then 1, 2, 4, 8 → 3/4: (1 + 1 + 2 + 4 · 3) / 4 / 7."""
    assert fr.froc_score(LESIONS, FALSE, ONES) == pytest.approx(16 / 28)


def test_afroc_by_hand():
    """Unaffected images: highest marks 7 and none. Regions 9, 6, 4, −∞.

    Against 7: 9 wins: 1. Against none: 9, 6, 4 win and −∞ ties: 3.5. 4.5 of 8 pairs.
    """
    assert fr.afroc_auc(LESIONS, FALSE, ONES) == pytest.approx(4.5 / 8)


def test_false_marks_on_images_with_regions_do_not_count_for_afroc():
    louder = [np.full(5, 99.0), *FALSE[1:]]
    assert fr.afroc_auc(LESIONS, louder, ONES) == fr.afroc_auc(LESIONS, FALSE, ONES)
    assert fr.froc_score(LESIONS, louder, ONES) < fr.froc_score(LESIONS, FALSE, ONES)


def test_a_reader_without_marks_finds_nothing_and_guesses_in_afroc():
    silent = [np.full(len(x), NEVER) for x in LESIONS]
    none = [np.empty(0)] * 5
    assert fr.froc_score(silent, none, ONES) == 0.0
    assert fr.afroc_auc(silent, none, ONES) == 0.5
    assert fr.froc(silent, none, ONES).threshold.tolist() == [np.inf]


def test_what_is_undefined_is_nan():
    healthy, affected = np.array([0, 0, 0, 1.0, 1.0]), np.array([1.0, 1, 1, 0, 0])
    for figure in (fr.froc_score, fr.afroc_auc, lambda *a: fr.sensitivity_at(*a, 1)):
        assert math.isnan(figure(LESIONS, FALSE, healthy))
        assert math.isnan(figure(LESIONS, FALSE, np.zeros(5)))
        assert math.isnan(figure([], [], np.empty(0)))
    assert math.isnan(fr.afroc_auc(LESIONS, FALSE, affected))
    assert fr.froc_score(LESIONS, FALSE, affected) > 0


def test_weights_that_do_not_add_up_exactly_reach_the_same_points():
    """Sixteen images with a false mark each are 1 per image and all their regions 1, whatever sixteen tenths are in binary."""
    assert fr.sensitivity_at([np.array([2.0])] * 16, [np.array([3.0])] * 16, np.full(16, 0.1), 1) == 1.0


@given(CASES, st.sampled_from([0.125, 0.25, 0.5, 1, 2]))
def test_sensitivity_agrees_with_a_count_mark_by_mark(cases, rate):
    lesions, false, weights = unpack(cases)
    assume(sum(w * len(x) for x, w in zip(lesions, weights, strict=True)))
    points = brute_points(lesions, false, weights)
    assert fr.sensitivity_at(lesions, false, weights, rate) == pytest.approx(max(hit for x, hit in points if x <= rate))
    curve = fr.froc(lesions, false, weights)
    ours = np.stack([curve.false_per_image, curve.sensitivity], 1)
    assert np.unique(ours, axis=0) == pytest.approx(np.unique(points, axis=0))


@given(CASES)
def test_afroc_agrees_with_trapezoids_counted_image_by_image(cases):
    lesions, false, weights = unpack(cases)
    assume(sum(w * len(x) for x, w in zip(lesions, weights, strict=True)))
    assume(sum(w for x, w in zip(lesions, weights, strict=True) if not len(x)))
    assert fr.afroc_auc(lesions, false, weights) == pytest.approx(brute_afroc(lesions, false, weights))


@given(CASES)
def test_weights_count_a_case_as_often_as_repeating_it(cases):
    lesions, false, weights = unpack(cases)
    taken = np.repeat(np.arange(len(cases)), weights.astype(int))
    again = [lesions[k] for k in taken], [false[k] for k in taken], np.ones(len(taken))
    for figure in (fr.froc_score, fr.afroc_auc, lambda *a: fr.sensitivity_at(*a, 0.5)):
        assert figure(lesions, false, weights) == pytest.approx(figure(*again), nan_ok=True)


@given(CASES)
def test_figures_lie_between_0_and_1_and_the_curve_never_falls(cases):
    lesions, false, weights = unpack(cases)
    for value in (fr.froc_score(lesions, false, weights), fr.afroc_auc(lesions, false, weights)):
        assert math.isnan(value) or 0 <= value <= 1
    curve = fr.froc(lesions, false, weights * 0.1)
    assert (np.diff(curve.threshold[1:]) < 0).all()
    if not np.isnan(curve.sensitivity).any():
        assert (np.diff(curve.sensitivity) >= 0).all()
        assert (np.diff(curve.false_per_image) >= 0).all()
        assert curve.sensitivity.max() <= 1


@given(CASES)
def test_only_the_order_of_ratings_counts(cases):
    lesions, false, weights = unpack(cases)
    cubed = [x**3 for x in lesions], [x**3 for x in false], weights
    for figure in (fr.froc_score, fr.afroc_auc):
        assert figure(*cubed) == pytest.approx(figure(lesions, false, weights), nan_ok=True)


@given(hnp.arrays(np.float32, (9, 12), elements=st.integers(0, 4).map(float)))
def test_every_mark_stands_on_a_pixel_with_no_higher_neighbour(values):
    marks = marks_of(values, 0.5, most=100)
    for mark in marks:
        row, col = int(mark.row), int(mark.col)
        assert values[row, col] == mark.rating / 0.5 >= 0.05
        assert values[max(row - 1, 0) : row + 2, max(col - 1, 0) : col + 2].max() == values[row, col]
    assert [m.rating for m in marks] == sorted((m.rating for m in marks), reverse=True)
    if values.min() < values.max():
        assert marks[0].rating == 0.5 * values.max()
