"""No exported graph needs an antialiased ``Resize``: OpenVINO and MNN ignore it without a warning."""

import numpy as np
import onnx
import onnxruntime
import pytest

from pneumoscope.export.antialiasing import without_antialiased_resize
from pneumoscope.export.conversion import any_image, converted
from pneumoscope.export.lung_crop import Whole
from pneumoscope.lung_fields.finder import GRAPH_NAME, SHIPPED
from pneumoscope.radiograph import Radiograph
from pneumoscope.radiograph.placement import on_whole
from pneumoscope.reader import bundle
from pneumoscope.reader.shipped import SHIPPED as BUNDLES

SIDE = 64


def antialiased(model):
    return [n.name for n in model.graph.node if n.op_type == "Resize" and any(a.name == "antialias" and a.i for a in n.attribute)]


def session(model):
    return onnxruntime.InferenceSession(model.SerializeToString())


@pytest.fixture(scope="module")
def resampling():
    return session(converted(Whole(SIDE), [any_image()], ["image"], ["square"]))


@pytest.mark.parametrize("shape", [(2, 5), (40, 90), (64, 64), (203, 241), (1500, 1001)])
def test_whole_images_of_any_size_are_resampled_as_pillow_does(resampling, shape):
    image = np.random.default_rng(0).random(shape, np.float32)
    (square,) = resampling.run(None, {"image": image[None, None]})
    radiograph = Radiograph(image)
    assert square[0, 0] == pytest.approx(on_whole(radiograph, SIDE).pixels_to_square(radiograph), abs=2e-5)


def test_a_square_of_the_right_size_is_not_changed(resampling):
    image = np.random.default_rng(0).random((1, 1, SIDE, SIDE), np.float32)
    assert (resampling.run(None, {"image": image})[0] == image).all()


def test_exported_graphs_have_no_antialiased_resize(bundled, bundled_evidence):
    for _, folder in (bundled, bundled_evidence):
        assert antialiased(onnx.load(folder / bundle.GRAPH_NAME)) == []


@pytest.mark.parametrize("file", [SHIPPED / GRAPH_NAME, *(folder / bundle.GRAPH_NAME for folder in BUNDLES.values())])
def test_earlier_graphs_answer_the_same_without_it(file, shown):
    graph = onnx.load(file)
    portable = without_antialiased_resize(graph)
    assert antialiased(portable) == []
    onnx.checker.check_model(portable)
    image = shown[0].pixels[None, None]
    before, now = (session(model).run(None, {"image": image}) for model in (graph, portable))
    for a, b, value in zip(before, now, graph.graph.output, strict=True):
        cells = np.mean(np.abs(a - b) > 1e-4) if value.name in ("lungs", bundle.LOOKED_AT) else np.abs(a - b).max()
        assert cells <= 1e-4, value.name
