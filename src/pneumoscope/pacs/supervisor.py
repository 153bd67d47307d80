"""The parent of the node's processes: starts them, starts them again when they end, and stops them in peace."""

import logging
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from pneumoscope.pacs.errors import LedgerError, NodeError
from pneumoscope.pacs.ledger import Ledger
from pneumoscope.pacs.process import USER_MISTAKE

FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 0.5, 60.0
"""Wait before a process that has ended is started again: doubled with each end, up to the longest."""
HEALTHY_SECONDS = 60.0
"""Time after which a process counts as healthy, so that the next wait is the first one again."""
DRAIN_SECONDS = 90.0
"""Time that a process has to finish what it does before it is killed; its claims end then, and nothing is lost."""
LOOK_SECONDS = 0.1
ALONE_SECONDS = 5.0
"""Time between two looks whether the ledger still belongs to this node."""
_LOG = logging.getLogger(__name__)


class ProcessError(NodeError):
    """A process of the node has ended because of a mistake that only a user can correct."""


@dataclass
class _Child:
    """A process, and when it is to be started."""

    name: str
    command: Sequence[str]
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    start_at: float = 0.0
    ends: int = 0

    def start(self, now: float) -> None:
        self.process, self.started_at = subprocess.Popen(self.command), now

    def ended(self, now: float) -> int:
        """Take note of an end; give the exit code."""
        assert self.process is not None
        code, self.process = self.process.returncode, None
        self.ends = 1 if now - self.started_at > HEALTHY_SECONDS else self.ends + 1
        self.start_at = now + min(LONGEST_WAIT_SECONDS, FIRST_WAIT_SECONDS * 2.0 ** min(self.ends - 1, 30))
        return code


def supervise(
    commands: Mapping[str, Sequence[str]], ledger: Ledger, stop: threading.Event, check_alone: Callable[[], None] = lambda: None
) -> None:
    """Keep processes running until it is told to stop; then let them finish what they do.

    Parameters
    ----------
    commands : mapping of str to sequence of str
        Program and arguments of each process by its name, which its claims in the ledger begin with.
    ledger : Ledger
        Where the claims of a process that has ended are given back at once.
    stop : threading.Event
        Set to stop.
    check_alone : callable
        Called every few seconds; raises a NodeError where another node has taken over the ledger.

    Raises
    ------
    ProcessError
        If a process has ended with exit code 2: its sentence stands on the error stream. The others are stopped.
    NodeError
        As `check_alone` raises it. The processes are stopped.
    """
    check_at = time.monotonic() + ALONE_SECONDS
    children = [_Child(name, command) for name, command in commands.items()]
    try:
        while not stop.is_set():
            for child in children:
                _look(child, ledger)
            if time.monotonic() >= check_at:
                check_alone()
                check_at = time.monotonic() + ALONE_SECONDS
            stop.wait(LOOK_SECONDS)
    finally:
        _drain(children)
        for child in children:
            _release(ledger, child.name)


def _look(child: _Child, ledger: Ledger) -> None:
    now = time.monotonic()
    if child.process is None:
        if now >= child.start_at:
            child.start(now)
        return
    if child.process.poll() is None:
        return
    code = child.ended(now)
    if code == USER_MISTAKE:
        raise ProcessError(f"the process '{child.name}' could not start; its message stands above")
    wait = child.start_at - now
    _LOG.warning("the process '%s' has ended with code %d; it starts again in %.1f s", child.name, code, wait)
    _release(ledger, child.name)


def _release(ledger: Ledger, name: str) -> None:
    try:
        ledger.release(name)
    except LedgerError as error:  # the claims end by themselves
        _LOG.warning("%s", error)


def _drain(children: Sequence[_Child]) -> None:
    running = [child.process for child in children if child.process is not None]
    for process in running:
        process.terminate()
    ends = time.monotonic() + DRAIN_SECONDS
    for process in running:
        try:
            process.wait(max(0.0, ends - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
