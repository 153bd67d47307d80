"""Read and check the bearer token of HTTP requests, and answer in one sentence."""

import hmac

from starlette.requests import Request
from starlette.responses import Response

from pneumoscope.pacs.errors import ConfigError
from pneumoscope.pacs.peers import secret
from pneumoscope.pacs.settings import Receiving


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


def stow_token(receive: Receiving) -> str:
    """Read the token that a client of the HTTP port must present.

    Parameters
    ----------
    receive : Receiving
        How the node listens.

    Returns
    -------
    str
        The token; empty where certificates take its place.

    Raises
    ------
    ConfigError
        If the file cannot be read, or its first line is empty.
    """
    if not receive.stow_token_file:
        return ""
    try:
        token = secret(receive.stow_token_file)
    except OSError as error:
        raise ConfigError(f"the file of 'stow_token_file' cannot be read ({type(error).__name__})") from None
    if not token:
        raise ConfigError("the first line of the file of 'stow_token_file' is empty; write a token there")
    return token
