"""One process of the node: ``python -m pneumoscope.pacs.process receive|work|send node.toml [folder]``.

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
from types import MappingProxyType, TracebackType

from pneumoscope import PneumoscopeError
from pneumoscope.pacs import config
from pneumoscope.pacs.errors import LedgerError, SpoolError
from pneumoscope.pacs.ledger import Ledger

USER_MISTAKE = 2
"""Exit code of a process whose configuration cannot be used."""
TROUBLE = 1
"""Exit code of a process that may succeed when it is started again."""
PARENT_SECONDS = 1.0
"""Time between two looks whether the parent is there."""
OWNER_ALONE = 0o077
"""File mode mask of the node: what it writes is of patients, and nobody but its user may read it."""
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
_LOG = logging.getLogger("pneumoscope.pacs.process")  # its own name is __main__ where it is run


def command(role: str, file: Path, folder: Path | None = None) -> list[str]:
    """Make the command that starts a process.

    Parameters
    ----------
    role : {"receive", "work", "send"}
        The process.
    file : Path
        The configuration.
    folder : Path, optional
        Folder that its relative paths start from; by default that of the file.

    Returns
    -------
    list of str
        Program and arguments.
    """
    file = file.absolute()
    return [sys.executable, "-m", "pneumoscope.pacs.process", role, str(file), str(folder or file.parent)]


def run(role: str, file: Path, stop: threading.Event, folder: Path | None = None) -> int:
    """Run a process of the node until it is told to stop.

    Parameters
    ----------
    role : {"receive", "work", "send"}
        The process.
    file : Path
        The configuration.
    stop : threading.Event
        Set to stop.
    folder : Path, optional
        Folder that relative paths of the configuration start from; by default that of the file.

    Returns
    -------
    int
        Exit code: 0, `USER_MISTAKE`, or `TROUBLE`.
    """
    try:
        node = config.read(file, folder)
        module = importlib.import_module(ROLES[role])
        with Ledger.open(node.ledger_url) as ledger:
            beating = threading.Thread(target=_beat, args=(ledger, role, stop), daemon=True)
            beating.start()
            try:
                module.serve(node, stop)
            finally:
                stop.set()
                beating.join()
            _end_beat(ledger, role)
    except (LedgerError, SpoolError) as error:
        _LOG.error("%s: %s", role, error)
        return TROUBLE
    except PneumoscopeError as error:
        _LOG.error("%s: %s", role, error)
        return USER_MISTAKE
    except OSError as error:  # its text may quote a path
        _LOG.error("%s: the system does not let the process run (%s)", role, type(error).__name__)
        return TROUBLE
    return 0


def _beat(ledger: Ledger, role: str, stop: threading.Event) -> None:
    while True:
        try:
            ledger.beat(role, os.getpid())
        except LedgerError as error:
            _LOG.warning("%s: %s", role, error)
        if stop.wait(BEAT_SECONDS):
            return


def _end_beat(ledger: Ledger, role: str) -> None:
    try:
        ledger.end_beat(role, os.getpid())
    except LedgerError as error:
        _LOG.warning("%s: %s", role, error)


def quiet_libraries() -> None:
    """Silence the logs and warnings of libraries, which quote identifiers; let the node's own lines go to the error stream."""
    warnings.simplefilter("ignore")
    logging.basicConfig(level=logging.CRITICAL, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    logging.getLogger("pneumoscope").setLevel(logging.INFO)
    sys.excepthook = _log_unnamed
    threading.excepthook = lambda failed: _log_unnamed(failed.exc_type, failed.exc_value, failed.exc_traceback)


def _log_unnamed(kind: type[BaseException], _error: BaseException | None, traceback: TracebackType | None) -> None:
    """Log an error that nobody has named, without its text, which may quote what was received."""
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    code = traceback.tb_frame.f_code if traceback is not None else None
    where = f"{Path(code.co_filename).name}:{code.co_name}" if code is not None else "nowhere"
    _LOG.error("an unexpected %s in %s; please report this line", kind.__name__, where)


def stop_with_parent(parent: int, stop: threading.Event) -> None:
    """Stop when the parent has ended: one that was killed tells its processes nothing.

    Parameters
    ----------
    parent : int
        Number of the parent process.
    stop : threading.Event
        Set when it has ended.
    """
    while not stop.wait(PARENT_SECONDS):
        if os.getppid() != parent:
            stop.set()


def main() -> int:
    """Run the process that the command line names.

    Returns
    -------
    int
        Exit code.
    """
    role, file, *folder = sys.argv[1:]
    os.umask(OWNER_ALONE)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    quiet_libraries()
    threading.Thread(target=stop_with_parent, args=(os.getppid(), stop), daemon=True).start()
    return run(role, Path(file), stop, Path(folder[0]) if folder else None)


if __name__ == "__main__":
    sys.exit(main())
