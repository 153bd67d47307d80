"""Run a function in worker processes that are killed when a call takes too long or needs too much memory.

A decoder of images from strangers may loop, crash or ask for any amount of memory. In a process of its own it costs one call, not
the program. This bounds time and memory and keeps crashes apart; it is no sandbox against code that has taken over the worker.
"""

from pneumoscope.limited_process.errors import (
    ClosedError,
    CrashedError,
    LimitedProcessError,
    MemoryLimitError,
    NotStartedError,
    TimeLimitError,
    UnexpectedFailureError,
)
from pneumoscope.limited_process.limits import DECODING_BYTES, Limits, decoding_limits
from pneumoscope.limited_process.pool import LimitedPool

__all__ = [
    "DECODING_BYTES",
    "ClosedError",
    "CrashedError",
    "LimitedPool",
    "LimitedProcessError",
    "Limits",
    "MemoryLimitError",
    "NotStartedError",
    "TimeLimitError",
    "UnexpectedFailureError",
    "decoding_limits",
]
