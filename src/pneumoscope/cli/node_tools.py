"""``pneumoscope node explain``, ``reconcile``, ``conformance`` and ``support-bundle``."""

from pathlib import Path

import click

from pneumoscope.cli.node_options import config_option, opened
from pneumoscope.pacs import config
from pneumoscope.pacs import conformance as statement
from pneumoscope.pacs import support_bundle as bundle
from pneumoscope.pacs.explain import explain as explained
from pneumoscope.pacs.reconcile import reconcile as reconciled


@click.command("explain")
@click.argument("image", metavar="FILE", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--sender", default="", metavar="AE", help="AE title that sends it, name of a poll, or STOW-RS.")
@config_option
def explain(image: Path, sender: str, file: Path) -> None:
    """Say which rule decides on FILE and what would be sent where. Nothing is read by a model, and nothing is sent."""
    for line in explained(config.read(file), image.read_bytes(), sender):
        click.echo(line)


@click.command("reconcile")
@config_option
def reconcile(file: Path) -> None:
    """Compare what the polled services hold with what the node has read, skipped (with the reason) or failed."""
    with opened(file) as (node, ledger):
        for line in reconciled(node, ledger):
            click.echo(line)


@click.command("conformance")
def conformance() -> None:
    """Print the DICOM conformance statement, made from the tables of this program."""
    click.echo(statement.page(), nl=False)


@click.command("support-bundle")
@click.argument("out", type=click.Path(dir_okay=False, path_type=Path))
@config_option
def support_bundle(out: Path, file: Path) -> None:
    """Write OUT, a ZIP file with counts, reasons, versions and settings, without identifiers, addresses or secrets."""
    with opened(file) as (node, ledger):
        bundle.write(node, ledger, out)
    click.echo(f"{out}: look through it before you send it")
