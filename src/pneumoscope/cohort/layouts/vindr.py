"""VinDr-CXR (Nguyen et al., Scientific Data 2022): three readers an image in training, a consensus of five in the test set."""

from pathlib import Path

from pneumoscope.cohort.case import SplitName
from pneumoscope.cohort.errors import CohortError
from pneumoscope.cohort.label_table import LabelRow, LabelTable, LabelWords
from pneumoscope.cohort.layouts.layout import Layout, LayoutOptions
from pneumoscope.cohort.layouts.tables import Files, TableRow, columns_of, flagged, patient_of_file, read_rows, root_of, tables_in

_IMAGE_LABELS = ("image_labels_train.csv", "image_labels_test.csv")
_FINDINGS = ("annotations_train.csv", "annotations_test.csv", "train.csv")
_IMAGE, _READER, _CLASS = "image_id", "rad_id", "class_name"
_NEGATIVE = (
    "No finding", "Aortic enlargement", "Atelectasis", "Calcification", "Cardiomegaly", "Clavicle fracture", "Consolidation",
    "Edema", "Emphysema", "Enlarged PA", "ILD", "Infiltration", "Lung Opacity", "Lung cavity", "Lung cyst", "Mediastinal shift",
    "Nodule/Mass", "Pleural effusion", "Pleural thickening", "Pneumothorax", "Pulmonary fibrosis", "Rib fracture",
    "Other lesion", "COPD", "Lung tumor", "Tuberculosis", "Other disease", "Other diseases",
)  # fmt: skip


def read(source: Path, options: LayoutOptions = LayoutOptions()) -> LabelTable:
    """Read the labels of each image by each reader, or the findings with boxes where those are all that there is.

    The label Pneumonia is a diagnosis for the whole image (``image_labels_*.csv``). Tables of boxes alone
    (``annotations_*.csv``, or ``train.csv`` of the Kaggle challenge) hold no such label: name the positive findings in
    `LabelRules`.

    Parameters
    ----------
    source
        The folder of the set, or one of its tables.
    options
        `root` and `only` are used; the set names no patient, so `patient_per_file` has to say that each image is one.

    Returns
    -------
    LabelTable
        One row an image and reader.

    Raises
    ------
    CohortError
        If no table is there, a column is missing, or `patient_per_file` is not given.
    """
    tables = tables_in(source, *_IMAGE_LABELS) or [table for table in tables_in(source, *_FINDINGS) if _has_findings(table)]
    if not tables:
        raise CohortError(f"'{source}' holds no {' or '.join((*_IMAGE_LABELS, *_FINDINGS))} of VinDr-CXR")
    files = Files(root_of(source, options.root))
    rows: list[LabelRow] = []
    filtered_out = 0
    for table in tables:
        several, left_out = read_rows(table, [_IMAGE], options.only)
        filtered_out += left_out
        split: SplitName = "test" if "test" in table.name else "train"
        rows += _by_reader(several, files, split, patient_per_file=options.patient_per_file)
    return LabelTable(
        root=files.root,
        rows=tuple(rows),
        words=LabelWords(("Pneumonia",), _NEGATIVE),
        source="VinDr-CXR",
        notes=("the set names no patient: if two images are of one patient, nothing can keep them in one split",),
        filtered_out=filtered_out,
    )


def _by_reader(rows: list[TableRow], files: Files, split: SplitName, *, patient_per_file: bool) -> list[LabelRow]:
    """One row an image and reader: a reader's findings lie in one row of flags, or in a row each."""
    words: dict[tuple[str, str], list[str]] = {}
    first: dict[tuple[str, str], TableRow] = {}
    flags = [name for name in (rows[0].cells if rows else ()) if name not in (_IMAGE, _READER, None)]
    for row in rows:
        key = (row.text(_IMAGE), row.text(_READER))
        first.setdefault(key, row)
        words.setdefault(key, []).extend((row.text(_CLASS),) if _CLASS in row.cells else flagged(row, flags))
    return [
        LabelRow(
            key=path,
            words=tuple(dict.fromkeys(words[key])),
            patient_id=patient_of_file("", path, row, patient_per_file=patient_per_file, column="patient"),
            number=row.number,
            official_split=split,
        )
        for key, row in first.items()
        for path in (files.named(key[0]),)
    ]


def _has_findings(table: Path) -> bool:
    return {_IMAGE, _CLASS} <= columns_of(table)


def _recognises(source: Path) -> bool:
    tables = (*tables_in(source, *_IMAGE_LABELS), *(table for table in tables_in(source, *_FINDINGS) if _has_findings(table)))
    return any(_IMAGE in columns_of(table) for table in tables)


LAYOUT = Layout("vindr", "VinDr-CXR", _recognises, read)
