"""The classifier of a bundle is rebuilt from its graph and gives the graph's outputs."""

import onnxruntime
import pytest
import torch

from pneumoscope.export import bundled_weights
from pneumoscope.export.bundled_weights import classifier_of
from pneumoscope.export.client_parity import compared
from pneumoscope.export.errors import ExportError
from pneumoscope.export.native import eager
from pneumoscope.export.whole_module import WholeModule
from pneumoscope.reader import Reader, bundle
from pneumoscope.reader.shipped import SHIPPED


def test_the_shipped_default_is_rebuilt_from_its_graph(shown):
    folder = SHIPPED["default"]
    classifier = classifier_of(folder, shown[:1])
    names, module, reader = bundle.outputs(classifier.card), WholeModule(classifier), Reader.load(folder)
    session = onnxruntime.InferenceSession(folder / bundle.GRAPH_NAME)
    images = [reader.seen(image)[None, None].copy() for image in shown[1:]]
    parity = compared(names, lambda image: session.run(names, {bundle.IMAGE: image}), lambda image: eager(module, image), images)
    assert parity.pop("distance") <= 1e-4
    assert max(parity.values()) <= 5e-5


def test_a_bundle_with_another_head_is_refused(shown):
    with pytest.raises(ExportError, match=r"with the head 'linear'; only .* an evidence head can be exported again"):
        classifier_of(SHIPPED["whole"], shown[:1])


def test_a_network_that_differs_from_its_graph_is_refused(shown, monkeypatch):
    convolution = bundled_weights._of_convolution

    def shifted(weights, name):
        weight, bias = convolution(weights, name)
        return weight, bias + 0.1 if name.endswith("evidence") else bias

    monkeypatch.setattr(bundled_weights, "_of_convolution", shifted)
    with pytest.raises(ExportError, match=r"differs from its graph by .* in 'probability'"):
        classifier_of(SHIPPED["default"], shown[:1])


def test_weights_of_another_network_are_refused(shown, monkeypatch):
    monkeypatch.setattr(bundled_weights, "_of_convolution", lambda weights, name: (torch.zeros(1), torch.zeros(1)))
    with pytest.raises(ExportError, match="has another network than its card names; give the checkpoint"):
        classifier_of(SHIPPED["default"], shown[:1])
