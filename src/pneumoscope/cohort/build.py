"""Build a cohort from what lies on disk: a Kermany tree, a folder per class, a CSV, or DICOM files with a CSV."""

import csv
import hashlib
import re
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from tqdm import tqdm

from pneumoscope import radiograph
from pneumoscope.cohort import kermany
from pneumoscope.cohort.case import SPLITS, Case, Cohort, SplitName
from pneumoscope.cohort.errors import CohortError, NameGrammarError
from pneumoscope.radiograph.files import below

_OFFICIAL: Mapping[str, SplitName] = {"train": "train", "val": "tune", "valid": "tune", "tune": "tune", "test": "test"}
_EXAMPLES = 5


@dataclass(frozen=True)
class Columns:
    """Which columns of a CSV hold what; a name left at its default may be absent unless it is path, label or patient."""

    path: str = "path"
    label: str = "label"
    patient: str = "patient_id"
    subtype: str = "subtype"
    official: str = "official_split"
    rows: str = "orig_height"  # of the original, where the files are resized copies; blank where unknown
    cols: str = "orig_width"


def from_kermany(
    root: Path, *, rule: kermany.PatientRule = "person", patient_per_file: bool = False, show_progress: bool = False
) -> Cohort:
    """The Kermany tree: ``{train,val,test}/{NORMAL,PNEUMONIA}/…`` as published, or merged ``{NORMAL,PNEUMONIA}/…``."""
    files = _image_files(root)
    bad: list[str] = []
    cases: list[Case] = []
    for file in files:
        parts = file.relative_to(root).parts
        label = file.parent.name.upper()
        if label not in ("NORMAL", "PNEUMONIA"):
            raise CohortError(f"'{'/'.join(parts)}' lies in no NORMAL or PNEUMONIA folder; is this the Kermany tree?")
        try:
            name = kermany.parse(file.stem, rule)
        except NameGrammarError:
            bad.append(file.name)
            name = kermany.Name(f"file:{'/'.join(parts)}", "")
        official = _OFFICIAL.get(parts[-3].lower(), "") if len(parts) >= 3 else ""
        cases.append(_case(root, file, label, ("PNEUMONIA",), name.patient_id, name.subtype, official))
    if bad and not patient_per_file:
        raise NameGrammarError(_bad_names(bad))
    return _finish(root, cases, f"Kermany tree, patient rule {rule}", show_progress)


def from_folders(
    root: Path,
    *,
    positive: Sequence[str],
    patient_pattern: str = "",
    patient_per_file: bool = False,
    show_progress: bool = False,
) -> Cohort:
    """A folder per class, with or without ``train``, ``val``, ``test`` above it.

    `patient_pattern` is a regular expression with a group named ``patient``, matched at the start of each file name;
    without one, `patient_per_file` must say that every file is a patient of its own.
    """
    matcher = _patient_matcher(patient_pattern, patient_per_file)
    bad: list[str] = []
    cases: list[Case] = []
    for file in _image_files(root):
        parts = file.relative_to(root).parts
        patient = matcher(file.stem) or (f"file:{'/'.join(parts)}" if patient_per_file else "")
        if not patient:
            bad.append(file.name)
        official = _OFFICIAL.get(parts[-3].lower(), "") if len(parts) >= 3 else ""
        cases.append(_case(root, file, file.parent.name, positive, patient, "", official))
    if bad:
        raise NameGrammarError(_bad_names(bad))
    return _finish(root, cases, "folder per class", show_progress)


def from_csv(
    table: Path,
    *,
    root: Path | None = None,
    positive: Sequence[str] = ("PNEUMONIA",),
    columns: Columns = Columns(),
    only: Mapping[str, Container[str]] = MappingProxyType({}),
    patient_per_file: bool = False,
    show_progress: bool = False,
) -> Cohort:
    """A CSV with path, label and patient columns; paths are relative to `root` (the CSV's own folder by default).

    `only` names values that a column must have for a row to be taken.
    """
    root = table.parent if root is None else root
    required = [columns.path, columns.label, *only] + ([] if patient_per_file else [columns.patient])
    cases, sizes_given = [], False
    for number, row in enumerate(_rows(table, required), start=2):
        if any(row[column] not in values for column, values in only.items()):
            continue
        sizes_given = columns.rows in row and columns.cols in row
        file = root / (row[columns.path] or "")
        if not file.is_file():
            raise CohortError(f"line {number} of {table.name} names '{row[columns.path]}', which is not below {root}")
        patient = row.get(columns.patient) or (f"file:{row[columns.path]}" if patient_per_file else "")
        if not patient:
            raise CohortError(f"line {number} of {table.name} has no {columns.patient}; fill it or say --patient-per-file")
        official = _OFFICIAL.get((row.get(columns.official) or "").lower(), "")
        case = _case(root, file, row[columns.label], positive, patient, row.get(columns.subtype) or "", official)
        cases.append(replace(case, rows=_number(row, columns.rows), cols=_number(row, columns.cols)))
    return _finish(root, cases, "CSV", show_progress, sizes_from_files=not sizes_given)


