"""Send HL7 v2 messages by MLLP, the minimal lower layer protocol (HL7 v2.5.1 appendix C, IHE ITI TF-2 C.2.1)."""

import socket
import time

from pneumoscope.pacs.errors import InvalidMessageError
from pneumoscope.pacs.notifications import hl7, validity
from pneumoscope.pacs.notifications.settings import Notification
from pneumoscope.pacs.send.acknowledgement import outcome_of
from pneumoscope.pacs.send.outcome import Fate, Outcome
from pneumoscope.pacs.send.result_file import ResultFile
from pneumoscope.pacs.send.target import UnreachableTargetError
from pneumoscope.pacs.send.tls import client_context

START, END = b"\x0b", b"\x1c\r"
"""What begins and ends a block."""
MOST_ANSWER_BYTES = 2**20
_PIECE = 2**16


class NoAnswerError(Exception):
    """The listener gave no whole answer; the argument completes a sentence that begins with the listener."""


class MllpTarget:
    """An MLLP listener; each message has a connection of its own, so that no answer can be taken for that of another message.

    Parameters
    ----------
    notification : Notification
        Its settings.

    Raises
    ------
    ConfigError
        If the library that checks messages is not installed.
    OSError
        If a certificate cannot be read.
    """

    def __init__(self, notification: Notification) -> None:
        validity.library(notification.protocol)
        self._settings, self._who = notification, f"the notification '{notification.name}'"
        self._context = client_context(notification.tls) if notification.tls else None

    def store(self, result: ResultFile) -> Outcome:
        """Send a message and wait for its acknowledgement.

        Parameters
        ----------
        result : ResultFile
            The file of the message.

        Returns
        -------
        Outcome
            The outcome; `Fate.DOUBT` where there was no whole answer.
        """
        content = result.path.read_bytes()
        try:
            validity.check("hl7", content)
            connection = self._connected()
        except InvalidMessageError as error:
            return Outcome(Fate.NEVER, str(error))
        except OSError:  # also TLS errors
            return Outcome(Fate.LATER, f"{self._who} could not be delivered: no connection", unreachable=True)
        try:
            with connection:
                answer = _exchange(connection, content, self._settings.seconds)
        except (NoAnswerError, OSError) as error:
            how = str(error) if isinstance(error, NoAnswerError) else "the connection broke before the answer"
            return Outcome(Fate.DOUBT, f"{self._who} was not acknowledged ({how}); the same message is sent again")
        return outcome_of(answer, hl7.control_id(content), self._who)

    def holds(self, result: ResultFile) -> bool | None:
        """Return None: MLLP has no query; the listener knows a repetition by its message control ID.

        Parameters
        ----------
        result : ResultFile
            The file of the message.

        Returns
        -------
        None
            Always.
        """
        return None

    def echo(self) -> None:
        """Check that the listener takes connections; no message is sent.

        Raises
        ------
        UnreachableTargetError
            If it does not.
        """
        try:
            self._connected().close()
        except OSError as error:
            raise UnreachableTargetError(f"{self._who}: no connection; check host, port and certificate") from error

    def rest(self) -> None:
        """Do nothing: no connection outlives its message."""

    def close(self) -> None:
        """Do nothing: no connection outlives its message."""

    def _connected(self) -> socket.socket:
        settings = self._settings
        plain = socket.create_connection((settings.host, settings.port), settings.seconds)
        try:
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return self._context.wrap_socket(plain, server_hostname=settings.host) if self._context else plain
        except BaseException:
            plain.close()
            raise


def framed(content: bytes) -> bytes:
    """Put a message into a block.

    Parameters
    ----------
    content : bytes
        The message.

    Returns
    -------
    bytes
        The block.

    Raises
    ------
    ValueError
        If the message holds a byte that begins or ends a block.
    """
    if START in content or END[:1] in content:
        raise ValueError("an HL7 message may not hold the bytes 0x0B and 0x1C, which begin and end its block")
    return START + content + END


def _exchange(connection: socket.socket, content: bytes, seconds: float) -> bytes:
    """Send a message, and wait for the block that answers it, all within one deadline."""
    deadline = time.monotonic() + seconds
    connection.settimeout(seconds)
    connection.sendall(framed(content))
    received = bytearray()
    while True:
        start = received.find(START)
        end = received.find(END, start + 1) if start >= 0 else -1
        if end >= 0:
            return bytes(received[start + 1 : end])
        received += _piece(connection, deadline)
        if len(received) > MOST_ANSWER_BYTES:
            raise NoAnswerError("the answer is too long")


def _piece(connection: socket.socket, deadline: float) -> bytes:
    remaining = deadline - time.monotonic()
    if remaining <= 0:
        raise NoAnswerError("no answer in time")
    connection.settimeout(remaining)
    try:
        piece = connection.recv(_PIECE)
    except TimeoutError as error:
        raise NoAnswerError("no answer in time") from error
    if not piece:
        raise NoAnswerError("the listener closed the connection")
    return piece
