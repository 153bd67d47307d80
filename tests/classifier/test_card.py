"""A card comes back from JSON as it was, and whatever is wrong in one is refused with a sentence."""

import contextlib
import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pneumoscope.classifier import (
    Calibration,
    Card,
    CardError,
    FixedOn,
    OperatingPoint,
    PopulationSettings,
    Preprocessing,
    SeverityScale,
)
from pneumoscope.classifier import card as cards
from tests.radiograph.builders import property_test

TEXT = st.text(max_size=12)
NUMBER = st.floats(allow_nan=False, allow_infinity=False)
ABOVE_0 = st.floats(0, exclude_min=True, allow_infinity=False)
SHARE = st.floats(0, 1, exclude_min=True)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | NUMBER | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
MAPPING = st.dictionaries(TEXT, JSON, max_size=4)
KNOTS = st.lists(st.tuples(NUMBER, st.floats(0, 1)), min_size=1, max_size=4).map(
    lambda knots: tuple(zip(*(sorted(part) for part in zip(*knots, strict=True)), strict=True))
)
CALIBRATIONS = st.one_of(
    st.builds(Calibration, st.sampled_from(["none", "temperature", "isotonic"]), ABOVE_0, KNOTS, TEXT, TEXT),
    st.builds(Calibration, st.just("logistic"), ABOVE_0, split=TEXT, split_sha256=TEXT, intercept=NUMBER),
)
POINTS = st.builds(OperatingPoint, st.floats(0, 1), TEXT, TEXT, TEXT)
FIXED_ON = st.builds(
    FixedOn, TEXT, st.sampled_from(["train", "tune", "all"]), TEXT, st.just(9), st.integers(1, 9), st.integers(0, 9)
)
SETTINGS = st.builds(
    PopulationSettings,
    calibration=CALIBRATIONS,
    operating_points=st.lists(POINTS, min_size=1, max_size=2).map(tuple),
    grey_zone=st.none(),
    domain=st.none(),
    finding_threshold=SHARE,
    fixed_on=st.lists(FIXED_ON, max_size=2).map(tuple),
)
SCALES = st.builds(
    SeverityScale,
    knots=st.lists(st.floats(0, 1), min_size=2, max_size=5, unique=True).map(lambda xs: tuple((x, 3 * x) for x in sorted(xs))),
    half_width=st.floats(0, 18),
    coverage=st.floats(0.01, 0.99),
    n_patients=st.integers(1, 999),
    n_fitted=st.integers(1, 999),
    reference=TEXT,
    split=st.just("tune"),
    split_sha256=TEXT,
)
CARDS = st.builds(
    Card,
    name=TEXT,
    backbone=TEXT,
    head=TEXT,
    classes=st.lists(TEXT, min_size=2, max_size=2, unique=True).map(tuple),
    preprocessing=st.builds(Preprocessing, st.integers(1, 4096), st.just("lungs"), st.integers(0, 4096), TEXT.filter(bool)),
    init=TEXT,
    calibration=CALIBRATIONS,
    operating_points=st.lists(POINTS, max_size=3).map(tuple),
    map_method=TEXT,
    map_scale=ABOVE_0,
    finding_threshold=SHARE,
    populations=st.dictionaries(st.sampled_from(["child", "adult"]), SETTINGS, max_size=2),
    severity=st.none() | SCALES,
    recipe=MAPPING,
    trained_with=st.dictionaries(st.text(), st.text(), max_size=2),
    cohort=TEXT,
    split_sha256=TEXT,
    data_licences=st.lists(TEXT, max_size=3).map(tuple),
    intended_population=TEXT,
    limits=TEXT,
    results=MAPPING,
    files=st.dictionaries(TEXT, TEXT, max_size=3),
)


@property_test
@given(CARDS)
def test_every_field_of_any_card_comes_back(written):
    assert cards.parse(json.dumps(dataclasses.asdict(written))) == written


def test_every_field_comes_back_from_a_folder(card, tmp_path):
    defaults = Card("", "", "", ("", ""), Preprocessing(), "")
    at_default = {f.name for f in dataclasses.fields(Card) if getattr(card, f.name) == getattr(defaults, f.name)}
    assert at_default == {"format"}, "the card of the test proves nothing about these"

    cards.write(card, tmp_path)

    assert cards.read(tmp_path) == card
    assert [p.name for p in tmp_path.iterdir()] == ["card.json"]


