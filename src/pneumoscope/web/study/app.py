"""A reader study as an ASGI application: the interface of the readers, that of the coordinator, and the pages."""

from collections.abc import Callable
from pathlib import Path

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request as HttpRequest
from starlette.responses import RedirectResponse
from starlette.responses import Response as HttpResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from pneumoscope.reader_study.coordinator_interface import respond_to_coordinator
from pneumoscope.reader_study.folder import OpenStudy
from pneumoscope.reader_study.interface import MOST_BYTES, Request, Response, respond

STATIC = Path(__file__).parent.parent / "static"
READERS, COORDINATOR = "/api/study", "/api/coordinator"
READER_PAGE, COORDINATOR_PAGE = "/static/study/index.html", "/static/study/coordinator.html"


def study_app(study: OpenStudy) -> Starlette:
    """Make the application of a study.

    Parameters
    ----------
    study : OpenStudy
        The study; whoever opened it closes its journal.

    Returns
    -------
    Starlette
        Without a check of host and origin, which `web.security` adds.
    """
    room = study.room()
    return Starlette(
        routes=[
            Route("/", _redirect(READER_PAGE)),
            Route("/coordinator", _redirect(COORDINATOR_PAGE)),
            Route(f"{READERS}/{{path:path}}", _endpoint(lambda asked: respond(room, asked)), methods=["GET", "POST"]),
            Route(
                f"{COORDINATOR}/{{path:path}}",
                _endpoint(lambda asked: respond_to_coordinator(study, room, asked)),
                methods=["GET", "POST"],
            ),
            Mount("/static", StaticFiles(directory=STATIC)),
        ]
    )


def _redirect(path: str) -> Callable[[HttpRequest], HttpResponse]:
    # The browser keeps the fragment with the personal link, which it never sends.
    return lambda request: RedirectResponse(path)


def _endpoint(respond_to: Callable[[Request], Response]) -> Callable[[HttpRequest], object]:
    async def endpoint(request: HttpRequest) -> HttpResponse:
        body = await _body(request)
        asked = Request(request.method, request.path_params["path"], request.headers, body)
        # Decoding a radiograph, and a transaction that is flushed to the disk, take time in which others are answered.
        answer = await run_in_threadpool(respond_to, asked)
        return HttpResponse(answer.body, answer.status, answer.headers, answer.content_type)

    return endpoint


async def _body(request: HttpRequest) -> bytes:
    """The body, or as much of it as shows that it is too long."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MOST_BYTES:
            break
    return body
