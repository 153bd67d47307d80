"""Thresholds and calibrations at the edges: exact targets, flat and perfect scores, ties, extreme temperatures."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.isotonic import IsotonicRegression

from pneumoscope.evaluation import EvaluationError, calibration
from pneumoscope.statistics import metrics

# Probabilities on a coarse grid, so that ties occur; both classes are there.
cases = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 20)), max_size=40).map(
    lambda rows: (
        np.array([0, 1, *(r for r, _ in rows)], float),
        np.array([7, 13, *(p for _, p in rows)], float) / 20,
    )
)
property_test = settings(max_examples=50, deadline=None, derandomize=True)


def chosen(rule, reference, probability):
    return calibration.choose(rule, reference, probability, "tune", "abc").threshold


def rates(reference, probability, threshold):
    """Sensitivity and specificity by counting."""
    positive = probability >= threshold
    return np.mean(positive[reference == 1]), np.mean(~positive[reference == 0])


def every(reference, probability):
    """The rates of every decision that a threshold in [0, 1] can make; a probability of 1 is always positive."""
    return [rates(reference, probability, t) for t in {*probability, 1.0}]


@property_test
@given(cases)
def test_youden_is_the_best_of_every_threshold(data):
    threshold = chosen("youden", *data)
    assert sum(rates(*data, threshold)) == pytest.approx(max(sum(r) for r in every(*data)))


@property_test
@given(cases, st.integers(1, 20))
def test_a_target_sensitivity_is_met_with_the_best_specificity(data, twentieth):
    sensitivity, specificity = rates(*data, chosen(f"sensitivity>={twentieth / 20}", *data))
    assert sensitivity >= twentieth / 20
    assert specificity == max(spec for sens, spec in every(*data) if sens >= twentieth / 20)


@property_test
@given(cases, st.integers(1, 20))
def test_a_target_specificity_is_met_with_the_best_sensitivity_or_refused(data, twentieth):
    rule = f"specificity>={twentieth / 20}"
    reachable = [sens for sens, spec in every(*data) if spec >= twentieth / 20]
    if reachable:
        sensitivity, specificity = rates(*data, chosen(rule, *data))
        assert specificity >= twentieth / 20
        assert sensitivity == max(reachable)
    else:
        with pytest.raises(EvaluationError, match="negatives have probability 1"):
            chosen(rule, *data)


def test_negatives_of_probability_one_are_not_turned_down_by_any_threshold():
    reference, probability = np.array([0, 0, 1, 1.0]), np.array([0.2, 1, 0.6, 1])
    assert rates(reference, probability, chosen("specificity>=0.5", reference, probability)) == (1, 0.5)
    with pytest.raises(EvaluationError, match=r"no threshold gives specificity>=0\.9"):
        chosen("specificity>=0.9", reference, probability)


def test_two_neighbouring_numbers_are_told_apart():
    # No double lies between them, and half their sum rounds to the lower one.
    lower, upper = 0.5, float(np.nextafter(0.5, 1))
    reference, probability = np.array([0, 0, 1, 1.0]), np.array([0.1, lower, upper, 0.9])
    assert chosen("youden", reference, probability) == upper


def test_a_specificity_that_is_met_to_the_case_is_taken():
    # A hundred negatives, each with a probability of its own: exactly 100 − percent of them may be false alarms, and the
    # lowest threshold that allows no more is taken. 1 − 7/100 is less than 0.93 in floating point: that must not cost one.
    reference = np.array([0.0] * 100 + [1.0])
    probability = np.array([*np.arange(100) / 100, 0.999])
    for percent in range(50, 100):
        threshold = chosen(f"specificity>={percent / 100}", reference, probability)
        assert np.count_nonzero(probability[:100] >= threshold) == 100 - percent


def test_perfect_scores_are_cut_in_the_middle_of_the_gap():
    assert chosen("youden", np.array([0, 0, 1, 1.0]), np.array([0, 0, 1, 1.0])) == 0.5


def test_flat_scores_still_give_a_threshold_between_zero_and_one():
    for rule, expected in (("sensitivity>=0.9", (1, 0)), ("specificity>=0.9", (0, 1))):
        reference, probability = np.array([0, 1, 0, 1.0]), np.full(4, 0.3)
        threshold = chosen(rule, reference, probability)
        assert 0 <= threshold <= 1
        assert rates(reference, probability, threshold) == expected


@pytest.mark.parametrize("scale", [0.25, 1.0, 4.0])
def test_temperature_undoes_a_known_scale(scale):
    # Outcomes drawn from the logistic function of z, then log-odds reported as scale · z.
    rng = np.random.default_rng(2)
    z = rng.normal(0, 2, 20000)
    reference = (rng.random(20000) < 1 / (1 + np.exp(-z))).astype(float)
    assert calibration.fit("temperature", reference, scale * z, "tune", "abc").temperature == pytest.approx(scale, rel=0.05)


def test_temperature_stays_within_a_factor_of_twenty():
    reference, z = np.array([0, 0, 1, 1.0]), np.array([-2, -1, 1, 2.0])
    assert calibration.fit("temperature", reference, z, "tune", "abc").temperature == pytest.approx(1 / 20, rel=1e-3)
    assert calibration.fit("temperature", reference, -z, "tune", "abc").temperature == pytest.approx(20, rel=1e-3)


@property_test
@given(cases)
def test_isotonic_calibration_is_scikit_learns_also_between_and_beyond_the_cases(data):
    reference, z = data[0], 8 * data[1] - 4
    theirs = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(z, reference)
    asked = np.linspace(-6, 6, 101)
    ours = calibration.fit("isotonic", reference, z, "tune", "abc")(asked)
    np.testing.assert_allclose(ours, theirs.predict(asked), atol=1e-12)
    assert (np.diff(ours) >= 0).all()


@property_test
@given(cases)
def test_temperature_changes_no_ranking(data):
    reference, z = data[0], 8 * data[1] - 4
    calibrated = calibration.fit("temperature", reference, z, "tune", "abc")(z)
    ones = np.ones(len(z))
    assert ((calibrated >= 0) & (calibrated <= 1)).all()
    assert (np.diff(calibrated[np.argsort(z)]) >= 0).all()
    assert metrics.roc_auc(reference, calibrated, ones) == pytest.approx(metrics.roc_auc(reference, z, ones))
