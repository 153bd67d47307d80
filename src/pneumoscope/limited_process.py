"""Run a function in worker processes that are killed when a call takes too long or needs too much memory.

A decoder of images from strangers may loop, crash or ask for any amount of memory. In a process of its own it costs one call, not
the program. This bounds time and memory and keeps crashes apart; it is no sandbox against code that has taken over the worker.

Values travel over pipes as pickles with out-of-band buffers (pickle protocol 5, PEP 574), so that the pixels of a radiograph are
copied once into the pipe and once out of it.
"""

import contextlib
import gc
import os
import pickle
import queue
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, Generic, ParamSpec, Self, TypeVar

import numpy as np

from pneumoscope import PneumoscopeError

try:
    import fcntl
    import resource
except ImportError:  # Windows has no such limits; the limit of time holds there too
    fcntl = resource = None  # type: ignore[assignment]  # as above

P = ParamSpec("P")
R = TypeVar("R")

_WORKER = "from pneumoscope.limited_process import work; work()"
_LENGTH_BYTES = 8
_READY = "ready"
_START_SECONDS = 120.0
_ONE_GB = 10**9
_KEPT_BYTES = 2**26
_REUSE = {"MALLOC_MMAP_THRESHOLD_": str(2**25), "MALLOC_TRIM_THRESHOLD_": str(_KEPT_BYTES)}
"""Let a worker use the memory of one call again for the next (glibc, mallopt(3)): a third of the time of decoding a radiograph
was that of fetching pages from the system. It keeps at most 64 MiB, which its limit allows on top."""
_PIPE_BYTES = 2**20
"""What a pipe holds; Linux allows every user this much."""
_OUT_OF_PROCESSOR_TIME = getattr(signal, "SIGXCPU", 0)


class LimitedProcessError(PneumoscopeError):
    """A worker process did not finish a call."""


class TimeLimitError(LimitedProcessError):
    """A call took longer than its limit, and its process was killed."""


class MemoryLimitError(LimitedProcessError):
    """A call needed more memory than its limit."""


class CrashedError(LimitedProcessError):
    """The process of a call ended in the middle of it."""


class ClosedError(LimitedProcessError):
    """A call was made after the pool was closed."""


class NotStartedError(PneumoscopeError):
    """The system does not allow another process or pipe."""


class UnexpectedFailureError(LimitedProcessError):
    """A call raised an exception that is no `PneumoscopeError`; its text is left out, because it may quote the input.

    Parameters
    ----------
    action : str
        What the call did.
    kind : str
        Name of the exception's class.
    """

    def __init__(self, action: str, kind: str) -> None:
        super().__init__(f"{action} failed with an unexpected {kind}; please report this with the kind of the input")
        self.kind = kind


@dataclass(frozen=True)
class Limits:
    """What one call may use.

    Parameters
    ----------
    seconds : float
        Wall time, > 0.
    memory_bytes : int
        Address space beyond what the worker has when it is ready and what it keeps between calls (64 MiB), > 0. Only Linux
        enforces it.
    processor_seconds : float, optional
        Processor time, >= 2, enforced to the second below; the wall time if None. Windows does not enforce it. Unlike wall time
        it does not depend on what else the machine does.
    """

    seconds: float = 20.0
    memory_bytes: int = 2 * _ONE_GB
    processor_seconds: float | None = None


DECODING_BYTES = 520_000_000
"""Memory for decoding one radiograph. A worker has less than 80 MB before, so that it stays below 600 MB; the largest radiograph
allowed needs 350 MB."""
_SHARE_OF_PROCESSOR = 0.5


