"""Define `LimitedPool`: worker processes that run one function within limits."""

import contextlib
import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Generic, ParamSpec, Self, TypeVar

from pneumoscope import PneumoscopeError
from pneumoscope.limited_process.deadlines import Deadlines
from pneumoscope.limited_process.errors import ClosedError, NotStartedError
from pneumoscope.limited_process.limits import Limits
from pneumoscope.limited_process.pending import Pending
from pneumoscope.limited_process.worker_process import WorkerProcess

P = ParamSpec("P")
R = TypeVar("R")


class LimitedPool(Generic[P, R]):
    """A few worker processes that run one function; it is safe to use from several threads.

    Workers start when they are first needed, and one that was killed or has crashed is replaced by the next call. They end with
    the program, also when it is killed.

    Parameters
    ----------
    function : callable
        A function of a module, so that a worker can import it. Arguments and results are pickled; arrays travel without a copy in
        the pickle.
    action : str
        What a call does, for messages: ``decoding``.
    limits : Limits
        Of each call.
    workers : int
        Most processes at the same time, >= 1.

    Examples
    --------
    >>> import math
    >>> with LimitedPool(math.sqrt, "the square root", workers=1) as square_root:
    ...     square_root(9.0)
    3.0
    """

    def __init__(self, function: Callable[P, R], action: str, limits: Limits | None = None, *, workers: int = 2) -> None:
        self._function = function
        self._action = action
        self.limits = limits or Limits()
        self._idle: queue.LifoQueue[WorkerProcess | None] = queue.LifoQueue()
        for _ in range(workers):
            self._idle.put(None)
        self._busy: set[WorkerProcess] = set()
        self._deadlines = Deadlines()
        self._lock = threading.Lock()
        self._closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run the function in a worker, after waiting for one to be free.

        Parameters
        ----------
        *args, **kwargs
            Arguments of the function.

        Returns
        -------
        object
            Its result.

        Raises
        ------
        TimeLimitError, MemoryLimitError, CrashedError, UnexpectedFailureError, ClosedError
            If the call did not finish within its limits; the sentence names the action and the limit.
        NotStartedError
            If the system allows no further process or open file.
        PneumoscopeError
            As the function raises it.
        """
        with self._working() as worker:
            result: R = worker.call(args, kwargs)
            return result

    def each(self: "LimitedPool[[bytes], R]", contents: Iterable[bytes]) -> Iterator[R | PneumoscopeError]:
        """Run the function for several contents in turn, in one worker.

        Each is a call of its own, with the limits of one. Small contents are with the worker before it is asked for their result,
        so that it does not wait for them; they are at most what the pipe to the worker holds.

        Parameters
        ----------
        contents : iterable of bytes
            The argument of each call.

        Yields
        ------
        object or PneumoscopeError
            The result of each call, or the error that it raises (`__call__`).

        Raises
        ------
        NotStartedError
            If the system allows no further process or open file.
        ClosedError
            If the pool was closed.
        """
        pending = Pending(contents)
        while pending:
            with self._working() as worker:
                yield from worker.each(pending)

    @contextlib.contextmanager
    def _working(self) -> Iterator[WorkerProcess]:
        """A worker, after waiting for one to be free."""
        worker = self._idle.get()
        try:
            worker = self._begun(worker)
            yield worker
        finally:
            with self._lock:
                keep = worker is not None and worker.alive and not self._closed
                self._busy -= {worker}
            if worker is not None and not keep:
                worker.kill()
            self._idle.put(worker if keep else None)

    def _begun(self, worker: WorkerProcess | None) -> WorkerProcess:
        """A worker that lives, among those that are busy."""
        with self._lock:
            if self._closed:
                raise ClosedError(f"{self._action} was stopped")
            if worker is None or not worker.alive:
                if worker:
                    worker.kill()
                try:
                    worker = WorkerProcess(self._function, self._action, self.limits, self._deadlines)
                except OSError as error:
                    reason = (error.strerror or type(error).__name__).lower()
                    raise NotStartedError(f"a process for {self._action} could not be started: {reason}") from error
            self._busy.add(worker)
            return worker

    def start(self) -> None:
        """Start one worker now, so that the first call does not wait for it."""
        worker = self._idle.get()
        try:
            if worker is None and not self._closed:
                worker = WorkerProcess(self._function, self._action, self.limits, self._deadlines)
        finally:
            self._idle.put(worker)

    def close(self) -> None:
        """Kill the workers. A call that is being worked on raises `CrashedError`, a later one `ClosedError`."""
        with self._lock:
            self._closed = True
            for worker in self._busy:
                worker.interrupt()  # the thread of its call does the rest
        idle: list[WorkerProcess | None] = []
        with contextlib.suppress(queue.Empty):
            while True:
                idle.append(self._idle.get_nowait())
        for waiting in idle:
            if waiting:
                waiting.kill()
            self._idle.put(None)  # who waits for a worker learns that the pool is closed
