"""Compare what a PACS has with what the node did: the daily report, in which nothing can go missing unseen."""

import json
from collections import Counter
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from pneumoscope import atomic_files
from pneumoscope.pacs.config import NodeConfig
from pneumoscope.pacs.ledger import Ledger
from pneumoscope.pacs.pacs_search import PacsSearch, days, searching
from pneumoscope.pacs.pseudonym import pseudonym
from pneumoscope.pacs.spool import spool_error
from pneumoscope.web.dicomweb.origin_server import RemoteFilm

REPORTS = "reports"
"""Folder of the reports, below the spool folder."""
_STATES = ("read", "skipped", "failed", "conflict", "dropped", "received", "working")
_SHOWN = 20


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
    """

    source: str
    first: date
    last: date
    states: Counter[str]
    reasons: Counter[tuple[str, str]]
    missing: tuple[str, ...]
    missing_films: tuple[RemoteFilm, ...] = field(default=(), repr=False)

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
        return [head, *reasons, *self._missing_lines()]

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
    states: Counter[str] = Counter()
    reasons: Counter[tuple[str, str]] = Counter()
    missing: list[RemoteFilm] = []
    for day in days(first, last):
        films = pacs.films_of(day)
        known = ledger.states_of([film.uids[2] for film in films])
        for film in films:
            state, reason = known.get(film.uids[2], ("missing", ""))
            states[state] += 1
            if state == "missing":
                missing.append(film)
            elif reason and state != "read":
                reasons[state, reason] += 1
    shown = tuple(pseudonym(salt, film.uids[2]) for film in missing)
    return Reconciliation(pacs.poll.name, first, last, states, reasons, shown, tuple(missing))


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
