"""``pneumoscope cohort``: build, split, join, audit, sample."""

from pathlib import Path

import click

from pneumoscope.cli import cohort_audit, cohort_build, cohort_join, cohort_split
from pneumoscope.cohort import table
from pneumoscope.cohort.sample import sample


@click.group("cohort")
def command() -> None:
    """Build, split, join and audit cohorts of radiographs."""


command.add_command(cohort_build.command)
command.add_command(cohort_split.command)
command.add_command(cohort_join.command)
command.add_command(cohort_audit.command)


@command.command("sample")
@click.option("-o", "--out", type=click.Path(path_type=Path), required=True, help="Cohort table to write: .parquet or .csv.")
def sample_(out: Path) -> None:
    """Write the cohort of the sixteen shipped radiographs, to try the other commands on."""
    with sample() as shipped:
        table.write(shipped, out)
        click.echo(f"{len(shipped.cases)} radiographs below '{shipped.root}': {out}")
