"""Take instances by STOW-RS (PS3.18 10.5), part by part into the spool: memory stays flat whatever comes."""

import asyncio
import json
import logging
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from pneumoscope.pacs.errors import LedgerError, NodeError, NotUnderstoodError, SpoolError, SpoolFullError
from pneumoscope.pacs.receive.admission import Admission
from pneumoscope.pacs.receive.authorization import refusal, sentence
from pneumoscope.pacs.receive.contexts import STORED_CLASSES
from pneumoscope.pacs.receive.header import Header
from pneumoscope.pacs.settings import Limits
from pneumoscope.pacs.spool import spool_error
from pneumoscope.web.dicomweb.json_model import tag
from pneumoscope.web.dicomweb.multipart import parameters_of

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

LOGGER = logging.getLogger(__name__)
SENDER = "STOW-RS"
OUT_OF_RESOURCES, OTHER_STUDY, NOT_UNDERSTOOD, CLASS_NOT_SUPPORTED = 0xA700, 0xA900, 0xC000, 0x0122
"""Failure reasons of PS3.18 table I.2-2."""
_MOST_PARTS = 10_000
_RETRY_AFTER_S = "60"
_LEAST_BYTES_PER_S = 10_000


class MessageError(NodeError):
    """A message is no ``multipart/related`` message with DICOM parts, or is too long."""


@dataclass
class Message:
    """A message of several parts that is being received: each part becomes a file of the spool.

    Parameters
    ----------
    admission : Admission
        Where instances go.
    boundary : bytes
        What stands between parts.
    most_bytes : int
        Largest part.
    study : str
        UID of the study that the client stores into; empty for any.
    """

    admission: Admission
    boundary: bytes
    most_bytes: int
    study: str = field(default="", repr=False)
    stored: list[dict[str, Any]] = field(default_factory=list, repr=False)
    failed: list[dict[str, Any]] = field(default_factory=list, repr=False)
    is_complete: bool = False

    def __post_init__(self) -> None:
        self._parser = MultipartParser(self.boundary, self._callbacks())
        self._open = ExitStack()
        self._file: tuple[Path, BinaryIO] | None = None
        self._size = 0
        self._trouble: NodeError | None = None

    def _callbacks(self) -> "MultipartCallbacks":
        return {
            "on_part_begin": self._begin,
            "on_part_data": self._write,
            "on_part_end": self._end,
            "on_end": self._complete,
        }

    def write(self, data: bytes) -> None:
        """Take the next bytes of the message.

        Parameters
        ----------
        data : bytes
            Any number of them.

        Raises
        ------
        MessageError
            If the message does not keep to its form, or a part is too long.
        """
        try:
            self._parser.write(data)
        except FormParserError:
            raise MessageError("the message does not keep to its boundary") from None

    def close(self) -> None:
        """Remove the file of a part that is not complete."""
        self._open.close()

    def _begin(self) -> None:
        if len(self.stored) + len(self.failed) >= _MOST_PARTS:
            raise MessageError(f"the message has more than {_MOST_PARTS:,} parts")
        self._size, self._trouble = 0, None
        try:
            self._file = self._open.enter_context(self.admission.spool.new_file())
        except SpoolError as error:
            self._file, self._trouble = None, error

    def _write(self, data: bytes, start: int, end: int) -> None:
        self._size += end - start
        if self._size > self.most_bytes:
            raise MessageError(f"a part has more than the {self.most_bytes:,} bytes that an instance may have")
        if self._file is None or self._trouble:
            return
        try:
            self._file[1].write(memoryview(data)[start:end])
        except OSError as error:
            self._trouble = spool_error(error)

    def _end(self) -> None:
        reference: dict[str, Any] = {}
        try:
            reference, reason = self._admitted()
        except (SpoolError, LedgerError) as error:
            reason = OUT_OF_RESOURCES
            LOGGER.warning("an instance by STOW-RS was refused: %s", error)
        except NotUnderstoodError as error:
            reason = NOT_UNDERSTOOD
            LOGGER.warning("an instance by STOW-RS was refused: %s", error)
        self._open.close()
        if reason:
            self.failed.append(reference | {tag("FailureReason"): {"vr": "US", "Value": [reason]}})
        else:
            self.stored.append(reference)

    def _admitted(self) -> tuple[dict[str, Any], int]:
        if self._trouble or self._file is None:
            raise self._trouble or SpoolError("the instance could not be written to the spool")
        file, stream = self._file
        try:
            stream.flush()
        except OSError as error:
            raise spool_error(error) from None

        def check(header: Header) -> int:
            return self._reason_against(header)

        return _admitted(self.admission, file, check)

    def _reason_against(self, header: Header) -> int:
        if header.sop_class_uid not in STORED_CLASSES:
            return CLASS_NOT_SUPPORTED
        if header.is_truncated:
            LOGGER.warning("an instance by STOW-RS was refused: its data set is cut off")
            return NOT_UNDERSTOOD
        return OTHER_STUDY if self.study and self.study != header.study_uid else 0

    def _complete(self) -> None:
        self.is_complete = True


