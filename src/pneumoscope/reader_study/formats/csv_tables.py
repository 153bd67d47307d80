"""Tables of ratings and of marks as CSV."""

import csv
import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from pneumoscope import csv_cells
from pneumoscope.quoted_cell import listed, quoted
from pneumoscope.reader_study.errors import ReaderStudyError
from pneumoscope.reader_study.formats.free_response_table import FreeResponseTable
from pneumoscope.statistics.multireader.marks import Lesions, Marks
from pneumoscope.statistics.multireader.ratings import ReaderRatings, from_table

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "reader": ("reader", "readerid", "reader_id", "observer"),
    "modality": ("modality", "modalityid", "modality_id", "arm", "condition", "treatment"),
    "case": ("case", "caseid", "case_id", "image"),
    "truth": ("truth", "reference", "gold", "diseased"),
    "rating": ("rating", "score", "confidence"),
    "lesion": ("lesion", "lesionid", "lesion_id"),
    "weight": ("weight",),
    "located": ("located", "correctly_located", "localized"),
    "rating if located": ("rating_if_correctly_located", "rating_if_located"),
    "rating if not located": ("rating_if_not", "rating_if_not_located"),
}
"""Columns by their meaning, with the names that are recognised, in lower case."""
ONE_MODALITY = "all"
"""Name of the modality of a table without a column for it."""
_DECIMAL_COMMA = re.compile(r"-?\d+,\d+")
_TRUTH_READERS = ("-1", "truth")
_TRUTH = {"0": 0.0, "1": 1.0, "0.0": 0.0, "1.0": 1.0, "false": 0.0, "true": 1.0, "negative": 0.0, "positive": 1.0}
NO_LESION = ("0", "", "0.0")

Rows = Sequence[Mapping[str, str]]


