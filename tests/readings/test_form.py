"""Lines of ``readings.jsonl``: their form is the shipped schema's, they come back as they were, and older forms are read."""

import dataclasses
import json

import jsonschema
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pneumoscope.classifier import GreyZone, OperatingPoint, PopulationChoice, Score, SeverityScale
from pneumoscope.radiograph import Region
from pneumoscope.readings import CaseKey, DomainCheck, Finding, Mark, ModelIdentity, ModelReading, Reading, form
from pneumoscope.readings.line import (
    DomainLine,
    ErrorLine,
    FindingLine,
    Line,
    LungFieldsLine,
    MapLine,
    OperatingPointLine,
    Pixel,
    PopulationLine,
    SeverityLine,
    ZoneLine,
)
from pneumoscope.readings.severity import SEVERITY_NAME, Severity, ZoneOpacity
from tests.heatmap.builders import heatmap_of
from tests.lung_fields.builders import lungs
from tests.radiograph.builders import property_test

MODEL = ModelIdentity("m", "ab" * 32)
FINDINGS = (
    Finding(Region(1, 2, 30, 40), 77, (5, 6), 0.700049, "right", "lower"),
    Finding(Region(50, 60, 70.5, 80), 9, (51, 61), 0.00003),
)
READING = ModelReading(
    Score("pneumonia", 0.812345678, 1.4649999),
    "positive",
    OperatingPoint(0.5, "youden", "tune", ""),
    heatmap_of(np.zeros((100, 200)), scale=2.5),
    FINDINGS,
    lungs(100, 200),
    MODEL,
)
CASE = CaseKey("a/b.png", "cd" * 32)
LINE = form.line_of(CASE, READING)
FAILED = form.error_line(CaseKey("c.dcm"), "pneumonia", MODEL, "UnreadableFileError", 'cut, "short"')
HUMAN = Reading("reader 1", CASE, "pneumonia", 3.0, "positive", (Mark(1.5, 2.5, 4.0), Mark(9.0, 9.0, 1.0, Region(1, 2, 3, 4))))

TEXT, SHARE = st.text(max_size=8), st.floats(0, 1)
NUMBER = st.floats(allow_nan=False, allow_infinity=False)
SHA256 = st.text("0123456789abcdef", min_size=64, max_size=64)
REGIONS = st.tuples(*[st.integers(0, 4000) for _ in range(2)], *[st.integers(1, 4000) for _ in range(2)]).map(
    lambda edges: Region(float(edges[0]), float(edges[1]), float(edges[0] + edges[2]), float(edges[1] + edges[3]))
)
FINDING_LINES = st.builds(
    FindingLine,
    box=REGIONS,
    peak=st.builds(Pixel, st.integers(0, 5000), st.integers(0, 5000)),
    area_px=st.integers(1, 10**7),
    rating=SHARE,
    laterality=st.sampled_from(["right", "left", None]),
    zone=st.sampled_from(["upper", "mid", "lower", None]),
)
POPULATIONS = (
    PopulationLine("child", "age", "child", False),
    PopulationLine("adult", "user", "adult", False),
    PopulationLine(None, "unknown", "adult", True),
)
SEVERITIES = st.builds(
    SeverityLine,
    name=st.just(SEVERITY_NAME),
    score=st.none() | st.floats(0, 18),
    low=st.none() | st.floats(0, 18),
    high=st.none() | st.floats(0, 18),
    coverage=st.none() | st.floats(0.5, 0.99),
    n_patients=st.none() | st.integers(1, 10_000),
    reference=st.none() | TEXT,
    reason=st.text(min_size=1, max_size=8),
    zones=st.lists(
        st.builds(
            ZoneLine,
            st.sampled_from(["right", "left"]),
            st.sampled_from(["upper", "mid", "lower"]),
            SHARE,
            SHARE,
            st.none() | st.floats(0, 3),
        ),
        max_size=2,
    ).map(tuple),
)
ANSWERED = st.builds(
    Line,
    schema=st.just(5),
    path=TEXT,
    file_sha256=SHA256,
    target=TEXT,
    probability=SHARE,
    log_odds=NUMBER,
    decision=st.sampled_from(["positive", "negative"]),
    abstains=st.booleans(),
    population=st.sampled_from([None, *POPULATIONS]),
    operating_point=st.builds(OperatingPointLine, SHARE, TEXT),
    domain=st.none() | st.builds(DomainLine, st.booleans(), st.floats(0, 100), st.floats(0, 100), st.none() | TEXT),
    cautions=st.lists(TEXT, max_size=2).map(tuple),
    findings=st.lists(FINDING_LINES, max_size=3).map(tuple),
    severity=st.none() | SEVERITIES,
    lung_fields=st.builds(LungFieldsLine, st.sampled_from(["found", "partly found", "not found"]), SHARE, SHARE, REGIONS),
    map=st.builds(MapLine, TEXT, TEXT, st.floats(1e-9, 1e9), st.floats(1e-9, 1)),
    rows=st.integers(1, 10_000),
    cols=st.integers(1, 10_000),
    model=st.builds(ModelIdentity, TEXT, SHA256),
    error=st.none(),
)
ERRORS = st.builds(form.error_line, st.builds(CaseKey, TEXT, st.just("") | SHA256), TEXT, st.just(MODEL), TEXT, TEXT)
MARKS = st.builds(Mark, NUMBER, NUMBER, NUMBER, st.none() | REGIONS)
HUMANS = st.builds(
    Reading,
    reader=TEXT,
    case=st.builds(CaseKey, TEXT, st.just("") | SHA256),
    target=TEXT,
    rating=NUMBER,
    decision=st.sampled_from(["positive", "negative", None]),
    marks=st.lists(MARKS, max_size=3).map(tuple),
    condition=st.sampled_from(["unaided", "aided"]),
    seconds=st.none() | st.floats(0, 1e6),
)
_VALIDATORS = {of: jsonschema.Draft202012Validator(form.schema(of)) for of in ("model", "human")}


