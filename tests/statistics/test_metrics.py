"""Metrics against scikit-learn and hand counts."""

import math
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit
from sklearn import metrics as sk
from sklearn.linear_model import LogisticRegression

from pneumoscope.statistics import metrics
from pneumoscope.statistics.calibration_measures import (
    calibration_intercept,
    calibration_line,
    calibration_slope,
    expected_calibration_error,
)
from pneumoscope.statistics.errors import StatisticsError

RNG = np.random.default_rng(0)
REFERENCE = RNG.integers(0, 2, 300).astype(float)
PROBABILITY = np.clip(0.5 * REFERENCE + RNG.random(300) * 0.6, 0.01, 0.99)
POSITIVE = (PROBABILITY >= 0.55).astype(float)
ONES = np.ones(300)
WEIGHTS = RNG.integers(0, 4, 300).astype(float)

DECISIONS = {
    "accuracy": (metrics.accuracy, sk.accuracy_score),
    "balanced": (metrics.balanced_accuracy, sk.balanced_accuracy_score),
    "sensitivity": (metrics.sensitivity, sk.recall_score),
    "specificity": (metrics.specificity, partial(sk.recall_score, pos_label=0)),
    "ppv": (metrics.ppv, sk.precision_score),
    "npv": (metrics.npv, partial(sk.precision_score, pos_label=0)),
    "f1": (metrics.f1, sk.f1_score),
    "mcc": (metrics.mcc, sk.matthews_corrcoef),
}  # fmt: skip


@pytest.mark.parametrize("weights", [ONES, WEIGHTS], ids=["plain", "weighted"])
@pytest.mark.parametrize(("ours", "theirs"), DECISIONS.values(), ids=DECISIONS)
def test_decision_figures_agree_with_scikit_learn(ours, theirs, weights):
    assert ours(REFERENCE, POSITIVE, weights) == pytest.approx(theirs(REFERENCE, POSITIVE, sample_weight=weights))


def test_decision_figures_by_hand():
    """TN 3, FP 1, FN 2, TP 4."""
    reference = np.array([0, 0, 0, 0, 1, 1, 1, 1, 1, 1.0])
    positive = np.array([0, 0, 0, 1, 0, 0, 1, 1, 1, 1.0])
    ones = np.ones(10)
    assert metrics.confusion(reference, positive, ones) == (3, 1, 2, 4)
    assert metrics.sensitivity(reference, positive, ones) == pytest.approx(4 / 6)
    assert metrics.specificity(reference, positive, ones) == pytest.approx(3 / 4)
    assert metrics.ppv(reference, positive, ones) == pytest.approx(4 / 5)
    assert metrics.npv(reference, positive, ones) == pytest.approx(3 / 5)
    assert metrics.f1(reference, positive, ones) == pytest.approx(8 / 11)
    assert metrics.mcc(reference, positive, ones) == pytest.approx((4 * 3 - 1 * 2) / math.sqrt(5 * 6 * 4 * 5))


def test_published_confusion_gives_the_published_accuracy_and_f1():
    """ResNet-18 of Shahi & Bagale 2025: TN 227, FP 10, FN 7, TP 662; accuracy 0.981, F1 0.987."""
    reference = np.repeat([0, 0, 1, 1], [227, 10, 7, 662]).astype(float)
    positive = np.repeat([0, 1, 0, 1], [227, 10, 7, 662]).astype(float)
    ones = np.ones(906)
    assert round(metrics.accuracy(reference, positive, ones), 3) == 0.981
    assert round(metrics.f1(reference, positive, ones), 3) == 0.987


@pytest.mark.parametrize("weights", [ONES, WEIGHTS], ids=["plain", "weighted"])
def test_ranking_and_probability_figures_agree_with_scikit_learn(weights):
    kept = weights > 0
    y, p, w = REFERENCE[kept], PROBABILITY[kept], weights[kept]
    assert metrics.roc_auc(REFERENCE, PROBABILITY, weights) == pytest.approx(sk.roc_auc_score(y, p, sample_weight=w))
    assert metrics.pr_auc(REFERENCE, PROBABILITY, weights) == pytest.approx(sk.average_precision_score(y, p, sample_weight=w))
    assert metrics.brier(REFERENCE, PROBABILITY, weights) == pytest.approx(sk.brier_score_loss(y, p, sample_weight=w))


@pytest.mark.parametrize("weights", [ONES, WEIGHTS], ids=["plain", "weighted"])
def test_calibration_line_agrees_with_scikit_learns_logistic_regression(weights):
    z = np.log(PROBABILITY / (1 - PROBABILITY))[:, None]
    model = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000).fit(z, REFERENCE, sample_weight=weights)
    slope, intercept = calibration_line(REFERENCE, PROBABILITY, weights)
    assert slope == pytest.approx(model.coef_[0, 0], rel=1e-4)
    assert intercept == pytest.approx(model.intercept_[0], rel=1e-3, abs=1e-4)


