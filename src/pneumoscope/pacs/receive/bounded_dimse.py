"""The messages of an association, within bounds: their size, their time, and how many may wait."""

import contextlib
import queue
import struct
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from pynetdicom.dimse import DIMSEServiceProvider
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.pdu_primitives import P_DATA

from pneumoscope.pacs.settings import Limits

if TYPE_CHECKING:
    from pynetdicom.association import Association

_MOST_COMMAND_BYTES = 2**16
_MOST_WAITING = 4
"""Messages of one association that wait to be served; asynchronous operations are not negotiated."""
_LEAST_BYTES_PER_S = 10_000
_GRACE = 6
"""Longest time of a small message, in units of the longest time of a PDU."""
_BUSY_S = 0.5
_C_STORE_RSP, _NO_DATA_SET = 0x8001, 0x0101
_LAST_OF_COMMAND = b"\x03"
_PDV_BYTES = 6
"""Bytes of a PDU besides its fragment of a message (PS3.8 9.3.5.1)."""
_IDLE_WAIT_S, _BUSY_WAIT_S = 0.02, 0.005
NOWHERE = Path("no file, since it could not be written")
"""Path of a data set that could not be written."""


class _Sink:
    """Stands for the file of a data set that the disk does not take: the rest is read and forgotten."""

    name = ""  # pynetdicom removes the file of this name

    def __init__(self) -> None:
        self.file = self

    def write(self, data: bytes) -> int:
        return len(data)

    def flush(self) -> None:
        pass

    def close(self) -> None:
        pass


class _CountedQueue(queue.Queue[Any]):
    """Counts what was put into it."""

    def __init__(self) -> None:
        super().__init__()
        self.counted = 0

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:
        self.counted += 1  # only the thread that reads the connection puts something
        super().put(item, block, timeout)


