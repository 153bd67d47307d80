"""Compare what a PACS has with what the node did: the daily report, in which nothing can go missing unseen."""

import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from pneumoscope import atomic_files
from pneumoscope.pacs.config import NodeConfig
from pneumoscope.pacs.ledger import Ledger
from pneumoscope.pacs.pacs_search import PacsSearch, days, searching
from pneumoscope.pacs.pseudonym import pseudonym
from pneumoscope.pacs.spool import spool_error
from pneumoscope.web.dicomweb.errors import DicomwebError
from pneumoscope.web.dicomweb.origin_server import RemoteFilm

REPORTS = "reports"
"""Folder of the reports, below the spool folder."""
_STATES = ("read", "skipped", "failed", "conflict", "dropped", "received", "working")
_SHOWN = 20
_DATE = re.compile(r"[0-9]{8}")


@dataclass(frozen=True)
class OutsidePeriod:
    """What a search by the Study Dates of a period does not list.

    Parameters
    ----------
    undated : int
        Instances without a valid Study Date, or with one after the period; they are compared and fetched like the others.
    earlier, earlier_missing : int
        Instances with a Study Date before the period, and how many of them the ledger does not have; they are not fetched.
    unseen : str
        Which further instances cannot be seen, and why; empty where all were seen.
    """

    undated: int = 0
    earlier: int = 0
    earlier_missing: int = 0
    unseen: str = ""

    def lines(self) -> list[str]:
        """Say it in sentences.

        Returns
        -------
        list of str
            Lines without any identifier; none where there is nothing outside of the period.
        """
        lines = []
        if self.unseen:
            lines.append(f"  not seen: {self.unseen}")
        if self.undated:
            lines.append(f"  {self.undated} of them without a valid Study Date, or with a later one")
        if self.earlier:
            lines.append(
                f"  not counted and not fetched: {self.earlier} with an earlier Study Date, of which {self.earlier_missing} "
                "did not arrive here"
            )
        return lines


@dataclass(frozen=True)
class Reconciliation:
    """What a PACS has of a period, and what the node did with it.

    Parameters
    ----------
    source : str
        Name of the poll.
    first, last : date
        First and last Study Date.
    states : Counter of str
        Number of instances by state in the ledger; those that the ledger does not have are ``missing``.
    reasons : Counter of (str, str)
        Number of instances by state and reason, of those that were not read.
    missing : tuple of str
        Pseudonyms of the instances that the ledger does not have.
    missing_films : tuple of RemoteFilm
        The same instances, to be fetched.
    outside : OutsidePeriod
        What the search by Study Date does not list.
    """

    source: str
    first: date
    last: date
    states: Counter[str]
    reasons: Counter[tuple[str, str]]
    missing: tuple[str, ...]
    missing_films: tuple[RemoteFilm, ...] = field(default=(), repr=False)
    outside: OutsidePeriod = field(default_factory=OutsidePeriod)

    def lines(self) -> list[str]:
        """Say it in sentences.

        Returns
        -------
        list of str
            Lines without any identifier.
        """
        counts = [f"{self.states[state]} {state}" for state in (*_STATES, "missing") if self.states[state]]
        period = f"{self.first.isoformat()} to {self.last.isoformat()}"
        head = f"'{self.source}', studies of {period}: {self.states.total()} in the PACS" + "".join(f", {one}" for one in counts)
        reasons = [f"  {number} {state}: {reason}" for (state, reason), number in sorted(self.reasons.items())]
        return [head, *self.outside.lines(), *reasons, *self._missing_lines()]

    def _missing_lines(self) -> list[str]:
        if not self.missing:
            return []
        more = f" and {len(self.missing) - _SHOWN} more" if len(self.missing) > _SHOWN else ""
        return [f"  missing here, to be fetched: {', '.join(self.missing[:_SHOWN])}{more}"]

    def to_json(self) -> dict[str, Any]:
        """Give the content of the report's file.

        Returns
        -------
        dict
            For `json.dumps`.
        """
        return {
            "source": self.source,
            "first_study_date": self.first.isoformat(),
            "last_study_date": self.last.isoformat(),
            "in_pacs": self.states.total(),
            "states": dict(sorted(self.states.items())),
            "reasons": [
                {"state": state, "reason": reason, "instances": number}
                for (state, reason), number in sorted(self.reasons.items())
            ],
            "missing": list(self.missing),
            "outside_of_the_period": asdict(self.outside),
        }


