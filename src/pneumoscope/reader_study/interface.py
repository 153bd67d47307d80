"""The HTTP interface of a reading room, without a web framework: one function from a request to a response.

A server hands every request below its prefix to `respond`. The reader is named by ``Authorization: Bearer LINK``.

====================================  =============================================================
``GET view``                          the `View` of the reader
``GET cases/TOKEN/pixels``            PNG of the radiograph
``GET cases/TOKEN/aid``               PNG of the overlay; 403 until the unaided answer is locked
``POST cases/TOKEN/open``             the case is on the screen: ``{step, key}``
``POST cases/TOKEN/save``             ``{step, key, base, answer, screen, signals}``
``POST cases/TOKEN/lock``, ``correct``  the same
====================================  =============================================================
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import msgspec

from pneumoscope import PneumoscopeError
from pneumoscope.reader_study.errors import (
    ConflictError,
    ForbiddenError,
    NotSignedInError,
    ReaderStudyError,
    TamperedJournalError,
)
from pneumoscope.reader_study.room import Entry, ReadingRoom

T = TypeVar("T")
MOST_BYTES = 1_000_000
_STATUS: tuple[tuple[type[PneumoscopeError], int], ...] = (
    (NotSignedInError, 401),
    (ForbiddenError, 403),
    (ConflictError, 409),
    (TamperedJournalError, 500),
    (ReaderStudyError, 400),
    (PneumoscopeError, 500),
)
_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}


@dataclass(frozen=True)
class Request:
    """A request of a client.

    Parameters
    ----------
    method : str
        GET or POST.
    path : str
        Below the prefix of the interface, without a leading slash and without a query.
    headers : mapping of str to str
        Names in any case.
    body : bytes
        JSON of a POST.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes = b""


@dataclass(frozen=True)
class Response:
    """What the client gets.

    Parameters
    ----------
    status : int
        HTTP status.
    content_type : str
        Media type.
    body : bytes
        JSON or PNG.
    headers : mapping of str to str
        Further headers: nothing may be stored by a browser or proxy.
    """

    status: int
    content_type: str
    body: bytes
    headers: Mapping[str, str]


class _Opened(msgspec.Struct, forbid_unknown_fields=True):
    step: int
    key: str


class _Changed(msgspec.Struct, forbid_unknown_fields=True):
    step: int
    key: str
    base: int
    answer: dict[str, Any]
    screen: dict[str, Any] = {}
    signals: list[dict[str, Any]] = []


def respond(room: ReadingRoom, request: Request) -> Response:
    """Answer a request of a client of a reader.

    Parameters
    ----------
    room : ReadingRoom
        The study.
    request : Request
        The request.

    Returns
    -------
    Response
        200; else 400, 401, 403, 404, 409, 413 or 500 with ``{"error": sentence}``, which holds no name of a file or a person.
    """
    try:
        return _routed(room, request)
    except PneumoscopeError as error:
        status = next(status for kind, status in _STATUS if isinstance(error, kind))
        return _json(status, {"error": str(error)})
    except OSError:
        return _json(500, {"error": "a file of the study cannot be read; tell the coordinator"})


def _routed(room: ReadingRoom, request: Request) -> Response:
    if len(request.body) > MOST_BYTES:
        return _json(413, {"error": f"a request has more than {MOST_BYTES:,} bytes"})
    link = _link(request.headers)
    match (request.method, *request.path.split("/")):
        case ("GET", "view"):
            return _json(200, msgspec.to_builtins(room.view(link)))
        case ("GET", "cases", token, "pixels"):
            return _response(200, "image/png", room.pixels(link, token))
        case ("GET", "cases", token, "aid"):
            return _response(200, "image/png", room.aid(link, token))
        case ("POST", "cases", token, "open"):
            opened = _body(request.body, _Opened)
            return _json(200, msgspec.to_builtins(room.open(link, token, opened.step, opened.key)))
        case ("POST", "cases", token, ("save" | "lock" | "correct") as action):
            return _changed(room, link, token, action, _body(request.body, _Changed))
    room.reader(link)
    return _json(404, {"error": "there is no such address"})


def _changed(room: ReadingRoom, link: str, token: str, action: Literal["save", "lock", "correct"], changed: _Changed) -> Response:
    entry = Entry(token, changed.step, changed.key, changed.base, changed.answer, changed.screen, changed.signals)
    verb = {"save": room.save, "lock": room.lock, "correct": room.correct}[action]
    return _json(200, msgspec.to_builtins(verb(link, entry)))


def _link(headers: Mapping[str, str]) -> str:
    given = next((value for name, value in headers.items() if name.lower() == "authorization"), "")
    scheme, _, link = given.partition(" ")
    return link.strip() if scheme.lower() == "bearer" else ""


def _body(content: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(content, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ReaderStudyError(f"the request is not valid: {' '.join(str(error).split())}") from error


def _response(status: int, content_type: str, body: bytes) -> Response:
    return Response(status, content_type, body, _HEADERS)


def _json(status: int, value: Any) -> Response:
    return _response(status, "application/json", msgspec.json.encode(value))
