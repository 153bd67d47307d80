"""``pneumoscope study``: reader studies from the protocol to the report."""

import click

from pneumoscope.cli import study_analyse, study_design, study_results, study_serve, study_size, study_trail


@click.group("study")
def command() -> None:
    """Plan, run and analyse a reader study; analyse any table of readings."""


for subcommand in (
    study_design.init, study_design.check, study_design.launch, study_design.worklist, study_design.links,
    study_serve.command, study_trail.status, study_trail.verify, study_trail.override_washout, study_trail.exclude,
    study_trail.unblind, study_results.export, study_analyse.command, study_size.command,
):  # fmt: skip
    command.add_command(subcommand)
