"""A calibration holds far out, never turns evidence round, and keeps any shape."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pneumoscope.classifier import Calibration
from tests.radiograph.builders import property_test

LOGISTIC = Calibration()
TEMPERATURE = Calibration("temperature", temperature=0.05)
ISOTONIC = Calibration("isotonic", knots=((0.0, 0.2), (2.0, 0.6)))


@pytest.mark.parametrize("calibration", [LOGISTIC, TEMPERATURE])
@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_far_log_odds_reach_the_limits_and_overflow_nowhere(calibration, kind):
    with np.errstate(all="raise", under="ignore"):
        probability = calibration(np.array([-1e6, -1000, 1000, 1e6], kind))

    np.testing.assert_allclose(probability, [0, 0, 1, 1], rtol=0, atol=1e-200)


@pytest.mark.parametrize("calibration", [LOGISTIC, TEMPERATURE, ISOTONIC])
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
