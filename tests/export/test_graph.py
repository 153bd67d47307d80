"""A bundle answers as PyTorch does, or is not written."""

import numpy as np
import onnxruntime
import pytest
import torch

from pneumoscope.classifier import BACKBONES, Card, OperatingPoint, Preprocessing
from pneumoscope.classifier.checkpoint import Classifier
from pneumoscope.classifier.network import build
from pneumoscope.export import graph
from pneumoscope.export.graph import ExportError, export
from pneumoscope.heatmap.gradcam import explain
from pneumoscope.lung_fields import LungFinder
from pneumoscope.radiograph import Radiograph
from pneumoscope.reader import Reader


def classifier(name: str, side: int) -> Classifier:
    torch.manual_seed(0)
    network = build(BACKBONES[name], "mlp").train()
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, torch.nn.BatchNorm2d | torch.nn.BatchNorm1d):
                module.momentum = 1.0
        for _ in range(2):
            network(torch.rand(4, 1, side, side))
    card = Card(
        name="tiny", backbone=name, head="mlp", classes=("normal", "pneumonia"), preprocessing=Preprocessing(side),
        init="scratch", operating_points=(OperatingPoint(0.5, "youden", "tune", "abc"),), split_sha256="abc",
    )  # fmt: skip
    return Classifier(network.eval(), card)


def squares(side: int, count: int = 3) -> np.ndarray:
    return np.random.default_rng(1).random((count, 1, side, side), np.float32)


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    model, out = classifier("mobilenet_v2", 64), tmp_path_factory.mktemp("export") / "bundle"
    export(model, out, squares(64))
    return model, out


@pytest.mark.slow
@pytest.mark.parametrize(("name", "side"), [("resnet18", 64), ("efficientnet_lite0", 64)])
def test_other_kinds_of_backbones_export_and_agree(tmp_path, name, side):
    card = export(classifier(name, side), tmp_path / "bundle", squares(side, 2))
    assert card.results["export"]["largest_map_difference"] <= 1e-4


def evidence(name: str, side: int) -> Classifier:
    """A classifier of the lungs view whose norms have seen some images."""
    torch.manual_seed(0)
    network, finder = build(BACKBONES[name], "evidence").train(), LungFinder.load()
    with torch.no_grad():
        for _ in range(2):
            network(torch.rand(4, 2, side, side))
    card = Card(
        name="tiny", backbone=name, head="evidence", classes=("normal", "pneumonia"), init="scratch", split_sha256="abc",
        preprocessing=Preprocessing(side, "lungs", lungs=finder.sha256), map_method="evidence",
        operating_points=(OperatingPoint(0.5, "youden", "tune", "abc"),),
    )  # fmt: skip
    return Classifier(network.eval(), card, finder)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mobilenet_v2", "resnet18", "efficientnet_lite0"])
def test_the_evidence_of_a_bundle_is_pytorchs_and_gives_back_the_logit(tmp_path, name):
    model, square = evidence(name, 64), np.random.default_rng(1).random((3, 2, 64, 64), np.float32)
    export(model, tmp_path / "bundle", square)
    log_odds, maps = Reader.load(tmp_path / "bundle").explain(square)
    with torch.no_grad():
        logits, cells = model.network.explain(torch.from_numpy(square))
    assert np.abs(maps - cells.numpy()).max() < 1e-4
    assert log_odds == pytest.approx((logits[:, 1] - logits[:, 0]).numpy(), abs=1e-4)
    cell = 64 // maps.shape[-1]
    share = np.maximum(square[:, 1].reshape(3, maps.shape[1], cell, maps.shape[2], cell).mean((2, 4)), 1e-12)
    pooled = np.log((share * np.exp(4.0 * maps.astype(float))).sum((1, 2)) / share.sum((1, 2))) / 4
    assert log_odds == pytest.approx(pooled, abs=1e-5)


@pytest.mark.slow
def test_a_backbone_that_cannot_be_converted_is_refused_with_a_sentence(tmp_path):
    with pytest.raises(ExportError, match="cannot turn vit_b_16 with its heat map into an ONNX graph"):
        export(classifier("vit_b_16", 224), tmp_path / "bundle", squares(224, 1))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("batch", [1, 3])
def test_logits_and_maps_of_both_classes_agree_in_batches(exported, batch):
    model, out = exported
    session = onnxruntime.InferenceSession(out / "model.onnx", providers=["CPUExecutionProvider"])
    image = squares(64, batch)
    logits, maps = session.run(["logits", "maps"], {"image": image})
    for index in (0, 1):
        expected_logits, expected = explain(model.network, torch.from_numpy(image), index)
        assert np.abs(logits - expected_logits.numpy()).max() < 1e-4
        assert expected.max() > 0
        assert np.abs(maps[:, index] - expected.numpy()).max() <= 1e-4 * float(expected.max())


def test_the_bundle_is_read_without_the_checkpoint(exported):
    model, out = exported
    pixels = np.random.default_rng(2).random((90, 70), np.float32)
    reading = Reader.load(out).read(Radiograph(pixels))
    assert reading.heatmap.values.shape == (90, 70)
    square = np.asarray(squares(64)[0])
    assert Reader.load(out).log_odds(square[None])[0] == pytest.approx(model.score(square).log_odds, abs=1e-4)


def test_the_card_keeps_the_proof(exported):
    proof = Reader.load(exported[1]).card.results["export"]
    assert proof["images"] == 3
    assert 0 <= proof["largest_logit_difference"] <= 1e-4


def test_an_existing_folder_is_not_overwritten(exported):
    with pytest.raises(ExportError, match="exists already"):
        export(exported[0], exported[1], squares(64))


@pytest.mark.slow
def test_a_graph_that_disagrees_leaves_nothing_behind(exported, tmp_path, monkeypatch):
    monkeypatch.setattr(graph, "MAX_LOGIT_DIFFERENCE", -1.0)
    with pytest.raises(ExportError, match="nothing was written"):
        export(exported[0], tmp_path / "bundle", squares(64))
    assert list(tmp_path.iterdir()) == []
