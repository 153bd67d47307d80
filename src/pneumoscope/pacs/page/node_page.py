"""Answer a browser with the page of the node, on the port of STOW-RS."""

import base64
import binascii
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import jinja2
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from pneumoscope import DISCLAIMER, __version__
from pneumoscope.pacs.config import NodeConfig
from pneumoscope.pacs.errors import LedgerError, SpoolError
from pneumoscope.pacs.ledger import Ledger
from pneumoscope.pacs.page.disk import in_units
from pneumoscope.pacs.page.histogram import bars, described
from pneumoscope.pacs.page.view import View, local_time, view
from pneumoscope.pacs.reading_totals import ReadingTotals
from pneumoscope.pacs.receive.authorization import refusal, sentence
from pneumoscope.pacs.status import age
from pneumoscope.web.static_files import STATIC

FILES: Mapping[str, tuple[Path, str]] = MappingProxyType(
    {
        "theme.css": (STATIC / "theme" / "theme.css", "text/css"),
        "page.css": (Path(__file__).parent / "page.css", "text/css"),
        "favicon.svg": (STATIC / "viewer" / "favicon.svg", "image/svg+xml"),
    }
)
"""Files of the page with their types; colours and icon are those of the viewer."""
HEADERS: Mapping[str, str] = MappingProxyType(
    {
        "Content-Security-Policy": "default-src 'self'; script-src 'none'; object-src 'none'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Cache-Control": "no-store",
    }
)
_ASK = MappingProxyType({"WWW-Authenticate": 'Basic realm="Node of Pneumoscope: any name, the token as the password"'})
_ENVIRONMENT = jinja2.Environment(
    loader=jinja2.PackageLoader("pneumoscope.pacs.page"), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True,
    lstrip_blocks=True,
)  # fmt: skip
_ENVIRONMENT.globals |= {"DISCLAIMER": DISCLAIMER, "version": __version__, "bars": bars, "described": described}
_ENVIRONMENT.filters |= {"age": age, "time": local_time, "bytes": in_units, "thousands": "{:,}".format}


@dataclass(frozen=True)
class NodePage:
    """The page of the node.

    Parameters
    ----------
    config : NodeConfig
        The node.
    ledger : Ledger
        Its ledger.
    totals : ReadingTotals
        Totals over its readings.
    token : str
        Token that a browser must present as the password of HTTP Basic authentication, or a program as a bearer token; empty
        where certificates identify clients.
    """

    config: NodeConfig
    ledger: Ledger
    totals: ReadingTotals
    token: str = field(default="", repr=False)

    def routes(self) -> list[Route]:
        """Make the routes.

        Returns
        -------
        list of Route
            ``GET /``, and the files below ``/page/``.
        """
        return [Route("/", self.show, methods=["GET"]), Route("/page/{name}", file, methods=["GET"])]

    async def show(self, request: Request) -> Response:
        """Show the page.

        Parameters
        ----------
        request : Request
            The request.

        Returns
        -------
        Response
            Status 200 with the page, 401 without the token, or 503 if the ledger or the spool cannot be read.
        """
        if not _knows_password(request, self.token) and refusal(request, self.token):
            return sentence(401, "the token is missing or wrong; give it as the password", {**HEADERS, **_ASK})
        try:
            text = await run_in_threadpool(lambda: page(view(self.config, self.ledger, self.totals)))
        except (LedgerError, SpoolError) as error:
            return sentence(503, str(error), dict(HEADERS))
        return Response(text, headers=dict(HEADERS), media_type="text/html")


def page(shown: View) -> str:
    """Write the page.

    Parameters
    ----------
    shown : View
        What it shows.

    Returns
    -------
    str
        HTML; every value is escaped.
    """
    return _ENVIRONMENT.get_template("node.html").render(view=shown, config=shown.config)


async def file(request: Request) -> Response:
    """Serve a file of the page; it needs no token, since it holds nothing of the site.

    Parameters
    ----------
    request : Request
        The request.

    Returns
    -------
    Response
        The file, or status 404.
    """
    path, media_type = FILES.get(request.path_params["name"], (None, ""))
    if path is None:
        return sentence(404, "there is no such file", dict(HEADERS))
    return Response(await run_in_threadpool(path.read_bytes), headers=dict(HEADERS), media_type=media_type)


def _knows_password(request: Request, token: str) -> bool:
    """Whether a browser presents the token as the password of HTTP Basic authentication (RFC 7617)."""
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return False
    try:
        password = base64.b64decode(given.strip(), validate=True).partition(b":")[2]
    except (binascii.Error, ValueError):
        return False
    return bool(token) and hmac.compare_digest(password, token.encode())
