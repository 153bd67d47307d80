"""Files for phones answer in their own runtimes as PyTorch does, by numbers; the card for clients says how nearly."""

import dataclasses
import json

import numpy as np
import onnxruntime
import pytest
import torch

from pneumoscope.export import native
from pneumoscope.export.bundled_weights import classifier_of
from pneumoscope.export.client_card import client_card
from pneumoscope.export.client_parity import BOUNDS, compared, differing
from pneumoscope.export.errors import ExportError
from pneumoscope.export.whole_module import WholeModule, lung_network
from pneumoscope.lung_fields import LungFinder
from pneumoscope.radiograph.placement import on_whole
from pneumoscope.reader import Reader, bundle
from pneumoscope.reader.shipped import SHIPPED
from tests.export.test_deciding import BOTH, card


@pytest.mark.parametrize("name", ["bundled", "bundled_evidence"])
def test_the_module_for_other_runtimes_gives_the_outputs_of_the_graph(name, request, shown):
    """The lung-field network takes its weights from the shipped graph, the rest from the classifier."""
    classifier, folder = request.getfixturevalue(name)
    module, names = WholeModule(classifier), bundle.outputs(classifier.card)
    session = onnxruntime.InferenceSession(folder / bundle.GRAPH_NAME)
    seen = [on_whole(image, classifier.card.preprocessing.seen_px).pixels_to_square(image)[None, None] for image in shown]
    parity = compared(
        names,
        lambda image: session.run(names, {bundle.IMAGE: image}),
        lambda image: [value.numpy() for value in module(torch.from_numpy(image.copy()))],
        seen,
    )
    assert parity.pop("distance") <= 1e-4
    assert max(parity.values()) <= 5e-6


def test_a_lung_field_model_with_another_network_is_refused(monkeypatch):
    monkeypatch.setattr("pneumoscope.lung_fields.network._WIDTHS", (12, 24, 48, 64, 60))
    with pytest.raises(ExportError, match="has another network than this version; train it again"):
        lung_network(LungFinder.load())


def test_differences_by_hand():
    names = ("lungs", "probability", "logits")
    parity = compared(
        names,
        lambda _: [np.float32([0, 0, 1, 1]), np.float32([0.5]), np.float32([-4.0, 2.0])],
        lambda _: [np.float32([0, 1, 1, 1]), np.float32([0.75]), np.float32([-4.0, 3.0])],
        [np.zeros((1, 1, 2, 2), np.float32)],
    )
    assert parity == {"lungs": 0.25, "probability": 0.25, "logits": 0.25}


SOUND = {"lungs": 0.0, "lung_quality": 0.0, "lung_box": 0.0, "probability": 0.0, "evidence-scaled": 0.0, "decision": 1.0}


@pytest.mark.parametrize(
    ("changes", "precision", "says"),
    [
        ({}, "fp32", ""),
        ({"probability": 2e-4}, "fp32", "by 2.0e-04 in 'probability' (allowed 1e-04)"),
        ({"probability": 2e-4, "evidence-scaled": 9e-3}, "fp16", ""),
        ({"evidence-scaled": 2e-2}, "fp16", "by 2.0e-02 in 'evidence-scaled' (allowed 1e-02)"),
        ({"probability": float("nan")}, "fp16", "by nan in 'probability' (allowed 1e-02)"),
        ({"lungs": 0.02}, "fp32", "by 2.0e-02 in 'lungs' (allowed 1e-02)"),
    ],
)
def test_numbers_must_agree_and_decisions_need_not(changes, precision, says):
    assert differing(SOUND | changes, precision) == says


def test_the_card_for_clients_has_what_a_program_needs_to_show_the_outputs():
    made = client_card(card(populations=BOTH), "model.onnx", "ab", runtime="onnxruntime-web")
    assert json.loads(json.dumps(made)) == made
    assert [one["name"] for one in made["settings"]] == ["child", "adult", "unknown"]
    assert [one["threshold"] for one in made["settings"]] == [0.7, 0.4, 0.4]
    assert [one["domain_limit"] for one in made["settings"]] == [1.5, 2.5, 1.5]
    drawn = {"output": "evidence-scaled", "index": 1, "method": "evidence", "scale": 1.0, "size_px": 8}
    assert made["map"] == {**drawn, "covers": "whole", "pooled": "whole"}
    assert (made["populations"], made["cautious_population"], made["severity"]) == (["adult", "child"], "adult", None)
    assert made["model"]["name"] == "m"
    assert made["input"] == {"name": "image", "size_px": 8}
    assert made["runtime"] == "onnxruntime-web"


def test_nothing_is_written_without_the_runtime_or_over_a_folder(bundled, shown, tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "litert_torch", None)
    with pytest.raises(ExportError, match=r"pip install 'pneumoscope\[mobile\]'"):
        native.export(bundled[0], tmp_path / "out", shown, "litert")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ExportError, match="exists already"):
        native.export(bundled[0], tmp_path, shown, "litert")
    with pytest.raises(ExportError, match="ExecuTorch files are exported in fp32"):
        native.export(bundled[0], tmp_path / "out", shown, "executorch", "fp16")


@pytest.mark.mobile
@pytest.mark.parametrize(("runtime", "precision", "file"), [
    ("litert", "fp32", "model.tflite"), ("litert", "fp16", "model.tflite"), ("executorch", "fp32", "model.pte"),
])  # fmt: skip
@pytest.mark.parametrize("name", ["bundled", "bundled_evidence"])
def test_each_format_is_read_back_by_its_own_runtime(name, request, shown, tmp_path, runtime, precision, file):
    classifier, folder = request.getfixturevalue(name)
    described = native.export(classifier, tmp_path / "out", shown, runtime, precision)
    assert {one.name for one in (tmp_path / "out").iterdir()} == {file, "client.json"}
    assert described["parity"]["images"] == 2
    module = native.litert_file if runtime == "litert" else native.executorch_file
    outputs, reader = module.outputs(tmp_path / "out" / file), Reader.load(folder)
    for image in shown:
        values = dict(zip(described["outputs"], outputs(reader.seen(image)[None, None]), strict=True))
        reading = reader.read(image)
        assert values["probability"][0, -1] == pytest.approx(reading.score.probability, abs=BOUNDS[precision][0])
        shape = reading.heatmap.cells.shape
        assert values[described["map"]["output"]].shape == (1, 2, *shape)


@pytest.mark.mobile
def test_the_shipped_default_is_exported_in_half_precision(shown, tmp_path):
    """Its first layers are sensitive: with all weights halved a heat map is off by 0.05."""
    described = native.export(classifier_of(SHIPPED["default"], shown), tmp_path / "out", shown, "litert", "fp16")
    assert (tmp_path / "out" / "model.tflite").stat().st_size < 6.5e6
    assert described["parity"]["outputs"]["evidence-scaled"] <= 1e-2


@pytest.mark.mobile
def test_a_file_that_disagrees_is_not_written(bundled, shown, tmp_path, monkeypatch):
    other = dataclasses.replace(bundled[0].card, map_scale=2.0)
    right = WholeModule.forward
    monkeypatch.setattr(
        native, "eager", lambda module, image: [v.numpy() + 0.1 for v in right(module, torch.from_numpy(image.copy()))]
    )
    with pytest.raises(ExportError, match=r"in litert, fp32, the graph differs by .* in 'lung_quality'.*; nothing was written"):
        native.export(dataclasses.replace(bundled[0], card=other), tmp_path / "out", shown, "litert")
    assert list(tmp_path.iterdir()) == []
