"""The option that chooses the population of a cohort's cases."""

from typing import get_args

import click

from pneumoscope.classifier import Population

population_option = click.option(
    "--population",
    type=click.Choice(get_args(Population)),
    help="Measure the cases of this population alone; cases of which the cohort does not tell the population count as such. "
    "Needed where a model with settings by population meets a cohort with children and adults.",
)
