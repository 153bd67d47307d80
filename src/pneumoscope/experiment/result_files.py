"""Read the JSON files that an experiment keeps, and refuse one that is damaged in a sentence."""

import json
from collections.abc import Mapping
from pathlib import Path
from types import UnionType
from typing import Any

from pneumoscope.experiment.errors import ComparisonError

NUMBER = int | float
MEASURE_AGAIN = "delete it, and run the same command again, which makes it again"
"""What to do about a damaged file of a unit."""
ANOTHER_FOLDER = "restore it from a copy, or choose another folder with -o"
"""What to do about a damaged plan."""


def read_object(file: Path, kinds: Mapping[str, type | UnionType], remedy: str) -> dict[str, Any]:
    """Read a file that holds one JSON object.

    Parameters
    ----------
    file
        The file.
    kinds
        Type of each value that the object must have; it may have others.
    remedy
        What to do about a damaged file, in words.

    Returns
    -------
    dict[str, Any]
        The object.

    Raises
    ------
    ComparisonError
        If the file is no JSON, or lacks one of the values.
    """
    try:
        read = json.loads(file.read_bytes())
    except (ValueError, RecursionError) as error:
        raise ComparisonError(f"'{file}' is damaged: it is no JSON; {remedy}") from error
    if not isinstance(read, dict):
        raise ComparisonError(f"'{file}' is damaged: it holds no JSON object; {remedy}")
    if wrong := [name for name, kind in kinds.items() if not isinstance(read.get(name), kind)]:
        raise ComparisonError(f"'{file}' is damaged: '{wrong[0]}' is missing or of another type; {remedy}")
    return read
