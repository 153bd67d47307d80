"""What becomes of an evaluation whose figures are at a boundary: in print, as a table, as JSON, as a picture."""

import dataclasses
import json
import math

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import recall_score

from pneumoscope.classifier import OperatingPoint
from pneumoscope.evaluation import Estimate, EvaluationError, TestedOnItselfError, evaluate, plots, tables
from pneumoscope.evaluation.predictions import FittedOn
from pneumoscope.statistics.estimate import undefined
from tests.evaluation.conftest import predictions as some


def changed(predictions, probability):
    """The same predictions with other probabilities, by row."""
    rows = tuple(dataclasses.replace(r, probability=float(probability(r))) for r in predictions.rows)
    return dataclasses.replace(predictions, rows=rows)


@pytest.fixture
def perfect(clustered):
    return changed(clustered, lambda row: 0.1 + 0.8 * row.reference)


@pytest.fixture
def flat(clustered):
    return changed(clustered, lambda row: 0.3)


# In print


def test_an_estimate_prints_its_interval_or_why_it_has_none():
    assert str(Estimate(0.98765, 0.97, 0.99, 10, "patient", "bootstrap")) == "0.9877 (0.9700–0.9900)"
    assert str(Estimate(1.0, math.nan, math.nan, 10, "patient", "DeLong", "no variance")) == "1.0000 (no interval: no variance)"
    assert str(undefined(10, "one class")) == "undefined (one class)"


# Perfect and flat scores


@pytest.mark.parametrize("single", [False, True])
def test_a_perfect_model_has_values_of_one_but_claims_no_certainty(single):
    figures = evaluate(changed(some(single=single), lambda row: 0.1 + 0.8 * row.reference), draws=20).figures
    patients = 80 if single else 40
    for name in ("ROC-AUC", "PR-AUC", "balanced accuracy", "F1", "MCC"):
        assert figures[name].value == 1
        assert math.isnan(figures[name].low), name
        assert figures[name].reason, name
    # None of n patients wrong: lower bound 0.025^(1/n), n those of the denominator.
    for name, n in (("accuracy", patients), ("sensitivity", patients / 2), ("specificity", patients / 2), ("PPV", patients / 2)):
        assert (figures[name].value, figures[name].n, figures[name].high) == (1, n, 1)
        assert figures[name].low == pytest.approx(0.025 ** (1 / n)), name


def test_a_model_that_says_the_same_of_all_has_no_skill_and_no_interval(flat):
    figures = evaluate(flat, draws=20).figures
    assert figures["ROC-AUC"].value == 0.5
    assert math.isnan(figures["ROC-AUC"].low)
    assert (figures["sensitivity"].value, figures["specificity"].value) == (0, 1)
    # Nobody is called positive: no PPV and no correlation exist; slope and intercept of one point neither.
    for name in ("PPV", "MCC", "calibration slope", "calibration intercept"):
        assert math.isnan(figures[name].value), name
        assert figures[name].reason, name


# Tables and pictures


@pytest.mark.parametrize("which", ["perfect", "flat"])
def test_json_has_null_and_a_reason_for_each_number_that_does_not_exist(which, request):
    result = evaluate(request.getfixturevalue(which), draws=20)
    tree = json.loads(json.dumps(tables.as_json(result), allow_nan=False))
    lacking = {name for name, e in tree["figures"].items() if e["value"] is None or e["low"] is None}
    assert {"ROC-AUC", "calibration slope"} <= lacking
    for name, e in tree["figures"].items():
        assert bool(e["reason"]) == (name in lacking)
    assert (tree["n_images"], tree["n_patients"], tree["n_positive"]) == (80, 40, 40)


@pytest.mark.parametrize("which", ["perfect", "flat"])
def test_markdown_prints_no_interval_of_nan(which, request):
    text = tables.as_markdown(evaluate(request.getfixturevalue(which), draws=20))
    assert "nan" not in text
    assert "| ROC-AUC | " + {"perfect": "1.0000", "flat": "0.5000"}[which] + " | | the same in every bootstrap draw |" in text


