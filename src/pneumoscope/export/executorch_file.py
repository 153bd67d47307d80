"""Write and run files of ExecuTorch with XNNPACK; needs the extra ``mobile``."""

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from pneumoscope.export.conversion import ExportError, exporter_silenced

NAME = "model.pte"
_BY_XNNPACK = ("Convolution", "BatchNorm", "Add", "ReLU", "Hardtanh", "MaxPool2d", "UpsampleBilinear2d", "BMM")
"""Operations that take most of the time and are left to XNNPACK. It mistakes the memory format of some images of one channel in
views and reductions (ExecuTorch 1.5), so the portable kernels compute all others."""
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
        from executorch.backends.xnnpack.partition import config  # noqa: PLC0415
        from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner  # noqa: PLC0415
        from executorch.exir import to_edge_transform_and_lower  # noqa: PLC0415
    except ImportError as error:
        raise ExportError(_MISSING) from error
    configs = [getattr(config, f"{name}Config") for name in _BY_XNNPACK]
    try:
        with exporter_silenced(), torch.no_grad():
            program = torch.export.export(module, (example,))
            lowered = to_edge_transform_and_lower(program, partitioner=[XnnpackPartitioner(configs=configs)])
            content = lowered.to_executorch().buffer
    except Exception as error:  # the converter raises many different classes
        raise ExportError(f"ExecuTorch cannot convert the network ({type(error).__name__}); export another format") from error
    file = folder / NAME
    file.write_bytes(content)
    return file


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
            from executorch.runtime import Runtime  # noqa: PLC0415
    except ImportError as error:
        raise ExportError(_MISSING) from error
    method = Runtime.get().load_program(file).load_method("forward")
    if method is None:
        raise ExportError(f"ExecuTorch cannot load '{file.name}'")

    def run(image: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        return [value.numpy().copy() for value in method.execute([torch.from_numpy(image.copy())])]

    return run
