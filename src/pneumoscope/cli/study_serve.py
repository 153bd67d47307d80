"""``pneumoscope study serve``."""

import threading
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import click

from pneumoscope import DISCLAIMER, MissingExtraError
from pneumoscope.reader_study import folder as studies
from pneumoscope.reader_study.journal import Journal

try:
    from pneumoscope.web import server
    from pneumoscope.web.study import Links, links, study_app

    _HAS_SERVER = True
except ModuleNotFoundError as error:  # the extra is named when the verb is called
    if (error.name or "").startswith("pneumoscope"):
        raise
    _HAS_SERVER = False

_WARNING = """\
warning: other machines can connect, and the connection is not encrypted: whoever listens on the network sees links and answers.
Put a TLS proxy (nginx, Caddy, Apache) before the server, let it pass the headers Host and X-Forwarded-Proto on, keep the server
on 127.0.0.1, and name the proxy's host with --name."""


@dataclass(frozen=True)
class _Served:
    """What is closed when the server ends."""

    journal: Journal
    closing: threading.Event = field(default_factory=threading.Event)

    def close(self) -> None:
        self.journal.close()


# fmt: off
@click.command("serve")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8765, show_default=True, help="TCP port; 0 for a free one.")
@click.option("--name", default="", help="Name under which a TLS proxy before the server is reached: links are https://NAME/…")
def command(folder: Path, host: str, port: int, name: str) -> None:
    # fmt: on
    """Let the readers of the frozen study in FOLDER read in the browser, and the coordinator see how far they are.

    Prints the personal link of each reader and of the coordinator. The journal is verified before the first request. Ctrl-C, a
    kill or a power cut lose nothing: start the server again, and every reader goes on at the exact case and mark.
    """
    if not _HAS_SERVER:
        raise MissingExtraError("pneumoscope study serve", "serve")
    studies.verify(folder)
    address = server.Address(host, port)
    study = studies.open_study(folder)
    with closing(study.journal), address.listen() as listening:
        names = tuple(one for one in (name, host) if one)
        root = f"https://{name}" if name else server.url_of(listening, "").partition("/#")[0]
        title = f"{study.protocol.definition.title} ({study.protocol.stage}, {study.folder.name})"
        server.run(
            study_app(study, names),
            _Served(study.journal),
            listening,
            lambda: _started(title, links(study, root), address),
        )
    click.echo("stopped; everything that was shown as saved is in the journal")


def _started(title: str, found: "Links", address: "server.Address") -> None:
    click.echo(title)
    for reader, url in found.readers.items():
        click.echo(f"{reader}\t{url}")
    click.echo(f"coordinator\t{found.coordinator}")
    click.echo(f"Give each reader the own link only. Ctrl-C ends the server. {DISCLAIMER}")
    if not address.is_loopback:
        click.echo(_WARNING, err=True)
