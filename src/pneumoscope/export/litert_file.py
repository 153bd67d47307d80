"""Write and run files of LiteRT, formerly TensorFlow Lite; needs the extra ``mobile``."""

import contextlib
import importlib
import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from pneumoscope.export.conversion import exporter_silenced
from pneumoscope.export.errors import ExportError
from pneumoscope.export.half_precision import LEAST_HALVED

NAME = "model.tflite"
_MISSING = "LiteRT is not installed; install it with  pip install 'pneumoscope[mobile]'"
_HALF_BITS = 16
_HALVED = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
_OUTPUT = "output_{}"  # names that litert-torch gives to the outputs of a signature


def write(module: nn.Module, example: torch.Tensor, folder: Path, *, half: bool) -> Path:
    """Convert a module of one input to a LiteRT file.

    Parameters
    ----------
    module
        Module in evaluation mode.
    example
        Input; its shape is the only one that the file accepts.
    folder
        Existing folder.
    half
        Whether the weights of convolutions and products are stored in half precision.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    ExportError
        If LiteRT is not installed or cannot convert the module.
    """
    try:
        litert_torch = importlib.import_module("litert_torch")
    except ImportError as error:
        raise ExportError(_MISSING) from error
    file = folder / NAME
    try:
        with exporter_silenced(), contextlib.redirect_stdout(io.StringIO()):
            litert_torch.convert(module, (example,)).export(str(file))
            if half:
                _halve(file)
    except Exception as error:  # the converter raises many different classes
        raise ExportError(f"LiteRT cannot convert the network ({type(error).__name__}); export it in another format") from error
    return file


def _halve(file: Path) -> None:
    """Store the large weights of a file in half precision; the arithmetic stays in single precision."""
    algorithms, types, quantizer, flatbuffers = (
        importlib.import_module(f"ai_edge_quantizer.{name}")
        for name in ("algorithm_manager", "qtyping", "quantizer", "utils.tfl_flatbuffer_utils")
    )
    made = quantizer.Quantizer(str(file))
    for operation, scope in _large(flatbuffers.read_model(str(file)), flatbuffers):
        made.add_weight_only_config(
            regex=f"^{re.escape(scope)}$",
            operation_name=types.TFLOperationName[operation],
            num_bits=_HALF_BITS,
            algorithm_key=algorithms.AlgorithmName.FLOAT_CASTING,
        )
    file.write_bytes(made.quantize(enable_progress_report=False).quantized_model)


def _large(model: Any, flatbuffers: Any) -> list[tuple[str, str]]:
    """Names of the operations of a file whose weights are stored in half precision, and the scopes by which they are known."""
    listed = []
    for graph in model.subgraphs:
        for operation in graph.operators:
            name = flatbuffers.TFL_OP_CODE_TO_NAME.get(model.operatorCodes[operation.opcodeIndex].builtinCode)
            if name in _HALVED and np.prod(graph.tensors[operation.inputs[1]].shape) >= LEAST_HALVED:
                listed.append((str(name.value), flatbuffers.get_op_scope(operation, graph.tensors)))
    return listed


def outputs(file: Path) -> Callable[[NDArray[np.float32]], list[NDArray[np.float32]]]:
    """Open a file in LiteRT with one thread.

    Parameters
    ----------
    file
        LiteRT file.

    Returns
    -------
    Callable
        Function from an input to all outputs, in the order of the module's.

    Raises
    ------
    ExportError
        If LiteRT is not installed.
    """
    try:
        interpreter = importlib.import_module("ai_edge_litert.interpreter")
    except ImportError as error:
        raise ExportError(_MISSING) from error
    runner = interpreter.Interpreter(str(file), num_threads=1).get_signature_runner()
    (name,) = runner.get_input_details()

    def run(image: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        values = runner(**{name: image})
        return [values[_OUTPUT.format(k)] for k in range(len(values))]

    return run
