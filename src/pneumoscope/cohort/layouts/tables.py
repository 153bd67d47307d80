"""Read label tables, and find the files that they name."""

import csv
import gzip
import io
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TextIO, TypeVar

from pneumoscope.cohort.case import SplitName
from pneumoscope.cohort.demographics import parse_age, parse_sex, parse_view
from pneumoscope.cohort.errors import CohortError
from pneumoscope.cohort.row_filter import RowFilter
from pneumoscope.quoted_cell import listed
from pneumoscope.radiograph import list_folder
from pneumoscope.radiograph.terms import Sex

Value = TypeVar("Value")
_SPLIT_WORDS: Mapping[str, SplitName] = {
    "train": "train",
    "val": "tune",
    "valid": "tune",
    "validate": "tune",
    "validation": "tune",
    "tune": "tune",
    "test": "test",
}


def official_split(word: str) -> SplitName | Literal[""]:
    """Read the name that a data set gives to one of its splits.

    Parameters
    ----------
    word
        Such as ``train``, ``val``, ``valid``, ``validate`` or ``test``, in any case.

    Returns
    -------
    str
        ``train``, ``tune`` or ``test``; empty for any other word.
    """
    return _SPLIT_WORDS.get(word.lower(), "")


@dataclass(frozen=True)
class TableRow:
    """One row of a table.

    Parameters
    ----------
    table
        Name of the table, for errors.
    number
        Number of the row, the header being row 1.
    cells
        Text of each cell by the name of its column.
    """

    table: str
    number: int
    cells: Mapping[str, str]

    def text(self, column: str) -> str:
        """Read a cell.

        Parameters
        ----------
        column
            Name of the column.

        Returns
        -------
        str
            Its text without surrounding space, empty where the row or the table has no such cell.
        """
        return (self.cells.get(column) or "").strip()

    def pixels(self, column: str) -> int:
        """Read a cell as a number of pixels.

        Parameters
        ----------
        column
            Name of the column.

        Returns
        -------
        int
            The number, 0 or more; 0 where the cell is blank.

        Raises
        ------
        CohortError
            If the cell holds anything but a whole number.
        """
        text = self.text(column)
        if not text:
            return 0
        whole, _, fraction = text.partition(".")
        if not (text.isascii() and whole.isdigit() and not fraction.strip("0")):
            raise CohortError(
                f"row {self.number} of {self.table} has no whole number of pixels as {column}; correct it or leave it blank"
            )
        return int(whole)

    def age_years(self, column: str) -> float | None:
        """Read a cell as an age, see `parse_age`.

        Parameters
        ----------
        column
            Name of the column; empty for a column that is not read.

        Returns
        -------
        float or None
            The age in years; None where the cell is blank.

        Raises
        ------
        CohortError
            If the cell holds no age.
        """
        return self._parsed(column, parse_age, "age (in years, or such as 058Y or 006M)")

    def sex(self, column: str) -> Sex | Literal[""]:
        """Read a cell as a sex, see `parse_sex`.

        Parameters
        ----------
        column
            Name of the column; empty for a column that is not read.

        Returns
        -------
        str
            ``F``, ``M``, ``O``, or empty where the cell is blank or says that the sex is unknown.

        Raises
        ------
        CohortError
            If the cell holds anything else.
        """
        return self._parsed(column, parse_sex, "sex (F, M or O)")

    def view_position(self, column: str) -> str:
        """Read a cell as a View Position, see `parse_view`.

        Parameters
        ----------
        column
            Name of the column; empty for a column that is not read.

        Returns
        -------
        str
            The term in capitals; empty where the cell is blank.

        Raises
        ------
        CohortError
            If the cell holds no term of DICOM's View Position.
        """
        return self._parsed(column, parse_view, "View Position of DICOM (such as AP, PA or LL)")

    def _parsed(self, column: str, parse: Callable[[str], Value], expected: str) -> Value:
        try:
            return parse(self.text(column))
        except ValueError as error:
            raise CohortError(
                f"row {self.number} of {self.table} has no {expected} as {column}; correct it or leave it blank"
            ) from error


