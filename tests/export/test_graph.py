"""A bundle answers as PyTorch does, or is not written."""

import dataclasses

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from pneumoscope.classifier import BACKBONES, Calibration, Card, Domain, DomainLimit, OperatingPoint, Preprocessing
from pneumoscope.classifier.checkpoint import Classifier
from pneumoscope.classifier.network import build
from pneumoscope.export import graph, parity, precision
from pneumoscope.export.conversion import converted
from pneumoscope.export.errors import ExportError
from pneumoscope.export.graph import Tune, export
from pneumoscope.fingerprint import Fingerprint
from pneumoscope.heatmap.gradcam import METHODS, explain
from pneumoscope.lung_fields import LungFinder
from pneumoscope.radiograph import Radiograph
from pneumoscope.reader import Reader, bundle
from tests.classifier import tiny
from tests.classifier.tiny import SIZE_PX

SIDE = 64
POINTS = (OperatingPoint(0.5, "youden", "tune", "abc"),)


def warmed(name: str, head: str, channels: int, side: int):
    """A network with random weights whose norms have seen some images."""
    torch.manual_seed(0)
    network = build(BACKBONES[name], head).train()
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, torch.nn.BatchNorm2d | torch.nn.BatchNorm1d):
                module.momentum = 1.0
        for _ in range(2):
            network(torch.rand(4, channels, side, side))
    return network.eval()


class Normalized(torch.nn.Module):
    """What a network that adds up evidence sees of a grey square."""

    def __init__(self):
        super().__init__()
        self.network = build(BACKBONES["mobilenet_v2"], "evidence")

    def forward(self, grey):
        return self.network.normalized(grey)


def test_no_bright_square_is_moved_as_a_whole():
    """The sums of ONNX Runtime are off by up to 2e-6 of them here, and a network may see that as one more brightness."""
    model = converted(Normalized().eval(), (torch.rand(3, 1, 224, 224),), ("grey",), ("seen",))
    run = onnxruntime.InferenceSession(model.SerializeToString()).run
    for seed in range(8):
        grey = np.random.default_rng(seed).uniform(0, 1, (1, 1, 224, 224)).astype(np.float32) ** 0.3
        assert abs(run(["seen"], {"grey": grey})[0].mean(dtype=np.float64)) < 1e-7


def whole(name: str = "mobilenet_v2", side: int = SIDE, **changes) -> Classifier:
    """A classifier of the whole view."""
    network = warmed(name, "mlp", 1, side)
    card = Card(
        name="tiny", backbone=name, head="mlp", classes=("normal", "pneumonia"), preprocessing=Preprocessing(side),
        init="scratch", operating_points=POINTS, split_sha256="abc", other_map_scales={"hirescam": 1.0, "layercam": 1.0},
    )  # fmt: skip
    return Classifier(network, dataclasses.replace(card, **changes), LungFinder.load())


def lungs(name: str = "mobilenet_v2", view: str = "lungs", **changes) -> Classifier:
    """A classifier that adds up its evidence, with a domain."""
    network, finder = warmed(name, "evidence", 2, SIDE), LungFinder.load()
    with torch.no_grad():
        domain = Domain.fit(network.embed(torch.rand(40, 2, SIDE, SIDE)).numpy())
    card = Card(
        name="tiny", backbone=name, head="evidence", classes=("normal", "pneumonia"), init="scratch", split_sha256="abc",
        preprocessing=Preprocessing(SIDE, view, source_px=96, lungs=finder.sha256), map_method="evidence",
        operating_points=POINTS, domain=DomainLimit(2.0, "", "tune", "abc"),
    )  # fmt: skip
    return Classifier(network, dataclasses.replace(card, **changes), finder, domain)


@pytest.mark.slow
@pytest.mark.parametrize("name", BACKBONES)
def test_every_backbone_exports_with_its_maps_and_agrees(tmp_path, shown, name, capfd):
    card = export(whole(name, 224 if name.startswith("vit") else SIDE), tmp_path / "bundle", shown)
    outputs = card.results["export"]["outputs"]
    assert set(METHODS) < set(outputs)
    assert all(one["graph"] <= one["allowed"] for one in outputs.values())
    assert "Skipping" not in capfd.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize(("name", "view"), [("resnet18", "lungs"), ("efficientnet_lite0", "lungs"), ("mobilenet_v2", "whole")])
def test_evidence_exports_in_both_views_and_agrees(tmp_path, shown, name, view):
    card = export(lungs(name, view), tmp_path / "bundle", shown)
    assert card.results["export"]["outputs"]["looked_at"]["graph"] <= 1e-3
    assert Reader.load(tmp_path / "bundle").card.map_scales == {"evidence": 1.0}


