"""Accept connections for pynetdicom, so that no peer can keep the others out.

What a stranger sends first is read here, within a time and a length: only a whole request of an association gets the threads and
the memory of one. Everything after it goes through `pdu_socket` and `bounded_dimse`.
"""

import contextlib
import logging
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from copy import deepcopy
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from pynetdicom._globals import MODE_ACCEPTOR
from pynetdicom.association import Association
from pynetdicom.transport import RequestHandler, ThreadedAssociationServer

from pneumoscope.pacs.errors import ListenError
from pneumoscope.pacs.peers import Peer, Tls
from pneumoscope.pacs.receive.bounded_dimse import BoundedDimse
from pneumoscope.pacs.receive.pdu_socket import ASSOCIATE_RQ, HEADER_BYTES, PduError, PduSocket, body_bytes, read_exactly
from pneumoscope.pacs.receive.slots import Slots
from pneumoscope.pacs.receive.state_machine import EndingStateMachine
from pneumoscope.pacs.settings import Limits

if TYPE_CHECKING:
    from pynetdicom.ae import ApplicationEntity

LOGGER = logging.getLogger(__name__)
_BACKLOG = 128
_ACCEPT_S = 0.1
_LOG_EVERY_S = 10.0


class ConnectionHandler(RequestHandler):
    """Serves one connection from its first byte to its last, in a thread of its own."""

    def handle(self) -> None:
        """Serve the connection."""
        server = cast(DimseServer, self.server)
        with server.naming_errors(self.client_address[0]), server.secured(self.request) as self.request:
            request = _association_request(self.request, server.limits)
            association = self._association(request, server.limits)
            association.start()
            association.join()
            cast(BoundedDimse, association.dimse).close()

    def _association(self, request: bytes, limits: Limits) -> Association:
        """The association, as `RequestHandler` makes it, with our own socket and message service."""
        association = Association(self.ae, MODE_ACCEPTOR)
        server = cast(DimseServer, self.server)
        association._server = server
        association.name = f"AcceptorThread@{datetime.now():%Y%m%d%H%M%S}"
        association.daemon = association.dul.daemon = True
        association.dimse = BoundedDimse(association, limits)
        association.dul.state_machine = EndingStateMachine(association.dul, partial(server.log, self.client_address[0]))
        association.set_socket(PduSocket(association, self.request, request, limits))
        acceptor = association.acceptor
        acceptor.maximum_length = limits.pdu_bytes
        acceptor.ae_title = self.server.ae_title
        acceptor.address_info = self.local
        acceptor.implementation_class_uid = self.ae.implementation_class_uid
        acceptor.implementation_version_name = self.ae.implementation_version_name
        acceptor.supported_contexts = deepcopy(self.server.contexts)
        association.requestor.address_info = self.remote
        handlers_of: Any = self.server._handlers
        for event, handlers in handlers_of.items():
            for handler in [handlers] if event.is_intervention else list(handlers):
                if handler and handler[0]:
                    association.bind(event, *handler)
        return association


def _association_request(sock: socket.socket, limits: Limits) -> bytes:
    """The first PDU of a connection, which must be a request of an association (PS3.8 9.3.2)."""
    ends = time.monotonic() + limits.request_seconds
    header = read_exactly(sock, HEADER_BYTES, ends)
    if len(header) < HEADER_BYTES:
        raise PduError("the connection was closed before anything was asked")
    if header[0] != ASSOCIATE_RQ:
        raise PduError("the first bytes are no request of an association; another protocol is spoken here")
    length = body_bytes(header, limits)
    body = read_exactly(sock, length, ends)
    if len(body) < length:
        raise PduError("the connection was closed within the request of an association")
    return bytes(header + body)


