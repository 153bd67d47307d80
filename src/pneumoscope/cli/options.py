"""Add several options to a command."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

Command = TypeVar("Command", bound=Callable[..., Any])


def with_options(command: Command, options: Sequence[Callable[[Command], Command]]) -> Command:
    """Add options to a command, in the order in which its help shows them.

    Parameters
    ----------
    command
        A function that takes them as keyword arguments.
    options
        The options, as decorators.

    Returns
    -------
    Command
        The function with the options.
    """
    for option in reversed(options):
        command = option(command)
    return command
