"""Predictions on disk: every number to the last bit; and how they are made, in batches and in order."""

import dataclasses
import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from pneumoscope.classifier import Calibration, Card, DomainLimit, GreyZone, OperatingPoint, Preprocessing
from pneumoscope.cohort import CohortError
from pneumoscope.cohort.fingerprint import fingerprint
from pneumoscope.cohort.split import by_ratio
from pneumoscope.evaluation import (
    EvaluationError,
    TrainingPatientsError,
    evaluate,
    predict,
    prediction_files,
    tables,
)
from pneumoscope.evaluation.predictions import FittedOn
from pneumoscope.evaluation.training_overlap import TrainingOverlap
from tests.cohort.conftest import from_folders
from tests.evaluation.conftest import predictions as some
from tests.evaluation.models import Answering

number = st.floats(allow_nan=False, allow_infinity=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("predictions")


@pytest.fixture(scope="module")
def flat(folder):
    """A split cohort of twenty pictures, the k-th of grey level 10 k but for one pixel."""
    for k in range(20):
        pixels = np.full((8, 8), 10 * k, np.uint8)
        pixels[0, 0] += 1
        path = folder / ("opacity" if k % 2 else "clear") / f"p{k:02}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(pixels).save(path)
    return by_ratio(from_folders(folder, positive=["opacity"], patient_per_file=True), ratios=(0.9, 0, 0.1))


CARD = Card(
    name="m",
    backbone="mobilenet_v2",
    head="linear",
    classes=("normal", "pneumonia"),
    preprocessing=Preprocessing(8),
    init="scratch",
    calibration=Calibration("temperature", 2.0, split="tune", split_sha256="abc"),
    operating_points=(OperatingPoint(0.25, "youden", "tune", "abc"),),
)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(z=number, p=st.floats(0, 1), text=st.text(st.characters(codec="utf-8", exclude_characters="\0\r")))
def test_numbers_come_back_to_the_last_bit_and_texts_as_they_were(folder, z, p, text):
    row = dataclasses.replace(some().rows[0], log_odds=z, probability=p, path=text, label=text)
    written = dataclasses.replace(some(), rows=(row,), model=text, operating_points=(OperatingPoint(p, "youden", "tune", text),))
    prediction_files.write(written, folder / "p.csv")
    assert prediction_files.read(folder / "p.csv") == written


def test_figures_of_stored_predictions_are_equal_to_the_last_bit(folder, clustered):
    prediction_files.write(clustered, folder / "p.csv")
    again = evaluate(prediction_files.read(folder / "p.csv"), draws=20)
    for name, estimate in evaluate(clustered, draws=20).figures.items():
        assert dataclasses.astuple(again.figures[name]) == dataclasses.astuple(estimate)


def test_a_row_says_all_that_a_figure_needs(folder, clustered):
    prediction_files.write(clustered, folder / "p.csv")
    header = (folder / "p.csv").read_text(encoding="utf-8").splitlines()[0]
    figures, groups = "path,patient_id,label,subtype,reference,log_odds,probability", "age_years,sex,view_position"
    assert header == f"{figures},{groups},inside_domain,abstained"
    head = json.loads((folder / "p.json").read_text(encoding="utf-8"))
    assert set(head) == {
        "split", "split_sha256", "model", "operating_points", "calibrated_on", "model_split_sha256", "training_overlap",
        "csv_sha256", "population", "fixed_on",
    }  # fmt: skip


@pytest.mark.parametrize("damage", [lambda text: text[:-9], lambda text: "{}", lambda text: "[]"])
def test_predictions_with_a_damaged_head_are_refused(folder, clustered, damage):
    prediction_files.write(clustered, folder / "p.csv")
    (folder / "p.json").write_text(damage((folder / "p.json").read_text()))
    with pytest.raises(EvaluationError, match=r"with its \.json file in the same folder"):
        prediction_files.read(folder / "p.csv")


def test_predictions_without_their_head_or_with_a_damaged_row_are_refused(folder, clustered):
    prediction_files.write(clustered, folder / "q.csv")
    text = (folder / "q.csv").read_text()
    (folder / "q.csv").write_text(text + "x,p1,NORMAL,normal,0,not a number,0.5\n")
    with pytest.raises(EvaluationError, match="ValueError"):
        prediction_files.read(folder / "q.csv")
    (folder / "q.csv").write_text(text)
    (folder / "q.json").unlink()
    with pytest.raises(EvaluationError, match="FileNotFoundError"):
        prediction_files.read(folder / "q.csv")


def test_each_case_gets_the_answer_to_its_own_picture_however_they_are_batched(flat):
    sizes = []

    def mean(squares):
        assert squares.dtype == np.float32
        sizes.append(squares.shape)
        return 255 * squares[:, 0, 4, 4].astype(float)

    found = predict(flat, "train", Answering(CARD, mean))
    assert sizes == [(16, 1, 8, 8), (2, 1, 8, 8)]
    assert [row.path for row in found.rows] == [case.path for case in flat.on("train")]
    for row in found.rows:
        assert row.log_odds == pytest.approx(10 * int(row.path[-6:-4]))
        assert row.reference == int(row.path.startswith("opacity"))


def test_probability_is_the_calibrated_one_and_the_cards_record_travels_along(flat):
    found = predict(flat, "test", Answering(CARD, lambda squares: np.arange(len(squares)) - 0.5))
    assert [row.probability for row in found.rows] == pytest.approx([1 / (1 + math.exp(0.25)), 1 / (1 + math.exp(-0.25))])
    assert (found.split, found.split_sha256, found.model) == ("test", flat.partition.sha256, "m")
    assert (found.calibrated_on, found.operating_points) == (FittedOn("tune", "abc"), CARD.operating_points)


def test_age_sex_view_and_abstention_travel_along_and_the_domain_where_it_is_asked(flat):
    """The grey zone of [0.4, 0.6) holds the probability 0.5 of log-odds 0, and the limit 2 the first distance alone."""
    cases = tuple(dataclasses.replace(c, age_years=4.0, sex="F", view_position="AP") for c in flat.cases)
    card = dataclasses.replace(
        CARD,
        grey_zone=GreyZone(0.4, 0.6, "sensitivity>=0.99, specificity>=0.99", "tune", "abc"),
        domain=DomainLimit(2.0, "99% of tune", "tune", "abc"),
    )
    model = Answering(card, lambda squares: 4.0 * np.arange(len(squares)), distance=lambda squares: 2.0 + np.arange(len(squares)))
    known = dataclasses.replace(flat, cases=cases)
    asked, plain = (predict(known, "test", model, with_domain=flag).rows for flag in (True, False))
    assert {(row.age_years, row.sex, row.view_position) for row in asked} == {(4.0, "F", "AP")}
    assert [row.abstained for row in asked] == [row.abstained for row in plain] == [True, False]
    assert [row.inside_domain for row in asked] == [True, False]
    assert [row.inside_domain for row in plain] == [None, None]
    assert predict(flat, "test", Answering(CARD, model.log_odds), with_domain=True).rows[0].inside_domain is None


def test_a_distance_that_is_no_number_is_refused(flat):
    card = dataclasses.replace(CARD, domain=DomainLimit(2.0, "99% of tune", "tune", "abc"))
    model = Answering(card, lambda squares: np.zeros(len(squares)), distance=lambda squares: np.full(len(squares), np.nan))
    with pytest.raises(EvaluationError, match="'m' gives a distance from the training images that is not a finite number"):
        predict(flat, "test", model, with_domain=True)


def test_a_side_without_cases_cannot_be_predicted(flat):
    with pytest.raises(CohortError, match="no case in the tune split"):
        predict(flat, "tune", Answering(CARD, lambda squares: squares.mean((1, 2, 3))))


# The two files of predictions, and what must not be tested


def test_a_table_of_another_run_than_its_json_is_refused(folder, clustered):
    """As after a kill between the two: the rows of one model under the thresholds of another."""
    prediction_files.write(clustered, folder / "tied.csv")
    before = (folder / "tied.json").read_bytes()
    prediction_files.write(dataclasses.replace(clustered, rows=clustered.rows[::-1]), folder / "tied.csv")
    (folder / "tied.json").write_bytes(before)
    with pytest.raises(EvaluationError, match="are not of the same run"):
        prediction_files.read(folder / "tied.csv")


def test_a_file_of_another_kind_is_not_replaced_by_the_json_of_predictions(folder, clustered):
    (folder / "cohort.json").write_text('{"cases": []}', encoding="utf-8")
    with pytest.raises(EvaluationError, match="does not belong to predictions"):
        prediction_files.write(clustered, folder / "cohort.csv")
    assert (folder / "cohort.json").read_text(encoding="utf-8") == '{"cases": []}'
    assert not (folder / "cohort.csv").exists()


def test_files_of_earlier_versions_are_read(folder, clustered):
    prediction_files.write(clustered, folder / "old.csv")
    head = json.loads((folder / "old.json").read_text(encoding="utf-8"))
    old = {key: head[key] for key in ("split_sha256", "model", "operating_points")}
    old |= {"side": head["split"], "calibrated_on": "tune side of split abc"}
    (folder / "old.json").write_text(json.dumps(old), encoding="utf-8")
    assert prediction_files.read(folder / "old.csv") == clustered


@pytest.mark.parametrize("answer", [math.nan, math.inf])
def test_an_answer_that_is_no_number_is_an_error_and_never_negative(flat, answer):
    with pytest.raises(EvaluationError, match="gives no finite number for 2 of 2 radiographs"):
        predict(flat, "test", Answering(CARD, lambda squares: np.full(len(squares), answer)))


def test_a_model_is_not_tested_on_patients_that_it_was_trained_on_whatever_the_split_is_called(flat):
    """Trained on the test patients under another split: recognised by patient, and by image under another patient."""
    test = flat.on("test")
    renamed = [dataclasses.replace(test[0], path="elsewhere.png"), dataclasses.replace(test[1], patient_id="someone else")]
    model = Answering(CARD, lambda squares: np.zeros(len(squares)), (fingerprint(renamed),))
    with pytest.raises(TrainingPatientsError, match=r"'m' was trained on 2 of the images under test \(2 patients, 2 identical"):
        predict(flat, "test", model)
    allowed = predict(flat, "test", model, allow_training_patients=True)
    assert (allowed.training_overlap.known, allowed.training_overlap.cases) == (True, 2)
    strangers = Answering(CARD, model.log_odds, (fingerprint(flat.on("train")),))
    assert predict(flat, "test", strangers).training_overlap == TrainingOverlap(known=True)
    assert not predict(flat, "test", Answering(CARD, model.log_odds)).training_overlap.known


def test_training_patients_are_marked_in_every_output(folder, clustered):
    seen = dataclasses.replace(clustered, training_overlap=TrainingOverlap(True, 3, 2, 0), model_split_sha256="other")
    prediction_files.write(seen, folder / "seen.csv")
    again = prediction_files.read(folder / "seen.csv")
    assert again == seen
    with pytest.raises(TrainingPatientsError, match="--allow-training-patients"):
        evaluate(again)
    result = evaluate(again, allow_training_patients=True, draws=20)
    assert "**Tested on training patients.** The model was trained on 3 of these images (2 patients" in tables.as_markdown(result)
    tree = tables.as_json(result)
    assert tree["training_overlap"] == {"known": True, "cases": 3, "patients": 2, "images": 0}
    assert tree["model_split_sha256"] == "other"


def test_a_model_of_another_split_that_does_not_say_what_it_knows_is_noted(clustered):
    result = evaluate(dataclasses.replace(clustered, model_split_sha256="other"), draws=20)
    assert "under another split, `other`. The model does not say which patients it was trained on." in tables.as_markdown(result)
    assert "another split" not in tables.as_markdown(evaluate(clustered, draws=20))
