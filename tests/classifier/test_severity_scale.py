"""The severity scale: grades by hand, and what no scale can have."""

import dataclasses

import numpy as np
import pytest

from pneumoscope.classifier import Card, Preprocessing, SeverityScale
from pneumoscope.classifier.identity import identity_sha256

SCALE = SeverityScale(((0.1, 0.0), (0.3, 1.0), (0.5, 3.0)), 2.5, 0.9, 20, 21, "masks", "tune", "ab")


def test_grades_are_linear_between_knots_and_constant_beyond():
    grades = SCALE.grade(np.array([0, 0.1, 0.2, 0.3, 0.35, 0.5, 1, np.nan]))
    assert grades == pytest.approx([0, 0, 0.5, 1, 1.5, 3, 3, np.nan], nan_ok=True)


@pytest.mark.parametrize(("score", "interval"), [(9.0, (6.5, 11.5)), (1.0, (0.0, 3.5)), (17.0, (14.5, 18.0))])
def test_the_interval_is_cut_to_what_a_score_can_be(score, interval):
    assert SCALE.interval(score) == interval


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"knots": ((0.1, 1.0),)}, "two or more knots"),
        ({"knots": ((0.1, 1.0), (1.1, 2.0))}, "densities in"),
        ({"knots": ((0.1, 1.0), (0.2, 3.1))}, "grades in"),
        ({"knots": ((0.1, 1.0), (0.1, 2.0))}, "must increase in density"),
        ({"knots": ((0.1, 1.0), (0.2, 0.9))}, "not decrease in grade"),
        ({"knots": ((0.1, 1.0), (float("nan"), 2.0))}, "two or more knots"),
        ({"half_width": -1.0}, "half width"),
        ({"half_width": float("nan")}, "half width"),
        ({"coverage": 1.0}, "coverage"),
        ({"n_patients": 0}, "at least one patient"),
        ({"n_fitted": 0}, "at least one patient"),
        ({"split": "test"}, "is fixed on tune, not on test"),
    ],
)
def test_what_no_scale_can_have_is_refused(change, sentence):
    with pytest.raises(ValueError, match=sentence):
        dataclasses.replace(SCALE, **change)


def test_a_scale_belongs_to_the_identity_of_a_model():
    card = Card("m", "mobilenet_v2", "mlp", ("normal", "pneumonia"), Preprocessing(8), "scratch")
    scales = (None, SCALE, dataclasses.replace(SCALE, half_width=3.0), dataclasses.replace(SCALE, knots=SCALE.knots[:2]))
    assert len({identity_sha256(dataclasses.replace(card, severity=scale), "0" * 64) for scale in scales}) == 4
