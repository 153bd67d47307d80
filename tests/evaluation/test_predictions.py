"""Predictions on disk: every number to the last bit; and how they are made, in batches and in order."""

import dataclasses
import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from pneumoscope.classifier import Calibration, Card, OperatingPoint, Preprocessing
from pneumoscope.cohort import CohortError
from pneumoscope.cohort.split import by_ratio
from pneumoscope.evaluation import EvaluationError, predictions
from pneumoscope.evaluation.evaluate import evaluate
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
    predictions.write(written, folder / "p.csv")
    assert predictions.read(folder / "p.csv") == written


def test_figures_of_stored_predictions_are_equal_to_the_last_bit(folder, clustered):
    predictions.write(clustered, folder / "p.csv")
    again = evaluate(predictions.read(folder / "p.csv"), draws=20)
    for name, estimate in evaluate(clustered, draws=20).figures.items():
        assert dataclasses.astuple(again.figures[name]) == dataclasses.astuple(estimate)


def test_a_row_says_all_that_a_figure_needs(folder, clustered):
    predictions.write(clustered, folder / "p.csv")
    header = (folder / "p.csv").read_text(encoding="utf-8").splitlines()[0]
    assert header == "path,patient_id,label,subtype,reference,log_odds,probability"
    head = json.loads((folder / "p.json").read_text(encoding="utf-8"))
    assert set(head) == {"split", "split_sha256", "model", "operating_points", "calibrated_on"}


@pytest.mark.parametrize("damage", [lambda text: text[:-9], lambda text: "{}", lambda text: "[]"])
def test_predictions_with_a_damaged_head_are_refused(folder, clustered, damage):
    predictions.write(clustered, folder / "p.csv")
    (folder / "p.json").write_text(damage((folder / "p.json").read_text()))
    with pytest.raises(EvaluationError, match=r"with its \.json beside it"):
        predictions.read(folder / "p.csv")


def test_predictions_without_their_head_or_with_a_damaged_row_are_refused(folder, clustered):
    predictions.write(clustered, folder / "q.csv")
    text = (folder / "q.csv").read_text()
    (folder / "q.csv").write_text(text + "x,p1,NORMAL,normal,0,not a number,0.5\n")
    with pytest.raises(EvaluationError, match="ValueError"):
        predictions.read(folder / "q.csv")
    (folder / "q.csv").write_text(text)
    (folder / "q.json").unlink()
    with pytest.raises(EvaluationError, match="FileNotFoundError"):
        predictions.read(folder / "q.csv")


def test_each_case_gets_the_answer_to_its_own_picture_however_they_are_batched(flat):
    sizes = []

    def mean(squares):
        assert squares.dtype == np.float32
        sizes.append(squares.shape)
        return 255 * squares[:, 0, 4, 4].astype(float)

    found = predictions.predict(flat, "train", Answering(CARD, mean))
    assert sizes == [(16, 1, 8, 8), (2, 1, 8, 8)]
    assert [row.path for row in found.rows] == [case.path for case in flat.on("train")]
    for row in found.rows:
        assert row.log_odds == pytest.approx(10 * int(row.path[-6:-4]))
        assert row.reference == int(row.path.startswith("opacity"))


def test_probability_is_the_calibrated_one_and_the_cards_record_travels_along(flat):
    found = predictions.predict(flat, "test", Answering(CARD, lambda squares: np.arange(len(squares)) - 0.5))
    assert [row.probability for row in found.rows] == pytest.approx([1 / (1 + math.exp(0.25)), 1 / (1 + math.exp(-0.25))])
    assert (found.split, found.split_sha256, found.model) == ("test", flat.partition.sha256, "m")
    assert (found.calibrated_on, found.operating_points) == ("tune side of split abc", CARD.operating_points)


def test_a_side_without_cases_cannot_be_predicted(flat):
    with pytest.raises(CohortError, match="no case in the tune split"):
        predictions.predict(flat, "tune", Answering(CARD, lambda squares: squares.mean((1, 2, 3))))