@pytest.mark.parametrize("batch", [1, 3])
def test_logits_and_maps_of_both_classes_agree_in_batches(bundled, batch):
    model, out = bundled
    reader = Reader.load(out)
    squares = np.random.default_rng(1).random((batch, 1, SIZE_PX, SIZE_PX), np.float32)
    for name, combine in METHODS.items():
        maps = reader.raw_maps(squares, name)
        for index in (0, 1):
            logits, expected = explain(model.network, torch.from_numpy(squares), index, combine)
            assert np.abs(maps[:, index] - expected.numpy()).max() <= 1e-4 * max(float(expected.max()), 1.0)
            assert reader.log_odds(squares) == pytest.approx((logits[:, 1] - logits[:, 0]).numpy(), abs=1e-4)


def test_the_evidence_of_a_bundle_gives_back_its_logit(bundled_evidence):
    """Log-sum-exp over the lung's cells with r = 4, computed here from the map and the square alone."""
    reader = Reader.load(bundled_evidence[1])
    squares = np.random.default_rng(1).random((3, 2, SIZE_PX, SIZE_PX), np.float32)
    log_odds, maps = reader.explain(squares)
    cell = SIZE_PX // maps.shape[-1]
    share = np.maximum(squares[:, 1].reshape(3, maps.shape[1], cell, maps.shape[2], cell).mean((2, 4)), 1e-12)
    pooled = np.log((share * np.exp(4.0 * maps.astype(float))).sum((1, 2)) / share.sum((1, 2))) / 4
    assert log_odds == pytest.approx(pooled, abs=1e-5)


