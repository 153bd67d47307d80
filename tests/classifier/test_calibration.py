"""A calibration holds far out, never turns evidence round, and keeps any shape."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pneumoscope.classifier import Calibration
from tests.radiograph.builders import property_test

LOGISTIC = Calibration()
TEMPERATURE = Calibration("temperature", temperature=0.05)
ISOTONIC = Calibration("isotonic", knots=((0.0, 0.2), (2.0, 0.6)))
PLATT = Calibration("logistic", temperature=0.5, intercept=-1.5)


@pytest.mark.parametrize("calibration", [LOGISTIC, TEMPERATURE, PLATT])
@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_far_log_odds_reach_the_limits_and_overflow_nowhere(calibration, kind):
    with np.errstate(all="raise", under="ignore"):
        probability = calibration(np.array([-1e6, -1000, 1000, 1e6], kind))

    np.testing.assert_allclose(probability, [0, 0, 1, 1], rtol=0, atol=1e-200)


@pytest.mark.parametrize("calibration", [LOGISTIC, TEMPERATURE, ISOTONIC, PLATT])
@property_test
@given(log_odds=st.lists(st.floats(-1000, 1000), min_size=2, max_size=2))
def test_more_evidence_never_lowers_the_probability(calibration, log_odds):
    low, high = calibration(np.sort(log_odds))

    assert 0 <= low <= high <= 1


@property_test
@given(st.floats(-30, 30))
def test_evidence_for_and_against_add_up_to_one(log_odds):
    assert sum(LOGISTIC(np.array([log_odds, -log_odds]))) == pytest.approx(1, abs=1e-12)


def test_any_shape_is_kept():
    assert LOGISTIC(np.zeros((2, 3))).shape == (2, 3)


def test_a_logistic_calibration_divides_and_adds_the_intercept():
    """By hand: 1 / 0.5 − 1.5 = ½."""
    assert PLATT(np.array([1.0]))[0] == pytest.approx(1 / (1 + math.exp(-0.5)))


@pytest.mark.parametrize("calibration", [LOGISTIC, TEMPERATURE, PLATT])
@property_test
@given(probability=st.floats(0.001, 0.999))
def test_the_inverse_gives_the_log_odds_of_a_probability(calibration, probability):
    assert calibration(np.array([calibration.inverse(probability)]))[0] == pytest.approx(probability, rel=1e-9)


@pytest.mark.parametrize(
    ("probability", "log_odds"), [(0.1, -math.inf), (0.2, -math.inf), (0.4, 1.0), (0.6, 2.0), (0.7, math.inf)]
)
def test_the_inverse_of_isotonic_calibration_is_the_lowest_log_odds(probability, log_odds):
    """By hand: 0.4 lies halfway between the knots (0, 0.2) and (2, 0.6)."""
    assert ISOTONIC.inverse(probability) == pytest.approx(log_odds)


def test_the_inverse_on_a_step_is_where_the_step_begins():
    flat = Calibration("isotonic", knots=((0.0, 0.2), (1.0, 0.5), (3.0, 0.5), (4.0, 0.9)))
    assert flat.inverse(0.5) == 1.0


@pytest.mark.parametrize("calibration", [LOGISTIC, TEMPERATURE, PLATT])
def test_the_inverse_of_certainty_is_infinite(calibration):
    assert (calibration.inverse(0), calibration.inverse(1)) == (-math.inf, math.inf)


@pytest.mark.parametrize("intercept", [math.nan, math.inf])
def test_an_intercept_must_be_finite(intercept):
    with pytest.raises(ValueError, match="intercept must be finite"):
        Calibration("logistic", intercept=intercept)


def test_only_a_logistic_calibration_has_an_intercept():
    with pytest.raises(ValueError, match="0 unless the method is logistic"):
        Calibration("temperature", intercept=1.0)


@pytest.mark.parametrize(("intercept", "agrees"), [(-1.5, True), (-1.4, False), (0.0, False)])
def test_probabilities_of_single_precision_agree_only_with_the_same_intercept(intercept, agrees):
    z = np.linspace(-30, 30, 61, dtype=np.float32)
    single = 1 / (1 + np.exp(-(z / np.float32(0.5) + np.float32(-1.5)), dtype=np.float32))
    assert Calibration("logistic", temperature=0.5, intercept=intercept).agrees(z, single) == agrees
