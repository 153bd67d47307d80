"""The option that names the configuration of a node, and what most of its verbs need."""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import click

from pneumoscope.pacs import config
from pneumoscope.pacs.config import NodeConfig
from pneumoscope.pacs.ledger import Ledger

Command = TypeVar("Command", bound=Callable[..., Any])
DEFAULT_FILE = Path("node.toml")


def config_option(command: Command) -> Command:
    """Add ``--config`` to a verb of the node; without it, that of ``pneumoscope node`` counts, or ``node.toml``.

    Parameters
    ----------
    command : callable
        Function of a click command; it takes the path as ``file``.

    Returns
    -------
    callable
        The function with the option.
    """
    return click.option(
        "--config", "file", type=click.Path(dir_okay=False, path_type=Path), callback=_chosen, expose_value=True,
        help="Configuration of the node.  [default: that of pneumoscope node --config, or node.toml]",
    )(command)  # fmt: skip


def _chosen(context: click.Context, _: click.Parameter, value: Path | None) -> Path:
    outer = context.obj if isinstance(context.obj, Path) else DEFAULT_FILE
    return value or outer


@contextmanager
def opened(file: Path) -> Iterator[tuple[NodeConfig, Ledger]]:
    """Open a node: its configuration and its ledger.

    Parameters
    ----------
    file : Path
        The configuration.

    Yields
    ------
    tuple of NodeConfig and Ledger
        The node.
    """
    node = config.read(file)
    with Ledger.open(node.ledger_url) as ledger:
        yield node, ledger


def check_known(
    what: str, names: Collection[str], known: Collection[str], without_any: str = "the configuration names none"
) -> None:
    """Refuse a name that there is not.

    Parameters
    ----------
    what : str
        What has such a name, such as ``destination``.
    names : collection of str
        Names that the user gave.
    known : collection of str
        Names that there are, in the order in which they are said.
    without_any : str
        What is said where there are none.

    Raises
    ------
    click.UsageError
        If one of the names is not known.
    """
    if unknown := [name for name in names if name not in known]:
        those = f"the {what}s are {', '.join(known)}" if known else without_any
        raise click.UsageError(f"there is no {what} '{unknown[0]}'; {those}")


def seconds_of(moment: datetime | None) -> float | None:
    """Convert a local time of the command line.

    Parameters
    ----------
    moment : datetime, optional
        Local time without a time zone.

    Returns
    -------
    float or None
        Seconds since 1970, UTC.
    """
    return None if moment is None else moment.astimezone().timestamp()
