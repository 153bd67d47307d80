"""Convert PyTorch modules to ONNX graphs with a dynamic batch size, and join graphs."""

import inspect
import itertools
import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import onnx
import onnxruntime
import torch
from onnx import compose
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

EXAMPLE_BATCH = 3
"""Batch size of the examples; it must differ from all other sizes in a network, because the tracer identifies equal sizes."""
EXAMPLE_ROWS, EXAMPLE_COLS = 203, 241
"""Size in pixels of the example that represents images of any size."""
OPSET = 20
"""Version of the ONNX operator set of exported graphs."""
_WARNINGS, _ERRORS = 2, 3  # severity levels of ONNX Runtime; the first is its default
_MOST = 20_000  # largest number of rows or columns of an image


def any_image() -> Tensor:
    """Generate an example that represents images of any size, float32, shape (batch, 1, rows, cols), in [0, 1]."""
    return torch.rand(EXAMPLE_BATCH, 1, EXAMPLE_ROWS, EXAMPLE_COLS)


def converted(
    module: nn.Module,
    examples: Sequence[Tensor],
    input_names: Sequence[str],
    output_names: Sequence[str],
    axis: str = "batch",
) -> onnx.ModelProto:
    """Convert a module to an ONNX graph with a dynamic batch size.

    Inputs with an example of the size of `any_image` have dynamic rows and columns too.

    Parameters
    ----------
    module
        Module in evaluation mode.
    examples
        Example of each input, with a batch size of `EXAMPLE_BATCH`.
    input_names, output_names
        Names of the inputs and outputs of the graph.
    axis
        Name of the first axis of all inputs and outputs.

    Returns
    -------
    ModelProto
        The graph, without source locations.
    """
    batch = torch.export.Dim("batch", min=1, max=4096)
    free = {2: torch.export.Dim("rows", min=2, max=_MOST), 3: torch.export.Dim("cols", min=2, max=_MOST)}
    shapes = [{0: batch, **(free if e.shape[2:] == (EXAMPLE_ROWS, EXAMPLE_COLS) else {})} for e in examples]
    by_argument = tuple(inspect.signature(module.forward).bind(*shapes).arguments.values())  # one tuple for all of `*arguments`
    # ONNX has no counterpart of fused attention; the unfused implementation agrees to 1e-9.
    with exporter_silenced(), sdpa_kernel(SDPBackend.MATH), torch.no_grad():
        program = torch.export.export(module, tuple(examples), dynamic_shapes=by_argument, strict=False)
        exported = torch.onnx.export(
            program, dynamo=True, optimize=True, verbose=False, opset_version=OPSET,
            input_names=[*input_names], output_names=[*output_names],
        )  # fmt: skip
    assert exported is not None
    model = exported.model_proto
    described = (model.graph.node, model.graph.input, model.graph.output, model.graph.initializer)
    for part in itertools.chain(*described):  # source locations take half a megabyte
        del part.metadata_props[:]
        part.doc_string = ""
    for value in (*model.graph.input, *model.graph.output):
        for dim, name in zip(value.type.tensor_type.shape.dim, (axis, "", "rows", "cols"), strict=False):
            if dim.dim_param:
                dim.dim_param = name
    return model


def joined(parts: Mapping[str, onnx.ModelProto], inputs: Sequence[str], outputs: Sequence[str]) -> onnx.ModelProto:
    """Join consecutive graphs into one graph; an output is connected to the inputs of the same name in later graphs.

    Other names are prefixed with the name of their part.

    Parameters
    ----------
    parts
        Graphs by name, in their order.
    inputs, outputs
        Names of the inputs and outputs of the joined graph.

    Returns
    -------
    ModelProto
        The joined graph, validated by the ONNX checker.
    """
    renamed = [compose.add_prefix(model, f"{name}/", rename_inputs=False, rename_outputs=False) for name, model in parts.items()]
    # The axes of a value are named by the part that computes it.
    known = {v.name: v for part in renamed for v in part.graph.input} | {v.name: v for part in renamed for v in part.graph.output}
    graph = onnx.helper.make_graph(
        [node for part in renamed for node in part.graph.node],
        "pneumoscope",
        [known[name] for name in inputs],
        [known[name] for name in outputs],
        [tensor for part in renamed for tensor in part.graph.initializer],
    )
    whole = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", OPSET)], ir_version=10)
    onnx.checker.check_model(whole)
    return whole


def pruned(model: onnx.ModelProto) -> onnx.ModelProto:
    """Remove the operations and weights that no output depends on.

    Parameters
    ----------
    model
        Graph whose operations are in the order of their execution; changed in place.

    Returns
    -------
    ModelProto
        The same graph.
    """
    graph = model.graph
    needed = {value.name for value in graph.output}
    kept = []
    for node in reversed(graph.node):
        if needed.intersection(node.output):
            needed.update(node.input)
            kept.append(node)
    weights = [tensor for tensor in graph.initializer if tensor.name in needed]
    del graph.node[:], graph.initializer[:]
    graph.node.extend(reversed(kept))
    graph.initializer.extend(weights)
    return model


@contextmanager
def exporter_silenced() -> Iterator[None]:
    """Suppress warnings and log messages of the exporter and the quantizer in a context."""
    loggers = [logging.getLogger(name) for name in ("", "torch.onnx", "onnxscript")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    onnxruntime.set_default_logger_severity(_ERRORS)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        onnxruntime.set_default_logger_severity(_WARNINGS)
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