def _places(value, path=()):
    """The path of every value within a JSON value."""
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path] * bool(path) + [place for key, child in children for place in _places(child, (*path, key))]


@property_test
@given(data=st.data(), junk=JSON | st.sampled_from([float("inf"), 10**400, [], {}, [[1]], [[1, 2, 3]]]))
def test_junk_anywhere_is_refused_with_a_sentence_or_is_a_card(data, junk, card):
    content = json.loads(json.dumps(dataclasses.asdict(card)))
    *path, last = data.draw(st.sampled_from(_places(content)))
    inner = content
    for key in path:
        inner = inner[key]
    inner[last] = junk

    with contextlib.suppress(CardError):  # any other exception fails
        assert json.loads(json.dumps(dataclasses.asdict(cards.parse(json.dumps(content))))) == content


FIXED = {"source": "adults", "split": "tune", "split_sha256": "", "n_images": 20, "n_patients": 10, "n_positive": 5}
SOUND = {
    "calibration": {"method": "logistic", "temperature": 0.5, "intercept": -1.0},
    "operating_points": [{"threshold": 0.5, "rule": "youden", "split": "tune", "split_sha256": ""}],
    "grey_zone": None,
    "domain": {"distance": 1.0, "rule": "", "split": "tune", "split_sha256": ""},
    "finding_threshold": 0.5,
    "fixed_on": [FIXED],
}


def test_the_settings_of_a_population_are_read(card):
    (settings,) = cards.parse(json.dumps({**dataclasses.asdict(card), "populations": {"adult": SOUND}})).populations.values()
    assert settings.calibration == Calibration("logistic", 0.5, intercept=-1.0)
    assert settings.fixed_on == (FixedOn("adults", "tune", "", 20, 10, 5),)


@pytest.mark.parametrize(
    "change",
    [
        {"preprocessing": []},
        {"preprocessing": {"size_px": True}},
        {"calibration": "none"},
        {"calibration": {"method": "temperature", "temperature": 0}},
        {"calibration": {"method": "isotonic", "knots": []}},
        {"calibration": {"method": "isotonic", "knots": [[1]]}},
        {"calibration": {"method": "isotonic", "knots": [[1, 2, 3]]}},
        {"calibration": {"method": "guess"}},
        {"calibration": {"method": "none", "fitted_on": "somewhere"}},
        {"operating_points": [5]},
        {"operating_points": [{"threshold": float("nan"), "rule": "youden", "split": "tune", "split_sha256": ""}]},
        {"map_scale": float("inf")},
        {"map_scale": 10**400},
        {"recipe": 5},
        {"results": "x"},
        {"files": ["weights.safetensors"]},
        {"files": {"weights.safetensors": 7}},
        {"files": {}, "unheard_of": 1},
        {"operating_points": [{"threshold": 5, "rule": "youden", "split": "tune", "split_sha256": ""}]},
        {"operating_points": [{"threshold": -1, "rule": "youden", "split": "tune", "split_sha256": ""}]},
        {"calibration": {"method": "isotonic", "knots": [[0, 2]]}},
        {"calibration": {"method": "isotonic", "knots": [[0, 0.5], [1, 0.4]]}},
        {"calibration": {"method": "isotonic", "knots": [[1, 0.4], [0, 0.5]]}},
        {"calibration": {"method": "temperature", "temperature": -2}},
        {"grey_zone": {"low": -0.1, "high": 0.5, "rule": "", "split": "tune", "split_sha256": ""}},
        {"grey_zone": {"low": 0.1, "high": 1.5, "rule": "", "split": "tune", "split_sha256": ""}},
        {"domain": {"distance": -1, "rule": "", "split": "tune", "split_sha256": ""}},
        {"classes": ["pneumonia", "pneumonia"]},
        {"classes": ["pneumonia"]},
        {"finding_threshold": 5},
        {"finding_threshold": 0},
        {"map_scale": 0},
        {"other_map_scales": {"layercam": -1}},
        {"preprocessing": {"size_px": 0}},
        {"preprocessing": {"size_px": 32, "source_px": -1}},
        {"opset": -1},
        {"precision": "fp64"},
        {"calibration": {"method": "temperature", "temperature": 2, "intercept": 1}},
        {"calibration": {"method": "logistic", "intercept": 10**400}},
        {"populations": {"baby": {}}},
        {"populations": {"adult": {}}},
        {"populations": {"adult": SOUND | {"operating_points": []}}},
        {"populations": {"adult": SOUND | {"domain": None}}},
        {"populations": {"adult": SOUND | {"finding_threshold": 0}}},
        {"populations": {"adult": SOUND | {"unheard_of": 1}}},
        {"populations": {"adult": SOUND | {"fixed_on": [FIXED | {"split": "test"}]}}},
        {"populations": {"adult": SOUND | {"fixed_on": [FIXED | {"n_patients": 21}]}}},
    ],
    ids=str,
)
def test_a_field_that_no_model_can_have_is_refused(card, change):
    with pytest.raises(CardError, match=r"^the card is damaged .*; copy the model again from its source$"):
        cards.parse(json.dumps({**dataclasses.asdict(card), **change}))


