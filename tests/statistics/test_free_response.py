"""FROC figures against hand counts and a brute-force count."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

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
