"""Write CSV tables whose cells no spreadsheet program takes for a formula, and read the original texts back.

Spreadsheet programs evaluate a cell that begins with ``=``, ``+``, ``-``, ``@``, a tab or a line break (CWE-1236; OWASP, "CSV
injection"). Names of files, patients and readers come from strangers. A text of this kind is written behind an apostrophe, which
these programs take for the mark of a text. Numbers, also those of an interval such as ``-0.1 (-0.2 to 0.0)``, are written as they
are.
"""

import csv
import re
from collections.abc import Iterable, Iterator
from typing import Protocol

_FORMULA = re.compile(r"'*[=+\-@\t\r\n].", re.DOTALL)
"""A formula, behind the apostrophes that it may have already; a sign alone is none."""
_ESCAPED = re.compile(r"'+[=+\-@\t\r\n].", re.DOTALL)
_NUMBERS = re.compile(r"[+-](?:[\d\s.,:;%()\[\]–±-]|(?<=\d)[eE][+-]?(?=\d)|(?<= )to(?= )|nan|inf)*")
"""Numbers and what stands between them: neither a name nor a function."""


class _Stream(Protocol):
    def write(self, text: str, /) -> object: ...


class _LineFeeds:
    """End rows by line feeds; told so itself, `csv.writer` would leave cells with a carriage return without quotes."""

    def __init__(self, stream: _Stream) -> None:
        self._stream = stream

    def write(self, row: str) -> None:
        self._stream.write(row.removesuffix("\r\n") + "\n")


def escaped(cell: object) -> object:
    """Make a cell harmless.

    Parameters
    ----------
    cell : object
        A text, or a number or None, which are returned as they are.

    Returns
    -------
    object
        The cell; a text that a spreadsheet program would evaluate has an apostrophe before it.

    Examples
    --------
    >>> escaped("=1+1"), escaped("-1.2"), escaped(-1.2), escaped("chest.png")
    ("'=1+1", '-1.2', -1.2, 'chest.png')
    """
    if isinstance(cell, str) and _FORMULA.match(cell) and not _NUMBERS.fullmatch(cell):
        return f"'{cell}"
    return cell


def original(text: str) -> str:
    """Undo `escaped`.

    Parameters
    ----------
    text : str
        A cell as it was read.

    Returns
    -------
    str
        The text without the apostrophe that `escaped` wrote; any other text as it is.

    Examples
    --------
    >>> original(escaped("=1+1")), original(escaped("'=1+1")), original("'quoted'")
    ('=1+1', "'=1+1", "'quoted'")
    """
    return text[1:] if _ESCAPED.match(text) else text


def write_rows(stream: _Stream, rows: Iterable[Iterable[object]]) -> None:
    """Write rows of escaped cells, with line feeds.

    Parameters
    ----------
    stream : text stream
        Opened with ``newline=""``.
    rows : iterable of iterable
        The cells of each row.
    """
    csv.writer(_LineFeeds(stream), lineterminator="\r\n").writerows(map(escaped, row) for row in rows)


def read_records(lines: Iterable[str]) -> Iterator[dict[str, str]]:
    """Read the rows below a heading, with the original texts.

    Parameters
    ----------
    lines : iterable of str
        The table, such as a text stream opened with ``newline=""``.

    Yields
    ------
    dict of str to str
        As `csv.DictReader`.
    """
    for row in csv.DictReader(lines):
        yield {name: original(cell) if isinstance(cell, str) else cell for name, cell in row.items()}
