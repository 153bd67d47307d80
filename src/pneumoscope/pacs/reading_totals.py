"""Totals over the readings of a node: scores by model; abstentions and the domain by model, device and week."""

import threading
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

import msgspec

from pneumoscope.pacs.device import device_or_sender
from pneumoscope.pacs.ledger import Ledger
from pneumoscope.pacs.ledger.search import ReadImage, readings_after

BOUNDS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
"""Upper bounds of the classes of the score, each included."""
WEEKS = 8
"""Number of weeks that are shown, the present one included."""
MOST_DEVICES = 200
"""Number of devices that are distinguished; readings of further ones count as those of `OTHER_DEVICES`."""
OTHER_DEVICES = "other"
_PAGE = 1000
_LATE_ROWS = 200
_BUNDLE_DIGITS = 12
_SECONDS_OF_WEEK = 7 * 86400.0


@dataclass(frozen=True)
class _Domain:
    inside: bool


@dataclass(frozen=True)
class _Model:
    name: str


@dataclass(frozen=True)
class _Answer:
    """What is counted of a line of form 5."""

    probability: float
    abstains: bool
    domain: _Domain | None
    model: _Model


_ANSWERS = msgspec.json.Decoder(_Answer)


@dataclass(frozen=True)
class ModelKey:
    """A model.

    Parameters
    ----------
    name : str
        Name of its bundle.
    bundle : str
        First 12 digits of its identity.
    """

    name: str
    bundle: str


@dataclass
class Scores:
    """The readings of a model.

    Parameters
    ----------
    counts : list of int
        Number of readings in each class of `BOUNDS`.
    total : float
        Sum of the scores.
    abstentions : int
        Number of readings in which the model abstains.
    """

    counts: list[int] = field(default_factory=lambda: [0] * len(BOUNDS))
    total: float = 0.0
    abstentions: int = 0


@dataclass
class Week:
    """The readings of a model of one device in one week.

    Parameters
    ----------
    readings, abstentions : int
        Number of readings, and of those in which the model abstains.
    checked, outside : int
        Number of readings whose domain was checked, and of those outside of the model's domain.
    counts : list of int
        Number of readings in each class of `BOUNDS`.
    total : float
        Sum of the scores.
    """

    readings: int = 0
    abstentions: int = 0
    checked: int = 0
    outside: int = 0
    counts: list[int] = field(default_factory=lambda: [0] * len(BOUNDS))
    total: float = 0.0


WeekKey = tuple[ModelKey, str, str]
"""Model, pseudonym of the device, and ISO week such as 2026-W05."""


@dataclass
class ReadingTotals:
    """Totals over all readings in a ledger; each reading is fetched once. Several threads may use them.

    Parameters
    ----------
    ledger : Ledger
        The ledger.
    salt : str
        Secret of the site, for the pseudonyms of devices.
    """

    ledger: Ledger
    salt: str = field(repr=False)
    _scores: dict[ModelKey, Scores] = field(default_factory=dict, repr=False)
    _weeks: dict[WeekKey, Week] = field(default_factory=dict, repr=False)
    _last: int = 0
    _recent: set[int] = field(default_factory=set, repr=False)
    _devices: set[str] = field(default_factory=set, repr=False)
    _one_counts: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    def count(self) -> tuple[dict[ModelKey, Scores], dict[WeekKey, Week]]:
        """Count the readings that were recorded since the last call.

        Returns
        -------
        tuple of dict
            All readings by model, and by model, device and week.

        Raises
        ------
        LedgerError
            If the ledger cannot be read.
        """
        with self._one_counts:
            # PostgreSQL may show a row later than one with a higher number: the last ones are looked at again.
            position = max(self._last - _LATE_ROWS, 0)
            while page := readings_after(self.ledger, position, _PAGE):
                self._add(one for one in page if one.id not in self._recent)
                position = page[-1].id
            self._recent = {row for row in self._recent if row > self._last - _LATE_ROWS}
            return dict(self._scores), dict(self._weeks)

    def _add(self, rows: Iterable[ReadImage]) -> None:
        for row in rows:
            answer = _ANSWERS.decode(row.line)
            model = ModelKey(answer.model.name, row.model_sha256[:_BUNDLE_DIGITS])
            scores = self._scores.setdefault(model, Scores())
            score_class = bisect_left(BOUNDS, answer.probability)
            scores.counts[score_class] += 1
            scores.total += answer.probability
            scores.abstentions += answer.abstains
            key = model, self._device(row), week_of(row.created_at)
            week = self._weeks.setdefault(key, Week())
            week.readings += 1
            week.counts[score_class] += 1
            week.total += answer.probability
            week.abstentions += answer.abstains
            week.checked += answer.domain is not None
            week.outside += answer.domain is not None and not answer.domain.inside
            self._recent.add(row.id)
            self._last = max(self._last, row.id)

    def _device(self, row: ReadImage) -> str:
        device = device_or_sender(row.device, row.sender, self.salt)
        if device not in self._devices and len(self._devices) >= MOST_DEVICES:
            return OTHER_DEVICES
        self._devices.add(device)
        return device

    def shown_weeks(self) -> list[str]:
        """List the last `WEEKS` weeks.

        Returns
        -------
        list of str
            ISO weeks, the oldest first; the last one is the present week.
        """
        now = self.ledger.clock()
        return [week_of(now - back * _SECONDS_OF_WEEK) for back in reversed(range(WEEKS))]


def week_of(seconds: float) -> str:
    """Name the week of a moment.

    Parameters
    ----------
    seconds : float
        Seconds since 1970, UTC.

    Returns
    -------
    str
        Week of ISO 8601 in UTC; weeks sort by their names.

    Examples
    --------
    >>> week_of(0.0)
    '1970-W01'
    """
    year, week, _ = datetime.fromtimestamp(seconds, UTC).isocalendar()
    return f"{year}-W{week:02d}"
