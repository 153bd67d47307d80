"""A reader study as an ASGI application: the interface of the readers, that of the coordinator, and the pages."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.requests import Request as HttpRequest
from starlette.responses import RedirectResponse
from starlette.responses import Response as HttpResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from pneumoscope.reader_study.coordinator_interface import coordinator_link, respond_to_coordinator
from pneumoscope.reader_study.folder import OpenStudy
from pneumoscope.reader_study.interface import MOST_BYTES, Request, Response, respond
from pneumoscope.reader_study.room import reader_link
from pneumoscope.web import static_files
from pneumoscope.web.errors import WebError
from pneumoscope.web.guard import Access, Guard, refusal

READERS, COORDINATOR = "/api/study", "/api/coordinator"
_READER_PAGE, _COORDINATOR_PAGE = "/static/study/index.html", "/static/study/coordinator.html"


class StudyAccess(Access):
    """Who may use the server of a study: each interface knows its own links, instead of one token for everybody."""

    def _knows_token(self, headers: Headers) -> bool:
        return True


@dataclass(frozen=True)
class Links:
    """The personal links of a study.

    Parameters
    ----------
    readers : mapping of str to str
        URL by pseudonym.
    coordinator : str
        URL.
    """

    readers: dict[str, str]
    coordinator: str


def links(study: OpenStudy, root: str) -> Links:
    """Make the personal links; the secret stands in the fragment, which browsers do not send.

    Parameters
    ----------
    study : OpenStudy
        The study.
    root : str
        Address of the server, without a slash at its end.

    Returns
    -------
    Links
        Give each reader the own one only.
    """
    readers = {one.name: f"{root}/#link={reader_link(study.key, one.name)}" for one in study.protocol.definition.readers}
    return Links(readers, f"{root}/coordinator#link={coordinator_link(study.key)}")


def study_app(study: OpenStudy, hosts: tuple[str, ...] = ()) -> ASGIApp:
    """Make the application of a study.

    Parameters
    ----------
    study : OpenStudy
        The study; whoever opened it closes its journal.
    hosts : tuple of str
        Names under which the server is reached, besides ``localhost`` and addresses.

    Returns
    -------
    ASGI application
        Behind the same guard as the viewer.
    """
    room = study.room()
    readers = _endpoint(lambda asked: respond(room, asked))
    coordinator = _endpoint(lambda asked: respond_to_coordinator(study, room, asked))
    application = Starlette(
        routes=[
            Route("/", _redirect(_READER_PAGE)),
            Route("/coordinator", _redirect(_COORDINATOR_PAGE)),
            Route(f"{READERS}/{{path:path}}", readers, methods=["GET", "POST"]),
            Route(f"{COORDINATOR}/{{path:path}}", coordinator, methods=["GET", "POST"]),
            Route("/static/{path:path}", static_files.static_file),
        ],
        exception_handlers={WebError: _refused},
    )
    return Guard(application, StudyAccess("", hosts))


async def _refused(request: HttpRequest, error: Exception) -> HttpResponse:
    assert isinstance(error, WebError)
    return refusal(error)


def _redirect(path: str) -> Callable[[HttpRequest], HttpResponse]:
    # The browser keeps the fragment, with the personal link.
    return lambda request: RedirectResponse(path)


def _endpoint(respond_to: Callable[[Request], Response]) -> Callable[[HttpRequest], Awaitable[HttpResponse]]:
    async def endpoint(request: HttpRequest) -> HttpResponse:
        body = await _body(request)
        asked = Request(request.method, request.path_params["path"], request.headers, body)
        # Decoding a radiograph, and a transaction that is flushed to the disk, take time in which others are answered.
        answer = await run_in_threadpool(respond_to, asked)
        return HttpResponse(answer.body, answer.status, dict(answer.headers), answer.content_type)

    return endpoint


async def _body(request: HttpRequest) -> bytes:
    """The body, or as much of it as shows that it is too long."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MOST_BYTES:
            break
    return body
