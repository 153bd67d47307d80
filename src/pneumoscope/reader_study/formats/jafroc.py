"""The workbook of JAFROC: sheets TP, FP and TRUTH (Chakraborty 2017, Observer Performance Methods; R package RJafroc)."""

import io
import zipfile
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pneumoscope import MissingExtraError, atomic_files
from pneumoscope.reader_study.errors import ReaderStudyError
from pneumoscope.reader_study.formats import csv_tables
from pneumoscope.reader_study.formats.free_response_table import FreeResponseTable
from pneumoscope.statistics.multireader.localization import LocatedRatings
from pneumoscope.statistics.multireader.marks import Lesions, Marks
from pneumoscope.statistics.multireader.ratings import ReaderRatings, from_table

try:
    import openpyxl
except ImportError:  # the extra is named when a workbook is asked for
    openpyxl = None

_SHEETS = {"TP": ("TP", "LL"), "FP": ("FP", "NL"), "TRUTH": ("TRUTH",)}
_HEADS = {
    "TP": ("ReaderID", "ModalityID", "CaseID", "LesionID", "TP_Rating"),
    "FP": ("ReaderID", "ModalityID", "CaseID", "FP_Rating"),
    "TRUTH": ("CaseID", "LesionID", "Weight"),
}
_KEY = "KEY"
"""A further sheet with the names behind the numbers of cases, readers, modalities and lesions."""


def _openpyxl() -> Any:
    if openpyxl is None:
        raise MissingExtraError("a JAFROC workbook", "study")
    return openpyxl


def read(path: Path) -> ReaderRatings | LocatedRatings | FreeResponseTable:
    """Read a JAFROC workbook.

    Parameters
    ----------
    path : Path
        With the sheets TRUTH, TP (or LL) and FP (or NL).

    Returns
    -------
    ReaderRatings, LocatedRatings or FreeResponseTable
        Ratings of cases if every reader gave each non-diseased case one rating in FP and each diseased case one in TP (the ROC
        paradigm); located ratings if TRUTH has ``LROC`` in its column Paradigm; else marks.

    Raises
    ------
    ReaderStudyError
        If a sheet or a column is missing, a cell cannot be read, or a reader marked a case of an LROC study twice.
    """
    try:
        book = _openpyxl().load_workbook(io.BytesIO(path.read_bytes()), read_only=True, data_only=True)
    except (zipfile.BadZipFile, ValueError, KeyError, OSError) as error:
        raise ReaderStudyError(f"'{path.name}' is no workbook of Excel (.xlsx)") from error
    names = _names(book)
    truth, true, false = (_sheet(book, path, sheet, names) for sheet in ("TRUTH", "TP", "FP"))
    table = _table(truth, true, false)
    if any(row.get("paradigm", "").upper() == "LROC" for row in truth):
        return _located(table, path)
    return _ratings(table) or table


def _names(book: Any) -> dict[tuple[str, str], str]:
    """Names behind the numbers, of a workbook that this program wrote."""
    if _KEY not in book.sheetnames:
        return {}
    return {(str(column), str(number)): str(name) for column, number, name in list(book[_KEY].values)[1:]}


def _sheet(book: Any, path: Path, sheet: str, names: dict[tuple[str, str], str]) -> list[dict[str, str]]:
    """Rows of a sheet with the headings in lower case; numbers that are whole are written so."""
    upper = {name.upper(): name for name in book.sheetnames}
    present = next((upper[name] for name in _SHEETS[sheet] if name in upper), None)
    if present is None:
        raise ReaderStudyError(
            f"'{path.name}' has no sheet {' or '.join(_SHEETS[sheet])}; a JAFROC workbook has TRUTH, TP and FP"
        )
    values = [row for row in book[present].values if any(cell is not None for cell in row)]
    head = ["" if cell is None else str(cell).strip().lower() for cell in (values[0] if values else ())]
    needed = [name.lower() for name in _HEADS[sheet] if not name.endswith("_Rating")]
    if missing := [name for name in needed if name not in head]:
        raise ReaderStudyError(f"the sheet {present} of '{path.name}' has no column {missing[0]}")
    rated = [("rating" if name.endswith("_rating") else name) for name in head]
    rows = [dict(zip(rated, map(_text, row), strict=False)) for row in values[1:]]
    return [{name: names.get((name, cell), cell) for name, cell in row.items()} for row in rows]


def _text(cell: Any) -> str:
    if cell is None:
        return ""
    return str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell).strip()


def _table(truth: list[dict[str, str]], true: list[dict[str, str]], false: list[dict[str, str]]) -> FreeResponseTable:
    lesions = [row for row in truth if row["lesionid"] not in csv_tables.NO_LESION]
    weight = csv_tables.numbers((row["weight"] or "0" for row in lesions), "weight", "TRUTH")
    counts = Counter(row["caseid"] for row in lesions)
    if not any(weight):  # the format allows 0 for equal weights
        weight = [1 / counts[row["caseid"]] for row in lesions]
    marks = [*((row, row["lesionid"]) for row in true), *((row, None) for row in false)]
    rating = csv_tables.numbers((row["rating"] for row, _ in marks), "rating", "TP and FP")
    columns = ([row[name] for row, _ in marks] for name in ("readerid", "modalityid", "caseid"))
    reader, modality, case = columns
    return FreeResponseTable(
        Marks(reader, modality, case, [lesion for _, lesion in marks], rating),
        Lesions([row["caseid"] for row in lesions], [row["lesionid"] for row in lesions], weight),
        tuple(dict.fromkeys(row["caseid"] for row in truth)),
        tuple(sorted(dict.fromkeys(reader), key=_natural)),
        tuple(sorted(dict.fromkeys(modality), key=_natural)),
    )


