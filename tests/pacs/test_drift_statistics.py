"""Differences and their intervals: against published values, against SciPy, and by their coverage."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from pneumoscope.pacs.drift_statistics import distance, share_difference, wilson


# Table II of Newcombe 1998 (Statistics in Medicine 17:873), method 10, each number as printed there.
@pytest.mark.parametrize(
    ("counts", "low", "high"),
    [
        ((56, 70, 48, 80), 0.0524, 0.3339),
        ((9, 10, 3, 10), 0.1705, 0.8090),
        ((6, 7, 2, 7), 0.0582, 0.8062),
        ((5, 56, 0, 29), -0.0381, 0.1926),
        ((0, 10, 0, 20), -0.1611, 0.2775),
        ((0, 10, 0, 10), -0.2775, 0.2775),
        ((10, 10, 0, 20), 0.6791, 1.0000),
        ((10, 10, 0, 10), 0.6075, 1.0000),
    ],
)
def test_the_difference_of_shares_is_that_of_newcombe(counts, low, high):
    hits, n, reference_hits, reference_n = counts
    value, *ends = share_difference(*counts)
    assert value == pytest.approx(hits / n - reference_hits / reference_n)
    assert ends == pytest.approx([low, high], abs=5e-5)


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_interval_of_a_share_is_that_of_scipy(counted):
    ends = stats.binomtest(*counted).proportion_ci(0.95, "wilson")
    assert wilson(*counted) == pytest.approx((ends.low, ends.high), abs=1e-9)


CLASSES = st.lists(st.integers(0, 60), min_size=10, max_size=10).filter(any)


@given(CLASSES, CLASSES)
def test_the_distance_is_that_of_scipy(counts, reference):
    value, low, high = distance(counts, reference)
    expected = stats.ks_2samp(*[np.repeat(np.arange(10), one) for one in (counts, reference)], method="asymp").statistic
    assert value == pytest.approx(expected)
    assert 0 <= low <= value <= high <= 1


def test_scores_of_one_distribution_seldom_have_a_distance_above_chance():
    rng = np.random.default_rng(7)
    drawn = [[np.histogram(rng.beta(0.5, 0.5, n), 10, (0, 1))[0].tolist() for n in (60, 240)] for _ in range(400)]
    assert sum(distance(*pair)[1] > 0 for pair in drawn) <= 0.05 * 400


def test_without_readings_a_difference_is_not_defined():
    assert all(map(math.isnan, (*share_difference(0, 0, 3, 9), *distance([0] * 10, [1] * 10))))
