"""The Kermany pediatric set: a folder per class, and file names that say which patient a file belongs to.

The two releases of the set (Mendeley rscbjbr9sj, version 2, which Kaggle copied, and version 3) name their files so:

================================  ==========================  =======================
name                              form                        patient
================================  ==========================  =======================
``IM-0115-0001.jpeg``             normal                      ``IM-0115``
``IM-0429-0001-0002.jpeg``        normal, second exposure     ``IM-0429``
``NORMAL2-IM-1427-0001.jpeg``     normal, second series       ``NORMAL2-IM-1427``
``NORMAL2-IM-0173-0001-0002``     the same, second exposure   ``NORMAL2-IM-0173``
``person1_bacteria_2.jpeg``       pneumonia                   ``person1`` (see below)
``person1_virus_6.jpeg``          pneumonia                   ``person1`` (see below)
``NORMAL-115218-0001.jpeg``       version 3                   ``NORMAL-115218``
``BACTERIA-7422-0001.jpeg``       version 3                   ``BACTERIA-7422``
``VIRUS-100398-0001.jpeg``        version 3                   ``VIRUS-100398``
================================  ==========================  =======================

``IM-0173`` and ``NORMAL2-IM-0173`` are two patients. Numbers of ``personN`` occur with both bacteria and virus, and the
numbering looks separate for each. Two rules are offered: ``person`` (default, the published protocol's) takes ``personN``
as one patient whatever the germ, so that no split can leak under either reading; ``person-subtype`` takes
(``personN``, germ) as the patient.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from pneumoscope.cohort.errors import CohortError, NameGrammarError
from pneumoscope.cohort.label_table import LabelRow, LabelTable, LabelWords
from pneumoscope.cohort.layouts.folders import unknown_patients
from pneumoscope.cohort.layouts.layout import Layout, LayoutOptions, PatientRule
from pneumoscope.cohort.layouts.tables import image_files, official_split

_NORMAL = re.compile(r"(?P<patient>(?:NORMAL\d+-)?IM-\d{4})-\d{4}(?:-\d{4})?")
_PNEUMONIA = re.compile(r"(?P<patient>person\d+)_(?P<subtype>bacteria|virus)_\d+")
_VERSION_3 = re.compile(r"(?P<patient>(?P<subtype>NORMAL|BACTERIA|VIRUS)-\d+)-\d{4}(?:-\d{4})?")


@dataclass(frozen=True)
class Name:
    """What a file name says.

    Parameters
    ----------
    patient_id
        The patient.
    subtype
        ``normal``, ``bacteria`` or ``virus``.
    """

    patient_id: str
    subtype: str


def parse(stem: str, rule: PatientRule = "person") -> Name:
    """Read patient and subtype from a file name.

    Parameters
    ----------
    stem
        The name without its suffix.
    rule
        Whether bacterial and viral files of one person number are one patient.

    Returns
    -------
    Name
        Patient and subtype.

    Raises
    ------
    NameGrammarError
        If the name is of no form that the set has.

    Examples
    --------
    >>> parse("person1_virus_6")
    Name(patient_id='person1', subtype='virus')
    >>> parse("person1_virus_6", "person-subtype").patient_id
    'person1_virus'
    """
    if match := _NORMAL.fullmatch(stem):
        return Name(match["patient"], "normal")
    if match := _PNEUMONIA.fullmatch(stem):
        patient = match["patient"] if rule == "person" else f"{match['patient']}_{match['subtype']}"
        return Name(patient, match["subtype"])
    if match := _VERSION_3.fullmatch(stem):
        return Name(match["patient"], match["subtype"].lower())
    raise NameGrammarError(f"'{stem}' is of no form that Kermany's names have")


def read(source: Path, options: LayoutOptions = LayoutOptions()) -> LabelTable:
    """Read the tree as published, ``{train,val,test}/{NORMAL,PNEUMONIA}/…``, or merged, ``{NORMAL,PNEUMONIA}/…``.

    Parameters
    ----------
    source
        The folder.
    options
        `patient_rule` and `patient_per_file` are used.

    Returns
    -------
    LabelTable
        One row a file.

    Raises
    ------
    CohortError
        If a file lies in no class folder.
    NameGrammarError
        If names are of no known form and `patient_per_file` is not given.
    """
    unknown: list[str] = []
    files, notes = image_files(source)
    rows = [_row(path, options.patient_rule, unknown) for path in files]
    if unknown and not options.patient_per_file:
        raise NameGrammarError(unknown_patients(unknown))
    return LabelTable(
        root=source,
        rows=tuple(rows),
        words=LabelWords(("PNEUMONIA",), ("NORMAL",)),
        source=f"Kermany tree, patient rule {options.patient_rule}",
        notes=notes,
    )


def _row(path: str, rule: PatientRule, unknown: list[str]) -> LabelRow:
    parts = path.split("/")
    label = parts[-2].upper() if len(parts) > 1 else ""
    if label not in ("NORMAL", "PNEUMONIA"):
        raise CohortError(f"'{path}' lies in no NORMAL or PNEUMONIA folder; is this the Kermany tree?")
    try:
        name = parse(Path(parts[-1]).stem, rule)
    except NameGrammarError:
        unknown.append(parts[-1])
        name = Name(f"file:{path}", "")
    official = official_split(parts[-3]) if len(parts) > 2 else ""
    return LabelRow(path, (label,), name.patient_id, subtype=name.subtype, official_split=official)


def _recognises(source: Path) -> bool:
    return any(
        (source / folder / "NORMAL").is_dir() and (source / folder / "PNEUMONIA").is_dir() for folder in ("", "train", "test")
    )


LAYOUT = Layout("kermany", "Kermany pediatric set", _recognises, read)
