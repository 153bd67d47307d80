"""Options for the acceptance policy, one for each choice, shared by the commands that open radiographs."""

import dataclasses
from collections.abc import Callable
from typing import Any, TypeVar, get_args

import click

from pneumoscope.radiograph.acceptance import DEFAULT_POLICY, AcceptancePolicy, Choice

Command = TypeVar("Command", bound=Callable[..., Any])

_HELP = {
    "lateral": "Lateral and oblique views",
    "raw": "Raw detector data (FOR PROCESSING)",
    "orientation": "DICOM images without Patient Orientation",
    "contradiction": "DICOM headers that contradict themselves on orientation or grey scale",
    "modality": "DICOM images whose Modality is missing, OT or no defined term",
    "body_part": "Body parts other than the chest",
}
_NAMES = {"orientation": "unknown-orientation"}


def acceptance_options(command: Command) -> Command:
    """Add one option for each choice of the acceptance policy to a command.

    Parameters
    ----------
    command : callable
        Function of a click command; it takes the choices as keyword arguments for `policy_of`.

    Returns
    -------
    callable
        The function with the options.
    """
    for field in reversed(dataclasses.fields(AcceptancePolicy)):
        name = _NAMES.get(field.name, field.name.replace("_", "-"))
        command = click.option(
            f"--{name}",
            _parameter(field.name),
            type=click.Choice(get_args(Choice)),
            default=getattr(DEFAULT_POLICY, field.name),
            show_default=True,
            help=f"{_HELP[field.name]}: refuse, or read with a mark in every output.",
        )(command)
    return command


def policy_of(choices: dict[str, Choice]) -> AcceptancePolicy:
    """Make the policy of the options that `acceptance_options` adds.

    Parameters
    ----------
    choices : dict
        Keyword arguments of the command.

    Returns
    -------
    AcceptancePolicy
        The policy.
    """
    return AcceptancePolicy(**{field.name: choices[_parameter(field.name)] for field in dataclasses.fields(AcceptancePolicy)})


def _parameter(field: str) -> str:
    return f"accept_{field}"
