"""Lines of ``form.jsonl``: their form is the shipped schema's; CSV by hand."""

import csv

import jsonschema
import numpy as np
import pytest

from pneumoscope.classifier import OperatingPoint, Score
from pneumoscope.radiograph import Region
from pneumoscope.readings import Finding, ModelIdentity, Reading, form
from tests.heatmap.builders import heatmap_of
from tests.lung_fields.builders import lungs

MODEL = ModelIdentity("m", "ab" * 32)
READING = Reading(
    Score("pneumonia", 0.812345678, 1.4649999),
    "positive",
    OperatingPoint(0.5, "youden", "tune", ""),
    heatmap_of(np.zeros((100, 200)), scale=2.5),
    (Finding(Region(1, 2, 30, 40), 77, (5, 6), 0.7, "right", "lower"), Finding(Region(50, 60, 70.5, 80), 9, (51, 61), 0.6)),
    lungs(100, 200),
    MODEL,
)
READ = form.as_json("a/b.png", READING)
FAILED = form.as_error("c.dcm", "pneumonia", MODEL, "UnreadableFileError", 'cut, "short"')


def valid(line) -> bool:
    return jsonschema.Draft202012Validator(form.schema()).is_valid(line)


def test_the_schema_is_one():
    jsonschema.Draft202012Validator.check_schema(form.schema())


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
    assert {
        "schema": 3,
        "abstains": False,
        "domain": None,
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
                "side": "right",
                "zone": "lower",
            },
            {
                "box": {"top": 50, "left": 60, "bottom": 70.5, "right": 80},
                "peak": {"row": 51, "col": 61},
                "area_px": 9,
                "rating": 0.6,
                "side": None,
                "zone": None,
            },
        ],
        # 24 rows by 12 and 12 of 40 cells: 576 of 1,600; columns 4 to 36 and rows 10 to 34 with 7 % more on each side
        "lung_fields": {
            "state": "found",
            "quality": 0.96,
            "area_share": 0.36,
            "box": pytest.approx({"top": 20.8, "left": 8.8, "bottom": 89.2, "right": 191.2}),
        },
        "map": {"target": "pneumonia", "method": "grad-cam", "scale": 2.5, "threshold": 0.5},
        "rows": 100,
        "cols": 200,
        "model": {"name": "m", "sha256": "ab" * 32},
        "error": None,
    } == READ


def test_csv_has_one_row_a_line(tmp_path):
    form.write_csv(tmp_path / "r.csv", [READ, FAILED])
    with (tmp_path / "r.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.reader(stream))
    assert rows == [
        [
            "path",
            "target",
            "probability",
            "decision",
            "threshold",
            "abstains",
            "outside_domain",
            "findings",
            "boxes",
            "model",
            "error",
        ],
        [
            "a/b.png",
            "pneumonia",
            "0.812346",
            "positive",
            "0.5",
            "False",
            "",
            "2",
            "1 2 30 40 0.7 right lower; 50 60 70.5 80 0.6",
            "m",
            "",
        ],
        ["c.dcm", "pneumonia", "", "", "", "", "", "0", "", "m", 'cut, "short"'],
    ]
