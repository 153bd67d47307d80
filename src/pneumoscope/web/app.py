"""Build the server: the API by its table of routes, the page, and the guard in front of both."""

import logging
import traceback
from collections.abc import Sequence
from typing import cast

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp

from pneumoscope import PneumoscopeError
from pneumoscope.web import films_api, jobs_api, openapi, readings_api, static_files
from pneumoscope.web.errors import (
    MissingError,
    RequestError,
    SlowBodyError,
    TooLargeBodyError,
    UnexpectedError,
    UnusableFilmError,
    WebError,
)
from pneumoscope.web.guard import TOKEN_HEADER, Access, Guard, refusal
from pneumoscope.web.operations import API, Arguments, AsyncHandler, Body, Handler, Operation, json_response
from pneumoscope.web.workspace import Workspace

_LOG = logging.getLogger(__name__)


def _openapi(workspace: Workspace, arguments: Arguments) -> Response:
    return json_response(openapi.document(OPERATIONS))


OPERATIONS: tuple[Operation, ...] = (
    *films_api.OPERATIONS,
    *readings_api.OPERATIONS,
    *jobs_api.OPERATIONS,
    Operation("GET", "/openapi.json", "getOpenApi", "This document.", _openapi, {200: Body("OpenAPI 3.1.", {"type": "object"})}),
)
"""The table of routes of the API."""


def build(workspace: Workspace, access: Access | None = None, further: Sequence[BaseRoute] = ()) -> ASGIApp:
    """Build the application.

    Parameters
    ----------
    workspace : Workspace
        What the server has.
    access : Access, optional
        Who may use it; with the token of the workspace, on this machine, by default.
    further : sequence of BaseRoute
        Other routes, as those of DICOMweb; their errors are answered as the API's are.

    Returns
    -------
    ASGI application
        The guarded application.
    """
    routes = [
        *(_route(workspace, operation) for operation in OPERATIONS),
        *further,
        Route("/", static_files.page),
        Route("/static/{path:path}", static_files.static_file),
    ]
    access = access or Access(workspace.options.token)
    application = Starlette(
        routes=routes,
        middleware=_sharing(access),
        exception_handlers={
            PneumoscopeError: _refused,
            HTTPException: _not_routed,
            ClientDisconnect: _left,
            Exception: _unexpected,
        },
    )
    return Guard(application, access)  # outside of all, so that no answer lacks its headers


def _sharing(access: Access) -> list[Middleware]:
    """Let browsers show answers to pages of the origins that the user named."""
    if not access.origins:
        return []
    headers = (TOKEN_HEADER, "Authorization", "Content-Type", "X-File-Name")
    methods = ("GET", "POST", "PUT", "DELETE")
    return [
        Middleware(
            CORSMiddleware,
            allow_origins=access.origins,
            allow_methods=methods,
            allow_headers=headers,
            expose_headers=("Warning",),
        )
    ]


def _route(workspace: Workspace, operation: Operation) -> Route:
    async def endpoint(request: Request) -> Response:
        arguments = operation.arguments(request)
        if operation.asynchronous:
            return await cast(AsyncHandler, operation.handler)(workspace, arguments, request)
        return await run_in_threadpool(cast(Handler, operation.handler), workspace, arguments)

    return Route(API + operation.path, endpoint, methods=[operation.method], name=operation.name)


async def _refused(request: Request, error: Exception) -> Response:
    refused = error if isinstance(error, WebError) else UnusableFilmError(str(error))
    unread = isinstance(refused, SlowBodyError | TooLargeBodyError)
    return refusal(refused, {"Connection": "close"} if unread else None)  # the rest of the body is no next request


async def _not_routed(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    missing = error.status_code == MissingError.status
    refused = MissingError("there is nothing at this path") if missing else RequestError("this method is not taken here")
    refused.status = error.status_code
    return refusal(refused, dict(error.headers or {}))


async def _left(request: Request, error: Exception) -> Response:
    return Response(status_code=499)  # nobody reads it


async def _unexpected(request: Request, error: Exception) -> Response:
    """An error that nobody foresaw: where it happened is logged, but not its text, which may quote a file."""
    frames = traceback.extract_tb(error.__traceback__)
    _LOG.error("unexpected %s at %s", type(error).__name__, ", ".join(f"{frame.name}:{frame.lineno}" for frame in frames[-3:]))
    return refusal(UnexpectedError("the server met an unexpected error; please report what was asked"))
