"""Options that the commands that read any number of files share, most of them for a data set only."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

import click
from click.core import ParameterSource

from pneumoscope import PneumoscopeError
from pneumoscope.archive import locations
from pneumoscope.cli.options import with_options
from pneumoscope.radiograph.reduction import Decoding

Command = TypeVar("Command", bound=Callable[..., Any])
Engine = Literal["local", "ray"]
_SHORTEST_KEY = 16


class FiniteRange(click.FloatRange):
    """Define a number within limits that is neither infinite nor NaN, which click lets pass."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Convert what a user wrote.

        Parameters
        ----------
        value : object
            Text or number.
        param : click.Parameter, optional
            The option.
        ctx : click.Context, optional
            Its command.

        Returns
        -------
        float
            The number.
        """
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value} is no finite number", param, ctx)
        return number


_OPTIONS = (
    click.option("--workers", type=click.IntRange(0), default=0, show_default="the processor's cores", help="Readers at a time."),
    click.option(
        "--isolate/--no-isolate",
        default=True,
        show_default=True,
        help="Decode each file in a process with limits.",
    ),
    click.option(
        "--ray-address",
        default="local",
        show_default=True,
        help="ray: HOST:PORT of a cluster, auto for the one of this machine, or local for this machine alone.",
    ),
    click.option(
        "--cpus-a-reader", type=FiniteRange(0, min_open=True), default=1.0, show_default=True, help="ray: cores of a reader."
    ),
    click.option(
        "--site-key",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="File with a secret of 16 characters or more; institution names are kept as hashes with it, else not at all.",
    ),
)


decode_option = click.option(
    "--decode",
    type=click.Choice(get_args(Decoding)),
    default="full",
    show_default=True,
    help="reduced: decode large JPEG 2000 images at 1/2, 1/4 or 1/8 where the model sees no more; the lines say so.",
)


class SiteKeyError(PneumoscopeError):
    """The file of a site key holds no usable secret."""


@dataclass(frozen=True)
class EngineOptions:
    """How the shards of a run are read.

    Parameters
    ----------
    engine : {"local", "ray"}
        By threads of this process, or on the nodes of a Ray cluster.
    workers : int
        Readers at the same time, >= 0; 0 for as many as there are cores.
    isolate : bool
        Decode each file in a process with limits.
    ray_address : str
        Where Ray runs.
    cpus_a_reader : float
        Cores that Ray reserves for a reader.
    """

    engine: Engine
    workers: int
    isolate: bool
    ray_address: str
    cpus_a_reader: float


def engine_options(command: Command) -> Command:
    """Add the options of an engine to a command.

    Parameters
    ----------
    command : callable
        Function of a click command; it takes them as keyword arguments.

    Returns
    -------
    callable
        The function with the options.
    """
    return with_options(command, _OPTIONS)


def check_engine(context: click.Context, engine: Engine) -> None:
    """Refuse options of Ray for another engine.

    Parameters
    ----------
    context : click.Context
        What the user gave.
    engine : {"local", "ray"}
        The engine.

    Raises
    ------
    click.UsageError
        An option would have no effect.
    """
    for option in context.command.params:
        given = context.get_parameter_source(option.name or "") not in (None, ParameterSource.DEFAULT)
        if engine != "ray" and given and option.name in ("ray_address", "cpus_a_reader"):
            raise click.UsageError(f"{option.opts[0]} is for --engine ray", context)


def check_given(*texts: str) -> None:
    """Refuse an empty path or URL.

    Parameters
    ----------
    *texts : str
        What the user gave.

    Raises
    ------
    click.UsageError
        One is empty.
    """
    if not all(texts):
        raise click.UsageError("a path or URL is empty; give one (is a variable of the shell unset?)")


def place_of(text: str) -> str:
    """Make a location absolute, so that every process finds it.

    Parameters
    ----------
    text : str
        Path or URL.

    Returns
    -------
    str
        Absolute path, or the URL.

    Raises
    ------
    click.UsageError
        It is empty.
    """
    check_given(text)
    path = locations.local_path(text)
    return text if path is None else locations.location_of(path)


def site_key_of(file: Path | None) -> str:
    """Read the secret of the sites.

    Parameters
    ----------
    file : Path, optional
        Its file.

    Returns
    -------
    str
        The secret; empty without a file.

    Raises
    ------
    SiteKeyError
        The file has fewer than 16 characters, or is no text.
    """
    if file is None:
        return ""
    try:
        key = file.read_text(encoding="utf-8").strip()
    except UnicodeDecodeError:
        key = ""
    if len(key) < _SHORTEST_KEY:
        raise SiteKeyError(f"'{file}' must hold a secret of at least {_SHORTEST_KEY} characters of text; write a random one")
    return key
