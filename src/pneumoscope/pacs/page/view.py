"""What the page shows."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from pneumoscope.pacs.config import NodeConfig
from pneumoscope.pacs.drift import Series, compare, newest_judged
from pneumoscope.pacs.ledger import Counts, Ledger
from pneumoscope.pacs.ledger.search import count_by_destination, count_dead_letters
from pneumoscope.pacs.ledger.tables import DeliveryState
from pneumoscope.pacs.page.disk import Disk, disk_of
from pneumoscope.pacs.page.reports import Report, last_reports
from pneumoscope.pacs.quality_sample import sampled
from pneumoscope.pacs.reading_totals import ModelKey, ReadingTotals, Scores
from pneumoscope.pacs.status import ROLES, SILENT_SECONDS, age

IMAGE_WAITS_SECONDS, RESULT_WAITS_SECONDS = 900.0, 3600.0
"""From when on an image that waits to be read, and a result that waits to be sent, need attention."""
REPORT_SECONDS = 2 * 86400.0
"""Age from which the daily report of a poll needs attention."""
_DEAD_LETTERS = 50
_RECONCILED = "reconcile:"


@dataclass(frozen=True)
class ProcessRow:
    """A process of the node.

    Parameters
    ----------
    name, state : str
        Its name, and what it does.
    runs : bool
        Whether it gave a sign of life lately, and was not stopped since.
    """

    name: str
    state: str
    runs: bool


@dataclass(frozen=True)
class DestinationRow:
    """The results for a destination, or the notifications of a system.

    Parameters
    ----------
    name : str
        Its name.
    counts : mapping of str to int
        Number of results by state.
    dead : tuple of (int, str)
        Number of dead letters by their sentence.
    is_configured : bool
        Whether the configuration names it.
    """

    name: str
    counts: Mapping[DeliveryState, int]
    dead: tuple[tuple[int, str], ...] = ()
    is_configured: bool = True


@dataclass(frozen=True)
class PollRow:
    """A polled service.

    Parameters
    ----------
    name : str
        Its name.
    searched_to : str
        Day up to which it was searched; empty where it never was.
    report : Report, optional
        The last report of what it has and what the node read.
    is_configured : bool
        Whether the configuration names it.
    """

    name: str
    searched_to: str
    report: Report | None
    is_configured: bool = True


@dataclass(frozen=True)
class View:
    """What the page shows.

    Parameters
    ----------
    config : NodeConfig
        The node.
    now : float
        Time of the page, in seconds since 1970, UTC.
    processes : tuple of ProcessRow
        Its processes.
    counts : Counts
        Images and results by state.
    destinations : tuple of DestinationRow
        Results by destination.
    polls : tuple of PollRow
        Polled services.
    disk : Disk
        The spool.
    scores : mapping of ModelKey to Scores
        Readings by model.
    drift : tuple of Series
        Readings by model, device and week.
    shown_weeks : tuple of str
        The weeks that are shown.
    sampled : int
        Number of radiographs of the quality sample.
    """

    config: NodeConfig = field(repr=False)
    now: float
    processes: tuple[ProcessRow, ...]
    counts: Counts
    destinations: tuple[DestinationRow, ...]
    polls: tuple[PollRow, ...]
    disk: Disk
    scores: Mapping[ModelKey, Scores]
    drift: tuple[Series, ...]
    shown_weeks: tuple[str, ...]
    sampled: int

    def attention(self) -> list[str]:
        """Say what needs attention.

        Returns
        -------
        list of str
            Sentences, the most urgent first; empty where all is well.
        """
        return [*self._processes(), *self.disk.attention(), *self._waits(), *self._ends(), *self._reports(), *self._drift()]

    def _processes(self) -> Iterator[str]:
        for row in self.processes:
            if not row.runs:
                yield f"The process {row.name} does not run: {row.state}."

    def _waits(self) -> Iterator[str]:
        waits = (("image", "read", self.counts.oldest_received_at, IMAGE_WAITS_SECONDS),
                 ("result", "sent", self.counts.oldest_waiting_since, RESULT_WAITS_SECONDS))  # fmt: skip
        for what, verb, since, longest in waits:
            if since is not None and self.now - since > longest:
                yield f"An {what} waits to be {verb} for {age(self.now - since)}.".replace("An result", "A result")

    def _ends(self) -> Iterator[str]:
        for row in self.destinations:
            if dead := row.counts.get("dead", 0):
                yield f"{dead} dead letters for '{row.name}': correct the cause, then requeue or drop them."
            waiting = row.counts.get("waiting", 0) + row.counts.get("sending", 0)
            if waiting and not row.is_configured:
                yield f"{waiting} results wait for '{row.name}', which the configuration does not name."
        for state, what in (("failed", "could not be read"), ("conflict", "have the SOP Instance UID of another content")):
            if number := self.counts.instances.get(state, 0):
                yield f"{number} images {what}: pneumoscope node list images --state {state}"

    def _reports(self) -> Iterator[str]:
        for row in self.polls:
            if row.report and row.report.missing:
                yield f"{row.report.missing} images of '{row.name}' had not arrived when the last report was made."
            if row.report and row.is_configured and self.now - row.report.made_at > REPORT_SECONDS:
                yield f"The last report about '{row.name}' is {age(self.now - row.report.made_at)} old."

    def _drift(self) -> Iterator[str]:
        for week, difference in newest_judged(self.drift, self.shown_weeks):
            if difference.is_alert:
                yield f"Drift of device {week.device} ({week.model.name}) in week {week.week}: {difference}."


def view(config: NodeConfig, ledger: Ledger, totals: ReadingTotals) -> View:
    """Collect what the page shows.

    Parameters
    ----------
    config : NodeConfig
        The node.
    ledger : Ledger
        Its ledger.
    totals : ReadingTotals
        Totals over its readings.

    Returns
    -------
    View
        The state of the node now.

    Raises
    ------
    LedgerError, SpoolError
        If the ledger or the spool folder cannot be read.
    """
    scores, weeks = totals.count()
    shown, now = totals.shown_weeks(), ledger.clock()
    return View(
        config,
        now,
        tuple(_process_rows(ledger, now)),
        ledger.counts(),
        tuple(_destination_rows(config, ledger)),
        tuple(_poll_rows(config, ledger)),
        disk_of(config),
        scores,
        tuple(compare(weeks, config.drift, shown)),
        tuple(shown),
        len(sampled(config)),
    )


def _process_rows(ledger: Ledger, now: float) -> Iterator[ProcessRow]:
    beats = {one.process: one for one in ledger.heartbeats()}
    for role in ROLES:
        beat = beats.get(role)
        if beat is None:
            yield ProcessRow(role, "never ran", runs=False)
        elif beat.stopped:
            yield ProcessRow(role, f"stopped {age(now - beat.at)} ago", runs=False)
        elif now - beat.at > SILENT_SECONDS:
            yield ProcessRow(role, f"silent for {age(now - beat.at)}", runs=False)
        else:
            yield ProcessRow(role, f"runs, process {beat.pid}", runs=True)


def _destination_rows(config: NodeConfig, ledger: Ledger) -> Iterator[DestinationRow]:
    counted, dead = count_by_destination(ledger), count_dead_letters(ledger, _DEAD_LETTERS)
    configured = [one.name for one in config.outlets]
    for name in [*configured, *sorted(counted.keys() - set(configured))]:
        letters = tuple((number, reason) for destination, reason, number in dead if destination == name)
        yield DestinationRow(name, counted.get(name, {}), letters, name in configured)


def _poll_rows(config: NodeConfig, ledger: Ledger) -> Iterator[PollRow]:
    watermarks, reports = ledger.watermarks(), last_reports(config.spool_folder)
    configured = [one.name for one in config.polls]
    known = {name for name in watermarks if not name.startswith(_RECONCILED)} | reports.keys()
    for name in [*configured, *sorted(known - set(configured))]:
        yield PollRow(name, watermarks.get(name, ""), reports.get(name), name in configured)


def local_time(seconds: float) -> str:
    """Write a time for people.

    Parameters
    ----------
    seconds : float
        Seconds since 1970, UTC.

    Returns
    -------
    str
        Local time of the node with its time zone.
    """
    return datetime.fromtimestamp(seconds).astimezone().strftime("%Y-%m-%d %H:%M:%S %Z")