def decoding_limits(seconds: float = 20.0, memory_bytes: int = DECODING_BYTES) -> Limits:
    """Choose the limits of decoding one radiograph.

    Parameters
    ----------
    seconds : float
        Wall time, > 0; the processor time is half of it, 10 seconds by default.
    memory_bytes : int
        Memory, > 0.

    Returns
    -------
    Limits
        The limits.
    """
    return Limits(seconds, memory_bytes, max(2.0, _SHARE_OF_PROCESSOR * seconds))


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
        self._idle: queue.LifoQueue[_Worker | None] = queue.LifoQueue()
        for _ in range(workers):
            self._idle.put(None)
        self._busy: set[_Worker] = set()
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
        worker = self._idle.get()
        try:
            worker = self._begun(worker)
            result: R = worker.call(args, kwargs, self._action)
            return result
        finally:
            with self._lock:
                keep = worker is not None and worker.alive and not self._closed
                self._busy -= {worker}
            if worker is not None and not keep:
                worker.kill()
            self._idle.put(worker if keep else None)

    def _begun(self, worker: "_Worker | None") -> "_Worker":
        """A worker that lives, among those that are busy."""
        with self._lock:
            if self._closed:
                raise ClosedError(f"{self._action} was stopped")
            if worker is None or not worker.alive:
                if worker:
                    worker.kill()
                try:
                    worker = _Worker(self._function, self.limits)
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
                worker = _Worker(self._function, self.limits)
        finally:
            self._idle.put(worker)

    def close(self) -> None:
        """Kill the workers. A call that is being worked on raises `CrashedError`, a later one `ClosedError`."""
        with self._lock:
            self._closed = True
            for worker in self._busy:
                worker.interrupt()  # the thread of its call does the rest
        idle: list[_Worker | None] = []
        with contextlib.suppress(queue.Empty):
            while True:
                idle.append(self._idle.get_nowait())
        for waiting in idle:
            if waiting:
                waiting.kill()
            self._idle.put(None)  # who waits for a worker learns that the pool is closed


class _Worker:
    """One process, and the pipes to it."""

    def __init__(self, function: Callable[..., Any], limits: Limits) -> None:
        self._limits = limits
        environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"} | _REUSE
        # Nothing is ever written to it: the system closes the end of the program when the program ends, however it ends.
        lifeline, own_end = os.pipe()
        self._lifeline = os.fdopen(own_end, "wb", 0)
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _WORKER, str(lifeline)],
                pass_fds=(lifeline,) if fcntl else (),
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
        for stream in (self._to, self._from):
            _widen(stream)
        # The search path comes first: the function's module may lie where only this process looks.
        self._ready = False
        self._broken = not self._said(sys.path) or not self._said((function, limits))

    def _said(self, message: object) -> bool:
        with contextlib.suppress(OSError):
            _send(self._to, message)
            return True
        return False

    @property
    def alive(self) -> bool:
        return self._process.poll() is None and not self._broken

    def interrupt(self) -> None:
        self._process.kill()

    def kill(self) -> None:
        self._broken = True
        self._process.kill()
        self._process.wait()
        for stream in (self._to, self._from, self._lifeline):
            with contextlib.suppress(OSError):
                stream.close()

    def call(self, args: tuple[Any, ...], kwargs: dict[str, Any], action: str) -> Any:
        self._wait_until_ready(action)
        with self._deadline(self._limits.seconds) as late:
            try:
                _send(self._to, ([pickle.PickleBuffer(one) if type(one) is bytes else one for one in args], kwargs))
                kind, value = _receive(self._from)
            except (OSError, EOFError, pickle.UnpicklingError) as error:
                self._broken = True
                raise self._ended(late.is_set(), action) from error
            except BaseException:
                self._broken = True  # an answer may still come, which would be taken for that of the next call
                raise
        return self._answer(kind, value, action)

    def _wait_until_ready(self, action: str) -> None:
        """Wait for the start, whose time is not that of the call and whose failure does not speak against the input."""
        if self._ready:
            return
        with self._deadline(_START_SECONDS):
            try:
                self._ready = _receive(self._from) == _READY
            except (OSError, EOFError) as error:
                self._broken = True
                raise NotStartedError(f"the process for {action} ended before it was ready; is memory left?") from error

    @contextlib.contextmanager
    def _deadline(self, seconds: float) -> Iterator[threading.Event]:
        """Kill the process after a time, and tell so by the event."""
        late = threading.Event()
        timer = threading.Timer(seconds, self._expire, (late,))
        timer.daemon = True
        timer.start()
        try:
            yield late
        finally:
            timer.cancel()

    def _expire(self, late: threading.Event) -> None:
        late.set()
        self.interrupt()

    def _ended(self, late: bool, action: str) -> LimitedProcessError:
        if late:
            return TimeLimitError(f"{action} took longer than {self._limits.seconds:g} s and was stopped")
        self.kill()
        if self._process.returncode == -_OUT_OF_PROCESSOR_TIME:
            return TimeLimitError(
                f"{action} took more than {self._limits.processor_seconds:g} s of processor time and was stopped"
            )
        return CrashedError(f"{action} failed: its process ended without an answer; the file is probably damaged")

    def _answer(self, kind: str, value: Any, action: str) -> Any:
        if kind == "result":
            return value
        if kind == "memory":
            raise MemoryLimitError(f"{action} needed more memory than {self._limits.memory_bytes / _ONE_GB:g} GB")
        if kind == "error":
            raise value
        raise UnexpectedFailureError(action, value)


