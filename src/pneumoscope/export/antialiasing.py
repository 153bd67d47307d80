"""Replace the antialiased ``Resize`` of earlier graphs, which not every runtime computes, by the product with filter weights."""

import functools

import onnx
from onnx import compose, shape_inference

from pneumoscope.export.conversion import any_image, converted, pruned
from pneumoscope.export.lung_crop import Whole

_IMAGE, _SQUARE = "image", "square"


def without_antialiased_resize(graph: onnx.ModelProto) -> onnx.ModelProto:
    """Replace every antialiased ``Resize`` to a square of a fixed size by `pneumoscope.lung_fields.triangle_filter.resampled`.

    Parameters
    ----------
    graph
        Graph of a bundle or of a lung-field model; not changed.

    Returns
    -------
    ModelProto
        Graph without antialiased ``Resize``; all other operations, weights, inputs and outputs are the same.
    """
    inferred = shape_inference.infer_shapes(graph, data_prop=True).graph.value_info
    shapes = {value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim] for value in inferred}
    portable = onnx.ModelProto()
    portable.CopyFrom(graph)
    del portable.graph.node[:]
    for node in graph.graph.node:
        if _is_antialiased(node):
            product = _product(shapes[node.output[0]][-1], node.name, node.input[0], node.output[0])
            portable.graph.node.extend(product.node)
            portable.graph.initializer.extend(product.initializer)
        else:
            portable.graph.node.append(node)
    return pruned(portable)


def _is_antialiased(node: onnx.NodeProto) -> bool:
    return node.op_type == "Resize" and any(a.name == "antialias" and a.i for a in node.attribute)


def _product(side: int, name: str, image: str, square: str) -> onnx.GraphProto:
    """Build the graph that resamples `image` to `square`; its other names are prefixed with `name`."""
    prefixed = compose.add_prefix(_resampling(side), f"{name}/", rename_inputs=False, rename_outputs=False)
    renamed = {_IMAGE: image, _SQUARE: square}
    for node in prefixed.graph.node:
        node.input[:] = [renamed.get(one, one) for one in node.input]
        node.output[:] = [renamed.get(one, one) for one in node.output]
    return prefixed.graph


@functools.cache
def _resampling(side: int) -> onnx.ModelProto:
    return converted(Whole(side), [any_image()], [_IMAGE], [_SQUARE])
