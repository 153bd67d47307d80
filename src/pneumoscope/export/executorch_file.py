"""Write and run files of ExecuTorch with XNNPACK; needs the extra ``mobile``."""

import copy
import importlib
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from pneumoscope.export.conversion import exporter_silenced
from pneumoscope.export.errors import ExportError

NAME = "model.pte"
_XNNPACK = "executorch.backends.xnnpack.partition"
_BY_XNNPACK = ("Convolution", "BatchNorm", "Add", "ReLU", "Hardtanh", "MaxPool2d", "UpsampleBilinear2d", "BMM")
"""Operations that take most of the time and are left to XNNPACK; ExecuTorch's own kernels compute all others."""
_MISSING = "ExecuTorch is not installed; install it with  pip install 'pneumoscope[mobile]'"


def write(module: nn.Module, example: torch.Tensor, folder: Path) -> Path:
    """Convert a module of one input to an ExecuTorch file.

    Parameters
    ----------
    module
        Module in evaluation mode.
    example
        Input; its shape is the only one that the file accepts.
    folder
        Existing folder.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    ExportError
        If ExecuTorch is not installed or cannot convert the module.
    """
    try:
        with exporter_silenced():
            config = importlib.import_module(f"{_XNNPACK}.config")
            partitioner = importlib.import_module(f"{_XNNPACK}.xnnpack_partitioner")
            exir = importlib.import_module("executorch.exir")
    except ImportError as error:
        raise ExportError(_MISSING) from error
    configs = [getattr(config, f"{name}Config") for name in _BY_XNNPACK]
    try:
        with exporter_silenced(), torch.no_grad():
            program = torch.export.export(_without_single_channels(module), (example,))
            lowered = exir.to_edge_transform_and_lower(program, partitioner=[partitioner.XnnpackPartitioner(configs=configs)])
            content = lowered.to_executorch().buffer
    except Exception as error:  # the converter raises many different classes
        raise ExportError(f"ExecuTorch cannot convert the network ({type(error).__name__}); export another format") from error
    file = folder / NAME
    file.write_bytes(content)
    return file


class _Product(nn.Module):
    """A 1 × 1 convolution to one channel, computed as a product of matrices.

    ExecuTorch 1.5 mistakes the memory format of the image of one channel that a convolution gives.
    """

    def __init__(self, convolution: nn.Conv2d) -> None:
        super().__init__()
        self.convolution = convolution

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        rows = x.clone(memory_format=torch.contiguous_format).flatten(2)
        product = self.convolution.weight.flatten(1)[None] @ rows
        shifted = product if self.convolution.bias is None else product + self.convolution.bias
        image: torch.Tensor = shifted.unflatten(2, x.shape[2:])
        return image


def _without_single_channels(module: nn.Module) -> nn.Module:
    """Copy a module and replace its 1 × 1 convolutions to one channel by `_Product`."""
    copied = copy.deepcopy(module)
    for parent in [*copied.modules()]:
        for name, child in [*parent.named_children()]:
            if isinstance(child, nn.Conv2d) and child.out_channels == 1 and child.kernel_size == (1, 1):
                setattr(parent, name, _Product(child))
    return copied.eval()  # a copied graph module of torch.fx is in training mode


def outputs(file: Path) -> Callable[[NDArray[np.float32]], list[NDArray[np.float32]]]:
    """Open a file in ExecuTorch.

    Parameters
    ----------
    file
        ExecuTorch file.

    Returns
    -------
    Callable
        Function from an input to all outputs, in the order of the module's.

    Raises
    ------
    ExportError
        If ExecuTorch is not installed.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            runtime = importlib.import_module("executorch.runtime")
    except ImportError as error:
        raise ExportError(_MISSING) from error
    method = runtime.Runtime.get().load_program(file).load_method("forward")
    if method is None:
        raise ExportError(f"ExecuTorch cannot load '{file.name}'")

    def run(image: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        return [value.numpy().copy() for value in method.execute([torch.from_numpy(image.copy())])]

    return run