class DimseServer(ThreadedAssociationServer):
    """Listens for associations.

    Parameters
    ----------
    ae : ApplicationEntity
        The application entity.
    address : tuple of str and int
        Address and port; port 0 takes a free one.
    limits : Limits
        What peers may use.
    peers : tuple of Peer
        Who may connect.
    tls : Tls, optional
        Certificates.
    **options
        Of pynetdicom's server.
    """

    daemon_threads = True
    request_queue_size = _BACKLOG
    thread: threading.Thread | None = None
    """Thread that accepts connections."""

    def __init__(
        self,
        ae: "ApplicationEntity",
        address: tuple[str, int],
        limits: Limits,
        peers: tuple[Peer, ...],
        tls: Tls | None = None,
        **options: Any,
    ) -> None:
        self.limits, self.peers = limits, peers
        self.slots = Slots(limits.associations, limits.associations_per_address)
        self._tls = server_context(tls) if tls else None
        self._logged_at: dict[str, float] = {}
        super().__init__(ae, address, request_handler=ConnectionHandler, **options)

    def verify_request(self, request: Any, client_address: Any) -> bool:
        """Decide whether a connection is served.

        Parameters
        ----------
        request : socket
            The connection.
        client_address : tuple
            Where it comes from.

        Returns
        -------
        bool
            False where no peer may connect from there, or there is no slot left; the connection is closed then.
        """
        address = str(client_address[0])
        if not any(peer.may_connect_from(address) for peer in self.peers):
            self.log(address, "no peer may connect from there")
            return False
        if not self.slots.take(address):
            self.log(address, "too many connections at the same time")
            return False
        return True

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve a connection and free its slot, however it ends.

        Parameters
        ----------
        request : socket
            The connection.
        client_address : tuple
            Where it comes from.
        """
        try:
            self.finish_request(request, client_address)
        finally:
            self.shutdown_request(request)
            self.slots.give_back(str(client_address[0]))

    def process_request(self, request: Any, client_address: Any) -> None:
        """Start the thread of a connection.

        Parameters
        ----------
        request : socket
            The connection.
        client_address : tuple
            Where it comes from.

        Raises
        ------
        RuntimeError
            If no thread can be started.
        """
        try:
            super(ThreadedAssociationServer, self).process_request(request, client_address)
        except RuntimeError:
            self.slots.give_back(str(client_address[0]))
            raise

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Log that a connection could not be served, without a traceback, which may quote what was sent.

        Parameters
        ----------
        request : socket
            The connection.
        client_address : tuple
            Where it comes from.
        """
        self.log(str(client_address[0]), "could not be served, no resources")

    def secured(self, sock: socket.socket) -> socket.socket:
        """Make the TLS handshake, where it is asked for.

        Parameters
        ----------
        sock : socket
            The connection.

        Returns
        -------
        socket
            The secured connection.

        Raises
        ------
        OSError
            If the handshake fails or takes too long.
        """
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.settimeout(self.limits.request_seconds)
        if self._tls is None:
            return sock
        return self._tls.wrap_socket(sock, server_side=True)

    @contextlib.contextmanager
    def naming_errors(self, address: str) -> Iterator[None]:
        """Log what ends a connection, without anything that was sent.

        Parameters
        ----------
        address : str
            Where the connection comes from.

        Yields
        ------
        None
        """
        try:
            yield
        except ssl.SSLError as error:
            self.log(address, f"no TLS connection ({error.reason or 'handshake failed'})")
        except PduError as error:
            self.log(address, str(error))
        except OSError as error:
            self.log(address, f"the connection broke ({type(error).__name__})")

    def log(self, address: str, what: str) -> None:
        """Log an event of a connection, each at most every ten seconds.

        Parameters
        ----------
        address : str
            Where the connection comes from.
        what : str
            The event.
        """
        now = time.monotonic()
        self._logged_at = {event: at for event, at in self._logged_at.items() if now - at < _LOG_EVERY_S}
        if what not in self._logged_at:
            self._logged_at[what] = now
            LOGGER.warning("connection from %s: %s", address, what)

    def stop(self, drain_seconds: float) -> None:
        """Stop listening, let messages that have begun come to their end, and abort what is left.

        Parameters
        ----------
        drain_seconds : float
            Longest wait.
        """
        self.shutdown()
        ends = time.monotonic() + drain_seconds
        while associations := self.active_associations:
            for association in associations:
                if time.monotonic() >= ends or cast(BoundedDimse, association.dimse).is_idle:
                    association.abort()
            if time.monotonic() >= ends:
                return
            time.sleep(_ACCEPT_S / 2)


def server_context(tls: Tls) -> ssl.SSLContext:
    """Make the TLS context of a listener: TLS 1.2 or newer, and a certificate of every client.

    Parameters
    ----------
    tls : Tls
        Certificates.

    Returns
    -------
    SSLContext
        The context.

    Raises
    ------
    ListenError
        If a certificate or the key cannot be read or do not match.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_mode = ssl.CERT_REQUIRED
    try:
        context.load_cert_chain(tls.certificate, tls.key)
        context.load_verify_locations(tls.authority)
    except (OSError, ssl.SSLError) as error:
        raise ListenError(
            f"the certificates of the listener cannot be used ({type(error).__name__}); check 'certificate', 'key', 'authority'"
        ) from None
    return context
