"""The patient bootstrap against resampling done the long way, and where it has nothing to say."""

from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from pneumoscope.statistics import intervals, metrics

PATIENTS = [f"p{k // 3 if k < 30 else k}" for k in range(60)]
RNG = np.random.default_rng(5)
REFERENCE = np.repeat(np.arange(20) % 2, 3).astype(float)
PROBABILITY = np.clip(0.3 * REFERENCE + 0.7 * RNG.random(60), 0, 1)
POSITIVE = (PROBABILITY > 0.5).astype(float)
DRAWS = intervals.patient_weights(PATIENTS, 60, np.random.default_rng(0))


@pytest.mark.parametrize(
    ("ours", "theirs", "prediction"),
    [
        (metrics.roc_auc, sk.roc_auc_score, PROBABILITY),
        (metrics.brier, sk.brier_score_loss, PROBABILITY),
        (metrics.sensitivity, sk.recall_score, POSITIVE),
        (metrics.npv, partial(sk.precision_score, pos_label=0), POSITIVE),
        (metrics.mcc, sk.matthews_corrcoef, POSITIVE),
    ],
)
def test_interval_is_the_middle_95_percent_of_scikit_learn_on_the_cases_of_the_drawn_patients(ours, theirs, prediction):
    drawn = []
    for weights in DRAWS:
        cases = [k for k in range(60) for _ in range(int(weights[k]))]
        drawn.append(theirs(REFERENCE[cases], prediction[cases]))
    estimate = intervals.bootstrap(ours, REFERENCE, prediction, PATIENTS, DRAWS)
    assert estimate.value == pytest.approx(theirs(REFERENCE, prediction))
    assert (estimate.low, estimate.high) == pytest.approx(tuple(np.percentile(drawn, [2.5, 97.5])))
    assert (estimate.n, estimate.unit, estimate.method) == (40, "patient", "patient bootstrap, 60 draws")


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=30), st.integers(0, 2**32))
def test_every_draw_takes_as_many_patients_as_there_are_and_each_of_them_whole(patients, seed):
    weights = intervals.patient_weights(patients, 5, np.random.default_rng(seed))
    for draw in weights:
        taken = {patient: {w for p, w in zip(patients, draw, strict=True) if p == patient} for patient in patients}
        assert all(len(counts) == 1 for counts in taken.values())
        assert sum(min(counts) for counts in taken.values()) == len(set(patients))


@pytest.mark.parametrize(
    ("metric", "share_of", "wrong"),
    [(metrics.sensitivity, "positives", 0), (metrics.sensitivity, "positives", 1), (metrics.specificity, "negatives", 0)],
)
def test_a_share_of_zero_or_one_has_the_exact_interval_of_its_patients(metric, share_of, wrong):
    # Four positive patients with two images each, six negative with one: 1 − 0.025^(1/4) = 0.6024, 1 − 0.025^(1/6) = 0.4593.
    reference = np.array([1.0] * 8 + [0.0] * 6)
    patients = ["a", "a", "b", "b", "c", "c", "d", "d", *"efghij"]
    positive = np.abs(reference - wrong)
    weights = intervals.patient_weights(patients, 20, np.random.default_rng(0))
    taken = reference == (share_of == "positives")
    estimate = intervals.bootstrap(metric, reference, positive, patients, weights, share_of=taken)
    width = {"positives": 0.6024, "negatives": 0.4593}[share_of]
    assert estimate.value == 1 - wrong
    assert (estimate.low, estimate.high) == pytest.approx((0, width) if wrong else (1 - width, 1), abs=5e-5)
    assert estimate.method.startswith("Clopper–Pearson")


@pytest.mark.parametrize(
    ("metric", "reference", "prediction", "value"),
    [
        (metrics.roc_auc, [0, 0, 1, 1], [0.1, 0.2, 0.8, 0.9], 1),
        (metrics.roc_auc, [0, 0, 1, 1], [0.5, 0.5, 0.5, 0.5], 0.5),
        (metrics.pr_auc, [0, 0, 1, 1], [0.1, 0.2, 0.8, 0.9], 1),
        (metrics.mcc, [0, 0, 1, 1], [0, 0, 1, 1], 1),
        (metrics.brier, [0, 0, 1, 1], [0, 0, 1, 1], 0),
        (metrics.accuracy, [0, 0, 1, 1], [0, 1, 0, 1], 0.5),
    ],
)
def test_a_figure_that_is_the_same_in_every_draw_gets_no_interval_but_a_reason(metric, reference, prediction, value):
    # Patient a has the first and the third image, b the others: whoever is drawn, the figure is the same.
    patients = list("abab")
    weights = intervals.patient_weights(patients, 20, np.random.default_rng(0))
    estimate = intervals.bootstrap(metric, np.array(reference, float), np.array(prediction, float), patients, weights)
    assert estimate.value == value
    assert np.isnan([estimate.low, estimate.high]).all()
    assert estimate.reason == "the same in every bootstrap draw"


def test_draws_without_the_figure_are_left_out_and_counted():
    # Two of four patients are positive; a draw has neither, and so no sensitivity, with probability (1/2)⁴.
    reference, positive, patients = np.array([1, 1, 0, 0.0]), np.array([1, 0, 0, 0.0]), list("abcd")
    weights = intervals.patient_weights(patients, 500, np.random.default_rng(0))
    lost = int((weights[:, :2].sum(1) == 0).sum())
    estimate = intervals.bootstrap(metrics.sensitivity, reference, positive, patients, weights)
    assert estimate.method == f"patient bootstrap, 500 draws, {lost} draws undefined"
    assert lost / 500 == pytest.approx(1 / 16, abs=0.04)


def test_a_figure_that_most_draws_do_not_have_gets_no_interval_but_a_reason():
    # Draws (0, 2) and (2, 0) of two patients hold one class; drawn in three of four cases here.
    weights = np.array([[2, 0], [0, 2], [2, 0], [1, 1.0]])
    estimate = intervals.bootstrap(metrics.roc_auc, np.array([0, 1.0]), np.array([0.2, 0.7]), ["a", "b"], weights)
    assert estimate.value == 1
    assert np.isnan([estimate.low, estimate.high]).all()
    assert estimate.reason == "undefined in most bootstrap draws"
