"""Define `Pending`: contents on their way to a worker process."""

from collections import deque
from collections.abc import Iterable
from itertools import islice

_MESSAGE_BYTES = 256
"""More than what a message has beside its content."""


class Pending:
    """Contents that are to be sent to a worker, and those that were sent and have no answer yet. True while there are any.

    Parameters
    ----------
    contents : iterable of bytes
        The contents, in order; read when they are to be sent, or when it must be known whether there are more.
    """

    def __init__(self, contents: Iterable[bytes]) -> None:
        self._later = iter(contents)
        self._next: deque[bytes] = deque()
        self.unanswered: deque[bytes] = deque()

    def __bool__(self) -> bool:
        self._look_ahead()
        return bool(self.unanswered or self._next)

    def to_send(self, most_bytes: int) -> list[bytes]:
        """Take the contents that can be sent now: one if none is unanswered, and those that fit beside it.

        Parameters
        ----------
        most_bytes : int
            Bytes of all unanswered contents, with their messages, up to which a further one is taken.

        Returns
        -------
        list of bytes
            The contents, from now on unanswered.
        """
        taken: list[bytes] = []
        self._look_ahead()
        in_pipe = sum(map(_on_the_way, self.unanswered))
        while self._next and (not self.unanswered or in_pipe + _on_the_way(self._next[0]) <= most_bytes):
            taken.append(self._next.popleft())
            self.unanswered.append(taken[-1])
            in_pipe += _on_the_way(taken[-1])
            self._look_ahead()
        return taken

    def send_again(self) -> None:
        """Let the unanswered contents be the first to be sent: the worker that they were sent to has ended."""
        self._next.extendleft(reversed(self.unanswered))
        self.unanswered.clear()

    def _look_ahead(self) -> None:
        if not self._next:
            self._next.extend(islice(self._later, 1))


def _on_the_way(content: bytes) -> int:
    return len(content) + _MESSAGE_BYTES