def valid(tree, of="model") -> bool:
    return _VALIDATORS[of].is_valid(tree)


@pytest.mark.parametrize("of", ["model", "human"])
def test_the_schemas_are_schemas(of):
    schema = form.schema(of)
    jsonschema.Draft202012Validator.check_schema(schema)
    required = {"model": Line, "human": Reading}[of]
    assert set(schema["properties"]) == {field.name for field in dataclasses.fields(required)} | {"schema"}
    assert form.schema() == form.schema("model") != form.schema("human")


# Written


def test_a_severity_is_written_with_what_its_interval_rests_on():
    scale = SeverityScale(((0.0, 0.0), (1.0, 3.0)), 2.0, 0.9, 11, 12, "masks", "tune", "")
    severity = Severity((ZoneOpacity("right", "mid", 1 / 3, 0.123456, 0.370368),), 7.12345, 5.12345, 9.12345, scale)
    line = form.line_of(CASE, dataclasses.replace(READING, severity=severity))
    assert json.loads(form.to_json(line))["severity"] == {
        "name": "opacity severity by the heat map, not a radiologist's score",
        "score": 7.12,
        "low": 5.12,
        "high": 9.12,
        "coverage": 0.9,
        "n_patients": 11,
        "reference": "masks",
        "reason": None,
        "zones": [{"laterality": "right", "zone": "mid", "share_opaque": 0.3333, "density": 0.1235, "grade": 0.3704}],
    }
    assert valid(json.loads(form.to_json(line)))
    assert form.parse(form.to_json(line)) == line


def test_a_severity_without_score_and_without_reason_is_refused():
    tree = json.loads(form.to_json(LINE))
    tree["severity"] = dict.fromkeys(("score", "low", "high", "coverage", "n_patients", "reference", "reason"))
    tree["severity"] |= {"name": SEVERITY_NAME, "zones": []}
    with pytest.raises(form.FormError, match="a severity without a score needs a reason"):
        form.parse(json.dumps(tree))


def test_a_reading_an_error_and_a_human_reading_have_the_form_of_their_schema():
    assert valid(json.loads(form.to_json(LINE)))
    assert valid(json.loads(form.to_json(FAILED)))
    assert valid(json.loads(form.to_json(HUMAN)), "human")


