"""Run the node: its processes under one parent."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import filelock

from pneumoscope import atomic_files
from pneumoscope.pacs import config
from pneumoscope.pacs.errors import NodeError
from pneumoscope.pacs.ledger import Ledger
from pneumoscope.pacs.process import ROLES, command, quiet_libraries
from pneumoscope.pacs.spool import spool_error
from pneumoscope.pacs.supervisor import supervise

SNAPSHOT = "node.running.toml"
"""File of the spool folder with the configuration that the running processes use."""


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
        If another node uses the spool folder or the ledger.
    """
    text, folder = config.text_of(file), file.parent.absolute()
    node = config.parse(text, folder)
    node.spool_folder.mkdir(parents=True, exist_ok=True)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    quiet_libraries()
    with _only_node(node.spool_folder), Ledger.open(node.ledger_url) as ledger, ledger.of_one_node() as check_alone:
        for role in ROLES:
            ledger.release(role)  # an earlier node was killed with all its processes
        snapshot = _snapshot(text, node.spool_folder)
        supervise({role: command(role, snapshot, folder) for role in ROLES}, ledger, stop, check_alone)


def _snapshot(text: str, spool_folder: Path) -> Path:
    """Keep the configuration that was checked: a process that starts again later must not see an edit of ``node.toml``."""
    file = spool_folder / SNAPSHOT
    try:
        with atomic_files.text(file) as stream:
            if os.name == "posix":
                os.fchmod(stream.fileno(), 0o600)  # it holds the salt
            stream.write(text)
    except OSError as error:
        raise spool_error(error) from None
    return file


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
