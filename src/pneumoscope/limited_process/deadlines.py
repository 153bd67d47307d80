"""Call a function when something takes too long."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator

_IDLE_SECONDS = 10.0


class Deadlines:
    """Deadlines that one thread watches: a thread for each takes longer than many a call that it would watch.

    The thread starts with the first deadline, and ends when there was none for a while. It is safe to use from several threads.
    """

    def __init__(self) -> None:
        self._due: dict[threading.Event, tuple[float, Callable[[], object]]] = {}
        self._changed = threading.Condition()
        self._wakes_at = 0.0
        self._thread: threading.Thread | None = None

    @contextlib.contextmanager
    def within(self, seconds: float, end: Callable[[], object]) -> Iterator[threading.Event]:
        """Call a function unless the context is left in time.

        Parameters
        ----------
        seconds : float
            The time, > 0.
        end : callable
            Called at most once, by another thread, while the context is not left; it must not wait for anything.

        Yields
        ------
        threading.Event
            Set before the function is called.
        """
        late = threading.Event()
        with self._changed:
            self._due[late] = time.monotonic() + seconds, end
            self._watched(self._due[late][0])
        try:
            yield late
        finally:
            with self._changed:
                self._due.pop(late, None)

    def _watched(self, due: float) -> None:
        """Let the thread be awake at a time; its lock is held."""
        if self._thread is None or not self._thread.is_alive():
            self._wakes_at = due
            self._thread = threading.Thread(target=self._watch, name="deadlines", daemon=True)
            self._thread.start()
        elif due < self._wakes_at:
            self._changed.notify()

    def _watch(self) -> None:
        with self._changed:
            while self._due:
                now = time.monotonic()
                for late in [late for late, (due, _) in self._due.items() if due <= now]:
                    _, end = self._due.pop(late)
                    late.set()
                    end()
                self._wakes_at = min((due for due, _ in self._due.values()), default=now + _IDLE_SECONDS)
                self._changed.wait(self._wakes_at - now)
            self._thread = None
