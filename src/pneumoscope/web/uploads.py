"""Receive the body of a request: bounded in bytes and in time."""

import asyncio

from starlette.requests import Request

from pneumoscope.web.errors import RequestError, SlowBodyError, TooLargeBodyError
from pneumoscope.web.films import FilmStore
from pneumoscope.web.workspace import Options


async def received(request: Request, films: FilmStore, options: Options) -> bytes:
    """Receive a body, whose bytes count against the limit of uploads while they come in.

    Parameters
    ----------
    request : Request
        The request.
    films : FilmStore
        Counts the bytes.
    options : Options
        Most bytes, and longest times.

    Returns
    -------
    bytes
        The body, not empty.

    Raises
    ------
    TooLargeBodyError
        If it has more bytes than `Options.max_body_bytes`; the rest is not read.
    SlowBodyError
        If it, or its next part, does not come in time.
    FullError
        If there is no memory left for uploads.
    RequestError
        If it is empty.
    """
    stated = request.headers.get("content-length", "")
    if stated.isdigit() and int(stated) > options.max_body_bytes:
        raise _too_large(options)
    content, stream, reserved = bytearray(), aiter(request.stream()), 0
    try:
        async with asyncio.timeout(options.body_seconds):
            while True:
                async with asyncio.timeout(options.idle_seconds):
                    part = await anext(stream, None)
                if part is None:
                    break
                films.reserve(len(part))
                reserved += len(part)
                if reserved > options.max_body_bytes:
                    raise _too_large(options)
                content += part
    except TimeoutError as error:
        raise SlowBodyError("the body did not arrive in time; send it again") from error
    finally:
        films.release(reserved)
    if not content:
        raise RequestError("the body is empty; send the bytes of one DICOM, PNG or JPEG file")
    return bytes(content)


def _too_large(options: Options) -> TooLargeBodyError:
    return TooLargeBodyError(f"the body has more than {options.max_body_bytes:,} bytes, the most that is taken; send one file")
