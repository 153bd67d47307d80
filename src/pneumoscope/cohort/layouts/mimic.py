"""MIMIC-CXR-JPG (Johnson et al. 2019): labels by study, a metadata table by image, and a table of the official split."""

from pathlib import Path

from pneumoscope.cohort.errors import CohortError
from pneumoscope.cohort.label_table import LabelRow, LabelTable
from pneumoscope.cohort.layouts import report_findings
from pneumoscope.cohort.layouts.layout import Layout, LayoutOptions
from pneumoscope.cohort.layouts.tables import (
    TableRow,
    official_split,
    one_table,
    read_rows,
    root_of,
    rows_by_key,
    tables_in,
)

_LABELS, _METADATA, _SPLIT = (
    ("mimic-cxr-*-chexpert.csv", "mimic-cxr-*-negbio.csv"),
    "mimic-cxr-*-metadata.csv",
    "mimic-cxr-*-split.csv",
)
_NO_LABEL = "study without a label"


def read(source: Path, options: LayoutOptions = LayoutOptions()) -> LabelTable:
    """Read labels, metadata and split, packed by gzip or not; uncertain and blank labels need a policy.

    Parameters
    ----------
    source
        The folder of the set, or its table of labels (``…-chexpert.csv`` or ``…-negbio.csv``) with the others in its folder.
    options
        `root`, `only` (on the table of metadata), `finding`, `uncertain` and `blank` are used.

    Returns
    -------
    LabelTable
        One row an image of the metadata; every image of a study has the label of the study.

    Raises
    ------
    CohortError
        If a table is missing or of another form, or a study has two labels.
    """
    labels = _labels_table(source)
    metadata = one_table(labels.parent, "MIMIC-CXR-JPG", _METADATA)
    by_study = rows_by_key(read_rows(labels, ["subject_id", "study_id", options.finding])[0], "study_id")
    images, filtered_out = read_rows(metadata, ["dicom_id", "subject_id", "study_id", "ViewPosition"], options.only)
    splits = _splits(labels.parent)
    root = root_of(source, options.root)
    return LabelTable(
        root=root,
        rows=tuple(_row(image, by_study.get(image.text("study_id"), []), options.finding, splits, root) for image in images),
        words=report_findings.words(options.finding, options.uncertain, options.blank),
        source="MIMIC-CXR-JPG",
        hint=report_findings.HINT,
        filtered_out=filtered_out,
    )


def _labels_table(source: Path) -> Path:
    tables = tables_in(source, *_LABELS)
    preferred = [table for table in tables if "chexpert" in table.name] or tables
    if not preferred:
        raise CohortError(f"'{source}' holds no {' or '.join(_LABELS)}; is this MIMIC-CXR-JPG?")
    return preferred[0]


def _row(image: TableRow, study: list[TableRow], finding: str, splits: dict[str, str], root: Path) -> LabelRow:
    if len(study) > 1:
        raise CohortError(f"rows {study[0].number} and {study[1].number} of {study[0].table} label one study; keep one of them")
    name, patient = image.text("dicom_id"), image.text("subject_id")
    return LabelRow(
        key=_path(root, patient, image.text("study_id"), name),
        words=report_findings.word(study[0], finding) if study else (),
        patient_id=patient,
        number=image.number,
        official_split=official_split(splits.get(name, "")),
        rows=image.pixels("Rows"),
        cols=image.pixels("Columns"),
        view_position=image.text("ViewPosition"),
        left_out="" if study else _NO_LABEL,
    )


def _path(root: Path, patient: str, study: str, name: str) -> str:
    """``files/p10/p10000032/s50414267/….jpg``, or the same without ``files`` or as DICOM; the first where none exists."""
    folder = f"p{patient[:2]}/p{patient}/s{study}"
    candidates = [f"{top}{folder}/{name}{suffix}" for top in ("files/", "") for suffix in (".jpg", ".png", ".dcm")]
    return next((path for path in candidates if (root / path).is_file()), candidates[0])


def _splits(folder: Path) -> dict[str, str]:
    tables = tables_in(folder, _SPLIT)
    if not tables:
        return {}
    return {row.text("dicom_id"): row.text("split") for row in read_rows(tables[0], ["dicom_id", "split"])[0]}


def _recognises(source: Path) -> bool:
    return bool(tables_in(source, *_LABELS))


LAYOUT = Layout("mimic", "MIMIC-CXR-JPG", _recognises, read)
