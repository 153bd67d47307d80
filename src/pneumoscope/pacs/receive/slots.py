"""Count the connections of each address, so that one address cannot take them all."""

import threading
from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Slots:
    """Connections that may be open at the same time; safe to be used by several threads.

    Parameters
    ----------
    total, per_address : int
        Most connections in all, and from one address.

    Examples
    --------
    >>> slots = Slots(total=3, per_address=2)
    >>> [slots.take(address) for address in ("a", "a", "a", "b", "c")]
    [True, True, False, True, False]
    """

    total: int
    per_address: int
    _taken: Counter[str] = field(default_factory=Counter, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def take(self, address: str) -> bool:
        """Take a slot for a connection.

        Parameters
        ----------
        address : str
            Where the connection comes from.

        Returns
        -------
        bool
            Whether there was one.
        """
        with self._lock:
            if self._taken.total() >= self.total or self._taken[address] >= self.per_address:
                return False
            self._taken[address] += 1
            return True

    def give_back(self, address: str) -> None:
        """Give the slot of a connection back that has ended.

        Parameters
        ----------
        address : str
            Where the connection came from.
        """
        with self._lock:
            self._taken[address] -= 1
            if not self._taken[address]:
                del self._taken[address]

    @property
    def taken(self) -> int:
        """Number of connections."""
        with self._lock:
            return self._taken.total()
