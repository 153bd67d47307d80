"""``pneumoscope node quality-sample``: radiographs for a reader study."""

from datetime import datetime
from pathlib import Path

import click

from pneumoscope.cli.main import SOME_FILES_FAILED
from pneumoscope.cli.node_lists import MOMENT
from pneumoscope.cli.node_options import config_option, opened, seconds_of
from pneumoscope.pacs.quality_export import export
from pneumoscope.pacs.quality_sample import sampled


@click.command("quality-sample")
@click.argument("out", type=click.Path(file_okay=False, path_type=Path))
@click.option("--since", type=MOMENT, help="Only weeks (ISO 8601, UTC) from that of this local time on.")
@click.option("--before", type=MOMENT, help="Only weeks before that of this local time.")
@click.option("--remove", is_flag=True, help="Remove what was exported from the spool.")
@config_option
def command(out: Path, since: datetime | None, before: datetime | None, remove: bool, file: Path) -> int:
    """Export the radiographs that [quality_sample] has kept to OUT, de-identified, to be read in a reader study.

    OUT/study is what readers see; OUT/not-for-readers holds what the model said. OUT/README.txt says how to go on.
    """
    with opened(file) as (node, ledger):
        done = export(node, ledger, sampled(node, seconds_of(since), seconds_of(before)), out)
    for sentence in done.left_out:
        click.echo(f"left out: {sentence}", err=True)
    for exported in done.files if remove else ():
        exported.unlink(missing_ok=True)
    click.echo(f"{out}: {done.radiographs} radiographs; README.txt says how to go on. Pixels are not touched: look at each one")
    return SOME_FILES_FAILED if done.left_out else 0