def _natural(name: str) -> tuple[int, float, str]:
    return (0, float(name), "") if name.replace(".", "", 1).isdigit() else (1, 0.0, name)


def _ratings(table: FreeResponseTable) -> ReaderRatings | None:
    """The ratings of a workbook of the ROC paradigm; None for free response."""
    marks, diseased = table.marks, set(table.lesions.case)
    cells = Counter(zip(marks.modality, marks.reader, marks.case, strict=True))
    wanted = len(table.modalities) * len(table.readers) * len(table.cases)
    on_lesion = all((case in diseased) == (lesion is not None) for case, lesion in zip(marks.case, marks.lesion, strict=True))
    if not on_lesion or len(cells) != wanted or set(cells.values()) != {1} or len(table.lesions.case) != len(diseased):
        return None
    truth = [float(case in diseased) for case in marks.case]
    return from_table(marks.reader, marks.modality, marks.case, truth, marks.rating)


def _located(table: FreeResponseTable, path: Path) -> LocatedRatings:
    """The ratings of a workbook of the LROC paradigm: a mark in TP is a right location, one in FP a wrong one."""
    marks, diseased = table.marks, set(table.lesions.case)
    cells = Counter(zip(marks.modality, marks.reader, marks.case, strict=True))
    if set(cells.values()) != {1}:
        raise ReaderStudyError(f"'{path.name}' is an LROC study with a case that a reader marked twice; give one mark a case")
    truth = [float(case in diseased) for case in marks.case]
    located = [float(lesion is not None) for lesion in marks.lesion]
    ratings, right = (from_table(marks.reader, marks.modality, marks.case, truth, values) for values in (marks.rating, located))
    return LocatedRatings(ratings, right.rating == 1)


def write(path: Path, table: FreeResponseTable) -> None:
    """Write a free-response study as a JAFROC workbook.

    Parameters
    ----------
    path : Path
        The file.
    table : FreeResponseTable
        The study. Cases, lesions, readers and modalities are numbered, as the format demands; the names are in the sheet KEY.
    """
    numbers = _Numbers(table)
    rating = np.asarray(table.marks.rating, np.float64).tolist()
    named = (table.marks.reader, table.marks.modality, table.marks.case, table.marks.lesion)
    marks = list(zip(*named, rating, strict=True))
    true = [(*numbers.cell(r, m, c), numbers.lesion[c, lesion], v) for r, m, c, lesion, v in marks if lesion is not None]
    false = [(*numbers.cell(r, m, c), v) for r, m, c, lesion, v in marks if lesion is None]
    book = _openpyxl().Workbook()
    book.remove(book.active)
    for sheet, rows in (("TP", true), ("FP", false), ("TRUTH", numbers.truth(table))):
        _fill(book, sheet, _HEADS[sheet], rows)
    _fill(book, _KEY, ("column", "number", "name"), numbers.key())
    stream = io.BytesIO()
    book.save(stream)
    with atomic_files.binary(path) as file:
        file.write(stream.getvalue())


def from_ratings(ratings: ReaderRatings) -> FreeResponseTable:
    """Make the table of a study without marks, in the way of the format: one lesion for each diseased case.

    Parameters
    ----------
    ratings : ReaderRatings
        Ratings of cases.

    Returns
    -------
    FreeResponseTable
        The rating of a diseased case is that of a mark on its lesion, of another case that of a mark elsewhere.
    """
    cells = [
        (reader, modality, case, "1" if ratings.truth[k] else None, float(ratings.rating[i, j, k]))
        for i, modality in enumerate(ratings.modalities)
        for j, reader in enumerate(ratings.readers)
        for k, case in enumerate(ratings.cases)
        if ratings.read[i, j, k]
    ]
    diseased = [str(case) for case, truth in zip(ratings.cases, ratings.truth, strict=True) if truth]
    names = (tuple(map(str, axis)) for axis in (ratings.cases, ratings.readers, ratings.modalities))
    return FreeResponseTable(
        Marks(*map(list, zip(*cells, strict=True))), Lesions(diseased, ["1"] * len(diseased), [1.0] * len(diseased)), *names
    )


class _Numbers:
    """Numbers for names, from 1."""

    def __init__(self, table: FreeResponseTable) -> None:
        self.case = _numbered(table.cases)
        self.reader, self.modality = _numbered(table.readers), _numbered(table.modalities)
        self.lesion: dict[tuple[str, str], int] = {}
        for case, lesion in zip(table.lesions.case, table.lesions.lesion, strict=True):
            self.lesion[case, lesion] = 1 + sum(known == case for known, _ in self.lesion)

    def cell(self, reader: str, modality: str, case: str) -> tuple[int, int, int]:
        return self.reader[reader], self.modality[modality], self.case[case]

    def truth(self, table: FreeResponseTable) -> list[tuple[int, int, float]]:
        weights = zip(self.lesion.items(), np.asarray(table.lesions.weight, np.float64).tolist(), strict=True)
        diseased = [(self.case[case], number, weight) for ((case, _), number), weight in weights]
        return [*((self.case[case], 0, 0.0) for case in table.cases if case not in set(table.lesions.case)), *diseased]

    def key(self) -> Iterable[tuple[str, int, str]]:
        for column, numbers in (("caseid", self.case), ("readerid", self.reader), ("modalityid", self.modality)):
            yield from ((column, number, name) for name, number in numbers.items())


def _numbered(names: Sequence[str]) -> dict[str, int]:
    return {name: number for number, name in enumerate(names, start=1)}


def _fill(book: Any, sheet: str, head: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    page = book.create_sheet(sheet)
    page.append(list(head))
    for row in rows:
        page.append(list(row))
