"""The proof of an export covers every output of the graph, within what single precision itself costs."""

import copy
import dataclasses

import numpy as np
import onnx
import pytest
import torch
from onnx import helper, numpy_helper

from pneumoscope.classifier import Calibration
from pneumoscope.classifier import card as cards
from pneumoscope.export import parity
from pneumoscope.export.conversion import OPSET
from pneumoscope.export.errors import ExportError
from pneumoscope.export.graph import whole_graph, write
from pneumoscope.export.parity import prove
from pneumoscope.export.scored_network import ScoredNetwork
from pneumoscope.reader import bundle
from tests.classifier import tiny

OUTPUTS = (
    "lungs", "lung_quality", "lungs_found", "lung_box", "looked_at", "logits", "distance", "probability", "decision", "abstains",
    "inside_domain",
)  # fmt: skip
MAPS = {
    "bundled": ("grad-cam", "hirescam", "layercam", "grad-cam-scaled", "hirescam-scaled", "layercam-scaled"),
    "bundled_evidence": ("evidence", "evidence-scaled"),
}


def test_every_output_of_the_graph_has_a_bound_that_it_keeps(bundled, bundled_evidence, shown):
    for name, (classifier, folder) in (("bundled", bundled), ("bundled_evidence", bundled_evidence)):
        found = prove(classifier, folder, shown)
        assert (found["images"], found["factor"]) == (2, 10)
        assert set(found["outputs"]) == {*OUTPUTS, *MAPS[name], "probability of the whole radiograph"}
        assert all(0 <= one["graph"] <= one["allowed"] <= 0.01 for one in found["outputs"].values())


def changed(folder, output, change, to):
    """The bundle with one output of its graph multiplied by 1 + `change`, or, of truth values, turned round."""
    model = onnx.load(folder / bundle.GRAPH_NAME)
    for node in model.graph.node:
        node.output[:] = [f"{name}/before" if name == output else name for name in node.output]
        node.input[:] = [f"{name}/before" if name == output else name for name in node.input]
    model.graph.initializer.append(numpy_helper.from_array(np.float32(1 + change), "change"))
    model.graph.node.append(helper.make_node("Mul", [f"{output}/before", "change"], [output]))
    card = cards.read(folder)
    write(model, card, to)
    return to


@pytest.mark.parametrize(
    ("output", "change"),
    [
        *((name, 1e-3) for name in ("logits", "probability", "distance", "grad-cam", "hirescam", "layercam", "lung_box")),
        ("lung_quality", 1e-3),
        ("looked_at", 5e-3),
        ("lungs", -1.0),
        ("lungs_found", -1.0),
        *((f"{name}-scaled", 1e-3) for name in ("grad-cam", "hirescam", "layercam")),
        *((name, 0.5) for name in ("decision", "inside_domain")),
    ],
)
def test_a_graph_that_is_off_in_any_output_is_refused(bundled, shown, tmp_path, output, change):
    classifier, folder = bundled
    with pytest.raises(ExportError, match=rf"in its output '{output}.*' \(allowed .*nothing was written"):
        prove(classifier, changed(folder, output, change, tmp_path / "bundle"), shown)


def test_evidence_that_is_off_is_refused(bundled_evidence, shown, tmp_path):
    classifier, folder = bundled_evidence
    for output in ("evidence", "evidence-scaled"):
        with pytest.raises(ExportError, match=f"in its output '{output}'"):
            prove(classifier, changed(folder, output, 1e-3, tmp_path / output), shown)


@pytest.mark.parametrize(
    ("what", "change"),
    [
        ("probability", {"calibration": Calibration("temperature", 1.01)}),
        ("probability", {"calibration": Calibration("isotonic", knots=((-1.0, 0.1), (0.0, 0.4), (2.0, 0.9)))}),
    ],
    ids=["temperature", "isotonic"],
)
def test_a_graph_of_another_calibration_than_the_cards_is_refused(bundled, shown, what, change):
    """The reader calibrates by the card, a browser takes the probability from the graph."""
    classifier, folder = bundled
    other = dataclasses.replace(classifier, card=dataclasses.replace(classifier.card, **change))
    with pytest.raises(ExportError, match=f"in its output '{what}'"):
        prove(other, folder, shown)


