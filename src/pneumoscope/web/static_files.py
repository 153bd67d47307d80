"""Serve the page and its static files, which the package ships, with strong ETags."""

import hashlib
from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from pneumoscope.web.errors import MissingError

STATIC = Path(__file__).parent / "static"
INDEX = "viewer/index.html"
_MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".jpg": "image/jpeg",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".mjs": "text/javascript; charset=utf-8",
    ".onnx": "application/octet-stream",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".wasm": "application/wasm",
    ".webmanifest": "application/manifest+json",
    ".woff2": "font/woff2",
}
"""Of each kind of file that is served; files of other kinds are not."""


async def page(request: Request) -> Response:
    """Serve the viewer's page.

    Parameters
    ----------
    request : Request
        ``GET /``.

    Returns
    -------
    Response
        The page.
    """
    return await run_in_threadpool(_answer, INDEX, request.headers.get("if-none-match", ""))


async def static_file(request: Request) -> Response:
    """Serve a static file.

    Parameters
    ----------
    request : Request
        ``GET /static/{path}``.

    Returns
    -------
    Response
        The file, or 304 for a client that has it.
    """
    return await run_in_threadpool(_answer, request.path_params["path"], request.headers.get("if-none-match", ""))


def _answer(name: str, known: str) -> Response:
    file = STATIC / name
    content = _content(file)
    headers = {"ETag": f'"{hashlib.sha256(content).hexdigest()}"', "Cache-Control": "no-cache"}
    if headers["ETag"] in [tag.strip() for tag in known.split(",")]:
        return Response(status_code=304, headers=headers)
    return Response(content, media_type=_MEDIA_TYPES[file.suffix], headers=headers)


def _content(file: Path) -> bytes:
    missing = MissingError("there is no such file")
    try:
        if file.suffix not in _MEDIA_TYPES or not file.resolve().is_relative_to(STATIC.resolve()):
            raise missing
        return file.read_bytes()
    except (OSError, ValueError) as error:  # no file, a folder, a name that is too long or has a null byte
        raise missing from error