def _admitted(admission: Admission, file: Path, check: Callable[[Header], int]) -> tuple[dict[str, Any], int]:
    """Admit a file unless the check gives a reason against it; give its reference and the reason or 0."""
    header = admission.header_of(file)
    reference = {
        tag("ReferencedSOPClassUID"): {"vr": "UI", "Value": [header.sop_class_uid]},
        tag("ReferencedSOPInstanceUID"): {"vr": "UI", "Value": [header.sop_instance_uid]},
    }
    reason = check(header)
    if not reason:
        admission.admit_read(file, header, SENDER, "stow")
    return reference, reason


@dataclass(frozen=True)
class Storing:
    """The Store transaction.

    Parameters
    ----------
    admission : Admission
        Where instances go.
    limits : Limits
        What clients may use.
    token : str
        Bearer token that a client must present; empty where certificates identify clients.
    """

    admission: Admission
    limits: Limits
    token: str = field(default="", repr=False)

    def routes(self) -> list[Route]:
        """Make the routes.

        Returns
        -------
        list of Route
            They answer ``POST /studies`` and ``POST /studies/{study}``.
        """
        return [Route(path, self.store, methods=["POST"]) for path in ("/studies", "/studies/{study}")]

    async def store(self, request: Request) -> Response:
        """Store the instances of a message.

        Parameters
        ----------
        request : Request
            Its body is ``multipart/related`` with a part for each instance.

        Returns
        -------
        Response
            Status 200 if all were stored, 202 if some were, 409 if none was, 503 if there was no room for any.
        """
        if refused := refusal(request, self.token):
            return refused
        kind, parameters = parameters_of(request.headers.get("content-type", ""))
        boundary = parameters.get("boundary", "")
        if kind != "multipart/related" or not boundary or not boundary.isascii():
            return sentence(415, 'the body must be multipart/related; type="application/dicom" with a boundary')
        try:
            await run_in_threadpool(self.admission.wait_for_space, self.limits.wait_seconds)
        except SpoolFullError as error:
            return sentence(503, str(error), {"Retry-After": _RETRY_AFTER_S})
        study = str(request.path_params.get("study", ""))
        message = Message(self.admission, boundary.encode(), self.limits.instance_bytes, study)
        try:
            await self._received(request, message)
        except MessageError as error:
            return sentence(400, str(error))
        except (TimeoutError, ClientDisconnect):
            return sentence(408, "the message did not come in time", {"Connection": "close"})
        finally:
            await run_in_threadpool(message.close)
        return _answer(message)

    async def _received(self, request: Request, message: Message) -> None:
        """Feed a message with the body; a client that sends too slowly is not waited for."""
        stream, began, size = request.stream(), time.monotonic(), 0
        while True:
            try:
                data = await asyncio.wait_for(anext(stream), self.limits.pdu_seconds)
            except StopAsyncIteration:
                break
            size += len(data)
            if time.monotonic() - began > 6 * self.limits.pdu_seconds + size / _LEAST_BYTES_PER_S:
                raise TimeoutError
            if data:
                await run_in_threadpool(message.write, data)
        if not message.is_complete:
            raise MessageError("the message ends before its last boundary")


def _answer(message: Message) -> Response:
    reasons = {item[tag("FailureReason")]["Value"][0] for item in message.failed}
    model = {
        tag(keyword): {"vr": "SQ", "Value": items}
        for keyword, items in (("FailedSOPSequence", message.failed), ("ReferencedSOPSequence", message.stored))
        if items
    }
    if not message.failed and not message.stored:
        return sentence(400, "the message has no parts; send one for each instance")
    status = 200 if not message.failed else 202 if message.stored else 503 if reasons == {OUT_OF_RESOURCES} else 409
    return Response(json.dumps(model), status, media_type="application/dicom+json")
