"""Fetch from a PACS what has not arrived: search by QIDO-RS from a watermark on, retrieve by WADO-RS.

A PACS whose C-STORE was refused does not try again: Orthanc's job fails for good. What it holds is found here.
"""

import logging
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta

from pneumoscope.pacs.errors import LedgerError, NodeError, NotUnderstoodError, SpoolError
from pneumoscope.pacs.pacs_search import PacsSearch, days, searching
from pneumoscope.pacs.peers import Poll
from pneumoscope.pacs.receive.admission import Admission
from pneumoscope.pacs.receive.contexts import STORED_CLASSES
from pneumoscope.pacs.reconcile import compare, save
from pneumoscope.pacs.spool import Level, spool_error
from pneumoscope.web.dicomweb.errors import DicomwebError
from pneumoscope.web.dicomweb.origin_server import RemoteFilm

LOGGER = logging.getLogger(__name__)
_LONGEST_WAIT_S = 1800.0
_MOST_DAYS_BEHIND = 14
"""Days after which a radiograph that cannot be fetched no longer holds the watermark back; the daily report still lists it."""


@dataclass
class Poller:
    """Searches one PACS again and again.

    Parameters
    ----------
    poll : Poll
        Its settings.
    admission : Admission
        Where instances go.
    now : callable
        Gives the local time.
    """

    poll: Poll
    admission: Admission
    now: Callable[[], datetime] = datetime.now
    _refused: set[str] = field(default_factory=set, repr=False)
    """UIDs of instances that were fetched and cannot be read, so that this process does not fetch them again."""

    def search(self, pacs: PacsSearch) -> Counter[str]:
        """Search from the watermark to today, and fetch what the ledger does not have.

        Parameters
        ----------
        pacs : PacsSearch
            The PACS.

        Returns
        -------
        Counter of str
            How many instances were ``listed``, ``fetched``, ``refused`` because they cannot be read, and ``failed``.

        Raises
        ------
        DicomwebError
            If the PACS cannot be searched.
        LedgerError, SpoolError
            If the ledger or the spool cannot be used.
        """
        today = self.now().date()
        counted: Counter[str] = Counter()
        behind: date | None = None
        for day in days(self._first_day(today), today):
            counted += (of_day := self._fetch_day(pacs, day))
            if of_day["failed"] and behind is None:
                behind = day
        reached = max(behind, today - timedelta(days=_MOST_DAYS_BEHIND)) if behind else today
        self.admission.ledger.set_watermark(self.poll.name, reached.isoformat())
        return counted

    def _first_day(self, today: date) -> date:
        value = self.admission.ledger.watermark(self.poll.name)
        if value is None:
            return today - timedelta(days=self.poll.days_back)
        return min(date.fromisoformat(value), today) - timedelta(days=self.poll.overlap_days)

    def _fetch_day(self, pacs: PacsSearch, day: date) -> Counter[str]:
        films = pacs.films_of(day)
        known = self.admission.ledger.states_of([film.uids[2] for film in films])
        missing = [film for film in films if film.uids[2] not in known and film.uids[2] not in self._refused]
        return Counter(listed=len(films)) + self.fetch(pacs, missing)

    def fetch(self, pacs: PacsSearch, films: Sequence[RemoteFilm]) -> Counter[str]:
        """Fetch instances.

        Parameters
        ----------
        pacs : PacsSearch
            The PACS.
        films : sequence of RemoteFilm
            The instances.

        Returns
        -------
        Counter of str
            How many were ``fetched``, ``refused`` and ``failed``.

        Raises
        ------
        LedgerError, SpoolError
            If the ledger or the spool cannot be used.
        """
        counted: Counter[str] = Counter()
        for number, film in enumerate(films):
            if self.admission.stop.is_set() or self.admission.spool.level() >= Level.HIGH:
                counted["failed"] += len(films) - number
                return counted
            counted[self._fetch(pacs, film)] += 1
        return counted

    def _fetch(self, pacs: PacsSearch, film: RemoteFilm) -> str:
        try:
            content = film.server.retrieve(film.uids)
            self._admit(content, film.uids[2])
        except NotUnderstoodError as error:
            self._refused.add(film.uids[2])
            LOGGER.warning("an instance of '%s' cannot be read: %s", pacs.poll.name, error)
            return "refused"
        except DicomwebError as error:
            LOGGER.warning("an instance of '%s' was not fetched: %s", pacs.poll.name, error)
            return "failed"
        return "fetched"

    def _admit(self, content: bytes, sop_instance_uid: str) -> None:
        with self.admission.spool.new_file() as (file, stream):
            try:
                stream.write(content)
                stream.flush()
            except OSError as error:
                raise spool_error(error) from None
            header = self.admission.header_of(file)
            if header.sop_instance_uid != sop_instance_uid:
                raise NotUnderstoodError("the PACS sent another instance than was asked for")
            if header.sop_class_uid not in STORED_CLASSES:
                raise NotUnderstoodError("its SOP class is none that is read")
            self.admission.admit_read(file, header, self.poll.name, "poll")

    def report(self, pacs: PacsSearch) -> None:
        """Write the daily report once it is time: what the PACS has, and what the node did with it; fetch what is missing.

        Parameters
        ----------
        pacs : PacsSearch
            The PACS.

        Raises
        ------
        DicomwebError
            If the PACS cannot be searched.
        LedgerError, SpoolError
            If the ledger or the spool cannot be used.
        """
        now, source = self.now(), f"reconcile:{self.poll.name}"
        if not self.poll.reconcile_at or now.time() < time.fromisoformat(self.poll.reconcile_at):
            return
        if self.admission.ledger.watermark(source) == now.date().isoformat():
            return
        first = now.date() - timedelta(days=self.poll.reconcile_days)
        compared = compare(pacs, self.admission.ledger, self.admission.salt, first, now.date())
        save(compared, self.admission.spool.folder)
        for line in compared.lines():
            LOGGER.info("%s", line)
        self.fetch(pacs, [film for film in compared.missing_films if film.uids[2] not in self._refused])
        self.admission.ledger.set_watermark(source, now.date().isoformat())


