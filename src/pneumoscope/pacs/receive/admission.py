"""Admit an instance: its file is safe in the spool and its row in the ledger before anybody says that it has arrived."""

import logging
import time
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event

from pneumoscope.pacs.errors import CutOffError, MismatchError, SpoolFullError
from pneumoscope.pacs.ledger import Arrival, Instance, Ledger, Recorded
from pneumoscope.pacs.ledger.tables import Route
from pneumoscope.pacs.pseudonym import pseudonym
from pneumoscope.pacs.receive.header import Header, read_header
from pneumoscope.pacs.spool import Level, Spool, spool_error

LOGGER = logging.getLogger(__name__)
_LOOK_EVERY_S = 0.25


@dataclass(frozen=True)
class Admission:
    """Admits instances into a spool and a ledger.

    Parameters
    ----------
    spool : Spool
        Where files are kept.
    ledger : Ledger
        Where rows are kept.
    salt : str
        Secret of the site, for pseudonyms in the log.
    stop : Event
        Set when the process shall end; nobody waits for space then.
    """

    spool: Spool
    ledger: Ledger
    salt: str = field(repr=False)
    stop: Event = field(default_factory=Event, repr=False)

    def admit(self, file: Path, sender: str, route: Route, expected: tuple[str, str] | None = None) -> tuple[Header, Recorded]:
        """Admit a complete incoming file; file and row are on the disk when this returns.

        Parameters
        ----------
        file : Path
            A file in the spool's folder of incoming files.
        sender : str
            AE title, or name of the service that it came from.
        route : {"dimse", "stow", "poll"}
            How it came.
        expected : tuple of str and str, optional
            SOP Class and SOP Instance UID that the sender announced.

        Returns
        -------
        tuple of Header and Recorded
            What the instance is, and its row.

        Raises
        ------
        NotUnderstoodError
            If the file has no readable header, or its data set is cut off.
        MismatchError
            If the data set is not the one that was announced.
        SpoolError, LedgerError
            If it cannot be made safe; it may be sent again.
        """
        header = self.header_of(file)
        if expected is not None and expected != (header.sop_class_uid, header.sop_instance_uid):
            raise MismatchError("the data set has other UIDs than the message that announces it")
        return header, self.admit_read(file, header, sender, route)

    def header_of(self, file: Path) -> Header:
        """Read the header of an incoming file.

        Parameters
        ----------
        file : Path
            The file.

        Returns
        -------
        Header
            Its header.

        Raises
        ------
        NotUnderstoodError
            If it has no readable header.
        SpoolError
            If it cannot be read.
        """
        try:
            return read_header(file)
        except OSError as error:
            raise spool_error(error) from None

    def admit_read(self, file: Path, header: Header, sender: str, route: Route) -> Recorded:
        """Admit a complete incoming file whose header was read.

        Parameters
        ----------
        file : Path
            A file in the spool's folder of incoming files.
        header : Header
            Its header.
        sender : str
            AE title, or name of the service that it came from.
        route : {"dimse", "stow", "poll"}
            How it came.

        Returns
        -------
        Recorded
            Its row.

        Raises
        ------
        CutOffError
            If the data set has fewer bytes than it states.
        SpoolError, LedgerError
            If it cannot be made safe; it may be sent again.
        """
        if header.is_truncated:
            raise CutOffError("the data set is cut off: it has fewer bytes than it states; send the instance again")
        known = self.ledger.find_instance(header.sop_instance_uid, header.sha256)
        if known:
            recorded = Recorded(known.id, "duplicate")
            self._restore(file, known)
        else:
            path = self.spool.keep(file, header.sha256)
            recorded = self.ledger.record_instance(_arrival(header, path, sender, route))
        LOGGER.info(
            "instance %s by %s from %s: %s", pseudonym(self.salt, header.sop_instance_uid), route, sender, recorded.outcome
        )
        return recorded

    def _restore(self, file: Path, known: Instance) -> None:
        """Put the file of a known instance into the spool where it was removed, by the node or by hand.

        A file that is there and yet marked as removed was put back by a transaction that then failed.
        """
        if self.ledger.removed_at("source", known.id) is not None or not (self.spool.folder / known.path).is_file():
            with self.ledger.restoring("source", known.id):
                self.spool.keep(file, known.sha256)

    def wait_for_space(self, seconds: float) -> None:
        """Let a sender wait while the spool is full: waiting slows it down, a refusal may make it give up for good.

        Parameters
        ----------
        seconds : float
            Longest wait.

        Raises
        ------
        SpoolFullError
            If the spool is full to the end of the wait.
        """
        ends = time.monotonic() + seconds
        while self.spool.level() is Level.FULL:
            left = ends - time.monotonic()
            if left <= 0 or self.stop.wait(min(left, _LOOK_EVERY_S)):
                raise SpoolFullError("the spool has reached its quota, or its disk has too little space left")


def _arrival(header: Header, path: str, sender: str, route: Route) -> Arrival:
    return Arrival(
        sop_instance_uid=header.sop_instance_uid,
        sop_class_uid=header.sop_class_uid,
        study_uid=header.study_uid,
        series_uid=header.series_uid,
        transfer_syntax=header.transfer_syntax,
        sha256=header.sha256,
        size=header.size,
        path=path,
        sender=sender,
        route=route,
    )
