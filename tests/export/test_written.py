"""What export writes: a bundle that agrees in any batch, is refused when touched, and costs the classifier nothing."""

import json
import shutil

import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn

from pneumoscope.classifier import BACKBONES, Card, CardError, OperatingPoint, Preprocessing
from pneumoscope.classifier.checkpoint import Classifier
from pneumoscope.classifier.network import build
from pneumoscope.export import graph
from pneumoscope.export.graph import ExportError, export
from pneumoscope.heatmap.gradcam import explain
from pneumoscope.reader import BundleError, Reader

SQUARES = np.random.default_rng(4).random((5, 32, 32), np.float32)


@pytest.fixture(scope="module")
def classifier():
    """MobileNet-V3, whose head has a layer of its own before the new one."""
    torch.manual_seed(0)
    network = build(BACKBONES["mobilenet_v3_large"], "linear").train()
    with torch.no_grad():
        for norm in (m for m in network.modules() if isinstance(m, nn.BatchNorm2d)):
            norm.momentum = 1.0
        network(torch.rand(8, 1, 32, 32))
    card = Card(
        name="tiny",
        backbone="mobilenet_v3_large",
        head="linear",
        classes=("normal", "pneumonia"),
        preprocessing=Preprocessing(32),
        init="scratch",
        operating_points=(OperatingPoint(0.5, "youden", "tune", "4711"),),
        map_scale=0.5,
        results={"test": {"n": 3}},
        files={"weights.safetensors": "0123"},
    )
    return Classifier(network.eval(), card)


@pytest.fixture(scope="module")
def written(classifier, tmp_path_factory):
    """The folder of a bundle two folders below one that was there, the weights before, and the card returned."""
    before = {k: v.clone() for k, v in classifier.network.state_dict().items()}
    out = tmp_path_factory.mktemp("export") / "models" / "bundle"
    return out, before, export(classifier, out, list(SQUARES))


@pytest.mark.slow
def test_the_bundle_is_all_that_is_written(written):
    out, _, _ = written

    assert sorted(p.name for p in out.iterdir()) == ["card.json", "model.onnx"]
    assert list(out.parent.iterdir()) == [out]


@pytest.mark.slow
def test_the_weights_are_as_they_were(classifier, written):
    assert all(torch.equal(v, written[1][k]) for k, v in classifier.network.state_dict().items())


@pytest.mark.slow
def test_the_card_is_the_classifiers_with_its_file_and_the_proof(classifier, written):
    out, _, card = written
    loaded = Reader.load(out).card

    assert loaded == card
    assert list(loaded.files) == ["model.onnx"]
    assert loaded.results["test"] == {"n": 3}
    assert loaded.results["export"]["images"] == len(SQUARES)
    assert (loaded.map_scale, loaded.operating_points) == (0.5, classifier.card.operating_points)


@pytest.mark.slow
@pytest.mark.parametrize("batch", [1, 2, 5])
def test_logits_and_maps_are_those_of_pytorch(classifier, written, batch):
    session = onnxruntime.InferenceSession(written[0] / "model.onnx", providers=["CPUExecutionProvider"])
    images = SQUARES[:batch, None]

    logits, maps = session.run(["logits", "maps"], {"image": images})

    assert maps.max() > 0
    for index in (0, 1):
        expected_logits, expected = explain(classifier.network, torch.from_numpy(images), index)
        np.testing.assert_allclose(logits, expected_logits.numpy(), rtol=0, atol=1e-4)
        np.testing.assert_allclose(maps[:, index], expected.numpy(), rtol=0, atol=1e-4 * maps.max())


@pytest.mark.slow
def test_a_touched_graph_is_refused(written, tmp_path):
    bundle = shutil.copytree(written[0], tmp_path / "b")
    intact = (bundle / "model.onnx").read_bytes()
    for place in np.linspace(0, len(intact) - 1, 10).astype(int):
        (bundle / "model.onnx").write_bytes(intact[:place] + bytes([intact[place] ^ 1]) + intact[place + 1 :])
        with pytest.raises(BundleError, match="not the one that its card names; copy the bundle again"):
            Reader.load(bundle)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "error", "says"),
    [
        ({"files": {}}, BundleError, "not the one that its card names"),
        ({"preprocessing": {"side_px": 64}}, BundleError, "another size than its card says"),
        ({"format": 2}, CardError, "has format 2"),
        ({"map_scale": 0}, CardError, "the card is damaged"),
        ({"classes": ["normal"]}, CardError, "the card is damaged"),
    ],
    ids=str,
)
def test_a_touched_card_is_refused(written, tmp_path, change, error, says):
    bundle = shutil.copytree(written[0], tmp_path / "b")
    content = json.loads((bundle / "card.json").read_text())
    (bundle / "card.json").write_text(json.dumps(content | change))

    with pytest.raises(error, match=says):
        Reader.load(bundle)


def test_a_file_is_not_overwritten_either(classifier, tmp_path):
    (tmp_path / "bundle").write_text("mine")

    with pytest.raises(ExportError, match="exists already; choose another folder"):
        export(classifier, tmp_path / "bundle", list(SQUARES))

    assert (tmp_path / "bundle").read_text() == "mine"


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError(28, "No space left on device"), RuntimeError])
def test_whatever_ends_an_export_leaves_nothing_behind(classifier, tmp_path, monkeypatch, error):
    def broken(classifier, path):
        path.write_bytes(b"half a graph")
        raise error

    monkeypatch.setattr(graph, "_write_graph", broken)
    with pytest.raises(error if isinstance(error, type) else OSError):
        export(classifier, tmp_path / "bundle", list(SQUARES))

    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("bound", ["MAX_LOGIT_DIFFERENCE", "MAX_MAP_DIFFERENCE"])
def test_either_difference_is_enough_to_refuse(classifier, written, monkeypatch, bound):
    monkeypatch.setattr(graph, bound, -1.0)

    with pytest.raises(ExportError, match=r"differs from PyTorch .* nothing was written"):
        graph.prove(classifier, written[0], list(SQUARES))
