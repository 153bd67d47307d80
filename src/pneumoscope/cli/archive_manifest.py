"""``pneumoscope archive manifest``: list what is to be read."""

from collections.abc import Sequence

import click

from pneumoscope.archive import manifest_building
from pneumoscope.archive.entries import UNREAD, kinds_text
from pneumoscope.archive.manifest_building import Built
from pneumoscope.archive.manifest_table import ROWS_A_SHARD
from pneumoscope.cli.archive_options import place_of
from pneumoscope.cli.main import SOME_FILES_FAILED


@click.command("manifest")
@click.argument("sources", metavar="SOURCES...", nargs=-1, required=True)
@click.option("-o", "--out", metavar="FILE", required=True, help="Parquet file to write: a path or URL.")
@click.option("--update", is_flag=True, help="Bring the manifest that is there up to date; rows of unchanged files are kept.")
@click.option("--hash", "hashed", is_flag=True, help="Read each file whose SHA-256 is not known, and note it.")
@click.option(
    "--rows-a-shard",
    type=click.IntRange(1),
    show_default=f"{ROWS_A_SHARD}, with --update as before",
    help="Files that are read together. Another number with --update has all of them read again.",
)
def command(sources: tuple[str, ...], out: str, update: bool, hashed: bool, rows_a_shard: int | None) -> int:
    """List radiographs in a Parquet file: name, place, size and version of each.

    A SOURCE is a file, a folder, a ZIP or TAR archive, a URL or prefix of an object store (s3://bucket/prefix), or a table of
    URLs: CSV or Parquet with a column url, and columns name, size, sha256 and etag where they are known.

    The exit code is 1 if an archive or a folder could not be read, or a URL of a table did not answer.
    """
    built = manifest_building.build(
        [*map(place_of, sources)], place_of(out), update=update, hashed=hashed, rows_a_shard=rows_a_shard, show_progress=True
    )
    report(built, sources, updated=update)
    return SOME_FILES_FAILED if built.unanswered or built.left_out.keys() & {*UNREAD} else 0


def report(built: Built, sources: Sequence[str], *, updated: bool) -> None:
    """Print what became of a manifest.

    Parameters
    ----------
    built : Built
        Counts.
    sources : sequence of str
        What it was built from.
    updated : bool
        Whether there was an earlier manifest.
    """
    changes = f": {built.new} new, {built.changed} changed, {built.kept} kept, {built.removed} removed" if updated else ""
    click.echo(f"{built.rows} radiographs of {len(sources)} source(s){changes}")
    for note in built.notes:
        click.echo(f"  {note}", err=True)
    if built.left_out:
        click.echo(f"  left out: {kinds_text(built.left_out)}", err=True)
