"""Options of the verbs that take readers' zone scores."""

from pathlib import Path

import click

from pneumoscope.cli.options import Command, with_options
from pneumoscope.cohort import Cohort
from pneumoscope.reference import zone_tables
from pneumoscope.reference.zone_tables import DEFAULT_HIGHEST, ZoneScores


def zone_options(command: Command) -> Command:
    """Add ``--zones`` and ``--zone-max``.

    Parameters
    ----------
    command
        A function that takes ``zones`` and ``zone_max``.

    Returns
    -------
    Command
        The function with both options.
    """
    options = (
        click.option(
            "--zones",
            type=click.Path(exists=True, dir_okay=False, path_type=Path),
            help="Readers' scores of six lung zones: a CSV of path, reader and right_upper … left_lower, or A to F (Brixia).",
        ),
        click.option(
            "--zone-max",
            type=click.IntRange(1),
            default=DEFAULT_HIGHEST,
            show_default=True,
            help="Highest score of a zone in --zones.",
        ),
    )
    return with_options(command, options)


def read_zones(source: Path, highest: int, cohort: Cohort) -> ZoneScores:
    """Read the zone scores of a cohort, and say on standard error what was read.

    Parameters
    ----------
    source
        The table.
    highest
        Highest score of a zone, >= 1.
    cohort
        The cohort.

    Returns
    -------
    ZoneScores
        The scores.

    Raises
    ------
    RegionsError
        As `pneumoscope.reference.zone_tables.read`.
    """
    scores = zone_tables.read(source, [case.path for case in cohort.cases], highest)
    click.echo(scores.summary(), err=True)
    return scores
