"""Store the weights of a graph in half precision; needs ``onnx`` but no PyTorch."""

from collections.abc import Container

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from pneumoscope.export.errors import ExportError

LEAST_HALVED = 4096
"""Smallest number of elements of a tensor that is stored in half precision.

The small tensors of the first layers carry nearly all of the error and hardly any of the size: in the shipped default, one of
1,536 elements moves a heat map by 0.04.
"""


def halved(graph: onnx.ModelProto, kept: Container[str] = ()) -> onnx.ModelProto:
    """Store the large weights of convolutions and matrix products in half precision; the arithmetic stays in single precision.

    Parameters
    ----------
    graph
        Graph in single precision; not changed.
    kept
        Names of tensors that stay in single precision.

    Returns
    -------
    ModelProto
        Graph with weights in half precision.

    Raises
    ------
    ExportError
        If a weight is too large for half precision.
    """
    half = onnx.ModelProto()
    half.CopyFrom(graph)
    body, given = half.graph, {value.name for value in graph.graph.input}
    casts = []
    for tensor in body.initializer:
        wide = tensor.data_type == TensorProto.FLOAT and len(tensor.dims) >= 2 and np.prod(tensor.dims) >= LEAST_HALVED
        if not wide or tensor.name in given or tensor.name in kept:
            continue
        values = numpy_helper.to_array(tensor)
        if np.abs(values).max() > np.finfo(np.float16).max:
            raise ExportError(f"the weights '{tensor.name}' are too large for half precision; export in fp32 or int8")
        casts.append(helper.make_node("Cast", [f"{tensor.name}/half"], [tensor.name], to=TensorProto.FLOAT))
        tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{tensor.name}/half"))
    nodes = [*casts, *body.node]
    del body.node[:]
    body.node.extend(nodes)
    return half