def text_of(path: Path) -> str:
    """Read the text of a file.

    Parameters
    ----------
    path : Path
        The file, UTF-8.

    Returns
    -------
    str
        Without a byte-order mark.

    Raises
    ------
    ReaderStudyError
        If the file is not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ReaderStudyError(f"'{path.name}' is no UTF-8 text; save the table in UTF-8") from error


def rows(path: Path) -> list[dict[str, str]]:
    """Read the rows of a CSV with a heading; the separator is recognised.

    Parameters
    ----------
    path : Path
        The file, UTF-8.

    Returns
    -------
    list of dict
        With headings in lower case, without spaces around.

    Raises
    ------
    ReaderStudyError
        If the file is not text, has no row, or a row has another number of cells than the heading.
    """
    text = text_of(path)
    heading = text.partition("\n")[0]
    separator = max(",;\t", key=heading.count)
    table = [row for row in csv.reader(text.splitlines(), delimiter=separator) if any(cell.strip() for cell in row)]
    if len(table) < 2:
        raise ReaderStudyError(f"'{path.name}' has no row below its heading")
    names = [name.strip().lower() for name in table[0]]
    if again := [name for name, number in Counter(names).items() if name and number > 1]:
        raise ReaderStudyError(f"'{path.name}' has two columns '{again[0]}'; name each column once")
    if wrong := next((number for number, row in enumerate(table[1:], start=2) if len(row) != len(names)), 0):
        raise ReaderStudyError(
            f"row {wrong} of '{path.name}' has {len(table[wrong - 1])} cells where the heading has {len(names)}"
        )
    return [dict(zip(names, (csv_cells.original(cell.strip()) for cell in row), strict=True)) for row in table[1:]]


def column(table: Rows, meaning: str, source: str) -> list[str]:
    """Take a column by its meaning.

    Parameters
    ----------
    table : sequence of mapping
        Rows.
    meaning : str
        A key of `COLUMNS`.
    source : str
        Name of the file, for the error.

    Returns
    -------
    list of str
        Its cells.

    Raises
    ------
    ReaderStudyError
        If no column, or more than one, has a recognised name.
    """
    named = [name for name in COLUMNS[meaning] if name in table[0]]
    if len(named) != 1:
        what = f"columns {' and '.join(named)} that both mean" if named else "no column for"
        present = "" if named else f" ({listed([*table[0]])})"
        raise ReaderStudyError(
            f"'{source}' has {what} the {meaning}{present}; name one column {' or '.join(COLUMNS[meaning][:2])}"
        )
    return [row[named[0]] for row in table]


def has(table: Rows, meaning: str) -> bool:
    """Tell whether a table has a column of a meaning.

    Parameters
    ----------
    table : sequence of mapping
        Rows.
    meaning : str
        A key of `COLUMNS`.

    Returns
    -------
    bool
        Whether a column has a recognised name.
    """
    return any(name in table[0] for name in COLUMNS[meaning])


def names(table: Rows, meaning: str, source: str) -> list[str]:
    """Take the names of readers, modalities or cases.

    Parameters
    ----------
    table : sequence of mapping
        Rows.
    meaning : str
        "reader", "modality" or "case"; a table without a column for the modality has one modality.
    source : str
        Name of the file, for the error.

    Returns
    -------
    list of str
        One a row.

    Raises
    ------
    ReaderStudyError
        If there is no such column, or a cell is empty.
    """
    if meaning == "modality" and not has(table, meaning):
        return [ONE_MODALITY] * len(table)
    cells = column(table, meaning, source)
    if "" in cells:
        raise ReaderStudyError(f"row {cells.index('') + 2} of '{source}' has no {meaning}; fill the cell, or leave the row out")
    return cells


def numbers(cells: Iterable[str], what: str, source: str) -> list[float]:
    """Read numbers.

    Parameters
    ----------
    cells : iterable of str
        Cells.
    what : str
        What they are, for the error.
    source : str
        Name of the file.

    Returns
    -------
    list of float
        Finite numbers.

    Raises
    ------
    ReaderStudyError
        If a cell is no finite number.
    """
    found = []
    for number, cell in enumerate(cells, start=2):
        try:
            found.append(float(cell))
        except ValueError:
            found.append(math.nan)
        if not math.isfinite(found[-1]):
            raise ReaderStudyError(
                f"row {number} of '{source}' has the {what} {quoted(cell)}, which is no finite number; {_advice(cell)}"
            )
    return found


def _advice(cell: str) -> str:
    if _DECIMAL_COMMA.fullmatch(cell):
        return f"write decimals with a point: {cell.replace(',', '.')}"
    if cell.lower() in ("", "na", "nan", "n/a", "-", "."):
        return "leave out the rows of readings that do not exist"
    return "write a number, larger for more suspicious, or leave the row out"


def truths(cells: Iterable[str], source: str, what: str = "truth") -> list[float]:
    """Read the reference standard, or another answer of yes or no.

    Parameters
    ----------
    cells : iterable of str
        Cells: 0 or 1, false or true, negative or positive.
    source : str
        Name of the file.
    what : str
        Name of the column, for the error.

    Returns
    -------
    list of float
        0 or 1.

    Raises
    ------
    ReaderStudyError
        If a cell is something else.
    """
    found = [_TRUTH.get(cell.lower()) for cell in cells]
    if None in found:
        number, yes = found.index(None) + 2, "diseased case" if what == "truth" else "right location"
        raise ReaderStudyError(f"row {number} of '{source}' has a {what} that is neither 0 nor 1; write 1 for a {yes}")
    return [value for value in found if value is not None]


def ratings_of(table: Rows, source: str) -> ReaderRatings:
    """Make ratings of rows: one row for each reading, with reader, modality, case, truth and rating.

    Parameters
    ----------
    table : sequence of mapping
        Rows, as `rows` reads them. Without a column for the modality there is one; without a column for the truth, rows of the
        reader ``truth`` or ``-1`` hold it, as in iMRMC.
    source : str
        Name of the file, for errors.

    Returns
    -------
    ReaderRatings
        The ratings.

    Raises
    ------
    ReaderStudyError
        If a column is missing, or a cell cannot be read.
    StatisticsError
        If the rows contradict each other.
    """
    readers = names(table, "reader", source)
    if not has(table, "truth"):
        return _with_truth_rows(table, readers, source)
    truth = truths(column(table, "truth", source), source)
    rating = numbers(column(table, "rating", source), "rating", source)
    return from_table(readers, names(table, "modality", source), names(table, "case", source), truth, rating)


def _with_truth_rows(table: Rows, readers: Sequence[str], source: str) -> ReaderRatings:
    of_truth = [reader.lower() in _TRUTH_READERS for reader in readers]
    if not any(of_truth):
        raise ReaderStudyError(f"'{source}' has no column for the truth; name one column truth, with 0 and 1")
    cases, scores = names(table, "case", source), column(table, "rating", source)
    modalities = names(table, "modality", source)
    known = [k for k, is_truth in enumerate(of_truth) if is_truth]
    truth_of = dict(zip((cases[k] for k in known), truths((scores[k] for k in known), source), strict=True))
    read = [k for k, is_truth in enumerate(of_truth) if not is_truth]
    if missing := sum(cases[k] not in truth_of for k in read):
        raise ReaderStudyError(f"{missing} readings in '{source}' are of cases without a row of truth")
    rating = numbers((scores[k] for k in read), "rating", source)
    reader, modality, case = ([values[k] for k in read] for values in (readers, modalities, cases))
    return from_table(reader, modality, case, [truth_of[one] for one in case], rating)


def marks_in(folder: Path) -> Path:
    """Find the marks of a free-response study in a folder.

    Parameters
    ----------
    folder : Path
        The folder.

    Returns
    -------
    Path
        The only file ``…marks.csv``.

    Raises
    ------
    ReaderStudyError
        If there is none or more than one.
    """
    found = sorted(folder.glob("*marks.csv"))
    if len(found) != 1:
        raise ReaderStudyError(f"there are {len(found)} files '…marks.csv' in '{folder}'; name the table to analyse")
    return found[0]


def read_marks(path: Path) -> FreeResponseTable:
    """Read a free-response study: marks, cases and lesions in three files beside each other.

    Parameters
    ----------
    path : Path
        ``…marks.csv`` with reader, modality, case, lesion (0 or empty for a mark on no lesion) and rating; ``…cases.csv`` has the
        cases, ``…lesions.csv`` case, lesion and weight.

    Returns
    -------
    FreeResponseTable
        Readers and modalities are those that have a mark.

    Raises
    ------
    ReaderStudyError
        If a file or column is missing, or the cases contradict the lesions.
    """
    stem = path.name.removesuffix("marks.csv")
    of_cases, of_lesions = (path.with_name(f"{stem}{what}.csv") for what in ("cases", "lesions"))
    if missing := [file.name for file in (of_cases, of_lesions) if not file.is_file()]:
        raise ReaderStudyError(
            f"'{path.name}' needs '{missing[0]}' beside it, with all {missing[0].split('.')[0].split('_')[-1]}"
        )
    table, lesions = rows(path), _lesions(of_lesions)
    cases = _cases(of_cases, lesions)
    readers, modalities = names(table, "reader", path.name), names(table, "modality", path.name)
    on = [None if cell in NO_LESION else cell for cell in column(table, "lesion", path.name)]
    rating = numbers(column(table, "rating", path.name), "rating", path.name)
    marks = Marks(readers, modalities, names(table, "case", path.name), on, rating)
    return FreeResponseTable(marks, lesions, cases, tuple(dict.fromkeys(readers)), tuple(dict.fromkeys(modalities)))


def _lesions(path: Path) -> Lesions:
    table = rows(path)
    case = column(table, "case", path.name)
    if has(table, "weight"):
        weight = numbers(column(table, "weight", path.name), "weight", path.name)
    else:
        weight = [1 / case.count(one) for one in case]
    return Lesions(case, column(table, "lesion", path.name), weight)


def _cases(path: Path, lesions: Lesions) -> tuple[str, ...]:
    table = rows(path)
    cases = column(table, "case", path.name)
    diseased = set(lesions.case)
    if has(table, "truth"):
        truth = truths(column(table, "truth", path.name), path.name)
        if wrong := sum((case in diseased) != bool(value) for case, value in zip(cases, truth, strict=True)):
            raise ReaderStudyError(f"{wrong} cases in '{path.name}' have a truth that contradicts the lesions")
    return tuple(cases)