def test_boundary_cases_are_drawn(flat, tmp_path):
    plots.plot(tmp_path / "p.png", flat, evaluate(flat, draws=20))
    with Image.open(tmp_path / "p.png") as picture:
        assert (picture.format, picture.size) == ("PNG", (1200, 1100))


def test_a_picture_without_operating_point_has_no_confusion_matrix(clustered, tmp_path):
    itself = dataclasses.replace(clustered, split="tune")
    for name, predictions in (("other.png", clustered), ("itself.png", itself)):
        plots.plot(tmp_path / name, predictions, evaluate(predictions, on_itself="leave-out", draws=20))
    other, itself = (np.asarray(Image.open(tmp_path / name).convert("L"), int) for name in ("other.png", "itself.png"))
    assert other.shape == itself.shape == (1100, 1200)
    # The matrix, lower right, is coloured; without one the panel is white but for a sentence.
    matrix = np.s_[700:1000, 750:1100]
    assert (other[matrix] < 250).mean() > 0.5
    assert (itself[matrix] < 250).mean() < 0.05


# Operating points and subgroups


def test_the_operating_point_is_the_one_of_the_rule_that_was_asked_for(clustered):
    points = (OperatingPoint(0.5, "youden", "tune", "abc"), OperatingPoint(0.2, "sensitivity>=0.95", "tune", "abc"))
    result = evaluate(dataclasses.replace(clustered, operating_points=points), rule="sensitivity>=0.95", draws=20)
    assert result.operating_point == points[1]
    tn, fp, fn, tp = result.confusion
    assert (tn + fp, fn + tp) == (40, 40)
    assert tp == sum(row.probability >= 0.2 for row in clustered.rows if row.reference)
    assert fp == sum(row.probability >= 0.2 for row in clustered.rows if not row.reference)


def test_a_threshold_fitted_on_test_is_refused_even_if_another_was_fitted_on_tune(clustered):
    points = (OperatingPoint(0.5, "youden", "tune", "abc"), OperatingPoint(0.2, "sensitivity>=0.95", "test", "abc"))
    predictions = dataclasses.replace(clustered, operating_points=points)
    assert evaluate(predictions, draws=20).operating_point == points[0]
    with pytest.raises(TestedOnItselfError, match="fitted on the test side"):
        evaluate(predictions, rule="sensitivity>=0.95", draws=20)


def test_a_refused_calibration_is_named_by_the_side_under_test(clustered):
    with pytest.raises(TestedOnItselfError, match="calibration of 'model' was fitted on the test side"):
        evaluate(dataclasses.replace(clustered, calibrated_on=FittedOn("test", "abc")))


def test_any_column_makes_subgroups(clustered):
    rows = tuple(dataclasses.replace(row, label="ward" if k < 60 else "clinic") for k, row in enumerate(clustered.rows))
    groups = evaluate(dataclasses.replace(clustered, rows=rows), subgroup="label", draws=20).subgroups
    assert set(groups) == {"ward", "clinic"}
    for name, figures in groups.items():
        # Both classes are in each, so each stands for itself alone.
        members = [row for row in rows if row.label == name]
        expected = recall_score([r.reference for r in members], [r.probability >= 0.5 for r in members])
        assert figures["sensitivity"].value == pytest.approx(expected)
        assert figures["ROC-AUC"].n == len({r.patient_id for r in members})


def test_sensitivity_of_a_subgroup_at_the_boundary_counts_its_own_patients(perfect):
    bacteria = evaluate(perfect, draws=20).subgroups["bacteria"]["sensitivity"]
    n = len({row.patient_id for row in perfect.rows if row.subtype == "bacteria"})
    assert (bacteria.value, bacteria.n) == (1, n)
    assert bacteria.low == pytest.approx(0.025 ** (1 / n))


def test_a_prediction_that_is_no_number_is_refused(clustered):
    with pytest.raises(EvaluationError, match="not a finite number"):
        evaluate(changed(clustered, lambda row: math.nan))
