"""Keep values that are costly to make in a bounded amount of memory, each made once at a time."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class BoundedCache(Generic[K, V]):
    """The values that were used last, up to a number of bytes; it is safe to use from several threads.

    Parameters
    ----------
    most_bytes : int
        Most bytes that are kept. A larger value is returned, but not kept.
    size_of : callable
        From a value to its bytes.
    """

    def __init__(self, most_bytes: int, size_of: Callable[[V], int]) -> None:
        self._most_bytes = most_bytes
        self._size_of = size_of
        self._values: OrderedDict[K, V] = OrderedDict()
        self._n_bytes = 0
        self._lock = threading.Lock()
        self._making: dict[K, threading.Lock] = {}

    @property
    def n_bytes(self) -> int:
        """Bytes of the values that are kept."""
        return self._n_bytes

    def get(self, key: K, make: Callable[[], V]) -> V:
        """Return a value, and make it where it is not kept; of several threads that ask at the same time, one makes it.

        Parameters
        ----------
        key : hashable
            Which value.
        make : callable
            Makes it. What it raises is raised to the one who asked, and nothing is kept.

        Returns
        -------
        object
            The value.
        """
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
                return self._values[key]
            making = self._making.setdefault(key, threading.Lock())
        with making:
            with self._lock:
                if key in self._values:
                    return self._values[key]
            try:
                value = make()
                with self._lock:
                    self._keep(key, value)
            finally:
                with self._lock:
                    self._making.pop(key, None)
        return value

    def put(self, key: K, value: V) -> None:
        """Keep a value that was made elsewhere; nothing where the key has one.

        Parameters
        ----------
        key : hashable
            Which value.
        value : object
            The value.
        """
        with self._lock:
            self._keep(key, value)

    def drop(self, wanted: Callable[[K], bool]) -> None:
        """Forget values.

        Parameters
        ----------
        wanted : callable
            Whether the value of a key is to be forgotten.
        """
        with self._lock:
            for key in [key for key in self._values if wanted(key)]:
                self._n_bytes -= self._size_of(self._values.pop(key))

    def _keep(self, key: K, value: V) -> None:
        size = self._size_of(value)
        if key in self._values or size > self._most_bytes:
            return
        self._values[key] = value
        self._n_bytes += size
        while self._n_bytes > self._most_bytes:
            _, oldest = self._values.popitem(last=False)
            self._n_bytes -= self._size_of(oldest)