def test_the_way_from_the_radiograph_is_that_of_the_preparation(bundled_evidence, shown):
    """The graph's own lung fields, box and square, from the radiograph at its own size, against Pillow's and NumPy's."""
    model, out = bundled_evidence
    reader = Reader.load(out)
    for image in shown:
        given = model.prepare(image)
        assert reader.find(image).box == given.lung_fields.box
        assert np.abs(reader.square(image) - given.pixels).max() < 1e-3
        (raw,) = reader._session.run([bundle.LOOKED_AT], {bundle.IMAGE: image.pixels[None, None]})
        assert np.abs(raw[0, 0] - given.pixels[0]).max() < 1e-3
        reading = reader.read(image)
        assert reading.score.log_odds == pytest.approx(model.log_odds(given.pixels[None])[0], abs=1e-4)
        features = model.network.embed(torch.from_numpy(given.pixels)[None]).detach().numpy()
        assert reading.domain.distance == pytest.approx(model.domain.distance(features)[0], rel=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize(
    "calibration",
    [
        Calibration("temperature", 2.5),
        Calibration("logistic", 0.5, intercept=-1.25),
        Calibration("isotonic", knots=((-1.0, 0.1), (0.0, 0.4), (2.0, 0.9))),
    ],
    ids=["temperature", "logistic", "isotonic"],
)
def test_the_probability_in_the_graph_is_the_cards(tmp_path, shown, calibration):
    out = tmp_path / "bundle"
    export(tiny.classifier(calibration=calibration), out, shown[:1])
    reader = Reader.load(out)
    square = np.random.default_rng(0).random((4, 1, SIZE_PX, SIZE_PX), np.float32)
    logits, probability = reader._run((bundle.LOGITS, bundle.PROBABILITY), {
        bundle.IMAGE: np.zeros((1, 1, 8, 8), np.float32), bundle.SQUARE: square, bundle.GIVEN: np.array(True),
    })  # fmt: skip
    assert probability[:, 0] == pytest.approx(calibration(logits[:, 1] - logits[:, 0]), abs=1e-5)


def test_the_graph_is_plain_onnx_of_any_batch_and_names_no_file_of_the_maker(bundled_evidence):
    model = onnx.load(bundled_evidence[1] / bundle.GRAPH_NAME)
    assert [(o.domain, o.version) for o in model.opset_import] == [("", 20)]
    assert {node.domain for node in model.graph.node} <= {"", "ai.onnx"}
    assert b"site-packages" not in (bundled_evidence[1] / bundle.GRAPH_NAME).read_bytes()
    assert not [node.name for node in model.graph.node if node.doc_string or node.metadata_props]
    axes = {
        v.name: v.type.tensor_type.shape.dim[0].dim_param
        for v in (*model.graph.input, *model.graph.output)
        if v.name != "square_given"
    }
    assert set(axes.values()) == {"batch", "squares", "readings"}


def test_an_existing_folder_is_not_overwritten(bundled, shown):
    with pytest.raises(ExportError, match="exists already"):
        export(bundled[0], bundled[1], shown)


def test_a_graph_that_disagrees_leaves_nothing_behind(bundled, shown, tmp_path, monkeypatch):
    monkeypatch.setattr(parity, "FACTOR", -1.0)
    monkeypatch.setattr(graph, "whole_graph", lambda _: onnx.load(bundled[1] / bundle.GRAPH_NAME))
    with pytest.raises(ExportError, match=r"in its output 'logits' .*nothing was written"):
        export(bundled[0], tmp_path / "bundle", shown[:1])
    assert list(tmp_path.iterdir()) == []


def test_half_precision_halves_the_weights_and_hardly_moves_the_answers(bundled_evidence, shown, tmp_path):
    wide = onnx.load(bundled_evidence[1] / bundle.GRAPH_NAME)
    card = graph.write(
        precision.halved(wide), dataclasses.replace(Reader.load(bundled_evidence[1]).card, precision="fp16"), tmp_path
    )
    assert (tmp_path / bundle.GRAPH_NAME).stat().st_size < 0.6 * (bundled_evidence[1] / bundle.GRAPH_NAME).stat().st_size
    assert card.precision == "fp16"
    small, whole_ = Reader.load(tmp_path), Reader.load(bundled_evidence[1])
    for image in shown:
        assert small.read(image).score.probability == pytest.approx(whole_.read(image).score.probability, abs=0.02)


def test_eight_bits_are_smaller_still_and_keep_lungs_and_first_layers(bundled_evidence, shown, tmp_path, capfd, caplog):
    wide = onnx.load(bundled_evidence[1] / bundle.GRAPH_NAME)
    reader = Reader.load(bundled_evidence[1])
    small = precision.quantized(wide, [reader.seen(image) for image in shown], 0.4)
    assert (capfd.readouterr(), caplog.messages) == (("", ""), [])
    graph.write(small, dataclasses.replace(reader.card, precision="int8"), tmp_path)
    assert (tmp_path / bundle.GRAPH_NAME).stat().st_size < 0.6 * (bundled_evidence[1] / bundle.GRAPH_NAME).stat().st_size
    eights = [t.name for t in small.graph.initializer if t.data_type == onnx.TensorProto.INT8]
    assert eights
    assert not [name for name in eights if name.startswith("lungs/")]
    assert np.isfinite(Reader.load(tmp_path).read(shown[0]).score.log_odds)


def test_a_smaller_bundle_is_accepted_only_within_its_bounds():
    assert precision.accepted(precision.Agreement(100, 0.003, 0.99, 0.97), "int8")["map_correlation"] == 0.97
    for broken, says in (
        (precision.Agreement(100, -0.0031, 1, 1), "ROC-AUC changes by -0.0031"),
        (precision.Agreement(100, 0, 0.98, 1), "98.00% of the decisions"),
        (precision.Agreement(100, 0, 1, 0.969), "correlate by 0.969"),
    ):
        with pytest.raises(ExportError, match=says):
            precision.accepted(broken, "int8")


def test_agreement_by_hand():
    """Of four radiographs one is decided otherwise, which also moves it past a normal one: AUC 1 becomes 0.75."""
    clear = Answering([0.1, 0.2, 0.8, 0.9])
    other = Answering([0.1, 0.2, 0.15, 0.9])
    images = [Radiograph(np.full((2, 2), k / 4, np.float32)) for k in range(4)]
    found = precision.agreement(clear, other, images, np.array([0, 0, 1, 1]))
    assert (found.auc_difference, found.decisions, found.map_correlation) == pytest.approx((-0.25, 0.75, 1.0))


class Answering:
    """Reads the k-th image of four as the k-th probability; its map is the same for all."""

    def __init__(self, probabilities):
        self.probabilities = probabilities

    def read(self, image):
        p = self.probabilities[round(float(image.pixels[0, 0]) * 4)]
        values = np.float32([[0, 1], [2, 3]])
        return type("R", (), {
            "score": type("S", (), {"probability": p}), "decision": "positive" if p >= 0.5 else "negative",
            "heatmap": type("H", (), {"values": values}),
        })  # fmt: skip


def test_another_precision_wants_the_tune_side(tmp_path, shown):
    with pytest.raises(ExportError, match="on the tune split of the model"):
        export(tiny.classifier(), tmp_path / "bundle", shown, precision="int8")


def test_an_export_in_half_precision_tells_what_became_of_the_answers(bundled, shown, tmp_path, monkeypatch):
    monkeypatch.setattr(graph, "whole_graph", lambda _: onnx.load(bundled[1] / bundle.GRAPH_NAME))
    known = (Fingerprint("salt", ("0a",), ("2c",)),)
    model = dataclasses.replace(bundled[0], trained_on=known)
    card = export(model, tmp_path / "bundle", shown, precision="fp16", tune=Tune(shown, np.array([0, 1])))
    assert (card.precision, card.results["precision"]["images"]) == ("fp16", 2)
    cost, file = card.results["cost"], tmp_path / "bundle" / bundle.GRAPH_NAME
    assert cost["bytes"]["fp16"] == file.stat().st_size < 0.6 * cost["bytes"]["fp32"]
    assert set(cost["ms"]) == {"fp32", "fp16"}
    assert all(0 < ms < 10_000 for ms in cost["ms"].values())
    assert sorted(p.name for p in (tmp_path / "bundle").iterdir()) == ["card.json", "model.onnx", "trained_on.json"]
    assert Reader.load(tmp_path / "bundle").trained_on == known
    assert list(tmp_path.iterdir()) == [tmp_path / "bundle"]
