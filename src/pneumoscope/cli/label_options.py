"""Options that say what the labels of a source mean."""

from typing import Any

import click

from pneumoscope.cli.options import Command, with_options
from pneumoscope.cohort.label_rules import CONSENSUS_RULES, LabelRules
from pneumoscope.cohort.label_table import LabelWords

_OPTIONS = (
    click.option("--positive", multiple=True, metavar="WORD", help="Label that means that the target is present; repeatable."),
    click.option("--negative", multiple=True, metavar="WORD", help="Label that means that it is absent; '*': every other word."),
    click.option("--ignore", multiple=True, metavar="WORD", help="Label that decides nothing; alone, its image is left out."),
    click.option("--consensus", type=click.Choice(CONSENSUS_RULES), help="How an image is decided whose rows disagree."),
    click.option("--allow-no-positive", is_flag=True, help="Accept a source without a positive image."),
)


def label_options(command: Command) -> Command:
    """Add the options to a command.

    Parameters
    ----------
    command
        A function that takes them as keyword arguments.

    Returns
    -------
    Command
        The function with the options.
    """
    return with_options(command, _OPTIONS)


def label_rules(said: dict[str, Any]) -> LabelRules:
    """Collect what the options say about words and rows.

    Parameters
    ----------
    said
        The keyword arguments of the command.

    Returns
    -------
    LabelRules
        The rules.

    """
    return LabelRules(
        words=LabelWords(said["positive"], said["negative"], said["ignore"]),
        consensus=said["consensus"],
        allow_no_positive=said["allow_no_positive"],
    )