def test_the_calibration_line_of_a_model_that_says_too_much_is_found():
    """Log-odds of ±16: whole Newton steps go back and forth between two lines for ever; scikit-learn has the answer."""
    rng = np.random.default_rng(3)
    z = np.concatenate([rng.normal(2, 4, 200), rng.normal(12, 4, 300)]).clip(-16, 16)
    reference = np.repeat([0.0, 1.0], [200, 300])
    model = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000).fit(z[:, None], reference)
    slope, intercept = calibration_line(reference, 1 / (1 + np.exp(-z)), np.ones(500))
    assert slope == pytest.approx(model.coef_[0, 0], rel=1e-4)
    assert intercept == pytest.approx(model.intercept_[0], rel=1e-3)


def test_expected_calibration_error_by_hand():
    """Two bins used: 0.25 twice with one event (|0.5 − 0.25|), 0.85 twice with two (|1 − 0.85|): (2·0.25 + 2·0.15) / 4."""
    reference, probability = np.array([0, 1, 1, 1.0]), np.array([0.25, 0.25, 0.85, 0.85])
    assert expected_calibration_error(reference, probability, np.ones(4)) == pytest.approx(0.2)


def test_there_are_ten_bins_and_the_last_one_holds_one():
    """0.05 and 0.15 lie in bins of their own, 0.95 and 1 in one: (0.05 + 0.85 + |1 − 1.95|) / 4; in one bin |2 − 2.15| / 4."""
    reference, probability = np.array([0, 1, 0, 1.0]), np.array([0.05, 0.15, 0.95, 1.0])
    assert expected_calibration_error(reference, probability) == pytest.approx((0.05 + 0.85 + 0.95) / 4)
    assert expected_calibration_error(reference, probability, bins=1) == pytest.approx(0.15 / 4)


def test_average_precision_needs_weight_in_both_classes_however_little():
    reference, score = np.array([0, 0, 1, 1.0]), np.array([0.2, 0.7, 0.4, 0.9])
    weights = np.array([[0.25, 0.25, 1, 1], [1, 1, 0.25, 0.25], [0, 0, 1, 1], [1, 1, 0, 0], [0, 0, 0, 1.0]])
    assert np.isfinite(metrics.pr_auc(reference, score, weights)).tolist() == [True, True, False, False, False]


def test_weights_count_a_case_as_often_as_repeating_it():
    repeated = np.repeat(np.arange(300), WEIGHTS.astype(int))
    for metric in (metrics.roc_auc, metrics.pr_auc, metrics.brier, expected_calibration_error, calibration_slope):
        expected = metric(REFERENCE[repeated], PROBABILITY[repeated], np.ones(len(repeated)))
        assert metric(REFERENCE, PROBABILITY, WEIGHTS) == pytest.approx(expected)


def test_what_is_undefined_is_nan():
    ones = np.ones(3)
    for metric in (metrics.roc_auc, metrics.pr_auc, calibration_slope):
        assert math.isnan(metric(ones, np.array([0.1, 0.5, 0.9]), ones))
    assert math.isnan(metrics.specificity(ones, ones, ones))
    assert math.isnan(metrics.ppv(ones, np.zeros(3), ones))
    assert math.isnan(metrics.mcc(ones, ones, ones))


def test_separated_classes_have_no_calibration_slope():
    reference = np.array([0, 0, 1, 1.0])
    assert math.isnan(calibration_slope(reference, np.array([0.1, 0.2, 0.8, 0.9]), np.ones(4)))


def steep(seed, n=24):
    """Outcomes and probabilities of which some lie at 1e-7: there a whole step of Newton's method often overshoots."""
    rng = np.random.default_rng(seed)
    z = np.where(rng.random(n) < 0.5, rng.normal(0, 0.3, n), rng.normal(0, 16, n)).clip(-16, 16)
    reference = (rng.random(n) < 1 / (1 + np.exp(-5 * z))).astype(float)
    return reference, 1 / (1 + np.exp(-z)), 10.0 ** rng.uniform(-2, 1, (3, n))


def test_a_calibration_line_satisfies_the_equations_of_the_greatest_likelihood():
    """At the maximum the weighted residuals sum to 0, alone and times the log-odds: Cox 1958."""
    fitted = 0
    for seed in range(40):
        reference, probability, weights = steep(seed)
        slopes, intercepts = calibration_line(reference, probability, weights)
        x = np.log(np.clip(probability, 1e-7, 1 - 1e-7) / np.clip(1 - probability, 1e-7, 1 - 1e-7))
        for slope, intercept, w in zip(slopes, intercepts, weights, strict=True):
            if math.isnan(slope):
                continue
            residual = w * (reference - expit(slope * x + intercept))
            assert [residual.sum(), residual @ x] == pytest.approx([0, 0], abs=1e-6)
            assert calibration_slope(reference, probability, w) == pytest.approx(slope, rel=1e-6)
            assert calibration_intercept(reference, probability, w) == pytest.approx(intercept, rel=1e-6, abs=1e-6)
            fitted += 1
    assert fitted > 80


