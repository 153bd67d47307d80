"""Intervals against definitions, exact values and simulation."""

import math

import numpy as np
import pytest
from scipy import stats

from pneumoscope.statistics import intervals, metrics
from pneumoscope.statistics.estimate import Estimate


def delong_by_definition(reference, score):
    """DeLong et al. 1988, eq. 4–6, by the kernel ψ over all pairs; variance on the raw scale."""
    x, y = score[reference == 1], score[reference == 0]
    psi = (x[:, None] > y[None]) + 0.5 * (x[:, None] == y[None])
    v10, v01 = psi.mean(1), psi.mean(0)
    return psi.mean(), v10.var(ddof=1) / len(x) + v01.var(ddof=1) / len(y)


@pytest.mark.parametrize("ties", [False, True])
def test_delong_agrees_with_its_definition(ties):
    rng = np.random.default_rng(1)
    reference = rng.integers(0, 2, 120).astype(float)
    score = reference + rng.normal(0, 1, 120)
    score = np.round(score) if ties else score
    auc, variance = delong_by_definition(reference, score)
    estimate = intervals.delong(reference, score)
    assert estimate.value == pytest.approx(auc)
    half = 1.959964 * np.sqrt(variance) / (auc * (1 - auc))  # delta method on the logit
    logit = np.log(auc / (1 - auc))
    assert (estimate.low, estimate.high) == pytest.approx((1 / (1 + np.exp(half - logit)), 1 / (1 + np.exp(-half - logit))))


def test_delong_by_hand():
    """Positives 3, 1; negatives 2, 0: of four pairs three are in order; V10 = (1, ½), V01 = (½, 1)."""
    auc, v10, v01 = intervals.delong_components(np.array([1, 1, 0, 0.0]), np.array([3, 1, 2, 0.0]))
    assert auc == 0.75
    assert v10.tolist() == [1, 0.5]
    assert v01.tolist() == [0.5, 1]


def test_delong_says_when_there_is_no_variance():
    estimate = intervals.delong(np.array([1, 1, 0, 0.0]), np.array([4, 3, 2, 1.0]))
    assert estimate.value == 1
    assert np.isnan(estimate.low)
    assert "no variance" in estimate.reason


def test_delong_is_undefined_for_one_case_of_a_class():
    assert np.isnan(intervals.delong(np.array([1, 0, 0.0]), np.array([4, 3, 2.0])).value)


def test_clopper_pearson_is_the_rule_of_three_at_the_boundary():
    """Hanley & Lippman-Hand 1983: none in n has an upper bound near 3.7 / n (two-sided 95 %)."""
    low, high = intervals.clopper_pearson(0, 100)
    assert low == 0
    assert high == pytest.approx(1 - 0.025 ** (1 / 100))


def test_patients_are_drawn_whole():
    weights = intervals.patient_weights(["a", "a", "b", "c", "c"], 50, np.random.default_rng(0))
    assert (weights[:, 0] == weights[:, 1]).all()
    assert (weights[:, 3] == weights[:, 4]).all()
    assert (weights[:, [0, 2, 3]].sum(1) == 3).all()


def test_a_share_at_the_boundary_counts_the_patients_of_its_denominator():
    reference, positive = np.array([1, 1, 1, 0, 0.0]), np.array([1, 1, 1, 0, 1.0])
    patients = ["a", "a", "b", "c", "d"]
    weights = intervals.patient_weights(patients, 20, np.random.default_rng(0))
    estimate = intervals.bootstrap(metrics.sensitivity, reference, positive, patients, weights, share_of=reference == 1)
    assert (estimate.value, estimate.n, estimate.high) == (1, 2, 1)
    assert estimate.low == pytest.approx(0.025 ** (1 / 2))


def test_a_difference_of_shares_from_their_intervals_is_newcombes():
    """Newcombe 1998, Statistics in Medicine 17:873, table II: 56/70 − 48/80 by method 10 is 0.0524 to 0.3339."""
    first, second = (
        Estimate(hits / n, *stats.binomtest(hits, n).proportion_ci(0.95, "wilson"), n, "patient", "Wilson")
        for hits, n in ((56, 70), (48, 80))
    )
    difference = intervals.difference_from_intervals(first, second, 150)
    assert (difference.value, difference.low, difference.high) == pytest.approx((0.2, 0.0524, 0.3339), abs=5e-5)


def test_a_difference_to_a_figure_without_an_interval_has_none_and_says_why():
    whole = Estimate(1.0, math.nan, math.nan, 3, "patient", "bootstrap", "the same in every bootstrap draw")
    difference = intervals.difference_from_intervals(Estimate(0.8, 0.7, 0.9, 9, "patient", "x"), whole, 12)
    assert difference.value == pytest.approx(-0.2)
    assert not difference.has_interval
    assert difference.reason == "one of the figures has no interval: the same in every bootstrap draw"


def test_an_undefined_metric_has_a_reason():
    patients = ["a", "b"]
    weights = intervals.patient_weights(patients, 20, np.random.default_rng(0))
    estimate = intervals.bootstrap(metrics.roc_auc, np.ones(2), np.array([0.1, 0.2]), patients, weights)
    assert np.isnan(estimate.value)
    assert estimate.reason


@pytest.mark.slow
def test_the_patient_bootstrap_covers_where_an_image_bootstrap_does_not():
    """Forty patients of eight images that agree almost wholly: the mean's 95 % interval should hold 0 in about 95 % of trials."""
    rng = np.random.default_rng(3)

    covered = {"patient": 0, "image": 0}
    trials = 150
    for _ in range(trials):
        effect = rng.normal(0, 1, 40)
        values = np.repeat(effect, 8) + rng.normal(0, 0.2, 320)
        for unit in covered:
            names = [f"{k // 8 if unit == 'patient' else k}" for k in range(320)]
            weights = intervals.patient_weights(names, 200, rng)
            estimate = intervals.bootstrap(metrics.mean, values, values, names, weights)
            covered[unit] += estimate.low <= 0 <= estimate.high
    assert stats.binomtest(covered["patient"], trials, 0.93).pvalue > 1e-3
    assert covered["image"] < 0.7 * trials
