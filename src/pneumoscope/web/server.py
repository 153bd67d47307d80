"""Run the server until it is interrupted."""

import contextlib
import ipaddress
import logging
import os
import socket
import sys
import threading
import webbrowser
from collections.abc import Callable
from dataclasses import dataclass
from types import FrameType
from typing import Protocol

import uvicorn
from starlette.types import ASGIApp

from pneumoscope import PneumoscopeError
from pneumoscope.web.patience import PatientProtocol

_MOST_CONNECTIONS = 512
_GRACE_SECONDS = 3
"""For answers that are being sent when the server is stopped."""


class Closable(Protocol):
    """What a server has and closes when it ends: a workspace, or a study."""

    @property
    def closing(self) -> threading.Event:
        """Set when the streams of events must end."""

    def close(self) -> None:
        """Release everything."""


class AddressError(PneumoscopeError):
    """The server cannot listen on the address."""


@dataclass(frozen=True)
class Address:
    """Where the server listens.

    Parameters
    ----------
    host : str
        Address or name of a network interface.
    port : int
        TCP port; 0 for a free one.
    """

    host: str = "127.0.0.1"
    port: int = 0

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine reaches it."""
        if self.host == "localhost":
            return True
        with contextlib.suppress(ValueError):
            return ipaddress.ip_address(self.host).is_loopback
        return False

    @property
    def names(self) -> tuple[str, ...]:
        """Names under which it is reached, for the check of Host."""
        own = self.host.lower()
        return (own,) if self.is_loopback else (own, socket.gethostname().lower())

    def listen(self) -> socket.socket:
        """Open the socket.

        Returns
        -------
        socket
            It listens.

        Raises
        ------
        AddressError
            If the port is in use, or the host has no such interface.
        """
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        try:
            return socket.create_server((self.host, self.port), family=family)
        except OSError as error:
            reason = os.strerror(error.errno).lower() if error.errno else str(error)
            raise AddressError(
                f"the server cannot listen on {self.host}, port {self.port} ({reason}); choose another with --port"
            ) from error


class _Server(uvicorn.Server):
    """A server that tells the streams of events to end when it is interrupted."""

    def __init__(self, config: uvicorn.Config, closing: threading.Event) -> None:
        super().__init__(config)
        self._closing = closing

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._closing.set()
        super().handle_exit(sig, frame)


def url_of(listening: socket.socket, token: str) -> str:
    """Return the address of the page; the token stands in its fragment, which browsers do not send.

    Parameters
    ----------
    listening : socket
        The open socket.
    token : str
        The token of the API.

    Returns
    -------
    str
        URL.
    """
    host, port = listening.getsockname()[:2]
    if ipaddress.ip_address(host).is_unspecified:
        host = socket.gethostname()
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/#token={token}"


def configured(app: ASGIApp, workspace: Closable) -> uvicorn.Server:
    """Make the server of an application, which logs no request.

    Parameters
    ----------
    app : ASGI application
        Built by `pneumoscope.web.app.build`.
    workspace : Closable
        What the server has.

    Returns
    -------
    uvicorn.Server
        Not started yet.
    """
    config = uvicorn.Config(
        app,
        log_config=None,
        log_level=logging.CRITICAL,
        access_log=False,  # a log of requests would hold what was looked at
        server_header=False,
        limit_concurrency=_MOST_CONNECTIONS,
        timeout_graceful_shutdown=_GRACE_SECONDS,
        lifespan="off",
        http=PatientProtocol,
        ws="none",
    )
    return _Server(config, workspace.closing)


def run(app: ASGIApp, workspace: Closable, listening: socket.socket, on_start: Callable[[], None]) -> None:
    """Serve until the program is interrupted (Ctrl-C, or a termination signal), then end the jobs.

    Parameters
    ----------
    app : ASGI application
        Built by `pneumoscope.web.app.build`.
    workspace : Closable
        What the server has; it is closed at the end.
    listening : socket
        The open socket.
    on_start : callable
        Called once before the first request is taken.
    """
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="pneumoscope: %(message)s")
    try:
        on_start()
        with contextlib.suppress(KeyboardInterrupt):  # uvicorn raises the signal again that has ended it
            configured(app, workspace).run(sockets=[listening])
    finally:
        workspace.close()
        listening.close()


def open_browser(url: str) -> None:
    """Open a page in the user's browser, without waiting for it.

    Parameters
    ----------
    url : str
        The page.
    """
    threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()
