"""A bundle that is damaged, foreign or incomplete is refused with one sentence; the shipped one is whole."""

import hashlib
import shutil
from pathlib import Path

import pytest

import pneumoscope
from pneumoscope.classifier import CardError, Preprocessing
from pneumoscope.reader import DEFAULT_BUNDLE, BundleError, Reader
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
    "foreign graph under a true hash": (lambda f: _replaced(f, graph(image="x")), BundleError, "no explained"),
    "graph of another format": (lambda f: _replaced(f, graph(made_by="1")), BundleError, "has format 1"),
    "graph of unknown operators": (lambda f: _replaced(f, opset=99), BundleError, "ONNX operators 99"),
    "graph of another map": (lambda f: _replaced(f, graph(maps="layercam")), BundleError, "other maps than its card says"),
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


def test_the_undamaged_bundle_is_read_with_and_says_which_it_is(glass):
    model = Reader.load(glass).model
    assert model.name == "glass"
    assert model.sha256 == hashlib.sha256((glass / "model.onnx").read_bytes()).hexdigest()


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
