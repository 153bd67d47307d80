"""An evaluation: which figures, on what, and what is refused."""

import dataclasses
import json
import math

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import recall_score, roc_auc_score

from pneumoscope.classifier import Calibration, Card, Preprocessing
from pneumoscope.cohort.sample import sample
from pneumoscope.cohort.split import by_ratio
from pneumoscope.evaluation import EvaluationError, TestedOnItselfError, evaluate, plots, predict, prediction_files, tables
from pneumoscope.evaluation.predictions import FittedOn
from tests.evaluation.conftest import predictions as some
from tests.evaluation.models import Answering

FIGURES = {
    "ROC-AUC", "PR-AUC", "Brier", "ECE", "calibration slope", "calibration intercept", "accuracy", "balanced accuracy",
    "sensitivity", "specificity", "PPV", "NPV", "F1", "MCC",
}  # fmt: skip


def test_every_figure_has_an_interval_around_it_and_patients_for_n(clustered):
    result = evaluate(clustered, draws=200)
    assert set(result.figures) == FIGURES
    for name, e in result.figures.items():
        assert e.low <= e.value <= e.high, name
        assert e.unit == "patient"
    assert (result.n_images, result.n_patients, result.n_positive) == (80, 40, 40)
    assert result.figures["ROC-AUC"].n == 40


def test_values_are_those_of_scikit_learn(clustered):
    result = evaluate(clustered, draws=20)
    assert result.figures["ROC-AUC"].value == pytest.approx(roc_auc_score(clustered.reference, clustered.probability))
    positive = clustered.probability >= 0.5
    assert result.figures["sensitivity"].value == pytest.approx(recall_score(clustered.reference, positive))
    assert sum(result.confusion) == 80


def test_delong_is_used_where_patients_are_single_and_only_there(clustered, single):
    assert evaluate(single, draws=20).figures["ROC-AUC"].method.startswith("DeLong")
    assert evaluate(clustered, draws=20).figures["ROC-AUC"].method.startswith("patient bootstrap")


def test_the_bootstrap_is_repeatable(clustered):
    assert evaluate(clustered, draws=50, rng=3) == evaluate(clustered, draws=50, rng=3)


def test_a_threshold_fixed_on_the_side_under_test_is_refused():
    with pytest.raises(TestedOnItselfError, match="on the tune side, which is the side under test"):
        evaluate(some(split="tune"))


def test_a_calibration_fitted_on_the_side_under_test_is_refused(clustered):
    moved = dataclasses.replace(clustered, calibrated_on=FittedOn("test", "abc"))
    with pytest.raises(TestedOnItselfError):
        evaluate(moved)


def test_the_same_side_of_another_split_is_not_refused():
    other = dataclasses.replace(some(split="tune"), split_sha256="other")
    assert evaluate(other, draws=20).confusion


def test_on_its_own_side_only_what_needs_no_threshold_is_left():
    result = evaluate(some(split="tune"), on_itself="leave-out", draws=20)
    assert set(result.figures) == {"ROC-AUC", "PR-AUC"}
    assert result.confusion is None
    assert "left out" in tables.as_markdown(result)


def test_subgroups_of_one_class_are_set_against_all_of_the_other(clustered):
    groups = evaluate(clustered, draws=20).subgroups
    assert set(groups) == {"bacteria", "virus"}
    for name, figures in groups.items():
        kept = [r for r in clustered.rows if r.subtype == name or r.reference == 0]
        expected = roc_auc_score([r.reference for r in kept], [r.probability for r in kept])
        assert figures["ROC-AUC"].value == pytest.approx(expected)


def test_unknown_columns_and_rules_list_what_there_is(clustered):
    with pytest.raises(EvaluationError, match="patient_id"):
        evaluate(clustered, subgroup="hospital", draws=20)
    with pytest.raises(EvaluationError, match="it has youden"):
        evaluate(clustered, rule="specificity>=0.9")


def test_one_class_and_nothing_are_refused(clustered):
    with pytest.raises(EvaluationError, match="one class only"):
        evaluate(dataclasses.replace(clustered, rows=tuple(r for r in clustered.rows if r.reference)))
    with pytest.raises(EvaluationError, match="no prediction"):
        evaluate(dataclasses.replace(clustered, rows=()))


def test_stored_predictions_give_every_figure_again(clustered, tmp_path):
    prediction_files.write(clustered, tmp_path / "p.csv")
    assert evaluate(prediction_files.read(tmp_path / "p.csv"), draws=50) == evaluate(clustered, draws=50)


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n"])
def test_foreign_predictions_are_refused(tmp_path, text):
    (tmp_path / "p.csv").write_text(text)
    with pytest.raises(EvaluationError, match=r"is not a predictions\.csv"):
        prediction_files.read(tmp_path / "p.csv")


def test_json_holds_no_nan(clustered):
    perfect = tuple(dataclasses.replace(r, probability=0.1 + 0.8 * r.reference) for r in clustered.rows)
    result = evaluate(dataclasses.replace(clustered, rows=perfect), draws=20)
    assert math.isnan(result.figures["calibration slope"].value)
    tree = json.loads(json.dumps(tables.as_json(result), allow_nan=False))
    assert tree["figures"]["calibration slope"]["value"] is None
    assert tree["figures"]["calibration slope"]["reason"]


def test_markdown_names_model_side_n_and_where_the_threshold_comes_from(clustered):
    text = tables.as_markdown(evaluate(clustered, draws=20))
    assert "**model**, test side" in text
    assert "80 images of 40 patients" in text
    assert "fixed on the tune side" in text


def test_plots_are_one_picture(clustered, tmp_path):
    plots.plot(tmp_path / "p.png", clustered, evaluate(clustered, draws=20))
    with Image.open(tmp_path / "p.png") as picture:
        assert picture.size == (1200, 1100)


def test_predicting_a_side_keeps_the_order_and_applies_the_calibration():
    with sample() as whole:
        cohort = by_ratio(whole, ratios=(0.5, 0.25, 0.25))
        card = Card(
            name="m",
            backbone="mobilenet_v2",
            head="linear",
            classes=("normal", "pneumonia"),
            preprocessing=Preprocessing(32),
            init="scratch",
            calibration=Calibration("temperature", 2.0),
        )
        found = predict(cohort, "train", Answering(card, lambda squares: squares.mean((1, 2, 3), dtype=np.float64)))
        assert [r.path for r in found.rows] == [c.path for c in cohort.on("train")]
        z = np.array([r.log_odds for r in found.rows])
        assert found.probability == pytest.approx(1 / (1 + np.exp(-z / 2)))
        assert len(set(z)) == len(z)
