"""A PyTorch module becomes an ONNX file that takes any batch."""

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import onnx
import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from pneumoscope import PneumoscopeError

EXAMPLE_BATCH = 3
"""Of the tracing; unlike any other size in a network, since sizes that are equal in the example are taken for one."""


class ExportError(PneumoscopeError):
    """A classifier could not be turned into a bundle that gives the same answers."""


def converted(module: nn.Module, shape: Sequence[int], path: Path, input_name: str, output_names: Sequence[str]) -> None:
    """Write a module of one input, float32 (batch, \\*shape), as ONNX; raises what the exporter raises."""
    example = torch.rand(EXAMPLE_BATCH, *shape)
    batch = torch.export.Dim("batch", min=1, max=1024)
    # The fused attention of ViT has no ONNX counterpart; the plain one gives the same to 1e-9.
    with quiet(), sdpa_kernel(SDPBackend.MATH), torch.no_grad():
        program = torch.export.export(module, (example,), dynamic_shapes=({0: batch},), strict=False)
        exported = torch.onnx.export(
            program, dynamo=True, optimize=True, verbose=False, input_names=[input_name], output_names=[*output_names]
        )
    assert exported is not None
    exported.save(path, external_data=False)
    model = onnx.load(path)
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "batch"
    onnx.save(model, path)


@contextmanager
def quiet() -> Iterator[None]:
    """The exporter logs and warns of its own internals."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
