"""What the HTTP clients of the node share: credentials, certificates, limited answers."""

import logging
import math
import time

import httpx2

from pneumoscope import DISCLAIMER, __version__
from pneumoscope.pacs.peers import Credentials, Tls, secret
from pneumoscope.pacs.send.tls import client_context

_MOST_ANSWER_BYTES = 4 * 2**20
for _name in ("httpx2", "httpcore2"):
    logging.getLogger(_name).setLevel(logging.ERROR)  # both log URLs, which hold UIDs


def client(credentials: Credentials | None, tls: Tls | None, seconds: float) -> httpx2.Client:
    """Make a client that follows no redirects.

    Parameters
    ----------
    credentials : Credentials, optional
        How the node identifies itself.
    tls : Tls, optional
        Certificates.
    seconds : float
        Longest wait for a connection and for each part of an answer, > 0.

    Returns
    -------
    httpx2.Client
        The client.

    Raises
    ------
    OSError
        If a file with a secret or a certificate cannot be read.
    """
    return httpx2.Client(
        auth=authentication(credentials),
        verify=client_context(tls),
        headers={"User-Agent": f"pneumoscope/{__version__} ({DISCLAIMER})"},
        timeout=httpx2.Timeout(seconds),
        follow_redirects=False,
    )


def limited_body(response: httpx2.Response, deadline: float = math.inf) -> bytes:
    """Read the body of a streamed answer.

    Parameters
    ----------
    response : httpx2.Response
        The answer.
    deadline : float
        When the whole body must be there, by the clock `time.monotonic`.

    Returns
    -------
    bytes
        The body; empty where it has more than 4 MiB, which no answer about one result has.

    Raises
    ------
    httpx2.ReadTimeout
        If the deadline has passed.
    """
    content = bytearray()
    for piece in response.iter_bytes():  # as they arrive: pieces of one size would be waited for
        content += piece
        if time.monotonic() > deadline:
            raise httpx2.ReadTimeout("the answer came too slowly")
        if len(content) > _MOST_ANSWER_BYTES:
            return b""
    return bytes(content)


def retry_after(response: httpx2.Response) -> float:
    """Read the header Retry-After.

    Parameters
    ----------
    response : httpx2.Response
        The answer.

    Returns
    -------
    float
        Seconds; 0 where the header is missing or a date.
    """
    text = response.headers.get("Retry-After", "")
    return float(text) if text.isascii() and text.isdigit() and len(text) < 7 else 0.0


def authentication(credentials: Credentials | None) -> httpx2.Auth | None:
    """Make what identifies the node to a service.

    Parameters
    ----------
    credentials : Credentials, optional
        The settings.

    Returns
    -------
    httpx2.Auth or None
        HTTP Basic authentication or a bearer token; None without settings.

    Raises
    ------
    OSError
        If the file of the secret cannot be read.
    """
    if credentials is None:
        return None
    if credentials.user:
        return httpx2.BasicAuth(credentials.user, secret(credentials.password_file))
    token = secret(credentials.token_file)

    def with_token(request: httpx2.Request) -> httpx2.Request:
        request.headers["Authorization"] = f"Bearer {token}"
        return request

    return httpx2.FunctionAuth(with_token)
