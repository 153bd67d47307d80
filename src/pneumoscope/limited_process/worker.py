"""Serve calls in a worker process."""

import contextlib
import gc
import os
import select
import signal
import sys
from collections.abc import Callable
from typing import Any, BinaryIO

from pneumoscope import PneumoscopeError
from pneumoscope.limited_process.limits import KEPT_BYTES, Limits
from pneumoscope.limited_process.pipe import receive, send

try:
    import fcntl
    import resource
except ImportError:  # Windows has no such limits; the limit of time holds there too
    fcntl = resource = None  # type: ignore[assignment]  # as above

READY = "ready"
"""What a worker says when it waits for its first call."""


def work() -> None:
    """Serve calls over the standard streams until the other end closes them: the life of a worker process."""
    to, of = _own_streams()
    _end_with(int(sys.argv[1]))
    try:
        sys.path[:] = receive(of)
        function, limits = receive(of)
        gc.freeze()  # what is loaded stays for the life of the worker: no collection looks at it
        _limit_memory(limits)
        send(to, READY)
        while True:
            args, kwargs = receive(of)
            _limit_processor_time(limits)
            _answer_call(to, function, args, kwargs)
    except (EOFError, OSError):
        pass  # the program that asked is gone


def _own_streams() -> tuple[BinaryIO, BinaryIO]:
    """Take the standard streams for the protocol; what a library prints goes nowhere."""
    to, of = os.fdopen(os.dup(1), "wb"), os.fdopen(os.dup(0), "rb")
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nowhere, descriptor)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    return to, of


def _end_with(lifeline: int) -> None:
    """Let the system kill this process when nobody holds the other end of a pipe, even while a decoder keeps the interpreter."""
    if hasattr(fcntl, "F_SETSIG"):  # Linux; elsewhere the worker ends with its call, which is limited
        fcntl.fcntl(lifeline, fcntl.F_SETOWN, os.getpid())
        fcntl.fcntl(lifeline, fcntl.F_SETSIG, signal.SIGKILL)
        fcntl.fcntl(lifeline, fcntl.F_SETFL, fcntl.fcntl(lifeline, fcntl.F_GETFL) | fcntl.FASYNC)
        if select.select([lifeline], [], [], 0)[0]:  # the program was gone before
            sys.exit()


def _answer_call(to: BinaryIO, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    try:
        answer = "result", function(*args, **kwargs)
    except MemoryError:
        answer = "memory", None
    except PneumoscopeError as error:
        answer = ("memory", None) if _out_of_memory(error) else ("error", error.with_traceback(None))
    except Exception as error:
        answer = ("memory", None) if _out_of_memory(error) else ("unexpected", type(error).__name__)
    try:
        send(to, answer)
    except MemoryError:
        send(to, ("memory", None))


def _out_of_memory(error: BaseException | None) -> bool:
    """Whether an error, or one that it was raised from, is that of an allocation that failed."""
    while error is not None:
        if isinstance(error, MemoryError):
            return True
        error = error.__cause__ or error.__context__
    return False


def _limit_memory(limits: Limits) -> None:
    if resource is None:
        return
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(OSError, ValueError):  # a system that does not know its own size has no such limit
        with open("/proc/self/statm", encoding="ascii") as stream:  # noqa: PTH123 - a Path would do nothing else
            pages = int(stream.read().split()[0])
        most = pages * resource.getpagesize() + limits.memory_bytes + KEPT_BYTES
        resource.setrlimit(resource.RLIMIT_AS, (most, resource.getrlimit(resource.RLIMIT_AS)[1]))


def _limit_processor_time(limits: Limits) -> None:
    """Let the system end a call whose program was killed and can no longer end it."""
    if resource is None:
        return
    used = resource.getrusage(resource.RUSAGE_SELF)
    allowed = limits.seconds + 2 if limits.processor_seconds is None else limits.processor_seconds
    seconds = int(used.ru_utime + used.ru_stime + allowed)
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    if hard == resource.RLIM_INFINITY or seconds < hard:
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, hard))
