"""A port for a server that a test starts in a process of its own."""

import random
import socket

_PORTS = range(20_000, 32_000)
"""Below the ports that a system chooses itself (from 32,768 in Linux), which connections of other tests use."""


def free_port() -> int:
    """A port of this machine on which nothing listens, drawn at random so that tests that run at once draw different ones."""
    while True:
        port = random.SystemRandom().choice(_PORTS)
        try:
            socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            continue
        return port
