"""``pneumoscope app``: build the offline reader for phones."""

from pathlib import Path

import click

from pneumoscope.cli.model_folder import ModelFolder
from pneumoscope.export.client_bundle import Precision
from pneumoscope.reader import DEFAULT_BUNDLE
from pneumoscope.web.phone_app import build


@click.command("app")
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--model", type=ModelFolder(), default=DEFAULT_BUNDLE, show_default="default", help="Bundle of the model, in fp32.")
@click.option(
    "--precision",
    type=click.Choice(["fp16", "fp32"]),
    default="fp16",
    show_default=True,
    help="fp16: half the download, readings within 0.01 of the bundle's; fp32: within 0.0001.",
)
def command(out: Path, model: Path, precision: Precision) -> None:
    """Build the offline reader for phones in OUT, a new folder of static files for any web server with HTTPS.

    The page reads DICOM, PNG and JPEG radiographs on the phone itself and works without a network after the first visit. Each
    file lies in OUT as it is, and compressed by Brotli (.br) and gzip (.gz).

    To try it on this machine:  python -m http.server --directory OUT --bind 127.0.0.1
    """
    made = build(out, model, precision, progress=lambda text: click.echo(text, err=True))
    difference = made["parity"]["probability"]
    click.echo(
        f"{precision}: on the shipped radiographs the probability differs from the bundle's by at most {difference:.1e}\n"
        f"{made['files']} files, {made['bytes'] / 1e6:.1f} MB; with Brotli the first visit downloads "
        f"{made['brotli_bytes'] / 1e6:.1f} MB\nversion {made['version']}; files: {out}"
    )