@pytest.mark.parametrize("key", [field.name for field in dataclasses.fields(Line) if field.name != "decoded_scale"])
def test_a_line_without_any_one_key_is_no_line(key):
    tree = {k: v for k, v in json.loads(form.to_json(LINE)).items() if k != key}
    assert not valid(tree)
    with pytest.raises(form.FormError, match=rf"missing required field `{key}`|form None|^this is no reading"):
        form.parse(json.dumps(tree))


@pytest.mark.parametrize(
    "change",
    [
        {"more": 1},
        {"schema": 6},
        {"population": "adult"},
        {"severity": 3},
        {"probability": 1.5},
        {"decision": "maybe"},
        {"findings": [{}]},
        {"map": {}},
        {"probability": None},
    ],
    ids=str,
)  # fmt: skip
def test_a_line_with_anything_else_is_no_line(change):
    tree = json.loads(form.to_json(LINE)) | change
    assert not valid(tree) or change == {"probability": None}
    with pytest.raises(form.FormError):
        form.parse(json.dumps(tree))


def test_a_line_says_everything_in_pixels_of_the_radiograph():
    assert json.loads(form.to_json(form.line_of(CASE, READING))) == {
        "schema": 5,
        "path": "a/b.png",
        "file_sha256": "cd" * 32,
        "target": "pneumonia",
        "probability": 0.812346,
        "log_odds": 1.465,
        "decision": "positive",
        "abstains": False,
        "population": None,
        "operating_point": {"threshold": 0.5, "rule": "youden"},
        "domain": None,
        "cautions": [],
        "findings": [
            {
                "box": {"top": 1, "left": 2, "bottom": 30, "right": 40},
                "peak": {"row": 5, "col": 6},
                "area_px": 77,
                "rating": 0.7,
                "laterality": "right",
                "zone": "lower",
            },
            {
                "box": {"top": 50, "left": 60, "bottom": 70.5, "right": 80},
                "peak": {"row": 51, "col": 61},
                "area_px": 9,
                "rating": 0.0,
                "laterality": None,
                "zone": None,
            },
        ],
        "severity": None,
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
    }


def test_what_a_model_abstains_from_and_what_lies_outside_is_said():
    reading = dataclasses.replace(READING, grey_zone=GreyZone(0.5, 0.9, "", "tune", ""), domain=DomainCheck(2.00004, 1.5, False))
    line = form.line_of(CASE, reading)
    assert line.abstains is True
    assert line.domain == DomainLine(False, 2.0, 1.5, "no lungs found; unlike the training images (distance 2.00, limit 1.50)")
    assert line.outside_domain.startswith("no lungs found")
    assert LINE.outside_domain == ""
    fine = form.line_of(CASE, dataclasses.replace(READING, domain=DomainCheck(1.23456, 1.56786, True)))
    assert fine.domain == DomainLine(True, 1.2346, 1.5679, None)


def test_only_a_radiograph_that_was_decoded_at_a_reduced_scale_has_its_scale():
    assert "decoded_scale" not in form.to_json(LINE)
    assert "decoded_scale" not in form.to_json(FAILED)
    line = dataclasses.replace(LINE, decoded_scale=0.25)
    tree = json.loads(form.to_json(line))
    assert tree["decoded_scale"] == 0.25
    assert valid(tree)
    assert not valid(tree | {"decoded_scale": 1})
    assert form.parse(json.dumps(tree)) == line
    with pytest.raises(ValueError, match="a reduced scale must lie between 0 and 1, not at 1"):
        dataclasses.replace(LINE, decoded_scale=1.0)


def test_numbers_are_rounded_and_what_is_not_known_is_null():
    fields = dataclasses.replace(READING.lung_fields, left_quality=0.123456)
    score = Score("pneumonia", 0.123456789, -2.3456789)
    line = form.line_of(CaseKey("a.png"), dataclasses.replace(READING, lung_fields=fields, score=score))
    assert (line.probability, line.log_odds) == (0.123457, -2.345679)
    assert (line.lung_fields.quality, line.file_sha256, line.domain) == (0.1235, None, None)
    assert form.error_line(CASE, "pneumonia", MODEL, "E", "m").file_sha256 == "cd" * 32
    assert form.error_line(CaseKey("c.dcm"), "pneumonia", MODEL, "E", "m").file_sha256 is None


