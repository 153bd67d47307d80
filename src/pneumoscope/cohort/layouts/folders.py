"""A folder per class, with the patient in the file name or in the folder below the class."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

from pneumoscope.cohort.case import SplitName
from pneumoscope.cohort.errors import CohortError, NameGrammarError
from pneumoscope.cohort.label_table import LabelRow, LabelTable, LabelWords
from pneumoscope.cohort.layouts.layout import Layout, LayoutOptions
from pneumoscope.cohort.layouts.tables import image_files, official_split

_EXAMPLES = 5


def read(source: Path, options: LayoutOptions = LayoutOptions()) -> LabelTable:
    """Read a folder per class, with or without ``train``, ``val``, ``test`` above it.

    Without `patient_folder` the class is the folder of the file. With it, the class is the first folder (below the split, where
    there is one) and the patient the folder below the class, however deep the file lies.

    Parameters
    ----------
    source
        The folder.
    options
        `patient_pattern`, `patient_folder` or `patient_per_file` say whose radiograph is whose.

    Returns
    -------
    LabelTable
        One row a file.

    Raises
    ------
    CohortError
        If nothing says whose radiograph is whose.
    NameGrammarError
        If some files name no patient.
    """
    find_patient = _patient_finder(options)
    unknown: list[str] = []
    rows: list[LabelRow] = []
    files, notes = image_files(source)
    for path in files:
        parts = path.split("/")
        split = official_split(parts[0]) if options.patient_folder else _split_above_class(parts)
        label = _class_folder(parts[1:] if split and options.patient_folder else parts, options.patient_folder)
        patient = find_patient(path) or (f"file:{path}" if options.patient_per_file else "")
        if not patient:
            unknown.append(path if options.patient_folder else parts[-1])
        rows.append(LabelRow(path, (label,) if label else (), patient, official_split=split))
    if unknown:
        raise NameGrammarError(unknown_patients(unknown))
    return LabelTable(source, tuple(rows), LabelWords(("PNEUMONIA",), ("NORMAL",)), "folder per class", notes)


def unknown_patients(names: Sequence[str]) -> str:
    """Say that file names do not tell the patient.

    Parameters
    ----------
    names
        The names.

    Returns
    -------
    str
        A sentence with their number, some examples and what to do.
    """
    listed = ", ".join(f"'{name}'" for name in names[:_EXAMPLES])
    return (
        f"{len(names)} file names do not say which patient they belong to, such as {listed}; "
        "rename them, or say --patient-per-file if every file is a patient of its own"
    )


def _split_above_class(parts: Sequence[str]) -> SplitName | Literal[""]:
    return official_split(parts[-3]) if len(parts) > 2 else ""


def _class_folder(parts: Sequence[str], patient_folder: bool) -> str:
    if patient_folder:
        return parts[0] if len(parts) > 1 else ""
    return parts[-2] if len(parts) > 1 else ""


def _patient_finder(options: LayoutOptions) -> Callable[[str], str]:
    """A function from the path of a file to its patient, empty where the path names none."""
    if options.patient_folder:
        return _patient_by_folder
    if not options.patient_pattern:
        if not options.patient_per_file:
            raise CohortError(
                "whose radiograph is whose? give --patient-pattern '(?P<patient>…)', --patient-folder or --patient-per-file"
            )
        return lambda _: ""
    return _patient_by_pattern(options.patient_pattern)


def _patient_by_folder(path: str) -> str:
    parts = path.split("/")
    below_split = parts[1:] if official_split(parts[0]) else parts
    return "/".join(below_split[1:2]) if len(below_split) > 2 else ""


def _patient_by_pattern(pattern: str) -> Callable[[str], str]:
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise CohortError(f"--patient-pattern '{pattern}' is no regular expression: {error}") from error
    if "patient" not in compiled.groupindex:
        raise CohortError(f"--patient-pattern '{pattern}' has no group named patient: write (?P<patient>…)")

    def matched(path: str) -> str:
        match = compiled.match(Path(path).stem)
        return match["patient"] or "" if match else ""

    return matched


def _recognises(source: Path) -> bool:
    return False  # any tree could be meant: the user has to say so


LAYOUT = Layout("folders", "a folder per class", _recognises, read)