class BoundedDimse(DIMSEServiceProvider):
    """The message service of one association.

    Parameters
    ----------
    association : Association
        The association.
    limits : Limits
        Of the node.
    """

    def __init__(self, association: "Association", limits: Limits) -> None:
        super().__init__(association)
        self._limits = limits
        self._command_bytes, self._data_bytes, self._began = 0, 0, 0.0
        self._files: set[Path] = set()
        self._busy_at = time.monotonic()
        self.msg_queue = self._waiting = _CountedQueue()
        self._answered, self._is_serving = 0, False

    @property
    def is_idle(self) -> bool:
        """Whether no message is being received, waits or is served."""
        return self.message is None and self._waiting.counted <= self._answered

    def is_late(self, silent_s: float) -> bool:
        """Whether a message that has begun does not come on.

        Parameters
        ----------
        silent_s : float
            Seconds since something was read.

        Returns
        -------
        bool
            True where the other side is silent within a message, or sends it more slowly than any network.
        """
        if self.message is None:
            return False
        allowed = _GRACE * self._limits.pdu_seconds + self._data_bytes / _LEAST_BYTES_PER_S
        return silent_s > self._limits.pdu_seconds or time.monotonic() - self._began > allowed

    def get_msg(self, block: bool = False) -> Any:
        """Take the next message; waits a little where nothing happens, since pynetdicom asks in a loop.

        Parameters
        ----------
        block : bool
            Whether to wait as long as a message may take.

        Returns
        -------
        tuple
            Presentation context and message, or None and None.
        """
        if self._is_serving:  # the request that was taken before is answered
            self._is_serving, self._answered = False, self._answered + 1
        if block:
            return super().get_msg(block=True)
        try:
            item = self.msg_queue.get(timeout=self.wait_s)
        except queue.Empty:
            return None, None
        self._is_serving = True
        return item

    @property
    def wait_s(self) -> float:
        """How long to wait for something to happen: longer where nothing has happened for a while."""
        return _IDLE_WAIT_S if time.monotonic() - self._busy_at > _BUSY_S else _BUSY_WAIT_S

    def receive_primitive(self, primitive: P_DATA) -> None:
        """Take fragments of a message.

        Parameters
        ----------
        primitive : P_DATA
            The fragments.
        """
        self._busy_at = time.monotonic()
        for context_id, fragment in primitive.presentation_data_value_list:
            if not fragment or self._is_too_much(fragment) or self._interrupts(fragment):
                self.remove_file()
                self.dul.event_queue.put("Evt19")
                return
            self._take(context_id, fragment)

    def _interrupts(self, fragment: bytes) -> bool:
        """Whether a fragment belongs to a command that comes within a data set, or before earlier messages are served."""
        in_data_set = getattr(self.message, "_data_set_file", None) is not None
        return bool(fragment[0] & 1 and in_data_set) or self.msg_queue.qsize() >= _MOST_WAITING

    def _is_too_much(self, fragment: bytes) -> bool:
        if self.message is None:
            self._command_bytes, self._data_bytes, self._began = 0, 0, time.monotonic()
        if fragment[0] & 1:
            self._command_bytes += len(fragment)
        else:
            self._data_bytes += len(fragment)
        in_memory = getattr(self.message, "_data_set_file", None) is None
        most = _MOST_COMMAND_BYTES if in_memory else self._limits.instance_bytes
        return self._command_bytes > _MOST_COMMAND_BYTES or self._data_bytes > most

    def _take(self, context_id: int, fragment: bytes) -> None:
        is_command = bool(fragment[0] & 1)
        single = P_DATA()
        single.presentation_data_value_list = cast(Any, [[context_id, fragment]])
        try:
            super().receive_primitive(single)
            if is_command:
                self._remember_file()
        except OSError:
            self._discard_data_set()
            if not is_command:  # a command is decoded before its file is created
                super().receive_primitive(single)

    def _discard_data_set(self) -> None:
        """Let a data set that the disk does not take go to nowhere, so that its sender gets an answer."""
        self.remove_file()
        message = cast(Any, self.message)
        message._data_set_file, message._data_set_path = _Sink(), NOWHERE

    def send_msg(self, primitive: Any, context_id: int) -> None:
        """Send a message.

        Parameters
        ----------
        primitive : DIMSE primitive
            The message.
        context_id : int
            Its presentation context.
        """
        answer = store_answer(primitive) if isinstance(primitive, C_STORE) else None
        if answer is None or 0 < self.maximum_pdu_size < len(answer) + _PDV_BYTES:
            super().send_msg(primitive, context_id)
            return
        fragment = P_DATA()
        fragment.presentation_data_value_list.append((context_id, _LAST_OF_COMMAND + answer))
        self.dul.send_pdu(fragment)

    def remove_file(self) -> None:
        """Remove the file of a message that is not complete."""
        message = self.message
        file = getattr(message, "_data_set_file", None)
        if file is not None:
            _remove(file)

    def close(self) -> None:
        """Remove the files of all messages that were not served."""
        self.remove_file()
        while not self.msg_queue.empty():
            _, request = self.msg_queue.get()
            if file := getattr(request, "_dataset_file", None):
                _remove(file)
        for path in self._files:
            path.unlink(missing_ok=True)

    def _remember_file(self) -> None:
        """Remember the file of the present message: pynetdicom leaves it where a request is not valid."""
        file = getattr(self.message, "_data_set_path", None)
        if file is not None and file != NOWHERE and file not in self._files:
            self._files = {one for one in self._files if one.exists()} | {file}


def store_answer(primitive: C_STORE) -> bytes | None:
    """Encode the answer to a C-STORE request (PS3.7 9.3.1.2), in a tenth of the time that pydicom takes.

    Parameters
    ----------
    primitive : C_STORE
        The message.

    Returns
    -------
    bytes or None
        The command set; None where the message is no such answer, or says more than a status.
    """
    responded, status = primitive.MessageIDBeingRespondedTo, primitive.Status
    if responded is None or status is None or primitive.OffendingElement or primitive.ErrorComment:
        return None
    body = b"".join(
        (
            _uid_element(0x0002, primitive.AffectedSOPClassUID),
            _word_element(0x0100, _C_STORE_RSP),
            _word_element(0x0120, responded),
            _word_element(0x0800, _NO_DATA_SET),
            _word_element(0x0900, status),
            _uid_element(0x1000, primitive.AffectedSOPInstanceUID),
        )
    )
    return struct.pack("<HHII", 0, 0, 4, len(body)) + body


def _word_element(number: int, value: int) -> bytes:
    return struct.pack("<HHIH", 0, number, 2, value)


def _uid_element(number: int, uid: str | None) -> bytes:
    """A UID in a command set, Implicit VR Little Endian; nothing where there is none."""
    if uid is None:
        return b""
    value = uid.encode("ascii") + b"\0" * (len(uid) % 2)
    return struct.pack("<HHI", 0, number, len(value)) + value


def _remove(file: Any) -> None:
    with contextlib.suppress(OSError):  # what could not be written is not worth a second error
        file.close()
    if file.name:
        Path(file.name).unlink(missing_ok=True)
