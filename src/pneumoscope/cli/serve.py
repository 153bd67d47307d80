"""``pneumoscope serve``: the viewer in the browser, and its HTTP API."""

from pathlib import Path
from typing import get_args

import click

from pneumoscope import DISCLAIMER
from pneumoscope.classifier import Population
from pneumoscope.cli.acceptance_options import acceptance_options, policy_of
from pneumoscope.cli.model_folder import ModelFolder
from pneumoscope.limited_process import decoding_limits
from pneumoscope.radiograph.acceptance import Choice
from pneumoscope.web import server
from pneumoscope.web.launch import Launch, launched
from pneumoscope.web.regions import CohortFilms, read_cohort
from pneumoscope.web.workspace import Options, Workspace


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
@click.option("--decode-seconds", type=click.FloatRange(0, min_open=True), default=decoding_limits().seconds, show_default=True,
              help="Longest time that decoding one file may take; half of it as processor time.")
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
    cohort = read_cohort(cohort_, regions, only, box_space) if cohort_ else CohortFilms()
    for line in cohort.summary:
        _say(line)
    options = Options(show_names=show_names, stow=stow)
    launch = Launch(models, inputs_, cohort, population, policy_of(policy_said), store, options, address.names, origins,
                    decoding_limits(decode_seconds))  # fmt: skip
    with address.listen() as listening, launched(launch, _say) as (application, workspace):
        url = server.url_of(listening, options.token)
        server.run(application, workspace, listening, lambda: _started(url, workspace, address, browser))
    click.echo("stopped" + (f"; uploads and readings are in {store}" if store else "; nothing was written"))


def _say(line: str) -> None:
    click.echo(line, err=True)


def _started(url: str, workspace: Workspace, address: server.Address, browser: bool) -> None:
    n_films = len(workspace.films)
    click.echo(f"{n_films} film{'' if n_films == 1 else 's'}: {url}\nCtrl-C ends the server. {DISCLAIMER}")
    if not address.is_loopback:
        _say("warning: other machines can connect, and the connection is not encrypted")
    if browser:
        server.open_browser(url)
