"""How every graph of the package is run: ONNX Runtime."""

from collections.abc import Sequence

import onnxruntime

from pneumoscope.ordered_map import cores

CPU = "CPUExecutionProvider"
_MOST_THREADS = 8
"""Within one inference: the layers are small, so that more threads would wait for each other rather than work."""


def open_session(graph: bytes, threads: int, providers: Sequence[str] = (CPU,)) -> onnxruntime.InferenceSession:
    """A session of a graph with `threads` threads within one inference, 0 for as many as pay.

    `providers` are ONNX Runtime's execution providers by name, the first that can run an operator does. Raises what ONNX Runtime
    raises: a class of its own for each way in which a graph can be wrong.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or min(cores(), _MOST_THREADS)
    options.log_severity_level = 3
    # Threads that spin after a run would keep the cores from what comes next: the map, the findings, the next file.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(graph, options, providers=[*providers])