def test_a_card_of_an_earlier_version_says_in_a_sentence_what_its_calibration_was_fitted_on(card):
    old = {"method": "temperature", "temperature": 2.0, "knots": [], "fitted_on": "tune side of split 12ab"}
    tree = {name: value for name, value in dataclasses.asdict(card).items() if name != "populations"}
    fitted = cards.parse(json.dumps({**tree, "format": 2, "calibration": old})).calibration
    assert (fitted.temperature, fitted.split, fitted.split_sha256) == (2.0, "tune", "12ab")


@pytest.mark.parametrize("text", ["", "[" * 200_000, '{"format": ' + "9" * 5000 + "}", '{"format": 1'], ids=len)
def test_text_that_no_parser_takes_is_refused(text):
    with pytest.raises(CardError, match="no valid JSON"):
        cards.parse(text)


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"\x80"])
def test_a_card_that_is_no_text_is_refused(tmp_path, content):
    (tmp_path / "card.json").write_bytes(content)

    with pytest.raises(CardError, match="could not be read"):
        cards.read(tmp_path)


def test_a_file_in_place_of_the_folder_is_refused(tmp_path):
    (tmp_path / "model.onnx").write_bytes(b"")

    with pytest.raises(CardError, match="could not be read"):
        cards.read(tmp_path / "model.onnx")


def test_a_card_of_format_2_is_read_with_its_names(card):
    old = json.loads(json.dumps(dataclasses.asdict(card))) | {"format": 2}
    del old["populations"]
    for fields in (*old["operating_points"], old["grey_zone"], old["domain"]):
        fields["side"] = fields.pop("split")
    fitted = old["calibration"]
    fitted["fitted_on"] = f"{fitted.pop('split')} side of split {fitted.pop('split_sha256')}"
    looks = old["preprocessing"]
    looks["side_px"], looks["view"] = looks.pop("size_px"), looks.pop("crop")

    assert cards.parse(json.dumps(old)) == dataclasses.replace(card, populations={})


def test_a_card_of_format_3_is_read(card):
    old = {name: value for name, value in dataclasses.asdict(card).items() if name != "populations"} | {"format": 3}
    assert cards.parse(json.dumps(old)) == dataclasses.replace(card, populations={})


@pytest.mark.parametrize("number", [2, 3])
def test_a_card_of_an_earlier_format_has_no_populations(card, number):
    with pytest.raises(CardError, match=f"a card of format {number} has no populations"):
        cards.parse(json.dumps({**dataclasses.asdict(card), "format": number}))


@pytest.mark.parametrize("number", [1, 5, True, "4", None])
def test_a_card_of_another_format_is_refused(card, number):
    content = {**dataclasses.asdict(card), "format": number}
    with pytest.raises(CardError, match=rf"has format {number}, this version reads 2, 3 and 4"):
        cards.parse(json.dumps(content))


@pytest.mark.parametrize("name", ["side", "view", "fitted_on"])
def test_a_card_of_this_format_has_no_old_names(card, name):
    content = json.loads(json.dumps(dataclasses.asdict(card)))
    content["preprocessing"][name] = content["calibration"][name] = "x"
    with pytest.raises(CardError, match=r"unknown field"):
        cards.parse(json.dumps(content))
