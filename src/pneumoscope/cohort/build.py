"""Build a cohort from a label table: apply the rules, open every file once, and report what was seen."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from pneumoscope import radiograph
from pneumoscope.cohort.build_report import BuildReport, warnings_about
from pneumoscope.cohort.case import Case, Cohort
from pneumoscope.cohort.errors import CohortError
from pneumoscope.cohort.label_rules import LabelRules, decide
from pneumoscope.cohort.label_table import Labelled, LabelledImage, LabelTable
from pneumoscope.cohort.patient_ids import PatientIds, as_given
from pneumoscope.ordered_map import cores, ordered_map
from pneumoscope.radiograph import AcceptancePolicy, Caution, Radiograph, review
from pneumoscope.radiograph.acceptance import DEFAULT_POLICY
from pneumoscope.radiograph.terms import LATERAL_VIEWS, named_view

_EXAMPLES = 5
_FILE_PATIENT = "file:"
_LATERAL_WORDS = LATERAL_VIEWS | {"L", "SWIMMERS"}
"""View Positions, and what PadChest and MIMIC-CXR write, for lateral and oblique views."""


@dataclass(frozen=True)
class Built:
    """A cohort and what was seen when it was built.

    Parameters
    ----------
    cohort
        The cohort.
    report
        Counts, notes and warnings.
    """

    cohort: Cohort
    report: BuildReport


@dataclass(frozen=True)
class _File:
    """Facts of a file that was opened, without its pixels."""

    path: str
    rows: int = 0
    cols: int = 0
    file_bytes: int = 0
    pixel_sha256: str = ""
    patient_id: str = ""
    sop_instance_uid: str = ""
    cautions: tuple[Caution, ...] = ()
    error: str = ""


def build(
    table: LabelTable,
    rules: LabelRules = LabelRules(),
    *,
    patient_ids: PatientIds | None = None,
    policy: AcceptancePolicy = DEFAULT_POLICY,
    skip_unmatched: bool = False,
    workers: int | None = None,
    show_progress: bool = False,
) -> Built:
    """Build a cohort from a label table.

    The labels are decided before any file is opened; then every file is opened once, several at a time, for its size, its native
    shape and the hash of its grey levels. A file that cannot be read, or that `policy` refuses, is listed in
    `Cohort.unreadable`; what the policy accepts with a caution has it in `Case.remarks`.

    Parameters
    ----------
    table
        The rows of a source, as a layout reads them.
    rules
        Meaning of words, and what to do where rows disagree.
    patient_ids
        Replacement of patient identifiers; obligatory where they come from DICOM headers.
    policy
        Which radiographs are refused or accepted with a caution, as when a model reads them. A view that the table calls
        lateral counts like one that the header calls so.
    skip_unmatched
        Whether rows without a file, and files without a row, are left out and counted instead of being an error.
    workers
        Number of threads; by default the number of processor cores.
    show_progress
        Whether a progress bar is shown.

    Returns
    -------
    Built
        The cohort and the report.

    Raises
    ------
    CohortError
        If a rule is missing (see `decide`), a file is missing, a DICOM file has no row or no patient, patients of DICOM headers
        are not to be replaced, or nothing is left.

    Examples
    --------
    >>> from pneumoscope.cohort.layouts import kermany
    >>> from pneumoscope.cohort.sample import sample
    >>> with sample() as shipped:
    ...     built = build(kermany.read(shipped.root))
    >>> print(built.report.summary)
    16 images of 15 patients, 8 positive
    >>> {case.reference for case in built.cohort.cases if case.label == "NORMAL"}
    {0}
    """
    labelled = decide(table, rules)
    left_out = Counter(labelled.left_out)
    frontal = [image for image in labelled.images if policy.lateral == "mark" or not _is_lateral(image)]
    left_out["lateral view"] += len(labelled.images) - len(frontal)
    images = _present(table, frontal, left_out, skip_unmatched=skip_unmatched)
    if patient_ids is None and any(not image.patient_id for image in images.values()):
        raise CohortError(
            "the patients are read from DICOM headers, and their identifiers must not enter the table: give --patient-key FILE "
            "(keyed hash) or --patient-map FILE (random identifiers)"
        )
    files = _opened(table, list(images), policy, workers or cores(), show_progress)
    if table.files:
        files = _matched(table, images, files, left_out, skip_unmatched=skip_unmatched)
    readable = [file for file in files if not file.error]
    if not readable:
        raise CohortError(_nothing(table.root, files, left_out))
    _require_patients(readable, images)
    cases = tuple(_case(images[file.path], file, patient_ids or as_given, table) for file in readable)
    unreadable = tuple(f"{file.path}: {file.error}" for file in files if file.error)
    cohort = Cohort(table.root, cases, source=table.source, unreadable=unreadable)
    return Built(cohort, _report(table, labelled, cohort, left_out))


def _present(
    table: LabelTable, images: Sequence[LabelledImage], left_out: Counter[str], *, skip_unmatched: bool
) -> dict[str, LabelledImage]:
    """The images by key; of a table that is keyed by path, those whose file exists."""
    if table.files:
        return {image.key: image for image in images}
    missing = {image.key for image in images if not (table.root / image.key).is_file()}
    if missing and not skip_unmatched:
        numbers = [str(row.number) for row in table.rows if row.key in missing]
        raise CohortError(
            f"{len(missing)} images of the table are not below '{table.root}' (row {', '.join(numbers[:_EXAMPLES])}"
            f"{', …' if len(numbers) > _EXAMPLES else ''}); give --root, or --skip-unmatched to leave them out"
        )
    left_out["file is missing"] += len(missing)
    return {image.key: image for image in images if image.key not in missing}


def _is_lateral(image: LabelledImage) -> bool:
    return image.view_position.upper() in _LATERAL_WORDS or bool(named_view(image.view_position))


def _opened(table: LabelTable, keys: list[str], policy: AcceptancePolicy, workers: int, show_progress: bool) -> list[_File]:
    paths = list(table.files) or keys

    def open_(path: str) -> _File:
        return _open(table.root, path, policy)

    results: Iterator[_File] = ordered_map(open_, paths, workers)
    return list(tqdm(results, desc="reading", unit="file", total=len(paths), disable=None if show_progress else True))


def _open(root: Path, path: str, policy: AcceptancePolicy) -> _File:
    try:
        image = radiograph.read(root / path)
        cautions = review(image, policy)
    except radiograph.RadiographError as error:
        return _File(path, error=str(error))
    except OSError as error:
        return _File(path, error=f"{(error.strerror or 'the file cannot be opened').lower()}; check the path and its permissions")
    return _File(
        path=path,
        rows=image.rows,
        cols=image.cols,
        file_bytes=(root / path).stat().st_size,
        pixel_sha256=pixel_sha256(image),
        patient_id=image.identity.patient_id,
        sop_instance_uid=image.identity.sop_instance_uid,
        cautions=cautions,
    )


def pixel_sha256(image: Radiograph) -> str:
    """Hash the grey levels of a radiograph.

    Parameters
    ----------
    image
        The radiograph.

    Returns
    -------
    str
        SHA-256 of the float32 grey levels in row order, followed by the shape as text: 64 hexadecimal digits.
    """
    return hashlib.sha256(image.pixels.tobytes() + str(image.pixels.shape).encode()).hexdigest()


def _matched(
    table: LabelTable,
    images: dict[str, LabelledImage],
    files: Iterable[_File],
    left_out: Counter[str],
    *,
    skip_unmatched: bool,
) -> list[_File]:
    """The files that a row describes, by SOP Instance UID or by path; `images` gets the path of each as a key."""
    known = {row.key for row in table.rows}
    described: list[_File] = []
    unlabelled: list[str] = []
    seen: set[str] = set()
    for file in files:
        key = file.sop_instance_uid if file.sop_instance_uid in known else file.path
        if file.error:
            described.append(file)
        elif key not in known:
            unlabelled.append(file.path)
        elif key in seen:
            left_out["SOP Instance UID of another file"] += 1
        elif key in images:
            seen.add(key)
            images[file.path] = images[key]
            described.append(file)
    if unlabelled and not skip_unmatched:
        raise CohortError(
            f"{len(unlabelled)} DICOM files have no row by SOP Instance UID or path, such as {_some(unlabelled)}; "
            "add their rows, or say --skip-unmatched to leave them out"
        )
    left_out["file has no row"] += len(unlabelled)
    left_out["row has no file"] += sum(image.key not in seen for image in {id(i): i for i in images.values()}.values())
    return described


def _require_patients(files: Sequence[_File], images: Mapping[str, LabelledImage]) -> None:
    nobody = [file.path for file in files if not file.patient_id and not images[file.path].patient_id]
    if nobody:
        raise CohortError(
            f"{len(nobody)} DICOM files have no Patient ID, such as {_some(nobody)}, and their rows name no patient; "
            "add the patients to the table"
        )


def _case(image: LabelledImage, file: _File, patient_ids: PatientIds, table: LabelTable) -> Case:
    patient = image.patient_id or file.patient_id
    return Case(
        path=file.path,
        label=image.label,
        reference=image.reference,
        patient_id=patient if patient.startswith(_FILE_PATIENT) else patient_ids(patient),
        subtype=image.subtype,
        official_split=image.official_split,
        rows=file.rows if table.sizes_from_files else image.rows,
        cols=file.cols if table.sizes_from_files else image.cols,
        file_bytes=file.file_bytes,
        pixel_sha256=file.pixel_sha256,
        remarks="; ".join(_cautions(image, file)),
    )


def _cautions(image: LabelledImage, file: _File) -> tuple[Caution, ...]:
    by_table = (Caution.LATERAL,) if _is_lateral(image) and Caution.LATERAL not in file.cautions else ()
    return (*by_table, *file.cautions)


def _report(table: LabelTable, labelled: Labelled, cohort: Cohort, left_out: Counter[str]) -> BuildReport:
    reasons = +left_out
    if table.filtered_out:
        reasons["row not chosen by --only"] = table.filtered_out
    if cohort.unreadable:
        reasons["file not read"] = len(cohort.unreadable)
    return BuildReport(
        source=table.source,
        n_rows=len(table.rows) + table.filtered_out,
        n_images=len(cohort.cases),
        n_patients=len({case.patient_id for case in cohort.cases}),
        n_positive=sum(case.reference for case in cohort.cases),
        words=labelled.words,
        official_splits=dict(Counter(case.official_split for case in cohort.cases if case.official_split)),
        n_joined=labelled.n_joined,
        n_disagreeing=labelled.n_disagreeing,
        left_out=dict(reasons),
        remarks=dict(Counter(case.remarks for case in cohort.cases if case.remarks)),
        notes=table.notes,
        warnings=warnings_about(cohort.cases),
    )


def _nothing(root: Path, files: Sequence[_File], left_out: Counter[str]) -> str:
    if files:
        return f"none of the {len(files)} files below '{root}' could be read, first: {files[0].path}: {files[0].error}"
    reasons = ", ".join(f"{count} {reason}" for reason, count in left_out.items() if count)
    return f"no case is left below '{root}'" + (f" ({reasons})" if reasons else "") + "; choose other rows or rules"


def _some(names: Sequence[str]) -> str:
    return ", ".join(f"'{name}'" for name in names[:_EXAMPLES])
