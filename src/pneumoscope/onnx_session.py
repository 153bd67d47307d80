"""Open ONNX Runtime sessions with the options that every graph of the package uses."""

from collections.abc import Sequence

import onnxruntime

from pneumoscope.ordered_map import cores

CPU = "CPUExecutionProvider"
_MOST_THREADS = 8
"""Limit of the threads within one inference: the layers are small, and more threads spend their time on synchronization."""


def open_session(graph: bytes, threads: int, providers: Sequence[str] = (CPU,)) -> onnxruntime.InferenceSession:
    """Open an ONNX Runtime session of a graph.

    For an invalid graph ONNX Runtime's own errors are raised; they have no common base class but Exception.

    Parameters
    ----------
    graph : bytes
        Serialized ONNX model.
    threads : int
        Number of threads within one inference, >= 0; 0 for the number of available cores, at most 8.
    providers : sequence of str
        Execution providers of ONNX Runtime by name. The first one that supports an operator runs it.

    Returns
    -------
    onnxruntime.InferenceSession
        The session.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or min(cores(), _MOST_THREADS)
    options.log_severity_level = 3
    # Threads that spin after a run would occupy the cores that the next steps need: heat map, findings, the next file.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # On Arm processors with SME its convolution takes one image only: in a batch an image would get other bits.
    options.add_session_config_entry("mlas.disable_kleidiai", "1")
    return onnxruntime.InferenceSession(graph, options, providers=[*providers])
