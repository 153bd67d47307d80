"""``pneumoscope serve``: the viewer in the browser, and its HTTP API."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

import click

from pneumoscope import DISCLAIMER
from pneumoscope.archive import manifest
from pneumoscope.classifier import Population
from pneumoscope.cli.acceptance_options import acceptance_options, policy_of
from pneumoscope.cli.model_folder import ModelFolder
from pneumoscope.limited_process import Limits
from pneumoscope.ordered_map import cores
from pneumoscope.radiograph.acceptance import Choice
from pneumoscope.web import app, server
from pneumoscope.web.decoding import decoding_pool
from pneumoscope.web.dicomweb.catalogue import Catalogue, object_pool, parsing_pool
from pneumoscope.web.dicomweb.opening import is_url, remote_films
from pneumoscope.web.dicomweb.routes import routes
from pneumoscope.web.films import FilmStore
from pneumoscope.web.guard import Access
from pneumoscope.web.models import Models
from pneumoscope.web.regions import CohortFilms, References, read_cohort
from pneumoscope.web.sources import FileSource, Source
from pneumoscope.web.store_folder import StoreFolder
from pneumoscope.web.workspace import Options, Workspace

_FEWEST_AT_ONCE, _MOST_AT_ONCE = 2, 8
"""Films that are decoded, and read, at the same time."""
_NO_OUTPUT = Path(os.devnull)
"""An output folder that holds nothing, for the listing of files."""


# fmt: off
@click.command("serve")
@click.argument("inputs_", metavar="[FILE|FOLDER|GLOB|URL]...", nargs=-1)
@click.option("--model", "models", type=ModelFolder(), multiple=True, default=("default", "whole"), show_default=True,
              help="Bundle to read with, a folder or a shipped one; may be repeated. The worklist shows the first.")
@click.option("--population", type=click.Choice(get_args(Population)),
              help="The patients' population where their age is not in the file, for a model with settings by population.")
@click.option("--cohort", "cohort_", type=click.Path(exists=True, path_type=Path), help="Open the files of a cohort as well.")
@click.option("--regions", type=click.Path(exists=True, path_type=Path),
              help="Reference regions of the cohort, as for pneumoscope localize.")
@click.option("--only", multiple=True, metavar="COLUMN=VALUE", help="Take the regions with this value; may be repeated.")
@click.option("--box-space", metavar="file|WxH", help="Pixel grid of boxes, for a table that does not state image sizes.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--allow-network", is_flag=True, help="Let other machines connect, for a --host that is not this machine alone.")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="TCP port; a free one by default.")
@click.option("--browser/--no-browser", default=True, show_default=True, help="Open the page in a browser.")
@click.option("--store", type=click.Path(file_okay=False, path_type=Path),
              help="Keep uploads and readings in this folder for the next start; without it nothing is written.")
@click.option("--show-names", is_flag=True, help="Show the names of files, which may identify patients.")
@click.option("--stow", is_flag=True, help="Let DICOMweb clients store films.")
@click.option("--allow-origin", "origins", multiple=True, metavar="ORIGIN",
              help="Let pages of another origin, such as http://127.0.0.1:3000, use the API and DICOMweb; may be repeated.")
@click.option("--decode-seconds", type=click.FloatRange(0, min_open=True), default=Limits().seconds, show_default=True,
              help="Longest time that decoding one file may take.")
@acceptance_options
def command(
    inputs_: tuple[str, ...], models: tuple[Path, ...], population: Population | None, cohort_: Path | None,
    regions: Path | None, only: tuple[str, ...], box_space: str | None, host: str, allow_network: bool, port: int,
    browser: bool, store: Path | None, show_names: bool, stow: bool, origins: tuple[str, ...],
    decode_seconds: float, **policy_said: Choice,
) -> None:
    # fmt: on
    """Open radiographs in a viewer in the browser, and serve its HTTP API.

    The page and the API are reached from this machine alone, with the token in the printed address. Files are opened where they
    lie and not changed; a URL is that of a DICOMweb service, whose films are retrieved when they are needed. Uploads and readings
    stay in memory unless --store names a folder. Ctrl-C ends the server.
    """
    if regions and not cohort_:
        raise click.UsageError("--regions belong to a cohort; give it with --cohort")
    address = server.Address(host, port)
    if not address.is_loopback and not allow_network:
        raise click.UsageError(f"other machines could connect to {host}; say --allow-network if they may")
    cohort = read_cohort(cohort_, regions, only, box_space) if cohort_ else CohortFilms((), References())
    click.echo("\n".join(cohort.summary), err=True, nl=bool(cohort.summary))
    policy = policy_of(policy_said)
    files = _files([text for text in inputs_ if not is_url(text)], store)
    loaded = Models.load(models, population, policy)
    options = Options(show_names=show_names, stow=stow)
    at_once = max(_FEWEST_AT_ONCE, min(cores(), _MOST_AT_ONCE))
    limits = Limits(decode_seconds)
    with (
        remote_films([text for text in inputs_ if is_url(text)], lambda line: click.echo(line, err=True)) as remote,
        decoding_pool(limits, at_once) as decode, parsing_pool(limits) as parse, object_pool(limits) as make,
        address.listen() as listening,
    ):  # fmt: skip
        decode.start()
        films, folder = FilmStore(decode, policy), StoreFolder.open(store) if store else None
        workspace = Workspace.of(loaded, films, options, references=cohort.references, folder=folder, threads=at_once)
        sources: list[Source] = [*cohort.sources, *files, *remote]
        for source in sources:
            workspace.open(source)
        dicomweb = routes(workspace, Catalogue(workspace, parse, make))
        application = app.build(workspace, Access(options.token, address.names, origins), dicomweb)
        url = server.url_of(listening, options.token)
        server.run(application, workspace, listening, lambda: _started(url, workspace, address, browser))
    click.echo("stopped" + (f"; uploads and readings are in {store}" if store else "; nothing was written"))


def _files(inputs: Sequence[str], store: Path | None) -> list[FileSource]:
    if not inputs:
        return []
    files = manifest.find(inputs, store or _NO_OUTPUT)
    if str(files):
        click.echo(f"  {files}", err=True)
    return [FileSource(item.file, item.name) for item in files.items]


def _started(url: str, workspace: Workspace, address: server.Address, browser: bool) -> None:
    n_films = len(workspace.films)
    click.echo(f"{n_films} film{'' if n_films == 1 else 's'}: {url}\nCtrl-C ends the server. {DISCLAIMER}")
    if not address.is_loopback:
        click.echo("warning: other machines can connect, and the connection is not encrypted", err=True)
    if browser:
        server.open_browser(url)
