"""Check the bearer token of an HTTP request, and answer in one sentence."""

import hmac

from starlette.requests import Request
from starlette.responses import Response


def refusal(request: Request, token: str) -> Response | None:
    """Refuse a request without the right bearer token.

    Parameters
    ----------
    request : Request
        The request.
    token : str
        The token; empty where none is asked for.

    Returns
    -------
    Response or None
        Status 401; None for a request that may be answered.
    """
    given = request.headers.get("authorization", "")
    if not token or hmac.compare_digest(given.encode(), f"Bearer {token}".encode()):
        return None
    return sentence(401, "the bearer token is missing or wrong", {"WWW-Authenticate": "Bearer"})


def sentence(status: int, text: str, headers: dict[str, str] | None = None) -> Response:
    """Answer in one sentence.

    Parameters
    ----------
    status : int
        Status of HTTP.
    text : str
        The sentence, without any identifier.
    headers : dict of str to str, optional
        Further headers.

    Returns
    -------
    Response
        Plain text.
    """
    return Response(f"{text}\n", status, headers, media_type="text/plain")
