"""Look for drift from time to time, log each alert once, and keep what was seen for ``pneumoscope node status``."""

import logging
import threading
from dataclasses import asdict, dataclass
from pathlib import Path

import msgspec

from pneumoscope import atomic_files, strict_json
from pneumoscope.pacs.drift import DeviceWeek, Difference, compare, newest_judged
from pneumoscope.pacs.errors import LedgerError
from pneumoscope.pacs.reading_totals import ReadingTotals
from pneumoscope.pacs.settings import Drift

FILE = Path("reports", "drift.json")
"""File of the spool folder with what was seen last."""
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Alert:
    """A measure of a device that differs from its reference.

    Parameters
    ----------
    model, bundle : str
        Name of the model, and the first digits of its identity.
    device : str
        Pseudonym of the device.
    measure : str
        One of `pneumoscope.pacs.drift.Measure`.
    week : str
        ISO week.
    difference : str
        The difference in a phrase.
    """

    model: str
    bundle: str
    device: str
    measure: str
    week: str
    difference: str

    @property
    def key(self) -> tuple[str, str, str]:
        """What stays the same while an alert lasts."""
        return self.bundle, self.device, self.measure

    def __str__(self) -> str:
        """One sentence."""
        return f"drift: device {self.device}, model {self.model} ({self.bundle}), week {self.week}: {self.difference}"


@dataclass(frozen=True)
class Seen:
    """What was seen at a time.

    Parameters
    ----------
    at : float
        When, in seconds since 1970, UTC.
    judged, collecting : int
        Number of pairs of a model and a device that can be judged now, and of those whose reference is still collected.
    alerts : tuple of Alert
        What differs.
    """

    at: float
    judged: int = 0
    collecting: int = 0
    alerts: tuple[Alert, ...] = ()

    def lines(self) -> list[str]:
        """Say it in sentences.

        Returns
        -------
        list of str
            Lines without any identifier.
        """
        if self.alerts:
            return [str(alert) for alert in self.alerts]
        waiting = f"; without a whole reference: {self.collecting}" if self.collecting else ""
        return [f"drift: no alert; devices (by model) that can be judged: {self.judged}{waiting}"]


def look(totals: ReadingTotals, settings: Drift) -> Seen:
    """Look for drift.

    Parameters
    ----------
    totals : ReadingTotals
        Totals over the readings.
    settings : Drift
        Reference and thresholds.

    Returns
    -------
    Seen
        What differs now.

    Raises
    ------
    LedgerError
        If the ledger cannot be read.
    """
    _, weeks = totals.count()
    shown = totals.shown_weeks()
    compared = compare(weeks, settings, shown)
    judged = newest_judged(compared, shown)
    alerts = tuple(_alert(week, one) for week, one in judged if one.is_alert)
    devices = {(week.model, week.device) for week, _ in judged}
    return Seen(totals.ledger.clock(), len(devices), sum(not one.is_whole for one in compared), alerts)


def _alert(week: DeviceWeek, difference: Difference) -> Alert:
    return Alert(week.model.name, week.model.bundle, week.device, difference.measure, week.week, str(difference))


def last_seen(spool_folder: Path) -> Seen | None:
    """Read what was seen last.

    Parameters
    ----------
    spool_folder : Path
        The spool folder.

    Returns
    -------
    Seen or None
        None where nothing was seen yet, or the file cannot be read.
    """
    try:
        return strict_json.decode((spool_folder / FILE).read_bytes(), Seen)
    except (OSError, strict_json.StrictJsonError):
        return None


def watch_once(totals: ReadingTotals, settings: Drift, spool_folder: Path) -> None:
    """Look for drift, log the alerts that begin and end, and keep what was seen.

    Parameters
    ----------
    totals : ReadingTotals
        Totals over the readings.
    settings : Drift
        Reference and thresholds.
    spool_folder : Path
        The spool folder.

    Raises
    ------
    LedgerError
        If the ledger cannot be read.
    OSError
        If what was seen cannot be kept; it is logged again the next time.
    """
    seen, before = look(totals, settings), last_seen(spool_folder)
    there = {alert.key: alert for alert in before.alerts} if before else {}
    with atomic_files.binary(spool_folder / FILE) as stream:
        stream.write(msgspec.json.encode(asdict(seen)))
    for alert in seen.alerts:
        if alert.key not in there:
            _LOG.warning("%s", alert)
    for key in there.keys() - {alert.key for alert in seen.alerts}:
        _LOG.info("drift: device %s, model %s: no more alert of %s", key[1], there[key].model, key[2])


def keep_watching(totals: ReadingTotals, settings: Drift, spool_folder: Path, stop: threading.Event) -> None:
    """Look for drift until it is told to stop.

    Parameters
    ----------
    totals : ReadingTotals
        Totals over the readings.
    settings : Drift
        Reference, thresholds and the time between two looks.
    spool_folder : Path
        The spool folder.
    stop : threading.Event
        Set to stop.
    """
    while True:
        try:
            watch_once(totals, settings, spool_folder)
        except (LedgerError, OSError) as error:  # the text of an OSError may quote a path
            _LOG.warning("drift could not be looked for: %s", error if isinstance(error, LedgerError) else type(error).__name__)
        if stop.wait(settings.seconds):
            return