@pytest.mark.parametrize(
    ("choice", "line"),
    [
        (PopulationChoice("child", "age", "child"), PopulationLine("child", "age", "child", cautious=False)),
        (PopulationChoice(None, "unknown", "adult"), PopulationLine(None, "unknown", "adult", cautious=True)),
    ],
)
def test_the_population_and_how_it_was_known_are_said(choice, line):
    assert form.line_of(CASE, dataclasses.replace(READING, population=choice)).population == line


@pytest.mark.parametrize(
    ("population", "says"),
    [
        ({"value": "child", "source": "age", "settings": "child", "cautious": True}, "cautious ones if and only if"),
        ({"value": None, "source": "unknown", "settings": "child", "cautious": False}, "cautious ones if and only if"),
        ({"value": "baby", "source": "age", "settings": "child", "cautious": False}, "Invalid enum value"),
    ],
)
def test_a_population_that_contradicts_itself_is_refused(population, says):
    tree = json.loads(form.to_json(LINE)) | {"population": population}
    with pytest.raises(form.FormError, match=says):
        form.parse(json.dumps(tree))


def test_a_reading_shows_itself_in_one_line():
    assert repr(READING) == "<ModelReading pneumonia 0.812, positive, 2 findings, by m>"
    unsure = dataclasses.replace(
        READING, findings=(), grey_zone=GreyZone(0.5, 0.9, "", "tune", ""), domain=DomainCheck(2, 1, True)
    )
    assert repr(unsure) == "<ModelReading pneumonia 0.812, positive, abstains, outside the domain, 0 findings, by m>"
    inside = dataclasses.replace(READING, domain=DomainCheck(0.5, 1, True))
    assert "outside" not in repr(inside)


def test_a_model_reading_keeps_its_time():
    assert READING.as_reading(CASE, 1.5).seconds == 1.5
    assert READING.as_reading(CASE).seconds is None
    assert dataclasses.replace(LINE, probability=1.0).probability == 1
    assert dataclasses.replace(LINE, probability=0.0).probability == 0


# Parsed


@property_test
@given(ANSWERED | ERRORS)
def test_every_line_comes_back_and_has_the_form_of_the_schema(line):
    text = form.to_json(line)
    assert form.parse_line(text) == line
    assert valid(json.loads(text))


@property_test
@given(HUMANS)
def test_every_human_reading_comes_back_and_has_the_form_of_the_schema(reading):
    text = form.to_json(reading)
    assert form.parse(text) == reading
    assert valid(json.loads(text), "human")


def test_a_model_reading_and_its_line_give_the_same_reading_up_to_rounding():
    of_line, of_model = form.parse_line(form.to_json(LINE)).reading, READING.as_reading(CASE)
    assert of_model.rating == 0.812345678
    assert [mark.rating for mark in of_model.marks] == [0.700049, 0.00003]  # no ties by rounding in the object
    assert (of_model.marks[0].row, of_model.marks[0].col) == (5.5, 6.5)
    rounded = tuple(dataclasses.replace(mark, rating=round(mark.rating, 4)) for mark in of_model.marks)
    assert of_line == dataclasses.replace(of_model, rating=0.812346, marks=rounded)
    assert form.parse_line(form.to_json(FAILED)).reading is None


def earlier(version: int) -> dict:
    """The line of `READING` as the forms 1 to 4 had it, by their schemas."""
    tree = {k: v for k, v in json.loads(form.to_json(LINE)).items() if k not in ("population", "severity")}
    if version == 4:
        return tree | {"schema": 4}
    findings = [{"side" if k == "laterality" else k: v for k, v in finding.items()} for finding in tree["findings"]]
    tree |= {"schema": version, "findings": findings}
    missing = ["file_sha256", "cautions"] + ["abstains", "domain"] * (version < 3) + ["lung_fields"] * (version < 2)
    for key in missing:
        del tree[key]
    if version < 2:
        for finding in findings:
            del finding["side"], finding["zone"]
        del tree["map"]["threshold"]
    return tree


def test_a_line_of_form_4_is_read():
    assert form.parse_line(json.dumps(earlier(4))) == LINE


