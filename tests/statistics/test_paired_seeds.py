"""The paired test of two models that were trained with several seeds: by the formula written out, and under a known null."""

import numpy as np
import pytest
from scipy import stats

from pneumoscope.statistics import paired
from tests.statistics.test_paired import FIRST, REFERENCE, SECOND, SINGLE


def test_the_variance_is_that_of_delongs_covariance_matrix():
    """DeLong et al. 1988, equation 5: the contrast (1/2, 1/2, −1/2, −1/2) of four correlated areas, kernels written out."""
    rng = np.random.default_rng(0)
    seeds = [FIRST, FIRST + rng.normal(0, 0.2, 22), SECOND, SECOND + rng.normal(0, 0.2, 22)]
    x, y = np.flatnonzero(REFERENCE == 1), np.flatnonzero(REFERENCE == 0)
    kernel = np.array([[[float(s[i] > s[k]) + (s[i] == s[k]) / 2 for k in y] for i in x] for s in seeds])
    of_positives, of_negatives = np.cov(kernel.mean(2)), np.cov(kernel.mean(1))
    contrast = np.array([0.5, 0.5, -0.5, -0.5])
    variance = contrast @ (of_positives / len(x) + of_negatives / len(y)) @ contrast
    gap = contrast @ kernel.mean((1, 2))

    found = paired.delong(REFERENCE, np.stack(seeds[:2]), np.stack(seeds[2:]), SINGLE)
    assert found.difference.value == pytest.approx(gap)
    assert found.p == pytest.approx(2 * stats.norm.sf(abs(gap) / np.sqrt(variance)))
    assert found.difference.method == "DeLong, mean over 2 seeds"


def test_seeds_that_are_copies_show_nothing_new():
    once = paired.delong(REFERENCE, FIRST, SECOND, SINGLE)
    found = paired.delong(REFERENCE, np.tile(FIRST, (3, 1)), np.tile(SECOND, (3, 1)), SINGLE)
    assert (found.p, found.difference.low) == pytest.approx((once.p, once.difference.low))
    assert found.difference.n == once.difference.n
    first, second = FIRST > 0.5, SECOND > 0.5
    tripled = paired.mcnemar(np.tile(REFERENCE, 3), np.tile(first, 3), np.tile(second, 3), SINGLE * 3)
    assert tripled == pytest.approx(paired.mcnemar(REFERENCE, first, second, SINGLE))


def test_two_models_of_equal_skill_differ_once_in_twenty():
    """The known null: 300 comparisons of two models with three seeds each, two folds; patients are hard for both."""
    rng, trials, rejected = np.random.default_rng(3), 300, 0
    reference, folds = np.tile(np.repeat([0.0, 1.0], 40), 2), np.repeat([1, 2], 80)
    patients = [str(k) for k in range(160)]
    for _ in range(trials):
        hard = rng.normal(0, 0.7, 160)
        first, second = (1.2 * reference + hard + rng.normal(0, 0.7, (3, 160)) for _ in range(2))
        rejected += paired.delong(reference, first, second, patients, folds=folds).p < 0.05
    assert stats.binomtest(rejected, trials, 0.05).pvalue > 1e-3, rejected
