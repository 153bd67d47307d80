"""Build cases from the rows of a table, each cell checked for its type and its range."""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from decimal import Decimal
from functools import partial
from typing import Any, get_args

from pneumoscope.cohort.case import SPLITS, Case
from pneumoscope.population import Population

_INTEGER = re.compile(r"[+-]?\d+(\.0*)?", re.ASCII)
_NUMBER = (int, float, Decimal)
_SEXES = ("F", "M", "O")


class RowError(ValueError):
    """A table holds no cases; the message quotes no cell, and no unknown name of a column, because it may name a patient."""


def case_of(number: int, row: Mapping[Any, Any], table: str) -> Case:
    """Build a case from one row.

    Parameters
    ----------
    number : int
        Number of the row, from 1.
    row : mapping
        Cells by column; CSV gives text, Parquet values of any type. Missing columns, and null cells, of what may be unknown have
        the default of `Case`.
    table : str
        Name of the table, for messages.

    Returns
    -------
    Case
        The case.

    Raises
    ------
    RowError
        If a column is unknown or missing, or a cell has another type or lies outside of its range.
    """
    if not row.keys() <= _COLUMNS.keys():
        raise RowError(f"it has a column that no cohort has, or a row with too many cells; its columns are {', '.join(_COLUMNS)}")
    if missing := [name for name in _NEEDED if name not in row]:
        raise RowError(f"it has no column {', '.join(missing)}")
    return Case(**{name: _read(number, name, cell, table) for name, cell in row.items() if cell is not None or name in _NEEDED})


def _read(number: int, column: str, cell: Any, table: str) -> Any:
    parse, expected = _COLUMNS[column]
    try:
        return parse(cell)
    except (ValueError, TypeError, ArithmeticError):
        raise RowError(f"row {number} of {table} has {expected} as {column}") from None


def _text(cell: Any) -> str:
    if not isinstance(cell, str):
        raise TypeError
    return cell


def _word(words: tuple[str, ...], cell: Any) -> str:
    if _text(cell) not in ("", *words):
        raise ValueError
    return str(cell)


def _integer(cell: Any) -> int:
    """A whole number, also as CSV and as pandas write it, which makes floats of a column with missing values."""
    if isinstance(cell, str) and not _INTEGER.fullmatch(cell):
        raise ValueError
    value = int(cell) if isinstance(cell, _NUMBER) else int(_text(cell).partition(".")[0])
    if value < 0 or (isinstance(cell, _NUMBER) and value != cell):
        raise ValueError
    return value


def _zero_or_one(cell: Any) -> int:
    value = _integer(cell)
    if value > 1:
        raise ValueError
    return value


def _years(cell: Any) -> float | None:
    if cell == "":
        return None
    years = float(cell)
    if isinstance(cell, bool) or not 0 <= years < math.inf:
        raise ValueError
    return years


Parse = Callable[[Any], Any]


def _one_of(words: tuple[str, ...]) -> tuple[Parse, str]:
    return partial(_word, words), f"none of {', '.join(words)}"


_CHECKED: dict[str, tuple[Parse, str]] = {
    "reference": (_zero_or_one, "no 0 or 1"),
    **dict.fromkeys(("rows", "cols", "file_bytes"), (_integer, "no whole number of at least 0")),
    "age_years": (_years, "no finite number of at least 0"),
    **dict.fromkeys(("split", "official_split"), _one_of(SPLITS)),
    "sex": _one_of(_SEXES),
    "population": _one_of(get_args(Population)),
}
_COLUMNS: dict[str, tuple[Parse, str]] = {field.name: _CHECKED.get(field.name, (_text, "no text")) for field in fields(Case)}
_NEEDED = tuple(field.name for field in fields(Case) if field.default is MISSING)
