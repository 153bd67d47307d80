"""Options that say how patient identifiers are replaced."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from pneumoscope.cli.options import Command, with_options
from pneumoscope.cohort import patient_ids
from pneumoscope.cohort.errors import CohortError

_FILE = click.Path(path_type=Path, dir_okay=False)
_OPTIONS = (
    click.option(
        "--patient-key",
        type=_FILE,
        help="Replace patient identifiers by a hash under the key in this file, which is "
        "created if it is missing. Keep it secret.",
    ),
    click.option(
        "--patient-map",
        type=_FILE,
        help="Replace patient identifiers by random ones; this CSV, to be kept secret, says who is who.",
    ),
)


def patient_options(command: Command) -> Command:
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


@contextmanager
def patients(said: dict[str, Any]) -> Iterator[patient_ids.PatientIds | None]:
    """Prepare the replacement of patient identifiers that the options ask for, None where they ask for none.

    Parameters
    ----------
    said
        The keyword arguments of the command.

    Yields
    ------
    PatientIds or None
        The function that replaces an identifier.

    Raises
    ------
    CohortError
        If both a key and a map are given.
    """
    key, private_map = said["patient_key"], said["patient_map"]
    if key and private_map:
        raise CohortError("--patient-key and --patient-map are two ways to replace identifiers; give one of them")
    if private_map:
        with patient_ids.random_ids(private_map) as replaced:
            yield replaced
    else:
        yield patient_ids.keyed(patient_ids.read_key(key)) if key else None
