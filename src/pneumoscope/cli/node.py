"""``pneumoscope node``: a DICOM node beside a PACS."""

import os
from functools import partial
from pathlib import Path

import click

from pneumoscope.cli import node_lists, node_quality, node_queue, node_run, node_tools
from pneumoscope.cli.node_options import DEFAULT_FILE
from pneumoscope.pacs.process import OWNER_ALONE


@click.group("node", invoke_without_command=True)
@click.option("--config", "file", type=click.Path(dir_okay=False, path_type=Path), default=DEFAULT_FILE, show_default=True,
              help="Configuration of the node.")  # fmt: skip
@click.pass_context
def command(context: click.Context, file: Path) -> None:
    """Run a DICOM node beside a PACS: images come in, results go back as DICOM objects.

    Without a verb it runs the node, as  pneumoscope node run  does. docs/pacs.md shows how to begin.
    """
    context.obj = file
    context.call_on_close(partial(os.umask, os.umask(OWNER_ALONE)))
    if context.invoked_subcommand is None:
        node_run.start(file)


for subcommand in (
    node_run.command, node_run.check, node_run.echo, node_tools.explain, node_lists.status, node_lists.list_, node_lists.show,
    node_queue.requeue, node_queue.drop, node_queue.reprocess, node_queue.old_files, node_tools.reconcile, node_tools.conformance,
    node_quality.command, node_tools.support_bundle,
):  # fmt: skip
    command.add_command(subcommand)
