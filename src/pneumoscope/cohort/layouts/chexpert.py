"""CheXpert (Irvin et al., AAAI 2019): ``train.csv`` and ``valid.csv`` with a column a finding."""

from pathlib import Path

from pneumoscope.cohort.errors import CohortError
from pneumoscope.cohort.label_table import LabelRow, LabelTable
from pneumoscope.cohort.layouts import report_findings
from pneumoscope.cohort.layouts.layout import Layout, LayoutOptions
from pneumoscope.cohort.layouts.tables import TableRow, columns_of, official_split, read_rows, root_of, tables_in

_PATH, _VIEW = "Path", "Frontal/Lateral"
_TABLES = ("train.csv", "valid.csv", "test.csv")


def read(source: Path, options: LayoutOptions = LayoutOptions()) -> LabelTable:
    """Read the tables; uncertain and blank labels need a policy.

    Parameters
    ----------
    source
        The folder of the set, or one of its tables.
    options
        `root`, `only`, `finding`, `uncertain` and `blank` are used.

    Returns
    -------
    LabelTable
        One row an image; the patient and the official split are read from its path.

    Raises
    ------
    CohortError
        If no table is there, a column is missing, or a path names no patient.
    """
    tables = [table for table in tables_in(source, *_TABLES) if _is_one(table)] if source.is_dir() else [source]
    if not tables:
        raise CohortError(f"'{source}' holds no train.csv or valid.csv of CheXpert")
    root = root_of(source, options.root)
    rows: list[LabelRow] = []
    filtered_out = 0
    for table in tables:
        several, left_out = read_rows(table, [_PATH, _VIEW, options.finding], options.only)
        filtered_out += left_out
        rows += [_row(row, root, options.finding) for row in several]
    return LabelTable(
        root=root,
        rows=tuple(rows),
        words=report_findings.words(options.finding, options.uncertain, options.blank),
        source="CheXpert",
        hint=report_findings.HINT,
        filtered_out=filtered_out,
    )


def _row(row: TableRow, root: Path, finding: str) -> LabelRow:
    path = row.text(_PATH)
    parts = path.split("/")
    patient = next((part for part in parts if part.startswith("patient")), "")
    if not patient:
        raise CohortError(f"row {row.number} of {row.table} has a path without a patient folder; is this CheXpert?")
    below = "/".join(parts[1:])
    return LabelRow(
        key=below if not (root / path).is_file() and (root / below).is_file() else path,
        words=report_findings.word(row, finding),
        patient_id=patient,
        number=row.number,
        official_split=next((split for split in map(official_split, parts) if split), ""),
        view_position=row.text(_VIEW),
    )


def _is_one(table: Path) -> bool:
    return {_PATH, _VIEW, "AP/PA"} <= columns_of(table)


def _recognises(source: Path) -> bool:
    return any(_is_one(table) for table in tables_in(source, *_TABLES))


LAYOUT = Layout("chexpert", "CheXpert", _recognises, read)
