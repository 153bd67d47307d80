"""Half precision of the large weights, and how nearly a file for browsers agrees with its bundle."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from pneumoscope import radiograph
from pneumoscope.cohort.sample import sample
from pneumoscope.export import browser
from pneumoscope.export.errors import ExportError
from pneumoscope.export.half_precision import LEAST_HALVED, halved
from pneumoscope.reader.shipped import SHIPPED


def product(rows: int, cols: int, value: float = 1 / 3) -> onnx.ModelProto:
    """A graph of one matrix product."""
    weight = numpy_helper.from_array(np.full((rows, cols), value, np.float32), "weight")
    node = helper.make_node("MatMul", ["x", "weight"], ["y"])
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, n]) for name, n in (("x", rows), ("y", cols)))
    return helper.make_model(helper.make_graph([node], "product", [x], [y], [weight]))


def test_only_large_weights_are_halved():
    small, large = (halved(product(rows, LEAST_HALVED // 64)).graph for rows in (63, 64))
    assert [tensor.data_type for tensor in small.initializer] == [TensorProto.FLOAT]
    assert [tensor.data_type for tensor in large.initializer] == [TensorProto.FLOAT16]
    assert [node.op_type for node in small.node] == ["MatMul"]
    assert [node.op_type for node in large.node] == ["Cast", "MatMul"]


def test_weights_beyond_half_precision_are_refused():
    with pytest.raises(ExportError, match="'weight' are too large for half precision"):
        halved(product(64, 64, 1e5))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["default", "whole"])
def test_a_shipped_model_in_half_precision_agrees_on_every_shipped_radiograph(name, tmp_path):
    with sample() as cohort:
        proof = [radiograph.read(cohort.file(case)) for case in cohort.cases]
    card = browser.write(SHIPPED[name], tmp_path / "half", proof, "fp16")
    outputs = card["parity"]["outputs"]
    assert card["parity"]["images"] == 16
    assert outputs["probability"] <= 1e-2
    assert outputs[card["map"]["output"]] <= 1e-2
    assert (tmp_path / "half" / card["file"]).stat().st_size <= 5.8e6