def test_probabilities_of_zero_and_one_are_taken_for_one_in_ten_million():
    reference, probability = np.array([0, 1, 0, 1, 1, 0.0]), np.array([0, 0, 0.4, 0.7, 1, 1.0])
    clipped = np.clip(probability, 1e-7, 1 - 1e-7)
    assert calibration_line(reference, probability) == calibration_line(reference, clipped)
    assert math.isfinite(calibration_slope(reference, probability))


def test_a_class_with_little_weight_has_a_line_and_one_without_has_none():
    reference, probability = np.array([0, 0, 1, 1.0]), np.array([0.2, 0.7, 0.4, 0.9])
    little = np.array([[1, 1, 0.25, 0.25], [0.25, 0.25, 1, 1], [1, 1, 0, 0], [0, 0, 1, 1.0]])
    slopes, intercepts = calibration_line(reference, probability, little)
    assert np.isfinite(slopes).tolist() == np.isfinite(intercepts).tolist() == [True, True, False, False]


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5)), min_size=4, max_size=40))
def test_roc_auc_is_the_share_of_rightly_ordered_pairs(cases):
    reference = np.array([float(r) for r, _ in cases])
    score = np.array([float(s) for _, s in cases])
    pairs = [(a > b) + 0.5 * (a == b) for a in score[reference == 1] for b in score[reference == 0]]
    value = metrics.roc_auc(reference, score, np.ones(len(cases)))
    assert math.isnan(value) if not pairs else value == pytest.approx(np.mean(pairs))


DRAWS = np.vstack([RNG.integers(0, 4, (5, 300)), np.ones((1, 300)), (REFERENCE == 1)[None]]).astype(float)
"""Weights of seven draws, the last of positives alone."""


@pytest.mark.parametrize("coarse", [False, True], ids=["distinct", "ties"])
@pytest.mark.parametrize(
    ("ours", "theirs", "tolerance"),
    [(metrics.roc_auc, sk.roc_auc_score, 1e-15), (metrics.pr_auc, sk.average_precision_score, 1e-12)],
)
def test_areas_of_all_draws_at_once_are_scikit_learns_one_by_one(ours, theirs, tolerance, coarse):
    score = np.round(PROBABILITY, 1) if coarse else PROBABILITY
    found = ours(REFERENCE, score, DRAWS)
    assert found.shape == (7,)
    for value, weights in zip(found[:-1], DRAWS, strict=False):
        assert value == pytest.approx(theirs(REFERENCE, score, sample_weight=weights), rel=tolerance, abs=tolerance)
    assert math.isnan(found[-1])


@pytest.mark.parametrize(
    "metric",
    [
        metrics.roc_auc, metrics.pr_auc, metrics.brier, expected_calibration_error, calibration_slope,
        calibration_intercept, metrics.mean,
    ],
)  # fmt: skip
def test_all_draws_at_once_are_each_draw_alone(metric):
    together = metric(REFERENCE, PROBABILITY, DRAWS)
    assert together == pytest.approx([metric(REFERENCE, PROBABILITY, w) for w in DRAWS], rel=1e-9, nan_ok=True)
    for decided in (metrics.mcc, metrics.f1, metrics.ppv, metrics.specificity):
        alone = [decided(REFERENCE, POSITIVE, w) for w in DRAWS]
        assert decided(REFERENCE, POSITIVE, DRAWS) == pytest.approx(alone, rel=1e-12, nan_ok=True)


def test_without_weights_every_case_counts_once():
    assert metrics.roc_auc(REFERENCE, PROBABILITY) == metrics.roc_auc(REFERENCE, PROBABILITY, ONES)


def test_infinite_scores_are_ranked():
    score = np.array([-np.inf, 0.5, -np.inf, np.inf])
    assert metrics.roc_auc(np.array([0, 0, 1, 1.0]), score) == pytest.approx(2.5 / 4)


def test_predictions_that_are_nan_and_lengths_that_differ_are_refused():
    with pytest.raises(StatisticsError, match="1 of 3 predictions are NaN"):
        metrics.roc_auc(np.array([0, 1, 1.0]), np.array([0.1, np.nan, 0.2]))
    with pytest.raises(StatisticsError, match="are of 3, 2 and 3 cases"):
        metrics.brier(np.array([0, 1, 1.0]), np.array([0.1, 0.2]), np.ones(3))


def test_a_mean_over_folds_never_ranks_across_folds():
    """Perfect in each fold, with a step between the folds that puts every negative of one above the positives of the other."""
    reference, score, folds = np.array([0, 1, 0, 1.0]), np.array([0.1, 0.2, 0.8, 0.9]), np.array([1, 1, 2, 2])
    assert metrics.roc_auc(reference, score) == 0.75
    assert metrics.mean_over_folds(metrics.roc_auc, folds)(reference, score) == 1
    assert math.isnan(metrics.mean_over_folds(metrics.roc_auc, np.array([1, 1, 1, 2]))(reference, score))
