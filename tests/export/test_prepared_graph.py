"""A graph that is optimised when it is exported gives the same outputs without optimization in the runtime."""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from pneumoscope.export.half_precision import LEAST_HALVED, halved
from pneumoscope.export.prepared_graph import prepared


def graph(left: np.ndarray) -> onnx.ModelProto:
    """relu(left @ x + shift) for images of free size, where `shift` is an optional input."""
    nodes = [
        helper.make_node("MatMul", ["left", "x"], ["product"]),
        helper.make_node("Add", ["product", "shift"], ["sum"]),
        helper.make_node("Relu", ["sum"], ["y"]),
    ]
    inputs = [
        helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", "rows", "cols"]),
        helper.make_tensor_value_info("shift", TensorProto.FLOAT, [1]),
    ]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", "rows", "cols"])]
    constants = [numpy_helper.from_array(left, "left"), numpy_helper.from_array(np.array([-0.25], np.float32), "shift")]
    made = helper.make_graph(nodes, "g", inputs, outputs, constants)
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


def outputs(model: onnx.ModelProto, x: np.ndarray) -> np.ndarray:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"]).run(
        None, {"x": x}
    )[0]


@pytest.mark.parametrize(("left", "n_products"), [(np.eye(5), 0), (2 * np.eye(5), 1), (np.eye(5)[::-1], 1)])
def test_products_with_the_identity_go_and_outputs_stay(left, n_products):
    made = prepared(graph(left.astype(np.float32)).SerializeToString(), {"batch": 1, "rows": 5, "cols": 3})
    x = np.random.default_rng(0).random((1, 5, 3), np.float32)
    np.testing.assert_array_equal(outputs(made, x), np.maximum(left.astype(np.float32) @ x - np.float32(0.25), 0))
    assert sum(node.op_type == "MatMul" for node in made.graph.node) == n_products
    assert [value.name for value in made.graph.input] == ["x"]
    assert [dim.dim_value for dim in made.graph.input[0].type.tensor_type.shape.dim] == [1, 5, 3]


def test_named_tensors_keep_their_precision():
    rows = LEAST_HALVED // 64
    wide = graph(np.full((rows, 64), 1 / 3, np.float32))
    assert halved(wide).graph.initializer[0].data_type == TensorProto.FLOAT16
    assert halved(wide, kept={"left"}).graph.initializer[0].data_type == TensorProto.FLOAT
