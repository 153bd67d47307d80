"""The storage service class provider: C-ECHO and C-STORE (PS3.4 annexes A and B)."""

import logging
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from pynetdicom import _config, evt
from pynetdicom.ae import ApplicationEntity

from pneumoscope.pacs.errors import LedgerError, ListenError, MismatchError, NodeError, NotUnderstoodError, SpoolError
from pneumoscope.pacs.peers import Peer
from pneumoscope.pacs.receive.admission import Admission
from pneumoscope.pacs.receive.bounded_dimse import NOWHERE
from pneumoscope.pacs.receive.contexts import contexts
from pneumoscope.pacs.receive.server import DimseServer
from pneumoscope.pacs.settings import Limits, Receiving

Reports = Callable[[evt.Event], tuple[int, None]]

LOGGER = logging.getLogger(__name__)
SUCCESS, NOT_AUTHORIZED, FAILURE = 0x0000, 0x0124, 0x0110
OUT_OF_RESOURCES, DOES_NOT_MATCH, NOT_UNDERSTOOD = 0xA700, 0xA900, 0xC000
"""Statuses of C-STORE (PS3.4 table B.2-1, PS3.7 annex C)."""
_NEGOTIATION_S = 60.0
_PERMANENT_BY_USER = (0x01, 0x01, 0x03)
"""Rejected permanently by the service user: calling AE title not recognized (PS3.8 table 9-21)."""


@contextmanager
def listening(
    receiving: Receiving,
    peers: tuple[Peer, ...],
    limits: Limits,
    admission: Admission,
    reports: Reports | None = None,
    reporters: tuple[Peer, ...] = (),
) -> Iterator[DimseServer]:
    """Listen for associations until the context ends; then let messages that have begun come to their end.

    Parameters
    ----------
    receiving : Receiving
        How the node listens.
    peers : tuple of Peer
        Who may send.
    limits : Limits
        What they may use.
    admission : Admission
        Where instances go.
    reports : callable, optional
        Handler of N-EVENT-REPORT, for storage commitment.
    reporters : tuple of Peer
        Who may connect to report storage commitment; a reporter that is no peer may not store instances.

    Yields
    ------
    DimseServer
        The server; its ``server_address`` holds the port.

    Raises
    ------
    ListenError
        If the port cannot be listened on, or the certificates cannot be used.
    """
    quieten()
    tempfile.tempdir = str(admission.spool.incoming)  # pynetdicom writes a data set there while it comes
    known = peers + reporters
    entity = _entity(receiving, known, limits)
    try:
        server = DimseServer(
            entity,
            (receiving.host, receiving.port),
            limits,
            known,
            receiving.tls,
            ae_title=receiving.ae_title,
            contexts=contexts(with_commitment=reports is not None),
            evt_handlers=_handlers(peers, known, limits, admission, reports),
        )
    except OSError as error:
        raise ListenError(
            f"the node cannot listen on {receiving.host} port {receiving.port} ({error.strerror}); choose another port"
        ) from None
    entity._servers.append(server)
    server.thread = threading.Thread(target=server.serve_forever, args=(0.1,), name="dimse", daemon=True)
    server.thread.start()
    try:
        yield server
    finally:
        server.stop(limits.drain_seconds)
        server.thread.join()


def quieten() -> None:
    """Keep pynetdicom's own log from quoting what peers send, and let it write data sets to the disk as they come."""
    logging.getLogger("pynetdicom").setLevel(logging.CRITICAL + 1)
    _config.LOG_HANDLER_LEVEL = "none"
    _config.STORE_RECV_CHUNKED_DATASET = True


def _entity(receiving: Receiving, peers: tuple[Peer, ...], limits: Limits) -> ApplicationEntity:
    entity = ApplicationEntity(ae_title=receiving.ae_title)
    entity.require_called_aet = True
    entity.require_calling_aet = [peer.ae_title for peer in peers]
    entity.maximum_pdu_size = limits.pdu_bytes
    entity.maximum_associations = 2 * limits.associations  # the slots of the server count the connections
    entity.acse_timeout = _NEGOTIATION_S  # the request was read before pynetdicom knows of the connection
    entity.dimse_timeout = limits.idle_seconds
    entity.network_timeout = limits.idle_seconds
    return entity


def _handlers(
    peers: tuple[Peer, ...], known: tuple[Peer, ...], limits: Limits, admission: Admission, reports: Reports | None
) -> list[Any]:
    return [
        (evt.EVT_REQUESTED, _refuse_strangers, [known]),
        (evt.EVT_C_ECHO, lambda _: SUCCESS),
        (evt.EVT_C_STORE, _store, [peers, admission, limits.wait_seconds]),
        *([(evt.EVT_N_EVENT_REPORT, reports)] if reports else []),
    ]


def _refuse_strangers(event: evt.Event, peers: tuple[Peer, ...]) -> None:
    """Reject a request whose AE title belongs to a peer that connects from elsewhere."""
    request: Any = event.assoc.requestor
    if not _is_one_of(peers, str(request.primitive.calling_ae_title), request.address):
        LOGGER.warning("an association from %s was rejected: its AE title is not that of a peer there", request.address)
        event.assoc.acse.send_reject(*_PERMANENT_BY_USER)
        event.assoc.kill()  # waits until the answer is sent


def _is_one_of(peers: tuple[Peer, ...], title: str, address: str) -> bool:
    return any(peer.ae_title.strip() == title.strip() and peer.may_connect_from(address) for peer in peers)


def _store(event: evt.Event, peers: tuple[Peer, ...], admission: Admission, wait_seconds: float) -> int:
    """Answer a C-STORE request; success is said only of what is safe."""
    sender = str(event.assoc.requestor.ae_title).strip()
    if not _is_one_of(peers, sender, str(event.assoc.requestor.address)):
        return _failed(sender, NOT_AUTHORIZED, NodeError("the sender may report storage commitment only; name it in [[peers]]"))
    try:
        return _stored(event, admission, sender, wait_seconds)
    except (SpoolError, LedgerError) as error:
        return _failed(sender, OUT_OF_RESOURCES, error)
    except MismatchError as error:
        return _failed(sender, DOES_NOT_MATCH, error)
    except NotUnderstoodError as error:
        return _failed(sender, NOT_UNDERSTOOD, error)
    except NodeError as error:
        return _failed(sender, FAILURE, error)


def _stored(event: evt.Event, admission: Admission, sender: str, wait_seconds: float) -> int:
    request: Any = event.request
    file = event.dataset_path
    if file is None:
        raise NotUnderstoodError("the message holds no data set")
    if file == NOWHERE:
        raise SpoolError("the data set could not be written to the spool")
    admission.wait_for_space(wait_seconds)
    admission.admit(file, sender, "dimse", (str(request.AffectedSOPClassUID), str(request.AffectedSOPInstanceUID)))
    return SUCCESS


def _failed(sender: str, status: int, error: NodeError) -> int:
    LOGGER.warning("an instance from %s was answered 0x%04X: %s", sender, status, error)
    return status