def compare(pacs: PacsSearch, ledger: Ledger, salt: str, first: date, last: date) -> Reconciliation:
    """Compare a PACS with the ledger.

    Parameters
    ----------
    pacs : PacsSearch
        The PACS.
    ledger : Ledger
        What the node did.
    salt : str
        Secret of the site, for pseudonyms.
    first, last : date
        First and last Study Date.

    Returns
    -------
    Reconciliation
        The comparison.

    Raises
    ------
    DicomwebError
        If the PACS cannot be searched.
    LedgerError
        If the ledger cannot be read.
    """
    tally = _Tally(ledger)
    for day in days(first, last):
        tally.add(pacs.films_of(day))
    outside = _outside(pacs, tally, first)
    shown = tuple(pseudonym(salt, film.uids[2]) for film in tally.missing)
    return Reconciliation(pacs.poll.name, first, last, tally.states, tally.reasons, shown, tuple(tally.missing), outside)


@dataclass
class _Tally:
    """Counts instances by what the ledger says of them."""

    ledger: Ledger
    states: Counter[str] = field(default_factory=Counter)
    reasons: Counter[tuple[str, str]] = field(default_factory=Counter)
    missing: list[RemoteFilm] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)

    def add(self, films: Sequence[RemoteFilm]) -> None:
        known = self.ledger.states_of([film.uids[2] for film in films])
        for film in films:
            state, reason = known.get(film.uids[2], ("missing", ""))
            self.seen.add(film.uids[2])
            self.states[state] += 1
            if state == "missing":
                self.missing.append(film)
            elif reason and state != "read":
                self.reasons[state, reason] += 1


def _outside(pacs: PacsSearch, tally: _Tally, first: date) -> OutsidePeriod:
    """Count what has no Study Date of the period; what has no earlier one is compared too."""
    try:
        listed, has_more = pacs.films_of_any_day()
    except DicomwebError as error:
        return OutsidePeriod(unseen=f"images without a valid Study Date, since a search without a date failed: {error}")
    if any(film.uids[2] in tally.seen and not film.study_date for film in listed):
        return OutsidePeriod(unseen="images without a valid Study Date, since the PACS does not state the dates of what it lists")
    others = [film for film in listed if film.uids[2] not in tally.seen]
    earlier = [film for film in others if _is_before(film.study_date, first)]
    compared = [film for film in others if not _is_before(film.study_date, first)]
    tally.add(compared)
    arrived = tally.ledger.states_of([film.uids[2] for film in earlier])
    more = f"images without a valid Study Date beyond the first {len(listed):,} images that the PACS lists" if has_more else ""
    return OutsidePeriod(len(compared), len(earlier), len(earlier) - len(arrived), more)


def _is_before(study_date: str, first: date) -> bool:
    """Whether a Study Date is valid (PS3.5 6.2, DA) and before a day."""
    try:
        return bool(_DATE.fullmatch(study_date)) and datetime.strptime(study_date, "%Y%m%d").date() < first
    except ValueError:
        return False


def save(compared: Reconciliation, spool_folder: Path) -> Path:
    """Write a report to the spool folder.

    Parameters
    ----------
    compared : Reconciliation
        The comparison.
    spool_folder : Path
        The folder.

    Returns
    -------
    Path
        The report, JSON.

    Raises
    ------
    SpoolError
        If it cannot be written.
    """
    file = spool_folder / REPORTS / f"reconcile-{compared.source}-{compared.last.isoformat()}.json"
    try:
        with atomic_files.text(file) as stream:
            stream.write(json.dumps(compared.to_json(), indent=2) + "\n")
    except OSError as error:
        raise spool_error(error) from None
    return file


def reconcile(config: NodeConfig, ledger: Ledger, today: date | None = None) -> list[str]:
    """Compare every polled PACS with the ledger now, and write the reports; the receiving process fetches what is missing.

    Parameters
    ----------
    config : NodeConfig
        The node.
    ledger : Ledger
        What the node did.
    today : date, optional
        Last Study Date; by default the present local day.

    Returns
    -------
    list of str
        Lines without any identifier.

    Raises
    ------
    DicomwebError
        If a PACS cannot be searched.
    ConfigError
        If a secret or a certificate cannot be read.
    LedgerError, SpoolError
        If the ledger cannot be read or a report cannot be written.
    """
    last, lines = today or date.today(), []
    for poll in config.polls:
        with searching(poll) as pacs:
            compared = compare(pacs, ledger, config.salt, last - timedelta(days=poll.reconcile_days), last)
        save(compared, config.spool_folder)
        lines += compared.lines()
    return lines or ["no PACS is polled; add a table [[polls]] to the configuration"]
