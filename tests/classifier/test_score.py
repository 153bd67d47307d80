"""From log-odds to probability to decision, by hand."""

import math

import numpy as np
import pytest

from pneumoscope.classifier import Calibration, CardError, OperatingPoint
from tests.classifier.test_checkpoint import CARD


@pytest.mark.parametrize(
    ("temperature", "z", "p"), [(1, 0, 0.5), (1, math.log(3), 0.75), (2, 2 * math.log(3), 0.75), (0.5, -1, 1 / (1 + math.exp(2)))]
)
def test_temperature_divides_the_log_odds(temperature, z, p):
    assert Calibration("temperature", temperature=temperature)(np.array([z]))[0] == pytest.approx(p)


def test_extreme_log_odds_do_not_overflow():
    assert Calibration()(np.array([-1000.0, 1000.0])).tolist() == [0.0, 1.0]


def test_isotonic_interpolates_between_its_knots_and_holds_beyond():
    calibration = Calibration("isotonic", knots=((-1.0, 0.2), (1.0, 0.6)))
    assert calibration(np.array([-9.0, 0.0, 9.0])) == pytest.approx([0.2, 0.4, 0.6])


def test_a_threshold_counts_as_positive():
    point = OperatingPoint(0.5, "youden", "tune", "abc")
    assert [point.decide(p) for p in (0.4999, 0.5)] == ["negative", "positive"]


def test_a_card_without_operating_point_says_so():
    with pytest.raises(CardError, match="no operating point"):
        _ = type(CARD)(**{**{k: getattr(CARD, k) for k in CARD.__dataclass_fields__}, "operating_points": ()}).operating_point
