"""Options that say what becomes of a radiograph that is not a frontal chest radiograph for presentation."""

from typing import Any

import click

from pneumoscope.cli.options import Command, with_options
from pneumoscope.radiograph.acceptance import DEFAULT_POLICY, AcceptancePolicy

_MEANING = {
    "lateral": ("--lateral", "a lateral or oblique view"),
    "raw": ("--raw", "raw detector data (FOR PROCESSING)"),
    "orientation": ("--unknown-orientation", "a DICOM image without Patient Orientation"),
    "contradiction": ("--contradiction", "a header that contradicts itself on orientation or grey scale"),
    "modality": ("--modality", "a DICOM Modality that is missing, OT or no defined term"),
    "body_part": ("--body-part", "a Body Part Examined that is not the chest, or no defined term"),
}
_OPTIONS = tuple(
    click.option(
        option,
        name,
        type=click.Choice(["refuse", "mark"]),
        default=getattr(DEFAULT_POLICY, name),
        show_default=True,
        help=f"Refuse {what}, or accept it with a mark in every output.",
    )
    for name, (option, what) in _MEANING.items()
)


def policy_options(command: Command) -> Command:
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


def policy(said: dict[str, Any]) -> AcceptancePolicy:
    """Collect the policy that the options state.

    Parameters
    ----------
    said
        The keyword arguments of the command.

    Returns
    -------
    AcceptancePolicy
        The policy.

    """
    return AcceptancePolicy(**{name: said[name] for name in _MEANING})
