"""A CSV with a path, a label and a patient in each row."""

import posixpath
from pathlib import Path

from pneumoscope.cohort.label_table import LabelRow, LabelTable, LabelWords
from pneumoscope.cohort.layouts.layout import Columns, Layout, LayoutOptions
from pneumoscope.cohort.layouts.tables import TableRow, official_split, patient_of_file, read_rows, root_of


def read(source: Path, options: LayoutOptions = LayoutOptions()) -> LabelTable:
    """Read a CSV; its paths start from `options.root`, by default its own folder.

    Parameters
    ----------
    source
        The CSV.
    options
        `root`, `columns`, `only` and `patient_per_file` are used.

    Returns
    -------
    LabelTable
        One row a line of the CSV that `only` takes.

    Raises
    ------
    CohortError
        If a column is missing, a row names no patient, or a size, age, sex or View Position is none.
    """
    columns = options.columns
    path_column = columns.path or "path"
    required = [path_column, columns.label, *columns.demographics] + ([] if options.patient_per_file else [columns.patient])
    rows, filtered_out = read_rows(source, required, options.only)
    sizes_given = bool(rows) and columns.rows in rows[0].cells and columns.cols in rows[0].cells
    root = root_of(source, options.root)
    return LabelTable(
        root=root,
        rows=tuple(_row(row, root, path_column, columns, options.patient_per_file) for row in rows),
        words=LabelWords(("PNEUMONIA",), ("NORMAL",)),
        source="CSV",
        filtered_out=filtered_out,
        sizes_from_files=not sizes_given,
    )


def split_cell(text: str, separator: str) -> tuple[str, ...]:
    """Split a cell into its labels.

    Parameters
    ----------
    text
        The cell.
    separator
        What separates labels; empty if the cell is one label.

    Returns
    -------
    tuple of str
        The labels without surrounding space, each once, blank ones left out.
    """
    parts = text.split(separator) if separator else [text]
    return tuple(dict.fromkeys(part.strip() for part in parts if part.strip()))


def _below(root: Path, path: str) -> str:
    """One spelling for each path, relative to the root where it lies below it."""
    if path.startswith("/") and Path(path).is_relative_to(root):
        return Path(path).relative_to(root).as_posix()
    return posixpath.normpath(path) if path else ""


def _row(row: TableRow, root: Path, path_column: str, columns: Columns, patient_per_file: bool) -> LabelRow:
    path = _below(root, row.text(path_column))
    patient = patient_of_file(row.text(columns.patient), path, row, patient_per_file=patient_per_file, column=columns.patient)
    return LabelRow(
        key=path,
        words=split_cell(row.text(columns.label), columns.separator),
        patient_id=patient,
        number=row.number,
        subtype=row.text(columns.subtype),
        official_split=official_split(row.text(columns.official)),
        rows=row.pixels(columns.rows),
        cols=row.pixels(columns.cols),
        view_position=row.view_position(columns.view),
        age_years=row.age_years(columns.age),
        sex=row.sex(columns.sex),
    )


def _recognises(source: Path) -> bool:
    return source.is_file() and source.suffix.lower() == ".csv"


LAYOUT = Layout("csv", "a CSV with path, label and patient", _recognises, read)
