"""Calibration and operating points against exhaustive search."""

import numpy as np
import pytest
from sklearn.calibration import _SigmoidCalibration

from pneumoscope.classifier import Calibration
from pneumoscope.evaluation import EvaluationError, calibration

RNG = np.random.default_rng(0)
REFERENCE = RNG.integers(0, 2, 400).astype(float)
LOG_ODDS = 3 * (REFERENCE - 0.5) + RNG.normal(0, 3, 400)


def test_temperature_is_the_one_of_least_log_loss():
    fitted = calibration.fit("temperature", REFERENCE, LOG_ODDS, "tune", "abc")
    grid = np.exp(np.linspace(-2, 3, 2001))
    losses = np.logaddexp(0, (1 - 2 * REFERENCE) * LOG_ODDS / grid[:, None]).mean(1)
    assert fitted.temperature == pytest.approx(grid[int(np.argmin(losses))], rel=0.01)
    assert (fitted.split, fitted.split_sha256) == ("tune", "abc")


def test_platt_scaling_is_that_of_scikit_learn():
    """scikit-learn fits p = 1 / (1 + exp(a z + b)) with the targets of Platt 1999, section 2.2."""
    fitted = calibration.fit("logistic", REFERENCE, LOG_ODDS, "tune", "abc")
    independent = _SigmoidCalibration().fit(LOG_ODDS, REFERENCE)
    assert -1 / fitted.temperature == pytest.approx(independent.a_, rel=1e-4)
    assert -fitted.intercept == pytest.approx(independent.b_, rel=1e-3, abs=1e-4)
    assert (fitted.method, fitted.split, fitted.split_sha256) == ("logistic", "tune", "abc")


def test_platt_scaling_shifts_as_far_as_the_log_odds_were_shifted():
    fitted = calibration.fit("logistic", REFERENCE, LOG_ODDS, "tune", "abc")
    shifted = calibration.fit("logistic", REFERENCE, LOG_ODDS - 5, "tune", "abc")
    assert shifted.temperature == pytest.approx(fitted.temperature, rel=1e-6)
    assert shifted(LOG_ODDS - 5) == pytest.approx(fitted(LOG_ODDS), abs=1e-7)


def test_platt_scaling_of_separable_cases_gives_its_targets():
    """Two log-odds only: the line passes through the targets (n + 1) / (n + 2) = 0.8 and 1 / (n + 2) = 0.2 for n = 3."""
    fitted = calibration.fit("logistic", np.repeat([0.0, 1.0], 3), np.repeat([-2.0, 4.0], 3), "tune", "abc")
    assert fitted(np.array([-2.0, 4.0])) == pytest.approx([0.2, 0.8], abs=1e-6)


@pytest.mark.parametrize("log_odds", [-LOG_ODDS, np.zeros(400)], ids=["reversed", "equal"])
def test_no_increasing_line_fits_log_odds_that_do_not_order(log_odds):
    with pytest.raises(EvaluationError, match="no increasing calibration fits"):
        calibration.fit("logistic", REFERENCE, log_odds, "tune", "abc")


def test_isotonic_is_monotone_and_matches_the_event_rate():
    p = calibration.fit("isotonic", REFERENCE, LOG_ODDS, "tune", "abc")(np.sort(LOG_ODDS))
    assert (np.diff(p) >= 0).all()
    assert p.mean() == pytest.approx(REFERENCE.mean())  # a property of the least-squares isotonic fit


def test_no_calibration_is_the_logistic_function():
    assert calibration.fit("none", REFERENCE, LOG_ODDS, "tune", "abc")(np.array([0.0]))[0] == 0.5


PROBABILITY = 1 / (1 + np.exp(-LOG_ODDS))


def rates(threshold):
    positive = threshold <= PROBABILITY
    return positive[REFERENCE == 1].mean(), 1 - positive[REFERENCE == 0].mean()


def test_youden_is_the_best_of_all_thresholds():
    point = calibration.choose("youden", REFERENCE, PROBABILITY, "tune", "abc")
    best = max(sum(rates(t)) for t in PROBABILITY)
    assert sum(rates(point.threshold)) == pytest.approx(best)
    assert (point.split, point.split_sha256, point.rule) == ("tune", "abc", "youden")


@pytest.mark.parametrize("target", [0.5, 0.9, 0.95, 1.0])
def test_a_target_is_met_at_the_least_cost_of_the_other(target):
    sensitive = calibration.choose(f"sensitivity>={target}", REFERENCE, PROBABILITY, "tune", "abc").threshold
    assert rates(sensitive)[0] >= target
    assert rates(sensitive)[1] == pytest.approx(max(rates(t)[1] for t in PROBABILITY if rates(t)[0] >= target))
    specific = calibration.choose(f"specificity>={target}", REFERENCE, PROBABILITY, "tune", "abc").threshold
    assert rates(specific)[1] >= target
    assert rates(specific)[0] == pytest.approx(max(rates(t)[0] for t in (*PROBABILITY, 2.0) if rates(t)[1] >= target))


def test_the_threshold_lies_between_two_cases():
    reference, probability = np.array([0, 0, 1, 1.0]), np.array([0.1, 0.3, 0.7, 0.9])
    assert calibration.choose("youden", reference, probability, "tune", "abc").threshold == pytest.approx(0.5)


@pytest.mark.parametrize("rule", ["best", "sensitivity>=2", "f1>=0.9", "sensitivity>=x"])
def test_an_unknown_rule_says_what_there_is(rule):
    with pytest.raises(EvaluationError, match="youden"):
        calibration.choose(rule, REFERENCE, PROBABILITY, "tune", "abc")


def test_one_class_gives_neither_calibration_nor_threshold():
    with pytest.raises(EvaluationError, match="one class"):
        calibration.fit("temperature", np.ones(3), np.zeros(3), "tune", "abc")
    with pytest.raises(EvaluationError, match="one class"):
        calibration.choose("youden", np.zeros(3), np.zeros(3), "tune", "abc")


def test_a_prevalence_moves_the_intercept_by_the_log_odds_of_the_two_shares():
    # By Bayes' rule at equal likelihoods: a probability equal to the share of the sample becomes the share of the patients.
    fitted = Calibration("logistic", temperature=0.5, intercept=-0.3)
    at = np.array([fitted.inverse(0.03)])
    assert calibration.at_prevalence(fitted, 0.03, 0.225)(at) == pytest.approx(0.225)
    assert calibration.at_prevalence(fitted, 0.4, 0.4) == fitted


@pytest.mark.parametrize(("fitted", "prevalence", "said"), [
    (Calibration("logistic"), 1.0, "must lie between 0 and 1, not at 1"),
    (Calibration("temperature"), 0.2, "only a logistic calibration can be moved"),
])  # fmt: skip
def test_a_prevalence_that_cannot_be_met_is_refused(fitted, prevalence, said):
    with pytest.raises(EvaluationError, match=said):
        calibration.at_prevalence(fitted, 0.5, prevalence)
