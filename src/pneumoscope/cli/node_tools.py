"""``pneumoscope node explain``, ``reconcile``, ``conformance`` and ``support-bundle``."""

from dataclasses import replace
from pathlib import Path

import click

from pneumoscope.cli.main import USER_MISTAKE
from pneumoscope.cli.node_options import config_option, opened
from pneumoscope.pacs import config
from pneumoscope.pacs import conformance as statement
from pneumoscope.pacs import support_bundle as bundle
from pneumoscope.pacs.config import NodeConfig
from pneumoscope.pacs.errors import ConfigError
from pneumoscope.pacs.explain import explain as explained
from pneumoscope.pacs.ledger import Ledger
from pneumoscope.pacs.reconcile import reconcile as reconciled
from pneumoscope.web.dicomweb.errors import DicomwebError


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
def reconcile(file: Path) -> int:
    """Compare what the polled services hold with what the node has read, skipped (with the reason) or failed."""
    with opened(file) as (node, ledger):
        parts = [replace(node, polls=(poll,)) for poll in node.polls] or [node]
        reported = [_reconciled(part, ledger) for part in parts]
    return 0 if all(reported) else USER_MISTAKE


def _reconciled(node: NodeConfig, ledger: Ledger) -> bool:
    """Print the report about one polled service, or why there is none; whether there is one."""
    try:
        lines = reconciled(node, ledger)
    except (ConfigError, DicomwebError) as error:
        click.echo(f"WRONG  '{node.polls[0].name}': {error}", err=True)
        return False
    for line in lines:
        click.echo(line)
    return True


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
