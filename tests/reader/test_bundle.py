"""A bundle that is damaged, foreign or incomplete is refused with one sentence; the shipped one is whole."""

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest

import pneumoscope
from pneumoscope.classifier import Calibration, Card, CardError, DomainLimit, GreyZone, OperatingPoint, Preprocessing
from pneumoscope.classifier.identity import identity_sha256
from pneumoscope.radiograph import Radiograph
from pneumoscope.reader import DEFAULT_BUNDLE, BundleError, Reader
from pneumoscope.reader.bundle import synthetic_squares, without_image
from pneumoscope.reader.shipped import SHIPPED
from tests.cli.run import run
from tests.radiograph.builders import png
from tests.reader.builders import glass_bundle, graph, quadrant


def _tampered(folder):
    content = bytearray((folder / "model.onnx").read_bytes())
    content[len(content) // 2] ^= 1
    (folder / "model.onnx").write_bytes(content)


def _truncated(folder):
    (folder / "model.onnx").write_bytes((folder / "model.onnx").read_bytes()[:-20])


def _replaced(folder, content=None, **card):
    shutil.rmtree(folder)
    glass_bundle(folder, content, **card)


DAMAGE = {
    "tampered graph": (_tampered, BundleError, "not the one that its card names"),
    "truncated graph": (_truncated, BundleError, "not the one that its card names"),
    "no graph": (lambda f: (f / "model.onnx").unlink(), BundleError, "no model.onnx"),
    "no card": (lambda f: (f / "card.json").unlink(), CardError, "no card.json"),
    "card that is no JSON": (lambda f: (f / "card.json").write_text('{"format": 1,'), CardError, "damaged"),
    "card of something else": (lambda f: (f / "card.json").write_text('{"format": 1}'), CardError, "not one of"),
    "no graph at all under a true hash": (lambda f: _replaced(f, b"not ONNX"), BundleError, "cannot be run"),
    "foreign graph under a true hash": (lambda f: _replaced(f, graph(image="x")), BundleError, "not a graph of Pneumoscope"),
    "graph of another format": (lambda f: _replaced(f, graph(made_by="1")), BundleError, "has format 1"),
    "graph of unknown operators": (lambda f: _replaced(f, opset=99), BundleError, "ONNX operator set 99"),
    "graph of another map": (lambda f: _replaced(f, graph(maps="layercam")), BundleError, "outputs that its card names"),
    "graph of another input size": (lambda f: _replaced(f, preprocessing=Preprocessing(32)), BundleError, "another size"),
    "folder that is not there": (shutil.rmtree, CardError, "no card.json"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_bundle_is_refused_with_one_sentence(damage, tmp_path, glass):
    bundle, image = shutil.copytree(glass, tmp_path / "bundle"), tmp_path / "x.png"
    image.write_bytes(png(quadrant()))
    harm, error, words = DAMAGE[damage]
    harm(bundle)

    with pytest.raises(error, match=words):
        Reader.load(bundle)
    ran = run("read", image, "-o", tmp_path / "out", "--model", bundle)

    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("pneumoscope: ")
    assert ran.err.count("\n") == 1
    assert words in ran.err
    assert not (tmp_path / "out").exists()


def sigmoid(log_odds):
    return 1 / (1 + np.exp(-log_odds))


@pytest.mark.parametrize(
    "calibration",
    [
        Calibration("temperature", 1.001),
        Calibration("temperature", 0.999),
        Calibration("logistic", 1.0, intercept=0.001),
        # Both tell the log-odds of one of the squares right: −1 of black, 3 of grey (8 m − 1, m the mean).
        Calibration("logistic", 1.01, intercept=-1 + 1 / 1.01),
        Calibration("logistic", 1.01, intercept=3 - 3 / 1.01),
        # Right for black and for noise, whose log-odds are −1 and 3 within 0.3, and for white (7) not.
        Calibration("isotonic", knots=(*((z, sigmoid(z)) for z in np.linspace(-2, 4, 1001)), (7.5, sigmoid(7.4)))),
    ],
    ids=["temperature", "lower temperature", "intercept", "both, right for black", "both, right for grey", "isotonic"],
)
def test_a_graph_with_another_calibration_than_its_card_is_refused(tmp_path, calibration):
    bundle = glass_bundle(tmp_path / "b", graph(temperature=1), calibration=calibration)
    with pytest.raises(BundleError, match="another calibration than its card"):
        Reader.load(bundle)


@pytest.mark.parametrize("name", sorted(SHIPPED))
def test_the_squares_that_a_calibration_is_checked_by_have_different_log_odds(name):
    reader = Reader.load(SHIPPED[name], threads=1)
    (logits,) = reader._session.run(["logits"], without_image(reader.card, synthetic_squares((0.0,), reader.card)))
    assert abs(np.diff(logits[:, -1] - logits[:, 0])) > 1


@pytest.mark.parametrize("name", sorted(SHIPPED))
def test_the_probability_of_a_shipped_graph_is_the_calibration_of_its_card(name):
    reader = Reader.load(SHIPPED[name], threads=1)
    squares = np.random.default_rng(1).random((3, *reader.square(Radiograph(np.eye(40, dtype=np.float32))).shape), np.float32)
    logits, probability = reader._session.run(["logits", "probability"], without_image(reader.card, squares))
    card, log_odds = reader.card, (logits[:, -1] - logits[:, 0]).astype(float)
    settings = [card.settings(one) for one in ("child", "adult", None)] if card.populations else [card]
    expected = np.stack([one.calibration(log_odds) for one in settings], 1)
    np.testing.assert_allclose(probability.reshape(expected.shape), expected, atol=1e-6)


DECISIVE = {
    "calibration": Calibration("temperature", 3.0),
    "operating_points": (OperatingPoint(0.6, "youden", "tune", "0" * 64),),
    "grey_zone": GreyZone(0.1, 0.4, "", "tune", "0" * 64),
    "domain": DomainLimit(1.0, "", "tune", "0" * 64),
    "map_scale": 2.0,
    "finding_threshold": 0.1,
    "classes": ("pneumonia", "normal"),
}


@pytest.mark.parametrize("field", DECISIVE)
def test_a_card_that_decides_otherwise_is_another_model(field, glass, tmp_path):
    other = Reader.load(glass_bundle(tmp_path / "other", **{field: DECISIVE[field]}))
    assert other.model.sha256 != Reader.load(glass).model.sha256


def test_the_preprocessing_and_the_graph_belong_to_the_identity():
    card = Card("m", "resnet18", "mlp", ("normal", "pneumonia"), Preprocessing(224), "")
    whole, lungs = (dataclasses.replace(card, preprocessing=Preprocessing(224, view, 0, "a" * 64)) for view in ("whole", "lungs"))
    hashes = {identity_sha256(one, graph) for one in (card, whole, lungs) for graph in ("0" * 64, "1" * 64)}
    assert len(hashes) == 6


@pytest.mark.parametrize("words", [{"name": "other"}, {"limits": "none"}, {"results": {"test": {"n": 3}}}, {"cohort": "other"}])
def test_a_card_that_only_says_other_words_is_the_same_model(words, glass, tmp_path):
    other = Reader.load(glass_bundle(tmp_path / "other", **words))
    assert other.model.sha256 == Reader.load(glass).model.sha256


def test_a_reader_shows_its_model(glass):
    reader = Reader.load(glass)
    assert repr(reader) == f"<Reader glass ({reader.model.sha256[:12]}) for pneumonia>"


def test_the_shipped_card_tells_threshold_calibration_and_limits():
    card = Reader.load(DEFAULT_BUNDLE).card
    assert card.target == "pneumonia"
    assert 0 < card.operating_point.threshold < 1
    assert card.operating_point.split == "tune"
    assert card.operating_point.split_sha256 == card.split_sha256
    assert (card.calibration.split, card.calibration.split_sha256) == ("tune", card.split_sha256)
    assert card.limits


@pytest.mark.parametrize(
    "file", sorted(Path(pneumoscope.__file__).parent.rglob("*.onnx")), ids=lambda f: f"{f.parent.name}/{f.name}"
)
def test_no_shipped_graph_names_a_file_of_the_machine_that_made_it(file):
    content = file.read_bytes()
    assert b"site-packages" not in content
    assert b"pneumoscope/" not in content
