"""Totals over the readings of a node: scores by model; abstentions and the domain by model, device and week."""

import threading
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import msgspec

from pneumoscope.pacs.device import device_or_sender
from pneumoscope.pacs.ledger import Ledger
from pneumoscope.pacs.ledger.search import ReadImage, readings_after

BOUNDS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
"""Upper bounds of the classes of the score, each included."""
WEEKS = 8
"""Number of weeks that are counted, the present one included."""
_PAGE = 1000
_LATE_ROWS = 200
_BUNDLE_DIGITS = 12


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
    """

    readings: int = 0
    abstentions: int = 0
    checked: int = 0
    outside: int = 0


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
    _one_counts: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    def count(self) -> tuple[dict[ModelKey, Scores], dict[WeekKey, Week]]:
        """Count the readings that were recorded since the last call.

        Returns
        -------
        tuple of dict
            All readings by model, and those of the last `WEEKS` weeks by model, device and week.

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
            shown = self._shown_weeks()
            self._weeks = {key: week for key, week in self._weeks.items() if key[2] in shown}
            return dict(self._scores), dict(self._weeks)

    def _add(self, rows: Iterable[ReadImage]) -> None:
        for row in rows:
            answer = _ANSWERS.decode(row.line)
            model = ModelKey(answer.model.name, row.model_sha256[:_BUNDLE_DIGITS])
            scores = self._scores.setdefault(model, Scores())
            scores.counts[bisect_left(BOUNDS, answer.probability)] += 1
            scores.total += answer.probability
            scores.abstentions += answer.abstains
            device = device_or_sender(row.device, row.sender, self.salt)
            key = model, device, _week(datetime.fromtimestamp(row.created_at, UTC))
            week = self._weeks.setdefault(key, Week())
            week.readings += 1
            week.abstentions += answer.abstains
            week.checked += answer.domain is not None
            week.outside += answer.domain is not None and not answer.domain.inside
            self._recent.add(row.id)
            self._last = max(self._last, row.id)

    def _shown_weeks(self) -> set[str]:
        now = datetime.fromtimestamp(self.ledger.clock(), UTC)
        return {_week(now - timedelta(weeks=back)) for back in range(WEEKS)}


def _week(moment: datetime) -> str:
    year, week, _ = moment.isocalendar()
    return f"{year}-W{week:02d}"
