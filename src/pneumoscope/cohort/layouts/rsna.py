"""RSNA Pneumonia Detection Challenge 2018: a row a box, three classes (Shih et al., Radiology: AI 2019)."""

import json
from collections.abc import Mapping
from pathlib import Path

from pneumoscope.cohort.errors import CohortError
from pneumoscope.cohort.label_table import LabelRow, LabelTable, LabelWords
from pneumoscope.cohort.layouts.layout import Layout, LayoutOptions
from pneumoscope.cohort.layouts.tables import Files, TableRow, one_table, read_rows, root_of, tables_in

_BOXES, _CLASSES, _MAPPING = (
    "stage_2_train_labels*.csv",
    "stage_2_detailed_class_info*.csv",
    "pneumonia-challenge-dataset-mappings*.json",
)
_OPACITY, _NO_OPACITY = "Lung Opacity", "No Lung Opacity"
_NOTE = (
    "patientId names an image, not a patient: the 30,227 images come from fewer NIH patients. Put the organizers' "
    "pneumonia-challenge-dataset-mappings_2018.json into the folder, or two images of one patient may land in two splits"
)


def read(source: Path, options: LayoutOptions = LayoutOptions()) -> LabelTable:
    """Read the boxes and, if the folder has it, the table of the three classes.

    Lung Opacity is positive; Normal and No Lung Opacity / Not Normal are negative, as the challenge counts them.

    Parameters
    ----------
    source
        The folder of the challenge, or ``stage_2_train_labels.csv``; the table of classes is looked for in the same folder.
    options
        `root` and `only` (on the table of boxes) are used.

    Returns
    -------
    LabelTable
        One row a box, and one a radiograph without a box. The patient is that of the NIH set where the organizers' mapping is
        there, else the image.

    Raises
    ------
    CohortError
        If a table is missing, of another form, or the two tables contradict each other.
    """
    table = one_table(source, "the RSNA Pneumonia Detection Challenge", _BOXES)
    rows, filtered_out = read_rows(table, ["patientId", "Target"], options.only)
    files = Files(root_of(source, options.root))
    classes = _classes(table.parent)
    patients = _patients(table.parent)
    return LabelTable(
        root=files.root,
        rows=tuple(_row(row, files, classes, patients) for row in rows),
        words=LabelWords((_OPACITY,), ("Normal", "No Lung Opacity / Not Normal", _NO_OPACITY)),
        source="RSNA Pneumonia Detection Challenge",
        notes=() if patients else (_NOTE,),
        filtered_out=filtered_out,
    )


def _row(row: TableRow, files: Files, classes: Mapping[str, str], patients: Mapping[str, str]) -> LabelRow:
    image = row.text("patientId")
    target = row.text("Target")
    if target not in ("0", "1"):
        raise CohortError(f"row {row.number} of {row.table} has neither 0 nor 1 as Target; correct the table")
    word = classes.get(image, _OPACITY if target == "1" else _NO_OPACITY)
    if (word == _OPACITY) != (target == "1"):
        raise CohortError(
            f"row {row.number} of {row.table} has the Target {target}, but the table of classes says '{word}'; correct one"
        )
    if patients and image not in patients:
        raise CohortError(f"row {row.number} of {row.table} has an image that the mapping of the organizers does not name")
    return LabelRow(files.named(image), (word,), patients.get(image, image), row.number)


def _classes(folder: Path) -> dict[str, str]:
    tables = tables_in(folder, _CLASSES)
    if not tables:
        return {}
    rows, _ = read_rows(tables[0], ["patientId", "class"])
    classes: dict[str, str] = {}
    for row in rows:
        word = row.text("class")
        if classes.setdefault(row.text("patientId"), word) != word:
            raise CohortError(
                f"row {row.number} of {row.table} gives an image another class than a row before it; correct the table"
            )
    return classes


def _patients(folder: Path) -> dict[str, str]:
    """The NIH patient of each image, from the organizers' mapping: the part of ``img_id`` before the underscore."""
    mappings = sorted(folder.glob(_MAPPING))
    if not mappings:
        return {}
    try:
        entries = json.loads(mappings[0].read_text(encoding="utf-8"))
        return {entry["subset_img_id"]: entry["img_id"].split("_")[0] for entry in entries}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise CohortError(
            f"'{mappings[0].name}' is no mapping of images to NIH names; take it from the organizers again"
        ) from error


def _recognises(source: Path) -> bool:
    return bool(tables_in(source, _BOXES))


LAYOUT = Layout("rsna", "RSNA Pneumonia Detection Challenge", _recognises, read)
