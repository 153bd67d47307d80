"""Run the node: its processes under one parent."""

import signal
import threading
from pathlib import Path

from pneumoscope.pacs import config
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
    """
    node = config.read(file)
    node.spool_folder.mkdir(parents=True, exist_ok=True)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    quiet_libraries()
    with Ledger.open(node.ledger_url) as ledger:
        supervise({role: command(role, file) for role in ROLES}, ledger, stop)
