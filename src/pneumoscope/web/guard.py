"""The guard in front of every request: Host, Origin and token are checked, and every answer carries the headers of safety."""

import hmac
import ipaddress
import re
import urllib.parse
from dataclasses import dataclass, field

import msgspec
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pneumoscope.web.bodies import ErrorAnswer, ErrorBody
from pneumoscope.web.errors import ForbiddenError, TokenError, WebError

TOKEN_HEADER = "X-Pneumoscope-Token"
PROTECTED = ("/api/", "/dicomweb/", "/dicomweb")
"""Paths that need the token; the page and its static files hold nothing of a patient."""
_BEARER = "Bearer "
_HOST = re.compile(r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?")
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self' 'wasm-unsafe-eval'",
        "style-src 'self'",
        "img-src 'self' blob: data:",
        "worker-src 'self'",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
_HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


@dataclass(frozen=True)
class Access:
    """Who may use the server.

    Parameters
    ----------
    token : str
        Secret that a request to the API carries in `TOKEN_HEADER`, or as a Bearer token.
    hosts : tuple of str
        Names under which the server is reached, beside ``localhost``; addresses are always taken, since another site cannot make
        its own name lead to them.
    origins : tuple of str
        Other origins whose pages may use the API, as ``http://127.0.0.1:3000``; none by default.
    """

    token: str = field(repr=False)
    hosts: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()

    def check(self, scope: Scope) -> None:
        """Refuse a request that may come from somebody else.

        Parameters
        ----------
        scope : mapping
            Of ASGI.

        Raises
        ------
        ForbiddenError
            If Host is a name that is not the server's (DNS rebinding), or the request comes from a page of another origin.
        TokenError
            If the token is missing or wrong.
        """
        headers, path = Headers(scope=scope), str(scope["path"])
        host = headers.get("host", "")
        if not self._is_own(host):
            raise ForbiddenError("the server does not go by this name; use the address that it printed")
        if self._asks_for_permission(scope["method"], headers):
            return
        protected = path.startswith(PROTECTED)
        if protected or scope["method"] not in ("GET", "HEAD"):
            self._check_origin(headers, f"{scope['scheme']}://{host}")
        if protected and not self._knows_token(headers):
            raise TokenError("the token is missing or wrong; open the address that the server printed")

    def _asks_for_permission(self, method: str, headers: Headers) -> bool:
        """Whether a browser asks in advance if a page of an allowed origin may send a request; it cannot send the token then."""
        return method == "OPTIONS" and headers.get("origin") in self.origins and "access-control-request-method" in headers

    def _is_own(self, host: str) -> bool:
        if not _HOST.fullmatch(host):
            return False
        try:
            name = urllib.parse.urlsplit(f"//{host}").hostname or ""
            return name in ("localhost", *self.hosts) or bool(ipaddress.ip_address(name))
        except ValueError:
            return False

    def _check_origin(self, headers: Headers, own: str) -> None:
        origin = headers.get("origin")
        if origin is not None and origin in self.origins:
            return
        if (origin is not None and origin != own) or headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            raise ForbiddenError("a page of another origin may not use this server")

    def _knows_token(self, headers: Headers) -> bool:
        given = headers.get(TOKEN_HEADER, "") or headers.get("authorization", "").removeprefix(_BEARER)
        return hmac.compare_digest(given.encode(), self.token.encode())


class Guard:
    """Middleware: checks each request (`Access.check`) and adds the headers of safety to each answer.

    Parameters
    ----------
    app : ASGI application
        Gets the requests that pass.
    access : Access
        Who may use it.
    """

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app = app
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection.

        Parameters
        ----------
        scope, receive, send
            Of ASGI.
        """
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await self._handle(scope, receive, _with_headers(send, scope))

    async def _handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            self._access.check(scope)
        except ForbiddenError as error:
            await refusal(error)(scope, receive, send)
            return
        await self._app(scope, receive, send)


def refusal(error: WebError, headers: dict[str, str] | None = None) -> Response:
    """Make the answer to a request that is refused.

    Parameters
    ----------
    error : WebError
        Why.
    headers : dict of str to str, optional
        Further headers.

    Returns
    -------
    Response
        An `ErrorAnswer` with the status of the error.
    """
    body = msgspec.json.encode(ErrorAnswer(ErrorBody(error.kind, str(error))))
    return Response(body, error.status, headers, media_type="application/json")


def _with_headers(send: Send, scope: Scope) -> Send:
    async def wrapped(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = list(message.get("headers", []))
            headers = MutableHeaders(raw=message["headers"])
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
            if str(scope["path"]).startswith(PROTECTED):
                headers["Cache-Control"] = "no-store"
        await send(message)

    return wrapped
