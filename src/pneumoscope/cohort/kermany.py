"""Which patient a file of the Kermany pediatric set belongs to, read from its name.

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
from typing import Literal

from pneumoscope.cohort.errors import NameGrammarError

PatientRule = Literal["person", "person-subtype"]

_NORMAL = re.compile(r"(?P<patient>(?:NORMAL\d+-)?IM-\d{4})-\d{4}(?:-\d{4})?")
_PNEUMONIA = re.compile(r"(?P<patient>person\d+)_(?P<subtype>bacteria|virus)_\d+")
_VERSION_3 = re.compile(r"(?P<patient>(?P<subtype>NORMAL|BACTERIA|VIRUS)-\d+)-\d{4}(?:-\d{4})?")


@dataclass(frozen=True)
class Name:
    """What a file name tells."""

    patient_id: str
    subtype: str


def parse(stem: str, rule: PatientRule = "person") -> Name:
    """Read patient and subtype from a file name without its suffix; NameGrammarError where no form matches."""
    if found := _NORMAL.fullmatch(stem):
        return Name(found["patient"], "normal")
    if found := _PNEUMONIA.fullmatch(stem):
        patient = found["patient"] if rule == "person" else f"{found['patient']}_{found['subtype']}"
        return Name(patient, found["subtype"])
    if found := _VERSION_3.fullmatch(stem):
        return Name(found["patient"], found["subtype"].lower())
    raise NameGrammarError(f"'{stem}' is of no form that Kermany's names have")