def from_dicom(
    root: Path,
    labels: Path,
    *,
    positive: Sequence[str] = ("PNEUMONIA",),
    columns: Columns = Columns(path="sop_instance_uid"),
    show_progress: bool = False,
) -> Cohort:
    """A tree of DICOM files with a label CSV keyed by SOP Instance UID or by path; the patient is DICOM's Patient ID.

    Patient IDs are stored as a hash, so that a cohort table may be handed on.
    """
    key = columns.path
    rows = {row[key]: row for row in _rows(labels, [key, columns.label])}
    cases: list[Case] = []
    unlabelled: list[str] = []
    unreadable: list[str] = []
    for file in _image_files(root):
        relative = file.relative_to(root).as_posix()
        try:
            identity = radiograph.read(file).identity
        except radiograph.RadiographError as error:
            unreadable.append(f"{relative}: {error}")
            continue
        row = rows.get(identity.sop_instance_uid) or rows.get(relative)
        if row is None:
            unlabelled.append(relative)
            continue
        patient = row.get(columns.patient) or hashlib.sha256(identity.patient_id.encode()).hexdigest()[:16]
        if not row.get(columns.patient) and not identity.patient_id:
            raise CohortError(f"'{relative}' has no Patient ID and {labels.name} has no {columns.patient} for it; add it")
        cases.append(_case(root, file, row[columns.label], positive, patient, row.get(columns.subtype) or "", ""))
    if unlabelled:
        raise CohortError(
            f"{len(unlabelled)} DICOM files have no line in {labels.name} by {key} or path, such as {_some(unlabelled)}"
        )
    return replace(_finish(root, cases, "DICOM tree", show_progress), unreadable=tuple(unreadable))


def _patient_matcher(pattern: str, patient_per_file: bool) -> Callable[[str], str]:
    if not pattern:
        if not patient_per_file:
            raise CohortError("whose radiograph is whose? give --patient-pattern '(?P<patient>…)' or --patient-per-file")
        return lambda _: ""
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise CohortError(f"--patient-pattern '{pattern}' is no regular expression: {error}") from error
    if "patient" not in compiled.groupindex:
        raise CohortError(f"--patient-pattern '{pattern}' has no group named patient: write (?P<patient>…)")

    def match(stem: str) -> str:
        found = compiled.match(stem)
        return found["patient"] or "" if found else ""

    return match


def _image_files(root: Path) -> list[Path]:
    if not root.is_dir():
        raise CohortError(f"'{root}' is no folder")
    files = sorted(below(root), key=lambda p: p.relative_to(root).as_posix())
    if not files:
        raise CohortError(f"no DICOM, PNG or JPEG file lies below '{root}'")
    return files


def _rows(table: Path, required: Iterable[str]) -> Iterator[dict[str, str]]:
    try:
        with table.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.DictReader(stream)
            missing = [name for name in required if name not in (reader.fieldnames or ())]
            if missing:
                raise CohortError(
                    f"{table.name} has no column {', '.join(missing)}; its columns are {', '.join(reader.fieldnames or ())}"
                )
            yield from reader
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CohortError(f"{table} could not be read as a CSV: {error}") from error


def _number(row: Mapping[str, str], column: str) -> int:
    text = row.get(column) or "0"
    return int(text) if text.isdigit() else 0


def _case(
    root: Path, file: Path, label: str, positive: Sequence[str], patient: str, subtype: str, official: SplitName | str
) -> Case:
    side: SplitName | Literal[""] = next((known for known in SPLITS if known == official), "")
    path = file.relative_to(root).as_posix() if file.is_relative_to(root) else file.as_posix()
    if not (label or "").strip():
        raise CohortError(f"'{path}' has no label; fill it in the table")
    reference = int(label.strip().lower() in {name.lower() for name in positive})
    return Case(path, label, reference, patient, subtype, side)


def _finish(root: Path, cases: list[Case], source: str, show_progress: bool, *, sizes_from_files: bool = True) -> Cohort:
    """Open every file once: size, native shape, pixel hash; a file that cannot be read stays listed as such.

    Without `sizes_from_files` the cases bring their native shape, or 0 where it is unknown: the files are resized copies.
    """
    if not cases:
        raise CohortError(f"no case was found below '{root}'")
    known: list[Case] = []
    unreadable: list[str] = []
    for case in tqdm(cases, desc="reading", unit="file", disable=None if show_progress else True):
        try:
            image = radiograph.read(root / case.path)
        except radiograph.RadiographError as error:
            unreadable.append(f"{case.path}: {error}")
            continue
        known.append(
            replace(
                case,
                rows=image.rows if sizes_from_files else case.rows,
                cols=image.cols if sizes_from_files else case.cols,
                file_bytes=(root / case.path).stat().st_size,
                pixel_sha256=hashlib.sha256(image.pixels.tobytes() + str(image.pixels.shape).encode()).hexdigest(),
            )
        )
    if not known:
        raise CohortError(f"none of the {len(cases)} files below '{root}' could be read, first: {unreadable[0]}")
    return Cohort(root, tuple(known), source=source, unreadable=tuple(unreadable))


def _bad_names(names: Sequence[str]) -> str:
    return (
        f"{len(names)} file names do not say which patient they belong to, such as {_some(names)}; "
        "rename them, or say --patient-per-file if every file is a patient of its own"
    )


def _some(names: Sequence[str]) -> str:
    return ", ".join(f"'{name}'" for name in names[:_EXAMPLES])
