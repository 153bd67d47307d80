"""The HTTP interface of readers, without a web framework: one function from a request to a response.

A server hands every request below its prefix to `respond`. The reader is named by ``Authorization: Bearer LINK``.

====================================  =============================================================
``GET view``                          the `View` of the reader
``GET earlier``                       list of `EarlierAnswer`: locked answers that may still be corrected
``POST display-check``                what the reader sees of the test pattern: ``{key, check}``
``GET cases/TOKEN/pixels``            PNG of the radiograph
``GET cases/TOKEN/film``              the radiograph with its grey tables (`pixels.film_bytes`)
``GET cases/TOKEN/aid``               PNG of the overlay; 403 until the unaided answer is locked
``POST cases/TOKEN/open``             the case is on the screen: ``{step, key}``
``POST cases/TOKEN/save``             ``{step, key, base, answer, screen, signals, undo}``
``POST cases/TOKEN/lock``, ``correct``  the same
====================================  =============================================================
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeVar

import msgspec

from pneumoscope import PneumoscopeError
from pneumoscope.reader_study.entry import Entry
from pneumoscope.reader_study.errors import (
    BlindedError,
    ConflictError,
    ForbiddenError,
    NotSignedInError,
    ReaderStudyError,
    TamperedJournalError,
)
from pneumoscope.reader_study.room import ReadingRoom

T = TypeVar("T")
MOST_BYTES = 1_000_000
_STATUS: tuple[tuple[type[PneumoscopeError], int], ...] = (
    (NotSignedInError, 401),
    (ForbiddenError, 403),
    (BlindedError, 403),
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


class _Checked(msgspec.Struct, forbid_unknown_fields=True):
    key: str
    check: dict[str, Any]


class _Changed(msgspec.Struct, forbid_unknown_fields=True):
    step: int
    key: str
    base: int
    answer: dict[str, Any]
    screen: dict[str, Any] = {}
    signals: list[dict[str, Any]] = []
    undo: dict[str, Any] | None = None


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
    return answered(request, lambda: _routed(room, request))


def answered(request: Request, route: Callable[[], Response]) -> Response:
    """Answer a request by a function, and turn the errors of the program into responses.

    Parameters
    ----------
    request : Request
        The request; one with a body of more than `MOST_BYTES` is refused.
    route : callable
        Finds the response.

    Returns
    -------
    Response
        As `respond`.
    """
    if len(request.body) > MOST_BYTES:
        return json_response(413, {"error": f"a request has more than {MOST_BYTES:,} bytes"})
    try:
        return route()
    except PneumoscopeError as error:
        status = next(status for kind, status in _STATUS if isinstance(error, kind))
        return json_response(status, {"error": str(error)})
    except OSError:
        return json_response(500, {"error": "a file of the study cannot be read; tell the coordinator"})


def _routed(room: ReadingRoom, request: Request) -> Response:
    link = link_of(request.headers)
    match (request.method, *request.path.split("/")):
        case ("GET", "view"):
            # Not by msgspec, which leaves out what it has set by default when it decoded the protocol.
            return json_response(200, asdict(room.view(link)))
        case ("GET", "earlier"):
            return json_response(200, msgspec.to_builtins(room.earlier(link)))
        case ("POST", "display-check"):
            checked = parsed_body(request.body, _Checked)
            return json_response(200, msgspec.to_builtins(room.check_display(link, checked.key, checked.check)))
        case ("GET", "cases", token, "film"):
            return response_of(200, "application/octet-stream", room.film(link, token), {"Content-Encoding": "gzip"})
        case ("GET", "cases", token, "pixels"):
            return response_of(200, "image/png", room.pixels(link, token))
        case ("GET", "cases", token, "aid"):
            return response_of(200, "image/png", room.aid(link, token))
        case ("POST", "cases", token, "open"):
            opened = parsed_body(request.body, _Opened)
            return json_response(200, msgspec.to_builtins(room.open(link, token, opened.step, opened.key)))
        case ("POST", "cases", token, ("save" | "lock" | "correct") as action):
            return _changed(room, link, token, action, parsed_body(request.body, _Changed))
    room.reader(link)
    return json_response(404, {"error": "there is no such address"})


def _changed(room: ReadingRoom, link: str, token: str, action: Literal["save", "lock", "correct"], changed: _Changed) -> Response:
    entry = Entry(token, changed.step, changed.key, changed.base, changed.answer, changed.screen, changed.signals, changed.undo)
    verb = {"save": room.save, "lock": room.lock, "correct": room.correct}[action]
    return json_response(200, msgspec.to_builtins(verb(link, entry)))


def link_of(headers: Mapping[str, str]) -> str:
    """Take the secret part of a personal link from the headers of a request.

    Parameters
    ----------
    headers : mapping of str to str
        Names in any case.

    Returns
    -------
    str
        The credentials of ``Authorization: Bearer``; empty without.
    """
    given = next((value for name, value in headers.items() if name.lower() == "authorization"), "")
    scheme, _, link = given.partition(" ")
    return link.strip() if scheme.lower() == "bearer" else ""


def parsed_body(content: bytes, kind: type[T]) -> T:
    """Parse the JSON body of a request.

    Parameters
    ----------
    content : bytes
        The body.
    kind : type
        What it must describe.

    Returns
    -------
    kind
        The value.

    Raises
    ------
    ReaderStudyError
        If the body is not JSON, or describes something else.
    """
    try:
        return msgspec.json.decode(content, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ReaderStudyError(f"the request is not valid: {' '.join(str(error).split())}") from error


def response_of(status: int, content_type: str, body: bytes, more: Mapping[str, str] | None = None) -> Response:
    """Make a response that no browser or proxy may store.

    Parameters
    ----------
    status, content_type, body
        As in `Response`.
    more : mapping of str to str, optional
        Further headers.

    Returns
    -------
    Response
        The response.
    """
    return Response(status, content_type, body, {**_HEADERS, **(more or {})})


def json_response(status: int, value: Any) -> Response:
    """Make a response of JSON.

    Parameters
    ----------
    status : int
        HTTP status.
    value : object
        JSON values.

    Returns
    -------
    Response
        The response.
    """
    return response_of(status, "application/json", msgspec.json.encode(value))
