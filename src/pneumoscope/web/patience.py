"""Close connections that do not send the head of a request in time, so that silent ones do not use up all there are."""

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_SECONDS = 15.0
"""Longest time for the head of a request, from the connection or from its first byte."""


class PatientProtocol(H11Protocol):
    """HTTP/1.1 of uvicorn, which waits for ever for the head of a first request, and for one that has begun."""

    head_seconds = HEAD_SECONDS
    """Longest time for the head of a request; a subclass may set another one."""
    _waiting: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # TCP alone
        """Begin to wait for the first head.

        Parameters
        ----------
        transport : asyncio.Transport
            The connection.
        """
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Handle a part of a request; wait for the rest of its head.

        Parameters
        ----------
        data : bytes
            The part.
        """
        super().data_received(data)
        if self._has_head:
            self._stop_waiting()
        elif self._waiting is None:
            self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """End the waiting.

        Parameters
        ----------
        exc : Exception, optional
            Why the connection was lost.
        """
        self._stop_waiting()
        super().connection_lost(exc)

    @property
    def _has_head(self) -> bool:
        """Whether a request is being handled."""
        cycle: Any = self.cycle
        return cycle is not None and not cycle.response_complete

    def _wait(self) -> None:
        self._waiting = self.loop.call_later(self.head_seconds, self._give_up)

    def _stop_waiting(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None

    def _give_up(self) -> None:
        self._waiting = None
        if not self._has_head:
            self.transport.close()