def read_rows(table: Path, required: Iterable[str], only: RowFilter = RowFilter()) -> tuple[list[TableRow], int]:
    """Read a CSV, packed by gzip or not.

    Parameters
    ----------
    table
        The file, UTF-8 with or without a byte order mark.
    required
        Columns that the table must have.
    only
        Which rows are taken.

    Returns
    -------
    list of TableRow, int
        The rows that are taken, and the number of those that are not.

    Raises
    ------
    CohortError
        If the file is no CSV, or lacks a column.
    """
    required = list(required)
    try:
        with _opened(table) as stream:
            reader = csv.DictReader(stream)
            names = reader.fieldnames or ()
            missing = [name for name in (*required, *only.accepted) if name not in names]
            if missing:
                # A header that lost its line end goes on with the first patient.
                is_torn = any(None in row.values() for row in itertools.islice(reader, 1))
                expected = () if is_torn else [*required, *only.accepted]
                raise CohortError(_missing_columns(table, missing, names, expected))
            rows = [TableRow(table.name, number, cells) for number, cells in enumerate(reader, start=2)]
    except (OSError, EOFError, UnicodeDecodeError, csv.Error) as error:
        raise CohortError(f"{table} could not be read as a CSV: {error}") from error
    taken = [row for row in rows if only.keeps(row.cells)]
    return taken, len(rows) - len(taken)


def _missing_columns(table: Path, missing: Sequence[str], names: Sequence[str], expected: Sequence[str]) -> str:
    """Name the columns, unless the first row may be a patient's and no header."""
    text = f"{table.name} has no column {', '.join(missing)}"
    if set(names) & {*expected}:
        return f"{text}; {listed(names)}"
    return f"{text}, nor any other column that was expected; name its columns in a first row, or by the options --…-column"


def _opened(table: Path) -> TextIO:
    if table.suffix == ".gz":
        return io.TextIOWrapper(gzip.open(table), encoding="utf-8-sig", newline="")
    return table.open(newline="", encoding="utf-8-sig")


def columns_of(table: Path) -> frozenset[str]:
    """The names of the columns of a CSV.

    Parameters
    ----------
    table
        The file.

    Returns
    -------
    frozenset of str
        The cells of the first row, empty where the file is no CSV.
    """
    try:
        with _opened(table) as stream:
            return frozenset(next(csv.reader(stream), ()))
    except (OSError, EOFError, UnicodeDecodeError, csv.Error):
        return frozenset()


def tables_in(source: Path, *patterns: str) -> list[Path]:
    """Find the tables of a data set.

    Parameters
    ----------
    source
        The folder of the data set, or one of its tables.
    patterns
        Glob patterns of their names, such as ``Data_Entry_2017*.csv``; packed tables (``.gz``) count as well.

    Returns
    -------
    list of Path
        The table itself where `source` is one; else the matches in the folder and the folders below it, sorted.
    """
    if source.is_file():
        return [source] if any(source.match(p) or source.match(f"{p}.gz") for p in patterns) else []
    globs = [f"{folder}{pattern}{suffix}" for folder in ("", "*/") for pattern in patterns for suffix in ("", ".gz")]
    return sorted({match for glob in globs for match in source.glob(glob)})


def one_table(source: Path, what: str, *patterns: str) -> Path:
    """Find the one table of a data set.

    Parameters
    ----------
    source, patterns
        As in `tables_in`.
    what
        The data set, for errors.

    Returns
    -------
    Path
        The table.

    Raises
    ------
    CohortError
        If there is none, or more than one.
    """
    tables = tables_in(source, *patterns)
    if not tables:
        raise CohortError(f"'{source}' holds no {' or '.join(patterns)}; is this {what}?")
    if len(tables) > 1:
        raise CohortError(
            f"'{source}' holds {len(tables)} tables of {what} ({', '.join(t.name for t in tables[:4])}); give one of them"
        )
    return tables[0]


