"""Send by DIMSE: C-STORE of the very bytes of a file, C-FIND to ask for it, C-ECHO."""

import contextlib
import socket
import struct
from collections.abc import Callable, Sequence
from typing import Any

from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import AE, _config, evt
from pynetdicom.association import Association
from pynetdicom.presentation import PresentationContext, build_context
from pynetdicom.sop_class import (  # type: ignore[attr-defined]  # made when the module is imported
    StudyRootQueryRetrieveInformationModelFind,
    Verification,
)

from pneumoscope.pacs.peers import Destination
from pneumoscope.pacs.send.outcome import Fate, Outcome, of_status
from pneumoscope.pacs.send.result_file import ResultFile
from pneumoscope.pacs.send.target import UnreachableTargetError
from pneumoscope.pacs.send.tls import client_context

_config.STORE_SEND_CHUNKED_DATASET = True  # a file is sent as it lies, not decoded and encoded again

_FIND = StudyRootQueryRetrieveInformationModelFind
_PENDING = frozenset({0xFF00, 0xFF01})
_PERMANENT_REJECTIONS = {
    (1, 2): "it does not know the application context",
    (1, 3): "it does not know the calling AE title; enter it there",
    (1, 7): "it does not know the called AE title; correct 'ae_title' of the destination",
}
"""Reasons of A-ASSOCIATE-RJ by source and diagnostic (PS3.8 table 9-21) that no waiting mends."""


class _Answer:
    """What the destination answers to an association request; pynetdicom keeps only whether it is established."""

    def __init__(self) -> None:
        self.sentence, self.permanent, self.connected = "it rejects the association", False, False

    def opened(self, _: evt.Event) -> None:
        """Take note of a connection, with its TLS where that is configured."""
        self.connected = True

    def received(self, event: evt.Event) -> None:
        """Take note of a rejection among the received PDUs."""
        pdu: Any = event.pdu
        if type(pdu).__name__ == "A_ASSOCIATE_RJ":
            reason = _PERMANENT_REJECTIONS.get((pdu.source, pdu.reason_diagnostic)) if pdu.result == 1 else None
            self.permanent = reason is not None
            self.sentence = f"it rejects the association: {reason}" if reason else "it rejects the association for now"

    def accepted(self, _: evt.Event) -> None:
        """Take note of an acceptance, which counts for nothing where no presentation context is in it."""
        self.permanent, self.sentence = True, "it takes none of the SOP classes in their transfer syntaxes"


