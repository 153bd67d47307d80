"""SIIM-FISABIO-RSNA COVID-19 Detection 2021: four columns by study, and a table of its images (Lakhani et al. 2023)."""

from pathlib import Path

from pneumoscope.cohort.errors import CohortError
from pneumoscope.cohort.label_table import LabelRow, LabelTable, LabelWords
from pneumoscope.cohort.layouts.layout import Layout, LayoutOptions
from pneumoscope.cohort.layouts.tables import Files, TableRow, flagged, one_table, read_rows, root_of, rows_by_key, tables_in

_STUDIES, _IMAGES = "train_study_level.csv", "train_image_level.csv"
_STUDY = "StudyInstanceUID"
_NEGATIVE = "Negative for Pneumonia"
_POSITIVE = ("Typical Appearance", "Indeterminate Appearance", "Atypical Appearance")


def read(source: Path, options: LayoutOptions = LayoutOptions()) -> LabelTable:
    """Read both tables; the patient is that of the DICOM header.

    The three appearances are positive: the study was read as a pneumonia, typical, indeterminate or atypical of COVID-19.

    Parameters
    ----------
    source
        The folder of the challenge.
    options
        `root`, `only` (on the table of images) and `patient_per_file` are used.

    Returns
    -------
    LabelTable
        One row an image of the table of images, with the label of its study.

    Raises
    ------
    CohortError
        If a table is missing or of another form, or an image belongs to no study of the other table.
    """
    studies_table = one_table(source, "the SIIM COVID-19 challenge", _STUDIES)
    studies = rows_by_key(read_rows(studies_table, ["id", _NEGATIVE, *_POSITIVE])[0], "id")
    images, filtered_out = read_rows(one_table(source, "the SIIM COVID-19 challenge", _IMAGES), ["id", _STUDY], options.only)
    files = Files(root_of(source, options.root))
    return LabelTable(
        root=files.root,
        rows=tuple(_row(image, studies, files) for image in images),
        words=LabelWords(_POSITIVE, (_NEGATIVE,)),
        source="SIIM-FISABIO-RSNA COVID-19 Detection",
        notes=_notes(images),
        filtered_out=filtered_out,
        patient_per_file=options.patient_per_file,
    )


def _row(image: TableRow, studies: dict[str, list[TableRow]], files: Files) -> LabelRow:
    study = studies.get(f"{image.text(_STUDY)}_study", [])
    if len(study) != 1:
        raise CohortError(
            f"row {image.number} of {image.table} belongs to {len(study)} studies of {_STUDIES}; correct the tables"
        )
    words = flagged(study[0], (_NEGATIVE, *_POSITIVE))
    if len(words) != 1:
        raise CohortError(f"row {study[0].number} of {study[0].table} has {len(words)} labels instead of one; correct the table")
    return LabelRow(files.named(image.text("id").removesuffix("_image")), words, number=image.number)


def _notes(images: list[TableRow]) -> tuple[str, ...]:
    several = sum(len(rows) > 1 for rows in rows_by_key(images, _STUDY).values())
    if not several:
        return ()
    return (
        f"{several} studies have more than one image: each image has the label of its study, which may rest on another image",
    )


def _recognises(source: Path) -> bool:
    return source.is_dir() and bool(tables_in(source, _STUDIES))


LAYOUT = Layout("siim-covid", "SIIM-FISABIO-RSNA COVID-19 Detection", _recognises, read)
