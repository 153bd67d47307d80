"""Weighted Spearman and quadratic-weighted kappa: SciPy and scikit-learn, with cases repeated as often as they are counted."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import cohen_kappa_score

from pneumoscope.statistics.multireader.agreement import Weighting, cohen
from pneumoscope.statistics.ordinal import quadratic_kappa, spearman
from tests.radiograph.builders import property_test

RATINGS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(0, 2)), min_size=2, max_size=25)


@property_test
@given(RATINGS)
def test_weights_count_a_case_as_often_as_they_say(rows):
    first, second, weights = np.array(rows, float).T
    x, y = (np.repeat(part, weights.astype(int)) for part in (first, second))
    if not len(x):
        assert np.isnan(spearman(first, second, weights))
        assert np.isnan(quadratic_kappa(first, second, weights))
        return
    constant = np.ptp(x) == 0 or np.ptp(y) == 0
    assert spearman(first, second, weights) == pytest.approx(np.nan if constant else stats.spearmanr(x, y).statistic, nan_ok=True)
    same = np.ptp(np.concatenate([x, y])) == 0
    expected = np.nan if same else cohen_kappa_score(x, y, labels=[0, 1, 2, 3], weights="quadratic")
    assert quadratic_kappa(first, second, weights) == pytest.approx(expected, nan_ok=True)


@property_test
@given(RATINGS)
def test_many_sets_of_weights_give_the_value_of_each(rows):
    first, second, weights = np.array(rows, float).T
    several = np.stack([weights, np.ones_like(weights), weights[::-1]])
    for metric in (spearman, quadratic_kappa):
        one_by_one = [float(metric(first, second, row)) for row in several]
        assert metric(first, second, several) == pytest.approx(one_by_one, nan_ok=True)


def test_kappa_is_the_one_of_the_table():
    first, second = np.random.default_rng(0).integers(0, 4, (2, 50)).astype(float)
    assert quadratic_kappa(first, second) == pytest.approx(cohen(first, second, Weighting.QUADRATIC).coefficient.estimate)


def test_spearman_of_numbers_without_ties_by_hand():
    """Squared differences of ranks 1, 1, 4, 1, 1: 1 − 6 · 8 / (5 · 24) = 0.6."""
    assert spearman(np.array([1, 2, 3, 4, 5.0]), np.array([2, 3, 1, 5, 4.0])) == pytest.approx(0.6)
