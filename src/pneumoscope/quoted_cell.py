"""Quote the cells of a table in messages, except those that may identify a patient."""

import re
from collections.abc import Sequence

_SHORT_NUMBER = re.compile(r"[-+]?[\d.,]{1,6}%?", re.ASCII)
_NUMBER = re.compile(r"[-+]?[\d.,]+", re.ASCII)


def quoted(cell: str) -> str:
    """Quote a cell where it is a short number, or empty.

    Parameters
    ----------
    cell : str
        A cell.

    Returns
    -------
    str
        The cell in quotation marks; ``(not shown)`` for text and long numbers: in a row that moved by a column they may be a
        name, an identifier or a date of birth.

    Examples
    --------
    >>> quoted("3,5"), quoted("Doe^Jane"), quoted("19640102")
    ("'3,5'", '(not shown)', '(not shown)')
    """
    return f"'{cell}'" if not cell or _SHORT_NUMBER.fullmatch(cell) else "(not shown)"


def listed(names: Sequence[str]) -> str:
    """List the names of columns, unless the first row may be a patient's and no header.

    Parameters
    ----------
    names : sequence of str
        Cells of the first row.

    Returns
    -------
    str
        The names with commas between them; without them where a cell is a number.
    """
    if any(_NUMBER.fullmatch(name) for name in names):
        return "its first row holds no names of columns"
    return f"its columns are {', '.join(names)}"
