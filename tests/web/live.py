"""A server on a port of this machine, in a thread of the test."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator

from starlette.types import ASGIApp

from pneumoscope.web import server
from pneumoscope.web.app import build
from pneumoscope.web.workspace import Workspace


@contextlib.contextmanager
def live(workspace: Workspace, application: ASGIApp | None = None) -> Iterator[int]:
    """Serve a workspace, and give the port."""
    listening = server.Address().listen()
    running = server.configured(application or build(workspace), workspace)
    thread = threading.Thread(target=running.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    until = time.monotonic() + 60
    while not running.started and time.monotonic() < until:
        time.sleep(0.002)
    try:
        yield listening.getsockname()[1]
    finally:
        running.should_exit = True
        workspace.closing.set()
        thread.join(60)
        listening.close()
        assert not thread.is_alive()


def exchange(port: int, *parts: bytes) -> bytes:
    """Send bytes, and receive until the server closes the connection."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        for part in parts:
            connection.sendall(part)
        answer = b""
        with contextlib.suppress(ConnectionResetError):
            while part := connection.recv(65536):
                answer += part
    return answer
