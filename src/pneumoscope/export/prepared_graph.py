"""Optimise a graph when it is exported, so that a client need not do it each time it starts."""

import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import numpy_helper

from pneumoscope.onnx_session import CPU

LOG_ERRORS = 3
"""Level of ONNX Runtime's log: errors and worse."""
MATRIX = 2
"""Number of dimensions of a matrix."""


def prepared(graph: bytes, sizes: Mapping[str, int]) -> onnx.ModelProto:
    """Fix the free dimensions and the optional inputs of a graph, fold its constants and fuse its operators.

    The result has operators of ONNX Runtime (domain ``com.microsoft``) and runs at once in ONNX Runtime without optimization
    (``graphOptimizationLevel: "disabled"``). The layout of the tensors, which depends on the processor, is not changed.

    Parameters
    ----------
    graph : bytes
        Serialized ONNX model.
    sizes : mapping of str to int
        Size of each free dimension of the inputs by its name, >= 1.

    Returns
    -------
    ModelProto
        Optimised graph with the same outputs. Inputs that have a default value are constants.
    """
    whole = onnx.load_from_string(graph)
    defaults = {tensor.name for tensor in whole.graph.initializer}
    needed = [value for value in whole.graph.input if value.name not in defaults]
    del whole.graph.input[:]
    whole.graph.input.extend(needed)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = LOG_ERRORS
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    for name, size in sizes.items():
        options.add_free_dimension_override_by_name(name, size)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "prepared.onnx"
        options.optimized_model_filepath = str(path)
        onnxruntime.InferenceSession(whole.SerializeToString(), options, providers=[CPU])
        return _without_identities(onnx.load(path))


def _without_identities(graph: onnx.ModelProto) -> onnx.ModelProto:
    """Replace products with an identity matrix, those that resample a square to its own size."""
    identities = {tensor.name for tensor in graph.graph.initializer if _is_identity(tensor)}
    for node in graph.graph.node:
        others = [name for name in node.input if name not in identities]
        if node.op_type == "MatMul" and len(others) == 1:
            node.op_type = "Identity"
            del node.input[:]
            node.input.extend(others)
    used = {name for node in graph.graph.node for name in node.input}
    tensors = [tensor for tensor in graph.graph.initializer if tensor.name in used]
    del graph.graph.initializer[:]
    graph.graph.initializer.extend(tensors)
    return graph


def _is_identity(tensor: onnx.TensorProto) -> bool:
    """Tell whether a tensor is one identity matrix, with leading dimensions of size 1."""
    if tensor.data_type != onnx.TensorProto.FLOAT or len(tensor.dims) < MATRIX or tensor.dims[-1] != tensor.dims[-2]:
        return False
    size = tensor.dims[-1]
    return np.prod(tensor.dims) == size**2 and bool((numpy_helper.to_array(tensor).reshape(size, size) == np.eye(size)).all())
