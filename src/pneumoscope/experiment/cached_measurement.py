"""A measurement that is kept in a JSON file with the settings that it was made with."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pneumoscope.cache import Question, json_answer
from pneumoscope.statistics.estimate import plain


def cached(file: Path, kind: str, inputs: Mapping[str, Any], code: tuple[str, ...], measure: Callable[[], Any]) -> Any:
    """Read a measurement from a file, or measure and write it if the file was made from other inputs or by other code.

    Parameters
    ----------
    file
        The JSON file.
    kind
        What is measured, in a few words.
    inputs
        All that the measurement depends on, as JSON values.
    code
        Dotted names of the modules that measure.
    measure
        Returns the measurement as mappings, sequences and numbers.

    Returns
    -------
    Any
        The measurement as it is read from JSON; NaN is None.

    Raises
    ------
    CacheError
        If the file is damaged.
    """
    return json_answer(file, Question(kind, inputs, code), lambda: plain(measure()))