@pytest.mark.parametrize("key", list(earlier(4)))
def test_a_line_of_form_4_without_any_one_key_is_no_line(key):
    tree = {k: v for k, v in earlier(4).items() if k != key}
    with pytest.raises(form.FormError, match=rf"missing required field `{key}`|form None|^this is no reading"):
        form.parse(json.dumps(tree))


def test_a_human_reading_of_form_4_is_read():
    assert form.parse(json.dumps(json.loads(form.to_json(HUMAN)) | {"schema": 4})) == HUMAN


def test_a_line_of_form_3_is_read():
    assert form.parse_line(json.dumps(earlier(3))) == dataclasses.replace(LINE, file_sha256=None)


def test_a_line_of_form_2_is_read():
    assert form.parse_line(json.dumps(earlier(2))) == dataclasses.replace(LINE, file_sha256=None, abstains=None)


def test_a_line_of_form_1_is_read():
    line = form.parse_line(json.dumps(earlier(1)))
    assert line.findings[0] == dataclasses.replace(LINE.findings[0], laterality=None, zone=None)
    assert (line.map, line.lung_fields) == (MapLine("pneumonia", "grad-cam", 2.5, None), None)
    assert (line.probability, line.path) == (0.812346, "a/b.png")


@pytest.mark.parametrize("version", [0, 6, True, "5", None])
def test_a_line_of_another_form_is_refused(version):
    with pytest.raises(form.FormError, match=r"only of forms 1 to 5"):
        form.parse(json.dumps({**earlier(3), "schema": version}))


@pytest.mark.parametrize("wrong", ["R1", 3, 10**30, True, {"a": 1}, ["R1"], [None], [[1]]], ids=str)
@pytest.mark.parametrize("field", ["findings", "map", "model", "error", "domain"])
@pytest.mark.parametrize("version", [1, 2, 3, 4])
def test_a_field_of_another_type_in_an_earlier_form_is_refused_with_its_place(version, field, wrong):
    with pytest.raises(form.FormError, match=rf"this is no reading of Pneumoscope's .*{field}") as caught:
        form.parse(json.dumps({**earlier(version), field: wrong}))
    assert "attribute" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "{", '{"schema": 5, "path": "\xc3', "[" * 100_000, "NaN"], ids=len)
def test_a_line_that_was_cut_is_told_from_one_of_another_program(text):
    with pytest.raises(form.TornLineError, match="no valid JSON"):
        form.parse(text)


@pytest.mark.parametrize("text", ["3", "null", "[1]", "{}"])
def test_what_is_no_reading_is_refused(text):
    with pytest.raises(form.FormError, match="a reading of form None"):
        form.parse(text)


def test_a_human_reading_is_no_line_of_a_model():
    with pytest.raises(form.FormError, match=r"^this is the reading of a human reader, not of a model$"):
        form.parse_line(form.to_json(HUMAN))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"rating": float("nan")}, "a rating must be finite"),
        ({"rating": float("inf")}, "a rating must be finite"),
        ({"seconds": -1.0}, "must be finite and not below 0"),
        ({"seconds": float("inf")}, "must be finite and not below 0"),
    ],
    ids=str,
)
def test_a_reading_that_no_reader_can_give_is_refused(change, says):
    with pytest.raises(ValueError, match=says):
        dataclasses.replace(HUMAN, **change)


def test_a_line_has_an_answer_or_an_error_and_not_both():
    with pytest.raises(ValueError, match=r"^a line needs either probability and decision, or an error$"):
        dataclasses.replace(LINE, error=ErrorLine("E", "m"))
    with pytest.raises(ValueError, match=r"^a line needs either probability and decision, or an error$"):
        dataclasses.replace(FAILED, error=None)
    with pytest.raises(ValueError, match=r"in \[0, 1\], not at 1\.5"):
        dataclasses.replace(LINE, probability=1.5)


@pytest.mark.parametrize("name", ["XDOEX^JANEX", "XDOEX^O'NEIL", "XDOEX - at `$`"])
def test_a_word_where_another_belongs_is_not_quoted(name):
    tree = json.loads(form.to_json(LINE)) | {"decision": name}
    with pytest.raises(form.FormError, match=r"\(Invalid enum value - at `\$.decision`\)") as refused:
        form.parse(json.dumps(tree))
    assert "XDOEX" not in str(refused.value)