def test_a_graph_of_another_domain_is_refused(bundled, shown):
    classifier, folder = bundled
    other = dataclasses.replace(classifier, domain=dataclasses.replace(classifier.domain, rest=1.1 * classifier.domain.rest))
    with pytest.raises(ExportError, match="in its output 'distance'"):
        prove(other, folder, shown)


@pytest.fixture(scope="module")
def steep(bundled, shown, tmp_path_factory):
    """A sound classifier whose calibration makes the most of its log-odds: rounding is visible in its probability."""
    classifier, _ = bundled
    network = copy.deepcopy(classifier.network)
    with torch.no_grad():  # log-odds of 0 for the first radiograph
        network.model[2].bias[1] -= float(classifier.log_odds(classifier.prepare(shown[0]).pixels[None])[0])
    card = dataclasses.replace(classifier.card, calibration=Calibration("temperature", 5e-4), opset=OPSET)
    steep = dataclasses.replace(classifier, network=network, card=card)
    folder = tmp_path_factory.mktemp("steep") / "bundle"
    write(whole_graph(steep), card, folder)
    return steep, folder


def test_a_sound_network_is_not_refused_for_what_single_precision_costs(steep, shown):
    """An hour of training was refused by a constant bound of 1e-5 at a difference of 1.0e-05 in the probability."""
    classifier, folder = steep
    found = prove(classifier, folder, shown)["outputs"]["probability"]
    assert found["graph"] > 1e-5
    assert found["allowed"] > found["graph"]


def test_a_network_that_single_precision_cannot_tell_is_refused(bundled, shown, monkeypatch):
    monkeypatch.setattr(parity, "SENSITIVE", 1e-9)
    with pytest.raises(ExportError, match="the network is too sensitive to rounding to be exported; train it again"):
        prove(*bundled, shown)


def test_an_answer_that_is_not_a_number_is_refused(bundled, shown, tmp_path):
    classifier, folder = bundled
    with pytest.raises(ExportError, match="in its output 'distance'"):
        prove(classifier, changed(folder, "distance", np.nan, tmp_path / "bundle"), shown)


def test_a_formula_of_the_graph_that_is_not_the_readers_is_refused_however_large_rounding_is(bundled, shown, monkeypatch):
    """A bound that follows from single precision would hide it: single precision has the same formula."""
    right = ScoredNetwork.distance
    monkeypatch.setattr(ScoredNetwork, "distance", lambda self, features: 1.01 * right(self, features))
    with pytest.raises(ExportError, match="computes another 'distance' than the reader"):
        prove(*bundled, shown)


def test_a_distance_that_single_precision_cannot_tell_does_not_refuse_the_network(shown, tmp_path):
    """A short training on few images leaves features of hardly any spread: rounding changes the distance in PyTorch as well."""
    classifier = tiny.classifier()
    square = torch.from_numpy(classifier.prepare(shown[0]).pixels[None]).double()
    with torch.no_grad():
        mean = copy.deepcopy(classifier.network).double().embed(square)[0].numpy().astype(np.float32)
    domain = dataclasses.replace(classifier.domain, mean=mean, scale=np.full_like(mean, 1e-6))
    near = dataclasses.replace(classifier, domain=domain, card=dataclasses.replace(classifier.card, opset=OPSET))
    write(whole_graph(near), near.card, tmp_path / "bundle")
    found = prove(near, tmp_path / "bundle", shown[:1])["outputs"]["distance"]
    assert found["allowed"] > 10 * 1e-3
    assert found["graph"] <= found["allowed"]
