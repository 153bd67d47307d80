"""NIH ChestX-ray14 (Wang et al., CVPR 2017): ``Data_Entry_2017*.csv``, several labels in one cell, separated by ``|``."""

import math
from collections.abc import Sequence
from pathlib import Path

from pneumoscope.cohort.case import SplitName
from pneumoscope.cohort.demographics import parse_age
from pneumoscope.cohort.errors import CohortError
from pneumoscope.cohort.label_table import LabelRow, LabelTable, LabelWords
from pneumoscope.cohort.layouts.csv_table import split_cell
from pneumoscope.cohort.layouts.layout import Layout, LayoutOptions
from pneumoscope.cohort.layouts.tables import Files, TableRow, one_table, read_rows, root_of, tables_in
from pneumoscope.radiograph.header import OLDEST_YEARS

_TABLE = "Data_Entry_2017*.csv"
_IMAGE, _LABELS, _PATIENT, _VIEW = "Image Index", "Finding Labels", "Patient ID", "View Position"
_AGE, _SEX = "Patient Age", ("Patient Gender", "Patient Sex")  # the header of the sex depends on the release
_COLS, _ROWS = "OriginalImage[Width", "Height]"  # one header cell, "OriginalImage[Width,Height]", that its comma cuts in two
_NEGATIVE = (
    "No Finding", "Atelectasis", "Cardiomegaly", "Consolidation", "Edema", "Effusion", "Emphysema", "Fibrosis", "Hernia",
    "Infiltration", "Mass", "Nodule", "Pleural_Thickening", "Pneumothorax",
)  # fmt: skip


def read(source: Path, options: LayoutOptions = LayoutOptions()) -> LabelTable:
    """Read the table of labels; the images may lie in ``images`` or in ``images_001`` to ``images_012``.

    By the set's own usage the thirteen other findings are negative: they do not say that the report mentions no pneumonia, and
    Infiltration and Consolidation often look like one. `LabelRules` can make them ignored or positive.

    Parameters
    ----------
    source
        The folder of the set, or its table.
    options
        `root` and `only` are used.

    Returns
    -------
    LabelTable
        One row an image, with the official split where ``train_val_list.txt`` and ``test_list.txt`` lie with the table.

    Raises
    ------
    CohortError
        If the table is missing or of another form.
    """
    table = one_table(source, "NIH ChestX-ray14", _TABLE)
    rows, filtered_out = read_rows(table, [_IMAGE, _LABELS, _PATIENT], options.only)
    files = Files(root_of(source, options.root))
    splits = _official_splits(table.parent)
    sizes_given = bool(rows) and _ROWS in rows[0].cells and _COLS in rows[0].cells
    return LabelTable(
        root=files.root,
        rows=tuple(_row(row, files, splits) for row in rows),
        words=LabelWords(("Pneumonia",), _NEGATIVE),
        source="NIH ChestX-ray14",
        notes=(
            "labels were mined from reports: the absence of 'Pneumonia' does not mean that a radiologist excluded it",
            *_impossible_ages(rows),
        ),
        filtered_out=filtered_out,
        sizes_from_files=not sizes_given,
    )


def _row(row: TableRow, files: Files, splits: dict[str, SplitName]) -> LabelRow:
    name = row.text(_IMAGE)
    return LabelRow(
        key=files.named(name),
        words=split_cell(row.text(_LABELS), "|"),
        patient_id=row.text(_PATIENT),
        number=row.number,
        official_split=splits.get(name, ""),
        rows=row.pixels(_ROWS),
        cols=row.pixels(_COLS),
        view_position=row.text(_VIEW),
        age_years=row.age_years(_AGE) if _possible(row) else None,
        sex=row.sex(next((name for name in _SEX if name in row.cells), "")),
    )


def _possible(row: TableRow) -> bool:
    """Whether the age of a row is not one of the set's own errors, such as 411 years."""
    try:
        return (parse_age(row.text(_AGE), oldest=math.inf) or 0) <= OLDEST_YEARS
    except ValueError:
        return True  # of another form: the row says so itself


def _impossible_ages(rows: Sequence[TableRow]) -> tuple[str, ...]:
    impossible = sum(not _possible(row) for row in rows)
    return (f"{impossible} rows give an age above {OLDEST_YEARS:g} years, which is taken as unknown",) if impossible else ()


def _official_splits(folder: Path) -> dict[str, SplitName]:
    return {**_listed(folder / "train_val_list.txt", "train"), **_listed(folder / "test_list.txt", "test")}


def _listed(path: Path, split: SplitName) -> dict[str, SplitName]:
    try:
        return dict.fromkeys(path.read_text(encoding="utf-8").split(), split) if path.is_file() else {}
    except UnicodeDecodeError as error:
        raise CohortError(f"'{path}' is no list of file names; take it from the set again") from error


def _recognises(source: Path) -> bool:
    return bool(tables_in(source, _TABLE))


LAYOUT = Layout("nih", "NIH ChestX-ray14", _recognises, read)