def run(poll: Poll, admission: Admission) -> None:
    """Search a PACS until the node stops; an error is logged and the search is tried again, each time after a longer wait.

    Parameters
    ----------
    poll : Poll
        Its settings.
    admission : Admission
        Where instances go.
    """
    poller, failures = Poller(poll, admission), 0
    while True:
        failures = failures + 1 if not _once(poller) else 0
        wait_s = min(poll.seconds * 2.0 ** min(failures, 20), max(poll.seconds, _LONGEST_WAIT_S))
        if admission.stop.wait(wait_s):
            return


def _once(poller: Poller) -> bool:
    try:
        with searching(poller.poll) as pacs:
            if poller.admission.spool.level() >= Level.HIGH:
                LOGGER.warning("'%s' is not searched while the spool is nearly full", poller.poll.name)
                return True
            counted = poller.search(pacs)
            poller.report(pacs)
    except (DicomwebError, LedgerError, SpoolError, NodeError) as error:
        LOGGER.warning("'%s' could not be searched: %s", poller.poll.name, error)
        return False
    except Exception as error:  # whatever a server makes a library raise must not end the polls
        LOGGER.error(
            "'%s' could not be searched: an unexpected %s; please report this line", poller.poll.name, type(error).__name__
        )
        return False
    if counted["fetched"] or counted["failed"]:
        LOGGER.info("'%s': %s", poller.poll.name, ", ".join(f"{number} {what}" for what, number in sorted(counted.items())))
    return not counted["failed"]


def start(polls: Sequence[Poll], admission: Admission) -> list[threading.Thread]:
    """Start a thread for each poll.

    Parameters
    ----------
    polls : sequence of Poll
        The settings.
    admission : Admission
        Where instances go; its ``stop`` ends the threads.

    Returns
    -------
    list of Thread
        The threads.
    """
    threads = [threading.Thread(target=run, args=(poll, admission), name=f"poll-{poll.name}", daemon=True) for poll in polls]
    for thread in threads:
        thread.start()
    return threads
