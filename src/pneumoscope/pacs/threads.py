"""Run the same step in several threads until it is told to stop."""

import logging
import threading
from collections.abc import Callable, Sequence

from pneumoscope.pacs.errors import LedgerError

IDLE_SECONDS = 0.2
"""Wait between two steps when there is nothing to do."""
TROUBLE_SECONDS = 2.0
"""Wait after an error of the ledger."""
_LOG = logging.getLogger(__name__)


def run_threads(names: Sequence[str], step: Callable[[str], bool], stop: threading.Event) -> None:
    """Run a step again and again in threads; return when all of them have ended.

    Parameters
    ----------
    names : sequence of str
        Name of each thread, which is given to the step.
    step : callable
        Does one piece of work, and says whether there was any.
    stop : threading.Event
        Set to stop: each thread ends after its present step.

    Raises
    ------
    BaseException
        What a step raised, other than an error of the ledger; the other threads have ended then.
    """
    failures: list[BaseException] = []
    threads = [threading.Thread(target=_run, args=(name, step, stop, failures), name=name) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


def _run(name: str, step: Callable[[str], bool], stop: threading.Event, failures: list[BaseException]) -> None:
    try:
        while not stop.is_set():
            _once(name, step, stop)
    except BaseException as error:
        failures.append(error)
        stop.set()


def _once(name: str, step: Callable[[str], bool], stop: threading.Event) -> None:
    try:
        if not step(name):
            stop.wait(IDLE_SECONDS)
    except LedgerError as error:
        _LOG.warning("%s", error)
        stop.wait(TROUBLE_SECONDS)
