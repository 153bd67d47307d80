"""Figures by age band, sex and view position, against counts by hand and against scikit-learn on drawn rows."""

import csv
import dataclasses
import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from pneumoscope.classifier import OperatingPoint
from pneumoscope.evaluation import EvaluationError, evaluate, prediction_files, tables
from pneumoscope.evaluation.patient_groups import AGE_BANDS, age_band, parse_columns, patient_groups
from pneumoscope.evaluation.predictions import Prediction, Predictions
from pneumoscope.statistics.patient_bootstrap import Bootstrap
from tests.cli.run import run

ROWS = (  # sex, age, reference, probability, inside the domain, abstained
    ("F", 10.0, 1, 0.9, True, False),
    ("F", 17.9, 1, 0.4, True, True),
    ("F", 18.0, 0, 0.2, False, False),
    ("F", 39.9, 0, 0.6, True, False),
    ("M", 45.0, 1, 0.8, True, True),
    ("M", 65.0, 1, 0.7, True, False),
    ("M", 85.0, 0, 0.1, True, False),
    ("M", 90.0, 0, 0.3, True, False),
    ("", None, 0, 0.55, False, False),
)


def by_hand(rows=ROWS):
    made = tuple(
        Prediction(
            f"{k}.png", f"p{k}", "", "", reference, math.log(p / (1 - p)), p, age_years=age, sex=sex, view_position="AP",
            inside_domain=inside, abstained=abstained,
        )
        for k, (sex, age, reference, p, inside, abstained) in enumerate(rows)
    )  # fmt: skip
    return Predictions(made, "test", "abc", "m", (OperatingPoint(0.5, "youden", "tune", "abc"),))


def groups(predictions, column, threshold=0.5, draws=200):
    boot = Bootstrap.of_patients(predictions.patients, draws, 0)
    return {group.value: group for group in patient_groups(predictions, column, threshold, boot)}


def values(estimates):
    return {name: estimate.value for name, estimate in estimates.items()}


def test_figures_are_those_counted_by_hand():
    """Women: 3 of 4 pairs in order, 1 of 2 positives and 1 of 2 negatives right; men: all."""
    by_sex = groups(by_hand(), "sex")
    assert list(by_sex) == ["F", "M", "unknown"]
    assert values(by_sex["F"].figures) == {
        "ROC-AUC": 0.75, "sensitivity": 0.5, "specificity": 0.5, "inside the domain": 0.75, "abstained": 0.25,
    }  # fmt: skip
    assert values(by_sex["M"].figures) == {
        "ROC-AUC": 1.0, "sensitivity": 1.0, "specificity": 1.0, "inside the domain": 1.0, "abstained": 0.25,
    }  # fmt: skip
    assert [(g.n_images, g.n_patients, g.n_positive) for g in by_sex.values()] == [(4, 4, 2), (4, 4, 2), (1, 1, 0)]


def test_differences_are_to_all_other_images():
    """The others of the women are the men and the image of unknown sex, a false alarm: 2 of 3 negatives right, 4 of 5 inside."""
    difference = groups(by_hand(), "sex")["F"].differences
    assert values(difference) == pytest.approx(
        {
            "ROC-AUC": 0.75 - 1,
            "sensitivity": 0.5 - 1,
            "specificity": 0.5 - 2 / 3,
            "inside the domain": 0.75 - 0.8,
            "abstained": 0.25 - 0.2,
        }
    )


def test_a_group_of_one_negative_gives_no_narrow_difference():
    """A share of 0 or 1 is the same in every draw: the bootstrap alone took one patient's specificity of 1 as certain."""
    reference, rng = np.arange(60) % 2, np.random.default_rng(0)
    ages = [10.0 if k in (0, 1, 3) else 50.0 for k in range(60)]
    scores = [0.1 if k == 0 else 0.9 if k in (1, 3) else float(rng.uniform(0.2, 0.8)) for k in range(60)]
    rows = [("", age, int(r), p, None, None) for age, r, p in zip(ages, reference, scores, strict=True)]
    children = groups(by_hand(rows), "age")["0–17"]
    assert (children.figures["specificity"].value, children.figures["specificity"].low) == (1.0, pytest.approx(0.025))
    difference = children.differences["specificity"]
    assert difference.method.startswith("from the intervals of both")
    assert difference.low < difference.value - (1 - 0.025) < 0 < difference.high
    assert not children.differences["ROC-AUC"].has_interval
    assert "no interval" in children.differences["ROC-AUC"].reason


def test_a_figure_that_a_group_has_no_images_for_says_why():
    unknown = groups(by_hand(), "sex")["unknown"]
    assert {name: e.reason for name, e in unknown.figures.items() if not e.defined} == {
        "ROC-AUC": "no positive image",
        "sensitivity": "no positive image",
    }
    assert unknown.differences["ROC-AUC"].reason == "no positive image in the group"
    only = groups(by_hand(), "view")["AP"]
    assert {e.reason for e in only.differences.values()} == {"no image outside of the group"}
    children = groups(by_hand(), "age")["0–17"]
    assert children.figures["specificity"].reason == "no negative image"


def test_shares_that_are_not_known_say_so_and_those_known_of_some_are_of_these():
    rows = tuple(dataclasses.replace(row, inside_domain=None, abstained=None) for row in by_hand().rows[:4]) + by_hand().rows[4:]
    by_sex = groups(dataclasses.replace(by_hand(), rows=rows), "sex")
    assert by_sex["F"].figures["abstained"].reason == "not known of these images"
    assert by_sex["M"].differences["abstained"].value == pytest.approx(0.25 - 0)


