"""Tables of the LROC paradigm as CSV: one rating and one location for each case, which is right or wrong."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pneumoscope.reader_study.errors import ReaderStudyError
from pneumoscope.reader_study.formats import csv_tables
from pneumoscope.reader_study.formats.csv_tables import Rows
from pneumoscope.statistics.multireader.localization import LocatedRatings
from pneumoscope.statistics.multireader.ratings import from_table

_PAIR = ("rating if located", "rating if not located")


@dataclass(frozen=True)
class _Located:
    """The rating of each row, and whether its location is right."""

    rating: Sequence[float]
    located: Sequence[bool]


def is_located(table: Rows) -> bool:
    """Tell whether a table has locations: a column ``located``, or one rating for a right and one for a wrong location.

    Parameters
    ----------
    table : sequence of mapping
        Rows, as `csv_tables.rows` reads them.

    Returns
    -------
    bool
        Whether `located_of` reads it.
    """
    return csv_tables.has(table, "located") or any(csv_tables.has(table, meaning) for meaning in _PAIR)


def located_of(table: Rows, source: str) -> LocatedRatings:
    """Make located ratings of rows with reader, modality, case, truth and either of two forms.

    Parameters
    ----------
    table : sequence of mapping
        Rows. Either ``rating`` and ``located`` (1 if the location is right; 0 or empty on a non-diseased case), or
        ``rating_if_correctly_located`` and ``rating_if_not``, of which one is empty or 0.
    source : str
        Name of the file, for errors.

    Returns
    -------
    LocatedRatings
        Readers, modalities and cases in the order of their first row.

    Raises
    ------
    ReaderStudyError
        If a column is missing, a cell cannot be read, a diseased case has no location, or a non-diseased case a right one.
    StatisticsError
        If the rows contradict each other.
    """
    truth = csv_tables.truths(csv_tables.column(table, "truth", source), source)
    rows = _of_one_rating(table, truth, source) if csv_tables.has(table, "located") else _of_two_ratings(table, source)
    wrong = [number for number, (right, value) in enumerate(zip(rows.located, truth, strict=True), 2) if right and not value]
    if wrong:
        raise ReaderStudyError(f"row {wrong[0]} of '{source}' has a right location on a case without the target")
    reader, modality, case = (csv_tables.names(table, meaning, source) for meaning in ("reader", "modality", "case"))
    ratings, located = (
        from_table(reader, modality, case, truth, values) for values in (rows.rating, np.asarray(rows.located, np.float64))
    )
    return LocatedRatings(ratings, located.rating == 1)


def _of_one_rating(table: Rows, truth: Sequence[float], source: str) -> _Located:
    cells = csv_tables.column(table, "located", source)
    if missing := [number for number, (cell, value) in enumerate(zip(cells, truth, strict=True), 2) if value and not cell]:
        raise ReaderStudyError(
            f"row {missing[0]} of '{source}' is of a case with the target and does not say whether the location is right; "
            "write 1 or 0 in the column located"
        )
    located = csv_tables.truths([cell or "0" for cell in cells], source, "located")
    rating = csv_tables.numbers(csv_tables.column(table, "rating", source), "rating", source)
    return _Located(rating, [value == 1 for value in located])


def _of_two_ratings(table: Rows, source: str) -> _Located:
    cells = [csv_tables.column(table, meaning, source) for meaning in _PAIR]
    empty = [number for number, pair in enumerate(zip(*cells, strict=True), 2) if not any(pair)]
    if empty:
        raise ReaderStudyError(f"row {empty[0]} of '{source}' has neither of the two ratings; leave such a row out")
    right, wrong = (csv_tables.numbers([cell or "0" for cell in column], "rating", source) for column in cells)
    if both := [number for number, pair in enumerate(zip(right, wrong, strict=True), 2) if all(pair)]:
        raise ReaderStudyError(
            f"row {both[0]} of '{source}' has a rating for a right and one for a wrong location; leave one of them empty"
        )
    located = [bool(a) or (cell != "" and other == "") for a, cell, other in zip(right, *cells, strict=True)]
    return _Located([a if is_right else b for a, b, is_right in zip(right, wrong, located, strict=True)], located)
