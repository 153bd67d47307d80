"""Build a cohort from a label table: apply the rules, open every file once, and report what was seen."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from pneumoscope.cohort.build_report import BuildReport, known_of, warnings_about
from pneumoscope.cohort.case import Case, Cohort
from pneumoscope.cohort.demographics import population_of, require_population, same_age, view_term
from pneumoscope.cohort.errors import CohortError
from pneumoscope.cohort.file_matching import Match, matched, present, some
from pneumoscope.cohort.label_rules import LabelRules, decide
from pneumoscope.cohort.label_table import Labelled, LabelledImage, LabelTable
from pneumoscope.cohort.opened_file import OpenedFile, open_files
from pneumoscope.cohort.patient_ids import PatientIds, as_given
from pneumoscope.cohort.source_names import name_of, source_name
from pneumoscope.ordered_map import cores
from pneumoscope.population import Population
from pneumoscope.radiograph import AcceptancePolicy, Caution
from pneumoscope.radiograph.acceptance import DEFAULT_POLICY
from pneumoscope.radiograph.terms import LATERAL_VIEWS, named_view

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


def build(
    table: LabelTable,
    rules: LabelRules = LabelRules(),
    *,
    patient_ids: PatientIds | None = None,
    policy: AcceptancePolicy = DEFAULT_POLICY,
    source: str = "",
    population: Population | Literal[""] = "",
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
    source
        Short name of the data set, `Case.source`; by default the name of its folder.
    population
        Population that all images are of, for a set without ages; empty where nothing is known.
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
        are not to be replaced, the table contradicts the headers or the stated population, the source has no usable name, or
        nothing is left.

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
    name = source_name(source) if source else name_of(table.root)
    labelled = decide(table, rules)
    left_out = Counter(labelled.left_out)
    images = [image for image in labelled.images if policy.lateral == "mark" or not _is_lateral(image)]
    left_out["lateral view"] += len(labelled.images) - len(images)
    if not table.files:
        images = present(table, images, left_out, skip_unmatched=skip_unmatched)
    if patient_ids is None and any(not image.patient_id for image in images):
        raise CohortError(
            "the patients are read from DICOM headers, and their identifiers must not enter the table: give --patient-key FILE "
            "(keyed hash) or --patient-map FILE (random identifiers)"
        )
    paths = table.files or tuple(image.key for image in images)
    files = open_files(table.root, paths, policy, workers=workers or cores(), show_progress=show_progress)
    if table.files:
        matches = matched(table, images, files, left_out, skip_unmatched=skip_unmatched)
    else:
        matches = [Match(image, file) for image, file in zip(images, files, strict=True)]
    cohort = _cohort(table, matches, patient_ids or as_given, left_out)
    require_population((case.age_years for case in cohort.cases), population)
    cohort = replace(cohort, cases=tuple(_of_source(case, name, population) for case in cohort.cases))
    return Built(cohort, _report(table, labelled, cohort, left_out))


def _is_lateral(image: LabelledImage) -> bool:
    return image.view_position.upper() in _LATERAL_WORDS or bool(named_view(image.view_position))


def _cohort(table: LabelTable, matches: Sequence[Match], patient_ids: PatientIds, left_out: Counter[str]) -> Cohort:
    readable = [(match.image, match.file) for match in matches if match.image and not match.file.error]
    unreadable = tuple(f"{match.file.path}: {match.file.error}" for match in matches if match.file.error)
    if not readable:
        raise CohortError(_nothing(table.root, unreadable, left_out))
    nobody = [file.path for image, file in readable if not (image.patient_id or file.patient_id)]
    if nobody and not table.patient_per_file:
        raise CohortError(
            f"{len(nobody)} DICOM files have no Patient ID, such as {some(nobody)}, and their rows name no patient; "
            "add the patients to the table, or say --patient-per-file"
        )
    _require_agreement(readable)
    cases = tuple(_case(image, file, patient_ids, table) for image, file in readable)
    return Cohort(table.root, cases, source=table.source, unreadable=unreadable)


def _case(image: LabelledImage, file: OpenedFile, patient_ids: PatientIds, table: LabelTable) -> Case:
    patient = image.patient_id or file.patient_id or f"{_FILE_PATIENT}{file.path}"
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
        age_years=file.age_years if image.age_years is None else image.age_years,
        sex=image.sex or file.sex,
        view_position=view_term(image.view_position) or file.view_position,
    )


def _require_agreement(pairs: Sequence[tuple[LabelledImage, OpenedFile]]) -> None:
    """Refuse a table that contradicts the DICOM headers."""
    differing = {
        "age": sum(not same_age(image.age_years, file.age_years) for image, file in pairs),
        "sex": sum(_differ(image.sex, file.sex) for image, file in pairs),
        "view position": sum(_differ(view_term(image.view_position), file.view_position) for image, file in pairs),
    }
    if what := {name: count for name, count in differing.items() if count}:
        listed = " and ".join(f"the {name} of {count}" for name, count in what.items())
        raise CohortError(
            f"the table contradicts {listed} DICOM files; correct it, or leave its columns out so that the headers decide"
        )


def _differ(first: str, second: str) -> bool:
    return bool(first and second and first != second)


def _of_source(case: Case, source: str, population: Population | Literal[""]) -> Case:
    return replace(case, source=source, population=population_of(case.age_years, population))


def _cautions(image: LabelledImage, file: OpenedFile) -> tuple[Caution, ...]:
    by_table = (Caution.LATERAL,) if _is_lateral(image) and Caution.LATERAL not in file.cautions else ()
    return (*by_table, *(caution for caution in file.cautions if caution is not Caution.SIDE))  # true of every picture


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
        known=known_of(cohort.cases),
        notes=table.notes,
        warnings=warnings_about(cohort.cases),
    )


def _nothing(root: Path, unreadable: Sequence[str], left_out: Counter[str]) -> str:
    if unreadable:
        return f"none of the {len(unreadable)} files below '{root}' could be read, first: {unreadable[0]}"
    reasons = ", ".join(f"{count} {reason}" for reason, count in left_out.items() if count)
    return f"no case is left below '{root}'" + (f" ({reasons})" if reasons else "") + "; choose other rows or rules"