def work() -> None:
    """Serve calls over the standard streams until the other end closes them: the life of a worker process."""
    to, of = _own_streams()
    _end_with(int(sys.argv[1]))
    try:
        sys.path[:] = _receive(of)
        function, limits = _receive(of)
        gc.freeze()  # what is loaded stays for the life of the worker: no collection looks at it
        _limit_memory(limits)
        _send(to, _READY)
        while True:
            args, kwargs = _receive(of)
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
        _send(to, answer)
    except MemoryError:
        _send(to, ("memory", None))


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
        most = pages * resource.getpagesize() + limits.memory_bytes + _KEPT_BYTES
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


def _widen(stream: BinaryIO) -> None:
    """Let a pipe hold more, where the system can, so that the two ends of it take turns less often."""
    if hasattr(fcntl, "F_SETPIPE_SZ"):
        with contextlib.suppress(OSError):  # more than this user may have
            fcntl.fcntl(stream, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)


def _send(stream: BinaryIO, value: object) -> None:
    """Write a value: the number of its parts, the length and kind of each (odd: read-only), then the parts, first the pickle."""
    buffers: list[pickle.PickleBuffer] = []
    head = pickle.dumps(value, protocol=5, buffer_callback=buffers.append)
    parts = [memoryview(head), *(buffer.raw() for buffer in buffers)]
    numbers = (len(parts), *(2 * part.nbytes + part.readonly for part in parts))
    stream.write(b"".join(number.to_bytes(_LENGTH_BYTES, "little") for number in numbers))
    for part in parts:
        stream.write(part)
    stream.flush()


def _receive(stream: BinaryIO) -> Any:
    kinds = [divmod(_number(stream), 2) for _ in range(_number(stream))]
    parts = [_read_only(stream, length) if readonly else _writable(stream, length) for length, readonly in kinds]
    return pickle.loads(parts[0], buffers=parts[1:])


def _number(stream: BinaryIO) -> int:
    return int.from_bytes(_read_only(stream, _LENGTH_BYTES), "little")


def _read_only(stream: BinaryIO, length: int) -> bytes:
    content = stream.read(length)
    if len(content) < length:
        raise EOFError
    return content


def _writable(stream: BinaryIO, length: int) -> memoryview:
    """The memory of an array rather than a `bytearray`: its memory is not written twice, and large pages are asked for."""
    view, at = np.empty(length, np.uint8).data, 0
    while at < length:
        count = stream.readinto(view[at:])  # type: ignore[attr-defined]  # buffered streams have it
        if not count:
            raise EOFError
        at += count
    return view
