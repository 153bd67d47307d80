"""``pneumoscope node run``, ``check`` and ``echo``: start the node, or find out beforehand what would go wrong."""

from pathlib import Path

import click

from pneumoscope import DISCLAIMER
from pneumoscope.cli.main import USER_MISTAKE
from pneumoscope.cli.node_options import check_known, config_option
from pneumoscope.pacs import check as checks
from pneumoscope.pacs import config, node
from pneumoscope.pacs.explain import where
from pneumoscope.pacs.send.sender import target_of
from pneumoscope.pacs.send.target import UnreachableTargetError


def start(file: Path) -> None:
    """Run the node in the foreground.

    Parameters
    ----------
    file : Path
        Its configuration.
    """
    click.echo(f"the node starts; Ctrl-C or SIGTERM stops it after what it is doing. {DISCLAIMER}", err=True)
    node.run(file)
    click.echo("the node has stopped; what waits is in the ledger", err=True)


@click.command("run")
@config_option
def command(file: Path) -> None:
    """Run the node: three processes that receive, read and send, under one parent that starts them again when they end."""
    start(file)


@click.command("check")
@config_option
def check(file: Path) -> int:
    """Check the configuration against this machine: files, certificates, disk, ledger, models and free ports. Nothing is sent."""
    configuration = config.read(file)
    good = True
    for fine, sentence in checks.check(configuration):
        good &= fine
        click.echo(f"{'ok   ' if fine else 'WRONG'}  {sentence}")
    return 0 if good else USER_MISTAKE


@click.command("echo")
@click.argument("names", metavar="[DESTINATION]...", nargs=-1)
@config_option
def echo(names: tuple[str, ...], file: Path) -> int:
    """Ask each DESTINATION or notification, or all, whether it answers.

    By C-ECHO, a search by DICOMweb, the capability statement of FHIR, or a connection by MLLP.
    """
    configuration = config.read(file)
    check_known("destination", names, [one.name for one in configuration.outlets])
    silent = 0
    for destination in configuration.outlets:
        if names and destination.name not in names:
            continue
        target = target_of(configuration, destination)
        try:
            target.echo()
            click.echo(f"ok     {destination.name}: {where(destination)}")
        except UnreachableTargetError as error:
            silent += 1
            click.echo(f"WRONG  {error}")
        finally:
            target.close()
    return USER_MISTAKE if silent else 0
