"""Lines of ``readings.jsonl``: their form is the shipped schema's; CSV by hand."""

import csv

import jsonschema
import numpy as np
import pytest

from pneumoscope.classifier import OperatingPoint, Score
from pneumoscope.findings import Finding, ModelIdentity, Reading
from pneumoscope.heatmap import Heatmap
from pneumoscope.radiograph import Region
from pneumoscope.reports import readings

MODEL = ModelIdentity("m", "ab" * 32)
READING = Reading(
    Score("pneumonia", 0.812345678, 1.4649999),
    "positive",
    OperatingPoint(0.5, "youden", "tune", ""),
    Heatmap(np.zeros((100, 200), np.float32), "pneumonia", "grad-cam", "features", 2.5),
    (Finding(Region(1, 2, 30, 40), 77, (5, 6), 0.7), Finding(Region(50, 60, 70.5, 80), 9, (51, 61), 0.6)),
    MODEL,
)
READ = readings.as_json("a/b.png", READING)
FAILED = readings.as_error("c.dcm", "pneumonia", MODEL, "UnreadableFileError", 'cut, "short"')


def valid(line) -> bool:
    return jsonschema.Draft202012Validator(readings.schema()).is_valid(line)


def test_the_schema_is_one():
    jsonschema.Draft202012Validator.check_schema(readings.schema())


def test_a_reading_and_an_error_have_the_form_of_the_schema():
    assert valid(READ)
    assert valid(FAILED)


@pytest.mark.parametrize("key", sorted(READ))
def test_a_line_without_any_one_key_has_not(key):
    assert not valid({k: v for k, v in READ.items() if k != key})


@pytest.mark.parametrize(
    "change", [{"more": 1}, {"schema": 2}, {"probability": 1.5}, {"decision": "maybe"}, {"findings": [{}]}, {"map": {}}]
)
def test_a_line_with_anything_else_has_not(change):
    assert not valid(READ | change)


def test_a_reading_tells_everything_in_pixels_of_the_radiograph():
    assert READ == {
        "schema": 1,
        "path": "a/b.png",
        "target": "pneumonia",
        "probability": 0.812346,
        "log_odds": 1.465,
        "decision": "positive",
        "operating_point": {"threshold": 0.5, "rule": "youden"},
        "findings": [
            {
                "box": {"top": 1, "left": 2, "bottom": 30, "right": 40},
                "peak": {"row": 5, "col": 6},
                "area_px": 77,
                "rating": 0.7,
            },
            {
                "box": {"top": 50, "left": 60, "bottom": 70.5, "right": 80},
                "peak": {"row": 51, "col": 61},
                "area_px": 9,
                "rating": 0.6,
            },
        ],
        "map": {"target": "pneumonia", "method": "grad-cam", "scale": 2.5},
        "rows": 100,
        "cols": 200,
        "model": {"name": "m", "sha256": "ab" * 32},
        "error": None,
    }


def test_csv_has_one_row_a_line(tmp_path):
    readings.write_csv(tmp_path / "r.csv", [READ, FAILED])
    with (tmp_path / "r.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.reader(stream))
    assert rows == [
        ["path", "target", "probability", "decision", "threshold", "findings", "boxes", "model", "error"],
        ["a/b.png", "pneumonia", "0.812346", "positive", "0.5", "2", "1 2 30 40 0.7; 50 60 70.5 80 0.6", "m", ""],
        ["c.dcm", "pneumonia", "", "", "", "0", "", "m", 'cut, "short"'],
    ]
