"""A socket for pynetdicom that reads no PDU which is too long or too slow."""

import select
import socket
import ssl
import struct
import time
from typing import TYPE_CHECKING, cast

from pynetdicom.transport import AssociationSocket

from pneumoscope.pacs.settings import Limits

if TYPE_CHECKING:
    from pynetdicom.association import Association

    from pneumoscope.pacs.receive.bounded_dimse import BoundedDimse

HEADER_BYTES = 6
ASSOCIATE_RQ, P_DATA = 0x01, 0x04
_KINDS = range(0x01, 0x08)
_MOST_REQUEST_BYTES = 2**18
"""128 presentation contexts with 30 transfer syntaxes each."""
_MOST_OTHER_BYTES = 2**10
_SLACK_BYTES = 64
"""Some implementations leave headers out of the maximum length."""
_BLOCK = 2**18
_CLOSING = "Sta13"
"""State in which the last PDU was sent; whatever else comes is not read, and pynetdicom closes the connection."""


class PduError(OSError):
    """A PDU is too long, too slow or none at all; pynetdicom takes it for a connection that has ended."""


def body_bytes(header: bytes | bytearray, limits: Limits) -> int:
    """Check the header of a PDU before anything of its body is read.

    Parameters
    ----------
    header : bytes
        Its first six bytes.
    limits : Limits
        Of the node.

    Returns
    -------
    int
        Length of its body.

    Raises
    ------
    PduError
        If the body is longer than a PDU of its kind may be.
    """
    kind, _, length = struct.unpack(">BBL", header)
    most = {ASSOCIATE_RQ: _MOST_REQUEST_BYTES, P_DATA: limits.pdu_bytes + _SLACK_BYTES}.get(kind, _MOST_OTHER_BYTES)
    if length > most:
        raise PduError(f"a PDU of type {kind} claims {length} bytes, of which at most {most} are read")
    return int(length)


def read_exactly(sock: socket.socket, count: int, ends: float) -> bytearray:
    """Read bytes from a socket.

    Parameters
    ----------
    sock : socket
        The socket.
    count : int
        Number of bytes.
    ends : float
        Last moment, on the monotonic clock.

    Returns
    -------
    bytearray
        The bytes; fewer where the other side closes the connection.

    Raises
    ------
    PduError
        If the bytes have not come by then.
    OSError
        If the connection is broken.
    """
    content, at = bytearray(min(count, _BLOCK)), 0
    while at < count:
        left = ends - time.monotonic()
        if left <= 0:
            raise PduError("a PDU took too long")
        sock.settimeout(left)
        if at == len(content):
            content.extend(bytes(min(count - at, len(content))))  # memory follows what came, not what was claimed
        try:
            received = sock.recv_into(memoryview(content)[at:])
        except TimeoutError:
            raise PduError("a PDU took too long") from None
        if not received:
            break
        at += received
    del content[at:]
    return content


class PduSocket(AssociationSocket):
    """The connection of one association.

    Parameters
    ----------
    association : Association
        The association.
    sock : socket
        The connection.
    request : bytes
        The PDU that was already read from it.
    limits : Limits
        Of the node.
    """

    def __init__(self, association: "Association", sock: socket.socket, request: bytes, limits: Limits) -> None:
        super().__init__(association, client_socket=sock)
        self._limits, self._read_ahead = limits, bytearray(request)
        self._body_bytes = 0
        self._pdu_ends = float("inf")
        self._last_read = time.monotonic()
        self._poll = select.poll()
        self._poll.register(sock, select.POLLIN)

    @property
    def ready(self) -> bool:
        """Whether something can be read; waits a little where nothing happens, since pynetdicom asks in a loop."""
        if self._read_ahead:
            return True
        sock = self.socket
        if sock is None or not self._is_connected or self.assoc.dul.state_machine.current_state == _CLOSING:
            return False
        idle_s = time.monotonic() - self._last_read
        if self._dimse.is_late(idle_s):
            self.event_queue.put("Evt17")
            self._is_connected = False
            return False
        if isinstance(sock, ssl.SSLSocket) and sock.pending():
            return True
        waits = self._dimse.is_idle and self.assoc.dul.to_provider_queue.empty()
        try:
            return bool(self._poll.poll(self._dimse.wait_s * 1000 if waits else 0))
        except OSError:
            self.event_queue.put("Evt17")
            return False

    @property
    def _dimse(self) -> "BoundedDimse":
        return cast("BoundedDimse", self.assoc.dimse)

    def recv(self, nr_bytes: int) -> bytearray:
        """Read the header of a PDU, or the body that belongs to the header read before.

        Parameters
        ----------
        nr_bytes : int
            Number of bytes.

        Returns
        -------
        bytearray
            The bytes; fewer where the other side closes the connection.

        Raises
        ------
        OSError
            If the PDU is too long or too slow, or the connection is broken.
        """
        if nr_bytes == 0:
            return bytearray()
        if self._read_ahead:
            part = self._read_ahead[:nr_bytes]
            del self._read_ahead[:nr_bytes]
            return part
        if self.socket is None:
            return bytearray()
        is_header = not self._body_bytes
        if is_header:
            self._pdu_ends = time.monotonic() + self._limits.pdu_seconds
        self._body_bytes = 0
        content = read_exactly(self.socket, nr_bytes, self._pdu_ends)
        self._last_read = time.monotonic()
        if is_header and len(content) == HEADER_BYTES and content[0] in _KINDS:
            self._body_bytes = body_bytes(content, self._limits)
        return content

    def send(self, bytestream: bytes) -> None:
        """Send a PDU; the connection counts as closed where the other side does not take it in time.

        Parameters
        ----------
        bytestream : bytes
            The PDU.
        """
        if self.socket is None:
            return
        try:
            self.socket.settimeout(self._limits.pdu_seconds)
            self.socket.sendall(bytestream)
        except OSError:
            self.event_queue.put("Evt17")
