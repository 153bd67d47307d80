"""``pneumoscope cohort join``."""

from pathlib import Path

import click

from pneumoscope.cohort import table
from pneumoscope.cohort.join import Parent, join, parse_parent


@click.command("join")
@click.argument("parents", metavar="COHORT[:SPLIT=SPLIT,…]...", nargs=-1, required=True)
@click.option("-o", "--out", type=click.Path(path_type=Path), required=True, help="Cohort table to write: .parquet or .csv.")
@click.option(
    "--root",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder that the paths start from; by default the deepest one that holds all files.",
)
def command(parents: tuple[str, ...], out: Path, root: Path | None) -> None:
    """Join the cohorts of several data sets into one.

    Every case keeps its split, unless the file of its cohort is followed by a colon and what becomes of its splits:
    adults.parquet:tune=train,test=none uses the tune split for training and leaves the test split out, and
    normal.parquet:all=train puts a whole cohort, split or not, into train. Patients are named SOURCE:PATIENT.
    """
    parsed = [parse_parent(text) for text in parents]
    joined = join([Parent(file.name, table.read(file), moves) for file, moves in parsed], root)
    table.write(joined.cohort, out)
    for line in joined.lines():
        click.echo(line)
    for warning in joined.warnings:
        click.echo(f"warning: {warning}", err=True)
    partition = joined.cohort.partition
    assert partition is not None
    click.echo(f"split {partition.sha256[:12]} ({partition.rule}): {out}")
