"""Serve the page of a node over HTTP, as the receiving process does."""

from contextlib import contextmanager
from dataclasses import dataclass

from starlette.applications import Starlette

from pneumoscope.pacs.config import NodeConfig
from pneumoscope.pacs.ledger import Ledger
from pneumoscope.pacs.page.node_page import NodePage
from pneumoscope.pacs.reading_totals import ReadingTotals
from pneumoscope.pacs.receive.http_server import listening_http
from pneumoscope.pacs.settings import Limits, Receiving
from tests.free_port import free_port
from tests.pacs.node_site import NOW, fill, site

TOKEN = "t" * 20


@dataclass(frozen=True)
class ServedPage:
    """The page of a node."""

    url: str
    config: NodeConfig
    ledger: Ledger


@contextmanager
def page_server(folder, *, filled=True, receive="", more="", now=NOW, **lines):
    """Serve the page of a node whose clock stands; the password is `TOKEN`."""
    config = site(folder, receive, more)
    listens = Receiving(port=0, stow_port=free_port(), stow_token_file="token")
    with Ledger.open(config.ledger_url, clock=lambda: now) as ledger:
        config.spool_folder.mkdir()
        if filled:
            fill(config, ledger, now, **lines)
        routes = NodePage(config, ledger, ReadingTotals(ledger, config.salt), TOKEN).routes()
        with listening_http(Starlette(routes=routes), listens, Limits()) as port:
            yield ServedPage(f"http://127.0.0.1:{port}/", config, ledger)