def test_age_bands_start_at_their_lower_age():
    assert [age_band(years) for years in (0, 17.99, 18, 39.9, 40, 59, 60, 79.5, 80, 110, None)] == [
        "0–17", "0–17", "18–39", "18–39", "40–59", "40–59", "60–79", "60–79", "80+", "80+", "unknown",
    ]  # fmt: skip
    assert list(groups(by_hand(), "age")) == ["0–17", "18–39", "40–59", "60–79", "80+", "unknown"]


@settings(max_examples=50, deadline=None, derandomize=True)
@given(st.floats(0, 130))
def test_every_age_is_in_one_band(years):
    assert sum(low <= years < high for low, high, _ in AGE_BANDS) == 1
    assert age_band(years) != "unknown"


def test_intervals_are_those_of_scikit_learn_on_drawn_rows():
    """Two images a patient, drawn together; each draw recomputed on repeated rows."""
    rng = np.random.default_rng(1)
    reference = np.tile([0, 0, 1, 1], 20)
    rows = tuple(
        Prediction(f"{k}", f"p{k // 2}", "", "", int(r), 0.0, float(np.clip(0.4 + 0.2 * r + rng.normal(0, 0.2), 0.01, 0.99)),
                   sex="FM"[k // 2 % 5 < 2])
        for k, r in enumerate(reference)
    )  # fmt: skip
    predictions = Predictions(rows, "test", "abc", "m", (OperatingPoint(0.5, "youden", "tune", "abc"),))
    boot = Bootstrap.of_patients(predictions.patients, 150, 0)
    group = {g.value: g for g in patient_groups(predictions, "sex", 0.5, boot)}["F"]
    women = np.array([row.sex == "F" for row in rows])
    aucs = []
    for weights in boot.weights.astype(int):
        drawn = np.repeat(np.arange(len(rows)), weights)
        parts = [drawn[women[drawn]], drawn[~women[drawn]]]
        aucs.append([roc_auc_score(predictions.reference[part], predictions.probability[part]) for part in parts])
    own, others = np.array(aucs).T
    assert (group.figures["ROC-AUC"].low, group.figures["ROC-AUC"].high) == pytest.approx(tuple(np.quantile(own, [0.025, 0.975])))
    difference = group.differences["ROC-AUC"]
    assert (difference.low, difference.high) == pytest.approx(tuple(np.quantile(own - others, [0.025, 0.975])))
    assert difference.unit == "patient"
    assert group.figures["ROC-AUC"].n == len({row.patient_id for row in rows if row.sex == "F"})


def test_with_a_threshold_of_the_same_images_only_the_ranking_is_given():
    itself = dataclasses.replace(by_hand(), split="tune")
    made = evaluate(itself, by=("sex",), on_itself="leave-out", draws=20)
    assert all(set(group.figures) == {"ROC-AUC"} for group in made.groups)


def test_columns_are_named_once_and_unknown_ones_are_refused():
    assert parse_columns("age, sex,age") == ("age", "sex")
    assert parse_columns("") == ()
    with pytest.raises(EvaluationError, match="patients cannot be grouped by 'hospital'; choose of age, sex, view"):
        parse_columns("age,hospital")


def test_a_column_that_is_known_of_no_image_is_refused():
    rows = tuple(dataclasses.replace(row, age_years=None) for row in by_hand().rows)
    with pytest.raises(EvaluationError, match=r"no image has a known age; build the cohort again .*--age-column"):
        evaluate(dataclasses.replace(by_hand(), rows=rows), by=("age",), draws=20)


def test_without_groups_the_results_are_those_of_earlier_versions():
    tree = tables.as_json(evaluate(by_hand(), draws=20))
    assert "groups" not in tree
    assert "Groups of patients" not in tables.as_markdown(evaluate(by_hand(), draws=20))


def test_stored_predictions_keep_what_groups_need(tmp_path):
    prediction_files.write(by_hand(), tmp_path / "p.csv")
    assert prediction_files.read(tmp_path / "p.csv") == by_hand()


def test_predictions_of_an_earlier_version_are_read_without_it(tmp_path):
    prediction_files.write(by_hand(), tmp_path / "p.csv")
    with (tmp_path / "p.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    with (tmp_path / "p.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(rows[0])[:7], extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    head = json.loads((tmp_path / "p.json").read_text())
    (tmp_path / "p.json").write_text(json.dumps({key: value for key, value in head.items() if key != "csv_sha256"}))
    assert prediction_files.read(tmp_path / "p.csv").rows[0] == Prediction(*dataclasses.astuple(by_hand().rows[0])[:7])


def test_the_command_writes_groups_as_csv_json_and_text(tmp_path):
    prediction_files.write(by_hand(), tmp_path / "p.csv")
    done = run("evaluate", "--predictions", tmp_path / "p.csv", "--by", "age,sex", "--draws", 50, "-o", tmp_path / "out")
    assert done.code == 0, done.err
    assert "| sex | F | 4 | 4 | 2 | 0.7500" in done.out
    tree = json.loads((tmp_path / "out" / "metrics.json").read_text(encoding="utf-8"))
    assert [(g["column"], g["value"]) for g in tree["groups"]][-3:] == [("sex", "F"), ("sex", "M"), ("sex", "unknown")]
    unknown = tree["groups"][-1]["figures"]["ROC-AUC"]
    assert (unknown["value"], unknown["reason"]) == (None, "no positive image")
    with (tmp_path / "out" / "groups.csv").open(newline="", encoding="utf-8") as stream:
        lines = list(csv.DictReader(stream))
    assert len(lines) == 9
    assert lines[6]["specificity"].startswith("0.5000")
    refused = run("evaluate", "--predictions", tmp_path / "p.csv", "--by", "hospital", "-o", tmp_path / "out")
    assert (refused.code, "choose of age, sex, view" in refused.err) == (2, True)