class DimseTarget:
    """A C-STORE service class provider; one association serves results one after the other.

    Parameters
    ----------
    destination : Destination
        Its settings.
    ae_title : str
        AE title of the node.
    on_report : callable, optional
        Handler of N-EVENT-REPORT, for a destination that reports on the association on which it was asked.
    """

    def __init__(self, destination: Destination, ae_title: str, on_report: Callable[..., object] | None = None) -> None:
        self._destination, self._ae_title, self._on_report = destination, ae_title, on_report
        self._who = f"the destination '{destination.name}'"
        self._association: Association | None = None
        self._offered: set[tuple[str, str]] = set()

    def store(self, result: ResultFile) -> Outcome:
        """Send a result and wait for the answer.

        Parameters
        ----------
        result : ResultFile
            The result.

        Returns
        -------
        Outcome
            The outcome; `Fate.DOUBT` where the connection broke before the answer.
        """
        try:
            association = self._open([(result.sop_class_uid, result.transfer_syntax)])
        except _RejectedError as error:
            return Outcome(Fate.NEVER if error.permanent else Fate.LATER, str(error), unreachable=not error.permanent)
        except UnreachableTargetError as error:
            return Outcome(Fate.LATER, str(error), unreachable=True)
        if not _accepts(association, result.sop_class_uid, result.transfer_syntax):
            return Outcome(Fate.NEVER, f"{self._who} does not take objects of this SOP class and transfer syntax")
        try:
            answer = association.send_c_store(str(result.path))
        except (RuntimeError, OSError):  # the peer has released or aborted the association before the request
            self._drop()
            return Outcome(Fate.LATER, f"{self._who} closed the association before the result was sent")
        if "Status" in answer:
            return of_status(answer.Status, self._who)
        self._drop()
        return Outcome(Fate.DOUBT, f"{self._who} did not answer; whether it stored the result is asked before the next try")

    def holds(self, result: ResultFile) -> bool | None:
        """Ask whether the destination holds a result, by C-FIND at the level IMAGE.

        Parameters
        ----------
        result : ResultFile
            The result.

        Returns
        -------
        bool or None
            None where the destination does not support the query.

        Raises
        ------
        UnreachableTargetError
            If it could not be asked now.
        """
        try:
            association = self._open([(str(_FIND), str(ExplicitVRLittleEndian)), (str(_FIND), str(ImplicitVRLittleEndian))])
        except _RejectedError as error:
            if error.permanent:
                return None
            raise
        if not any(context.abstract_syntax == _FIND for context in association.accepted_contexts):
            return None
        query = Dataset()
        query.QueryRetrieveLevel = "IMAGE"
        query.StudyInstanceUID, query.SeriesInstanceUID = result.study_uid, result.series_uid
        query.SOPInstanceUID = result.sop_instance_uid
        held = False
        try:
            for status, match in association.send_c_find(query, _FIND):
                if "Status" not in status:
                    raise UnreachableTargetError(f"{self._who} did not answer whether it holds the result")
                if status.Status in _PENDING:
                    held |= match is not None and match.get("SOPInstanceUID", "") == result.sop_instance_uid
                elif status.Status != 0:
                    return True if held else None
        except (RuntimeError, ValueError) as error:
            raise UnreachableTargetError(f"{self._who} could not be asked whether it holds the result") from error
        return held

    def echo(self) -> None:
        """Check that the destination answers to C-ECHO.

        Raises
        ------
        UnreachableTargetError
            If it does not.
        """
        status = self._open([(str(Verification), str(ImplicitVRLittleEndian))]).send_c_echo()
        if "Status" not in status or status.Status != 0:
            raise UnreachableTargetError(f"{self._who} does not answer to C-ECHO")

    def associated(self, contexts: Sequence[tuple[str, str]]) -> Association:
        """Return an association in which certain presentation contexts were proposed.

        Parameters
        ----------
        contexts : sequence of tuple of str and str
            SOP class and transfer syntax of each context.

        Returns
        -------
        Association
            Established; whether a context was accepted is for the caller to look at.

        Raises
        ------
        UnreachableTargetError
            If there is no association to be made.
        """
        return self._open(contexts)

    def close(self) -> None:
        """Release the association."""
        self.rest()

    def rest(self) -> None:
        """Release the association."""
        if self._association is not None and self._association.is_established:
            self._association.release()
        self._association = None

    def _drop(self) -> None:
        if self._association is not None and self._association.is_established:
            self._association.abort()
        self._association = None

    def _open(self, contexts: Sequence[tuple[str, str]]) -> Association:
        """The present association if it offers the contexts, else a new one that offers them and those before."""
        if self._association is not None and self._association.is_established and set(contexts) <= self._offered:
            return self._association
        self.rest()
        self._offered |= set(contexts)
        self._association = self._associate()
        return self._association

    def _associate(self) -> Association:
        entity, answer = self._entity(), _Answer()
        handlers: list[Any] = [
            (evt.EVT_CONN_OPEN, self._prepare_socket),
            (evt.EVT_CONN_OPEN, answer.opened),
            (evt.EVT_PDU_RECV, answer.received),
            (evt.EVT_ACCEPTED, answer.accepted),
        ]
        if self._on_report:
            handlers.append((evt.EVT_N_EVENT_REPORT, self._on_report))
        destination = self._destination
        tls = (client_context(destination.tls), destination.host) if destination.tls else None
        try:
            association = entity.associate(
                destination.host,
                destination.port,
                _contexts(self._offered),
                destination.ae_title,
                tls_args=tls,
                evt_handlers=handlers,
            )
        except OSError as error:  # the name of the host is unknown, or a certificate cannot be read
            raise UnreachableTargetError(f"{self._who} could not be reached: {(error.strerror or 'TLS').lower()}") from error
        if association.is_established:
            _keep_answers_for_the_caller(association)
            return association
        if association.is_rejected or answer.permanent:
            raise _RejectedError(f"{self._who} refuses: {answer.sentence}", answer.permanent)
        if not answer.connected:
            check = "its host, its port and the certificates of both sides" if tls else "its host and its port"
            raise UnreachableTargetError(f"{self._who} could not be reached; check {check}")
        raise UnreachableTargetError(f"{self._who} does not answer to an association request")

    def _entity(self) -> AE:
        entity = AE(ae_title=self._ae_title)
        seconds = self._destination.seconds
        entity.connection_timeout = entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = seconds
        return entity

    def _prepare_socket(self, event: evt.Event) -> None:
        """Send small packets at once, and give up on a peer that takes no bytes."""
        transport: Any = event.assoc.dul.socket
        connection: socket.socket = transport.socket
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        seconds = self._destination.seconds
        patience = struct.pack("ll", int(seconds), int(seconds % 1 * 1e6))
        with contextlib.suppress(OSError, AttributeError):  # a system without it has the time limit of DIMSE alone
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, patience)


class _RejectedError(UnreachableTargetError):
    """The destination rejected the association."""

    def __init__(self, sentence: str, permanent: bool) -> None:
        super().__init__(sentence)
        self.permanent = permanent


def _keep_answers_for_the_caller(association: Association) -> None:
    """Keep the association's own thread from taking the answer that a request waits for, which then waits until its timeout.

    pynetdicom 3.0 lets that thread go on for a moment after a request has stopped it; the checkpoint is cleared before the
    request is sent, so that no answer can be there earlier.
    """
    take, checkpoint = association.dimse.get_msg, association._reactor_checkpoint

    def get_msg(block: bool = False) -> Any:
        return take(block=block) if block or checkpoint.is_set() else (None, None)

    association.dimse.get_msg = get_msg  # type: ignore[method-assign]  # there is no other way in


def _contexts(offered: set[tuple[str, str]]) -> list[PresentationContext]:
    return [build_context(sop_class, [syntax]) for sop_class, syntax in sorted(offered)]


def _accepts(association: Association, sop_class: str, syntax: str) -> bool:
    accepted = association.accepted_contexts
    return any(one.abstract_syntax == sop_class and one.transfer_syntax == [syntax] for one in accepted)
