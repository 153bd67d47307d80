"""A tree of DICOM files with a CSV of labels, keyed by SOP Instance UID or by path."""

from pathlib import Path

from pneumoscope.cohort.errors import CohortError
from pneumoscope.cohort.label_table import LabelRow, LabelTable, LabelWords
from pneumoscope.cohort.layouts.csv_table import split_cell
from pneumoscope.cohort.layouts.layout import Layout, LayoutOptions
from pneumoscope.cohort.layouts.tables import image_files, official_split, read_rows


def read(source: Path, options: LayoutOptions = LayoutOptions()) -> LabelTable:
    """Read the labels; which file a row describes is known when the files are opened.

    Parameters
    ----------
    source
        The folder of DICOM files.
    options
        `labels`, `columns`, `only` and `patient_per_file` are used. A row without a patient takes Patient ID from the header.

    Returns
    -------
    LabelTable
        One row a line of the CSV, and every file of the folder.

    Raises
    ------
    CohortError
        If no CSV is given, or a column is missing.
    """
    if options.labels is None:
        raise CohortError("--layout dicom needs the labels: give --labels FILE.csv")
    columns = options.columns
    key = columns.path or "sop_instance_uid"
    rows, _ = read_rows(options.labels, [key, columns.label, *columns.demographics, *options.only.accepted])
    files, notes = image_files(source)
    return LabelTable(
        root=source,
        rows=tuple(
            LabelRow(
                key=row.text(key),
                words=split_cell(row.text(columns.label), columns.separator),
                patient_id=row.text(columns.patient),
                number=row.number,
                subtype=row.text(columns.subtype),
                official_split=official_split(row.text(columns.official)),
                view_position=row.view_position(columns.view),
                age_years=row.age_years(columns.age),
                sex=row.sex(columns.sex),
                left_out="" if options.only.keeps(row.cells) else "row not chosen by --only",
            )
            for row in rows
        ),
        words=LabelWords(("PNEUMONIA",), ("NORMAL",)),
        source="DICOM tree",
        notes=notes,
        files=tuple(files),
        patient_per_file=options.patient_per_file,
    )


def _recognises(source: Path) -> bool:
    return False  # the labels lie elsewhere: the user has to name them


LAYOUT = Layout("dicom", "DICOM files with a CSV of labels", _recognises, read)
