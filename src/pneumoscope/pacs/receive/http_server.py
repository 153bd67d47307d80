"""Listen for HTTP, so that no client can keep the others out."""

import asyncio
import asyncio.constants
import contextlib
import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn

from pneumoscope.pacs.errors import ListenError
from pneumoscope.pacs.receive.server import server_context
from pneumoscope.pacs.receive.slots import Slots
from pneumoscope.pacs.settings import Limits, Receiving
from pneumoscope.web.patience import PatientProtocol

_MOST_HEAD_BYTES = 2**15
_MOST_CONNECTIONS = 512
_START_S = 30.0


def _protocol(limits: Limits) -> type[asyncio.Protocol]:
    """A protocol that counts the connections of each address and closes one whose request does not come in time."""
    slots = Slots(_MOST_CONNECTIONS, limits.associations_per_address * 4)

    class BoundedProtocol(PatientProtocol):
        head_seconds = limits.request_seconds
        address = ""

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # TCP alone
            address = str((transport.get_extra_info("peername") or [""])[0])
            if not slots.take(address):
                transport.abort()
                return
            self.address = address
            super().connection_made(transport)

        def data_received(self, data: bytes) -> None:
            if self.address:
                super().data_received(data)

        def connection_lost(self, exc: Exception | None) -> None:
            if self.address:
                slots.give_back(self.address)
                super().connection_lost(exc)

    return BoundedProtocol


@contextmanager
def listening_http(application: Any, receiving: Receiving, limits: Limits) -> Iterator[int]:
    """Serve an application over HTTP, or over TLS where the settings have certificates, until the context ends.

    Parameters
    ----------
    application : ASGI application
        What answers.
    receiving : Receiving
        Address, port and certificates.
    limits : Limits
        What clients may use.

    Yields
    ------
    int
        The port.

    Raises
    ------
    ListenError
        If the port cannot be listened on, or the certificates cannot be used.
    """
    # uvicorn does not say how long a handshake may take, and the default of asyncio is a minute.
    asyncio.constants.SSL_HANDSHAKE_TIMEOUT = limits.request_seconds
    config = uvicorn.Config(
        application,
        loop="asyncio",
        host=receiving.host,
        port=receiving.stow_port,
        http=_protocol(limits),
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        backlog=128,
        timeout_keep_alive=int(limits.request_seconds) + 1,
        timeout_graceful_shutdown=int(limits.drain_seconds),
        h11_max_incomplete_event_size=_MOST_HEAD_BYTES,
    )
    config.load()
    config.ssl = server_context(receiving.tls) if receiving.tls else None
    for name in ("uvicorn", "uvicorn.error"):
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)  # its tracebacks may quote what clients send
    server = uvicorn.Server(config)
    thread = threading.Thread(target=_run, args=(server,), name="stow", daemon=True)
    thread.start()
    ends = time.monotonic() + _START_S
    while not server.started and thread.is_alive() and time.monotonic() < ends:
        time.sleep(0.01)
    if not server.started:
        raise ListenError(f"the node cannot listen on {receiving.host} port {receiving.stow_port}; choose another port")
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(limits.drain_seconds + 5)


def _run(server: uvicorn.Server) -> None:
    with contextlib.suppress(SystemExit):  # it cannot listen
        server.run()
