"""Remove files of the spool that nobody needs any more, after the days that the configuration states; the rows stay."""

import logging
import threading
from collections.abc import Mapping
from dataclasses import dataclass

from pneumoscope.pacs.config import NodeConfig
from pneumoscope.pacs.errors import LedgerError, SpoolError
from pneumoscope.pacs.ledger import Ledger
from pneumoscope.pacs.ledger.tables import FileKind
from pneumoscope.pacs.spool import Spool

EVERY_SECONDS = 3600.0
"""Time between two looks for files to remove."""
_DAY_S = 86400.0
_AT_A_TIME = 100
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Removed:
    """How many files were removed; in a dry run, that would be.

    Parameters
    ----------
    sources, results : int
        Received files, and files of results.
    """

    sources: int
    results: int

    def __str__(self) -> str:
        """A few words."""
        return f"{self.sources} received files and {self.results} results"


def remove_old_files(
    config: NodeConfig, ledger: Ledger, stop: threading.Event | None = None, *, dry_run: bool = False
) -> Removed:
    """Remove the files that have been finished for longer than the retention of the node.

    Parameters
    ----------
    config : NodeConfig
        The node.
    ledger : Ledger
        Its ledger. The days count from the first look after which nobody needed the file.
    stop : threading.Event, optional
        Set to end early.
    dry_run : bool
        Whether no file is removed.

    Returns
    -------
    Removed
        How many.

    Raises
    ------
    LedgerError
        If the rows could not be written.
    SpoolError
        If a file cannot be removed.
    """
    ledger.note_finished_files()
    before = {kind: ledger.clock() - days * _DAY_S for kind, days in _days(config).items()}
    if dry_run:
        return Removed(*(ledger.count_finished_files(kind, moment) for kind, moment in before.items()))
    spool = Spool(config.spool_folder, config.limits)
    return Removed(*(_remove(ledger, spool, kind, moment, stop) for kind, moment in before.items()))


def keep_removing(config: NodeConfig, ledger: Ledger, stop: threading.Event) -> None:
    """Remove old files once an hour until it is told to stop.

    Parameters
    ----------
    config : NodeConfig
        The node.
    ledger : Ledger
        Its ledger.
    stop : threading.Event
        Set to stop.
    """
    while not stop.is_set():
        try:
            _LOG.info("retention: removed %s", remove_old_files(config, ledger, stop))
        except (LedgerError, SpoolError) as error:
            _LOG.warning("retention: %s", error)
        stop.wait(EVERY_SECONDS)


def _days(config: NodeConfig) -> Mapping[FileKind, float]:
    """Days that files of each kind are kept."""
    result_days = config.retention.result_days
    if any(one.commitment for one in config.destinations):
        # A destination may report within this time that it does not hold a result, which is then sent again.
        result_days = max(result_days, config.send.give_up_hours / 24)
    return {"source": config.retention.source_days, "result": result_days}


def _remove(ledger: Ledger, spool: Spool, kind: FileKind, before: float, stop: threading.Event | None) -> int:
    removed = 0
    while not (stop and stop.is_set()):
        some = ledger.remove_finished_files(kind, before, spool.remove, _AT_A_TIME)
        removed += some
        if some < _AT_A_TIME:
            break
    return removed
