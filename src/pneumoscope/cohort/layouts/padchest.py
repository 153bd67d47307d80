"""PadChest (Bustos et al., Medical Image Analysis 2020): lists of labels in a cell, ``['pneumonia', 'pleural effusion']``."""

import ast
from pathlib import Path

from pneumoscope.cohort.errors import CohortError
from pneumoscope.cohort.label_table import LabelRow, LabelTable, LabelWords
from pneumoscope.cohort.layouts.layout import Layout, LayoutOptions
from pneumoscope.cohort.layouts.tables import Files, TableRow, one_table, read_rows, root_of, tables_in

_TABLE = "PADCHEST_chest_x_ray_images_labels*.csv"
_IMAGE, _LABELS, _PATIENT, _PROJECTION = "ImageID", "Labels", "PatientID", "Projection"
_EXCLUDED = ("exclude", "suboptimal study")


def read(source: Path, options: LayoutOptions = LayoutOptions()) -> LabelTable:
    """Read the table; images that the set itself labels ``exclude`` or ``suboptimal study`` are left out.

    ``pneumonia`` and ``atypical pneumonia`` are positive, ``normal`` is negative. The other findings (about 170) have no
    meaning for the target until the user gives them one: ``--negative '*'`` counts them as negative, ``--ignore '*'`` leaves
    them out.

    Parameters
    ----------
    source
        The folder of the set, or its table (packed by gzip or not).
    options
        `root` and `only` are used.

    Returns
    -------
    LabelTable
        One row an image. The reports in the table are not kept.

    Raises
    ------
    CohortError
        If the table is missing or of another form, or a cell holds no list.
    """
    table = one_table(source, "PadChest", _TABLE)
    rows, filtered_out = read_rows(table, [_IMAGE, _LABELS, _PATIENT, _PROJECTION], options.only)
    files = Files(root_of(source, options.root))
    return LabelTable(
        root=files.root,
        rows=tuple(_row(row, files) for row in rows),
        words=LabelWords(("pneumonia", "atypical pneumonia"), ("normal",)),
        source="PadChest",
        filtered_out=filtered_out,
    )


def _row(row: TableRow, files: Files) -> LabelRow:
    words = _labels(row)
    return LabelRow(
        key=files.named(row.text(_IMAGE)),
        words=words,
        patient_id=row.text(_PATIENT),
        number=row.number,
        view_position=row.text(_PROJECTION),
        left_out=_left_out(words, row.text(_PROJECTION)),
    )


def _left_out(words: tuple[str, ...], projection: str) -> str:
    """Why the set itself excludes an image; views of the ribs (COSTAL) are no chest radiographs."""
    if projection.upper() in ("EXCLUDE", "COSTAL"):
        return f"projection {projection.upper()}"
    return next((f"labelled '{word}' by the set" for word in _EXCLUDED if word in words), "")


def _labels(row: TableRow) -> tuple[str, ...]:
    """The labels of a cell; the set writes some with a space before them, and blank ones."""
    text = row.text(_LABELS)
    if text in ("", "nan"):
        return ()
    try:
        labels = ast.literal_eval(text)
        if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
            raise ValueError
    except (ValueError, SyntaxError, MemoryError, RecursionError) as error:
        raise CohortError(f"row {row.number} of {row.table} has no list of labels as {_LABELS}; correct the table") from error
    return tuple(dict.fromkeys(label.strip() for label in labels if label.strip()))


def _recognises(source: Path) -> bool:
    return bool(tables_in(source, _TABLE))


LAYOUT = Layout("padchest", "PadChest", _recognises, read)