class Files:
    """The radiographs below a folder, by name.

    Parameters
    ----------
    root
        The folder.

    Raises
    ------
    CohortError
        If the folder does not exist.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._by_name: dict[str, list[str]] = {}
        for path in image_files(root)[0]:
            name = path.rpartition("/")[2]
            for key in {name, name.rpartition(".")[0] or name}:
                self._by_name.setdefault(key, []).append(path)

    def named(self, name: str) -> str:
        """Find a file by its name, or by its name without suffix.

        Parameters
        ----------
        name
            The name as a table writes it.

        Returns
        -------
        str
            Its path below the root; the name itself where no such file exists, which the build then reports as missing.

        Raises
        ------
        CohortError
            If several files have the name.
        """
        paths = self._by_name.get(name, [])
        if len(paths) > 1:
            raise CohortError(f"{len(paths)} files below '{self.root}' have the name that one row gives; keep one of them")
        return paths[0] if paths else name


def image_files(root: Path) -> tuple[list[str], tuple[str, ...]]:
    """List the radiographs below a folder.

    Parameters
    ----------
    root
        The folder.

    Returns
    -------
    list of str
        Their paths below the root with forward slashes, sorted.
    tuple of str
        A note on the other files that lie there, none if there are none.

    Raises
    ------
    CohortError
        If the folder does not exist or holds no radiograph.
    """
    if not root.is_dir():
        raise CohortError(f"'{root}' is no folder")
    listing = list_folder(root)
    files = sorted(path.relative_to(root).as_posix() for path in listing.files)
    if not files:
        raise CohortError(f"no DICOM, PNG or JPEG file lies below '{root}'")
    return files, (f"other files below the folder were {listing}",) if str(listing) else ()


def root_of(source: Path, root: Path | None) -> Path:
    """Choose the folder that the paths of a source start from.

    Parameters
    ----------
    source
        The folder or the table.
    root
        The folder that the user names, None where the user names none.

    Returns
    -------
    Path
        `root`, else the source itself, else the folder of the table.
    """
    return root or (source if source.is_dir() else source.parent)


def rows_by_key(rows: Iterable[TableRow], column: str) -> dict[str, list[TableRow]]:
    """Group rows by the value of a column.

    Parameters
    ----------
    rows
        The rows.
    column
        The column.

    Returns
    -------
    dict
        The rows of each value, in their order.
    """
    groups: dict[str, list[TableRow]] = {}
    for row in rows:
        groups.setdefault(row.text(column), []).append(row)
    return groups


def patient_of_file(patient: str, key: str, row: TableRow, *, patient_per_file: bool, column: str) -> str:
    """The patient of a row, or the file as a patient of its own.

    Parameters
    ----------
    patient
        The patient that the row names, empty where it names none.
    key
        The path of the image.
    row
        The row, for the error.
    patient_per_file
        Whether a file without a patient is a patient of its own.
    column
        The column that should name the patient, for the error.

    Returns
    -------
    str
        The patient.

    Raises
    ------
    CohortError
        If the row names no patient and the file is not to be one.
    """
    if patient:
        return patient
    if not patient_per_file:
        raise CohortError(f"row {row.number} of {row.table} has no {column}; fill it or say --patient-per-file")
    return f"file:{key}"


def flagged(row: TableRow, columns: Sequence[str]) -> tuple[str, ...]:
    """List the columns of 0 and 1 in which a row has a 1.

    Parameters
    ----------
    row
        The row.
    columns
        The columns.

    Returns
    -------
    tuple of str
        The columns with a 1.

    Raises
    ------
    CohortError
        If a cell is neither 0 nor 1.
    """
    return tuple(_flags(row, columns))


def _flags(row: TableRow, columns: Sequence[str]) -> Iterator[str]:
    for column in columns:
        value = row.text(column)
        if value not in ("0", "1", "0.0", "1.0"):
            raise CohortError(f"row {row.number} of {row.table} has neither 0 nor 1 as {column}; correct the table")
        if float(value):
            yield column
