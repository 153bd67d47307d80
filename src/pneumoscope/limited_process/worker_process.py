"""Define `WorkerProcess`: the end of a worker process that the program holds."""

import contextlib
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any, BinaryIO

from pneumoscope import PneumoscopeError
from pneumoscope.limited_process.deadlines import Deadlines
from pneumoscope.limited_process.errors import (
    CrashedError,
    LimitedProcessError,
    MemoryLimitError,
    NotStartedError,
    TimeLimitError,
    UnexpectedFailureError,
)
from pneumoscope.limited_process.limits import KEPT_BYTES, ONE_GB, Limits
from pneumoscope.limited_process.pending import Pending
from pneumoscope.limited_process.pipe import receive, send, widen
from pneumoscope.limited_process.worker import READY

_WORKER = "from pneumoscope.limited_process.worker import work; work()"
_START_SECONDS = 120.0
_REUSE = {"MALLOC_MMAP_THRESHOLD_": str(2**25), "MALLOC_TRIM_THRESHOLD_": str(KEPT_BYTES)}
"""Let a worker use the memory of one call again for the next (glibc, mallopt(3)): a third of the time of decoding a radiograph
was that of fetching pages from the system."""
_OUT_OF_PROCESSOR_TIME = getattr(signal, "SIGXCPU", 0)


class WorkerProcess:
    """One process, and the pipes to it. One thread uses it at a time.

    Parameters
    ----------
    function : callable
        What it runs.
    action : str
        What a call does, for messages.
    limits : Limits
        Of each call.
    deadlines : Deadlines
        What ends a call that takes too long.

    Raises
    ------
    OSError
        The system allows no further process or pipe.
    """

    def __init__(self, function: Callable[..., Any], action: str, limits: Limits, deadlines: Deadlines) -> None:
        self._action, self._limits, self._deadlines = action, limits, deadlines
        environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"} | _REUSE
        # Nothing is ever written to it: the system closes the end of the program when the program ends, however it ends.
        lifeline, own_end = os.pipe()
        self._lifeline = os.fdopen(own_end, "wb", 0)
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _WORKER, str(lifeline)],
                pass_fds=(lifeline,) if os.name == "posix" else (),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,  # a decoder's complaint may quote the file
                env=environment,
                start_new_session=True,  # Ctrl-C is for the program, which closes its workers itself
            )
        except OSError:
            self._lifeline.close()
            raise
        finally:
            os.close(lifeline)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._to: BinaryIO = self._process.stdin  # type: ignore[assignment]  # it is a pipe
        self._from: BinaryIO = self._process.stdout  # type: ignore[assignment]  # it is a pipe
        # A request that waits in half of the pipe leaves room for what belongs to it, and its sender never waits.
        self._ahead_bytes = widen(self._to) // 2
        widen(self._from)
        # The search path comes first: the function's module may lie where only this process looks.
        self._ready = False
        self._broken = not self._said(sys.path) or not self._said((function, limits))

    def _said(self, message: object) -> bool:
        with contextlib.suppress(OSError):
            send(self._to, message)
            return True
        return False

    @property
    def alive(self) -> bool:
        """Whether it can take a call."""
        return self._process.poll() is None and not self._broken

    def interrupt(self) -> None:
        """Kill it, and leave the rest to the thread that waits for its answer."""
        self._process.kill()

    def kill(self) -> None:
        """Kill it, and close its pipes."""
        self._broken = True
        self._process.kill()
        self._process.wait()
        for stream in (self._to, self._from, self._lifeline):
            with contextlib.suppress(OSError):
                stream.close()

    def call(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Run the function.

        Parameters
        ----------
        args, kwargs : tuple, dict
            Its arguments.

        Returns
        -------
        object
            Its result.

        Raises
        ------
        PneumoscopeError
            As `LimitedPool.__call__`.
        """
        self._wait_until_ready()
        return self._answer([([pickle.PickleBuffer(one) if type(one) is bytes else one for one in args], kwargs)])

    def each(self, pending: Pending) -> Iterator[Any]:
        """Run the function for contents in turn, until there are no more or the process has ended.

        Parameters
        ----------
        pending : Pending
            The contents; those without an answer are still there when the process has ended.

        Yields
        ------
        object or PneumoscopeError
            The result of each, or its error.

        Raises
        ------
        NotStartedError
            The process ended before it was ready.
        """
        self._wait_until_ready()
        try:
            while not self._broken and pending:
                yield self._outcome(pending)
        finally:
            if pending.unanswered:  # by a process that has ended, or for a caller who wants no more
                self._broken = True
                pending.send_again()

    def _outcome(self, pending: Pending) -> Any:
        contents = pending.to_send(self._ahead_bytes)
        try:
            return self._answer([([pickle.PickleBuffer(content)], {}) for content in contents])
        except PneumoscopeError as error:
            return error
        finally:
            pending.unanswered.popleft()

    def _answer(self, requests: Iterable[tuple[list[Any], dict[str, Any]]]) -> Any:
        """Send requests, and give the answer to the first one that has none, or raise its error."""
        with self._deadlines.within(self._limits.seconds, self.interrupt) as late:
            try:
                for request in requests:
                    self._said(request)  # to one that has ended in vain; what it answered before can still be read
                kind, value = receive(self._from)
            except (OSError, EOFError, pickle.UnpicklingError) as error:
                self._broken = True
                raise self._ended(late.is_set()) from error
            except BaseException:
                self._broken = True  # an answer may still come, which would be taken for that of the next call
                raise
        if late.is_set():  # killed after its answer
            self._broken = True
        return self._meant(kind, value)

    def _wait_until_ready(self) -> None:
        """Wait for the start, whose time is not that of the call and whose failure does not speak against the input."""
        if self._ready:
            return
        with self._deadlines.within(_START_SECONDS, self.interrupt):
            try:
                self._ready = receive(self._from) == READY
            except (OSError, EOFError) as error:
                self._broken = True
                raise NotStartedError(f"the process for {self._action} ended before it was ready; is memory left?") from error

    def _ended(self, late: bool) -> LimitedProcessError:
        if late:
            return TimeLimitError(f"{self._action} took longer than {self._limits.seconds:g} s and was stopped")
        self.kill()
        if self._process.returncode == -_OUT_OF_PROCESSOR_TIME:
            return TimeLimitError(
                f"{self._action} took more than {self._limits.processor_seconds:g} s of processor time and was stopped"
            )
        return CrashedError(f"{self._action} failed: its process ended without an answer; the file is probably damaged")

    def _meant(self, kind: str, value: Any) -> Any:
        if kind == "result":
            return value
        if kind == "memory":
            raise MemoryLimitError(f"{self._action} needed more memory than {self._limits.memory_bytes / ONE_GB:g} GB")
        if kind == "error":
            raise value
        raise UnexpectedFailureError(self._action, value)
