"""``pneumoscope archive``: archives of any size, by a manifest, into a data set of results."""

import click

from pneumoscope.cli import archive_manifest, archive_read, archive_report


@click.group("archive")
def command() -> None:
    """Read archives of any size: a manifest of what to read, and a data set of results that survives any interruption.

    \b
    pneumoscope archive manifest s3://bucket/prefix -o manifest.parquet
    pneumoscope archive read manifest.parquet -o s3://bucket/results
    pneumoscope archive status s3://bucket/results
    """


for subcommand in (
    archive_manifest.command, archive_read.command, archive_report.status, archive_report.summary, archive_report.verify,
):  # fmt: skip
    command.add_command(subcommand)
