"""One process of the node: ``python -m pneumoscope.pacs.process receive|work|send node.toml``.

The supervisor starts three of them. SIGTERM and SIGINT drain: what is being done is finished. A mistake in the configuration is
one sentence on the standard error stream and exit code 2, after which the supervisor does not start the process again.
"""

import importlib
import logging
import os
import signal
import sys
import threading
import warnings
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from pneumoscope import PneumoscopeError
from pneumoscope.pacs import config
from pneumoscope.pacs.errors import LedgerError
from pneumoscope.pacs.ledger import Ledger

USER_MISTAKE = 2
"""Exit code of a process whose configuration cannot be used."""
TROUBLE = 1
"""Exit code of a process that may succeed when it is started again."""
BEAT_SECONDS = 5.0
"""Time between two signs of life in the ledger."""
ROLES: Mapping[str, str] = MappingProxyType(
    {
        "receive": "pneumoscope.pacs.receive.process",
        "work": "pneumoscope.pacs.work.worker",
        "send": "pneumoscope.pacs.send.sender",
    }
)
"""Module of each process; its function ``serve(config, stop)`` runs until it is told to stop."""
_LOG = logging.getLogger(__name__)


def command(role: str, file: Path) -> list[str]:
    """Make the command that starts a process.

    Parameters
    ----------
    role : {"receive", "work", "send"}
        The process.
    file : Path
        The configuration.

    Returns
    -------
    list of str
        Program and arguments.
    """
    return [sys.executable, "-m", "pneumoscope.pacs.process", role, str(file.absolute())]


def run(role: str, file: Path, stop: threading.Event) -> int:
    """Run a process of the node until it is told to stop.

    Parameters
    ----------
    role : {"receive", "work", "send"}
        The process.
    file : Path
        The configuration.
    stop : threading.Event
        Set to stop.

    Returns
    -------
    int
        Exit code: 0, `USER_MISTAKE`, or `TROUBLE`.
    """
    try:
        node = config.read(file)
        module = importlib.import_module(ROLES[role])
        with Ledger.open(node.ledger_url) as ledger:
            beating = threading.Thread(target=_beat, args=(ledger, role, stop), daemon=True)
            beating.start()
            try:
                module.serve(node, stop)
            finally:
                stop.set()
                beating.join()
    except LedgerError as error:
        _LOG.error("%s: %s", role, error)
        return TROUBLE
    except (PneumoscopeError, OSError) as error:
        _LOG.error("%s: %s", role, error)
        return USER_MISTAKE
    return 0


def _beat(ledger: Ledger, role: str, stop: threading.Event) -> None:
    while True:
        try:
            ledger.beat(role, os.getpid())
        except LedgerError as error:
            _LOG.warning("%s: %s", role, error)
        if stop.wait(BEAT_SECONDS):
            return


def quiet_libraries() -> None:
    """Silence the logs and warnings of libraries, which quote identifiers; let the node's own lines go to the error stream."""
    warnings.simplefilter("ignore")
    logging.basicConfig(level=logging.CRITICAL, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    logging.getLogger("pneumoscope").setLevel(logging.INFO)


def main() -> int:
    """Run the process that the command line names.

    Returns
    -------
    int
        Exit code.
    """
    role, file = sys.argv[1:]
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    quiet_libraries()
    return run(role, Path(file), stop)


if __name__ == "__main__":
    sys.exit(main())
