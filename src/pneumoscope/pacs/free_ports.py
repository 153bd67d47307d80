"""Try whether the node can listen on its ports."""

import errno
import socket
import time
from collections.abc import Callable, Iterator

from pneumoscope import PneumoscopeError
from pneumoscope.pacs.config import NodeConfig
from pneumoscope.pacs.ledger import Ledger
from pneumoscope.pacs.status import SILENT_SECONDS

_LAST_PROTECTED = 1023


def try_ports(config: NodeConfig, clock: Callable[[], float] = time.time) -> Iterator[tuple[bool, str]]:
    """Try whether the node can listen on its ports; nothing is received.

    Parameters
    ----------
    config : NodeConfig
        The node.
    clock : callable
        Gives the present time in seconds since 1970, UTC.

    Yields
    ------
    tuple of bool and str
        For each port, whether the node can listen there, and a sentence.
    """
    receive = config.receive
    for name, port in (("port", receive.port), ("stow_port", receive.stow_port)):
        if port:
            yield _try(config, name, port, clock)


def _try(config: NodeConfig, name: str, port: int, clock: Callable[[], float]) -> tuple[bool, str]:
    host, what = config.receive.host, f"{name} {port}"
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        with socket.socket(family, kind, protocol) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind(address)
            trial.listen(1)
    except OSError as error:
        if error.errno == errno.EADDRINUSE and (process := _own_process(config, clock)):
            return True, f"{what}: this node is running and listens there (process {process})"
        return False, f"{what}: {_why(error, host, name, port)}"
    return True, f"{what}: it is free on {host}"


def _why(error: OSError, host: str, name: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"another program listens there on {host}; stop it (  ss -ltnp 'sport = :{port}'  run by root shows which one), "
            f"or choose another '{name}'"
        )
    if error.errno in (errno.EACCES, errno.EPERM) and port <= _LAST_PROTECTED:
        return (
            f"this user may not listen on ports up to {_LAST_PROTECTED}; choose a higher '{name}', or grant CAP_NET_BIND_SERVICE"
        )
    if error.errno == errno.EADDRNOTAVAIL or isinstance(error, socket.gaierror):
        return f"this machine has no address '{host}'; correct 'host' in [receive]  (ip address  lists the addresses)"
    return f"the node cannot listen there on {host} ({(error.strerror or type(error).__name__).lower()})"


def _own_process(config: NodeConfig, clock: Callable[[], float]) -> int | None:
    """Number of the receiving process of this very node, where it runs."""
    try:
        with Ledger.open(config.ledger_url) as ledger:
            beats = [one for one in ledger.heartbeats() if one.process == "receive" and not one.stopped]
    except PneumoscopeError:
        return None
    return beats[0].pid if beats and clock() - beats[0].at < SILENT_SECONDS else None
