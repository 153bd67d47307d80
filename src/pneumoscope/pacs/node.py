"""Run the node: its processes under one parent."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import filelock

from pneumoscope.pacs import config
from pneumoscope.pacs.errors import NodeError
from pneumoscope.pacs.ledger import Ledger
from pneumoscope.pacs.process import ROLES, command, quiet_libraries
from pneumoscope.pacs.supervisor import supervise


def run(file: Path) -> None:
    """Run the node until SIGTERM or Ctrl-C; what is being received, read or sent is finished then.

    Parameters
    ----------
    file : Path
        The configuration.

    Raises
    ------
    ConfigError
        If the configuration cannot be used.
    LedgerError
        If the ledger cannot be opened.
    ProcessError
        If a process cannot start.
    NodeError
        If another node uses the spool folder.
    """
    node = config.read(file)
    node.spool_folder.mkdir(parents=True, exist_ok=True)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    quiet_libraries()
    with _only_node(node.spool_folder), Ledger.open(node.ledger_url) as ledger:
        for role in ROLES:
            ledger.release(role)  # an earlier node was killed with all its processes
        supervise({role: command(role, file) for role in ROLES}, ledger, stop)


@contextmanager
def _only_node(folder: Path) -> Iterator[None]:
    """Hold the lock of a spool folder; the system gives it back when the process ends, however it ends."""
    lock = filelock.FileLock(folder / "node.lock")
    try:
        lock.acquire(blocking=False)
    except filelock.Timeout:
        raise NodeError("another node uses this spool folder; stop it, or give this one its own 'spool'") from None
    with lock:
        yield
