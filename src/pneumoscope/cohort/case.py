"""The nouns `Case`, `Partition` and `Cohort`."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from pneumoscope.cohort.errors import CohortError

SplitName = Literal["train", "tune", "test"]
SPLITS: tuple[SplitName, ...] = ("train", "tune", "test")


@dataclass(frozen=True)
class Case:
    """One radiograph with its reference standard.

    Attributes
    ----------
    path: relative to the cohort's root, with forward slashes.
    label: as the source wrote it.
    reference: 1 where the target (pneumonia) is present by the reference standard, else 0.
    patient_id: the unit of splits and of statistics.
    subtype: a finer class where the source has one (bacteria, virus).
    official_split: the side that the source's own split gives, empty where it has none.
    split: the side of the split that this cohort was given, empty before `cohort split`.
    rows, cols: native size in pixels (of the original where the source tells it), 0 where unknown.
    file_bytes: size of the file.
    pixel_sha256: hash of the decoded grey levels; empty where the file could not be read.
    """

    path: str
    label: str
    reference: int
    patient_id: str
    subtype: str = ""
    official_split: SplitName | Literal[""] = ""
    split: SplitName | Literal[""] = ""
    rows: int = 0
    cols: int = 0
    file_bytes: int = 0
    pixel_sha256: str = ""

    @property
    def image(self) -> str:
        """What two cases of one image have in common: the hash of the grey levels, or the path where there is none."""
        return self.pixel_sha256 or self.path


@dataclass(frozen=True)
class Partition:
    """How the sides of a cohort were drawn; `sha256` names the result and travels in cards and reports."""

    rule: str
    ratios: tuple[float, float, float] | None
    seed: int | None
    sha256: str


@dataclass(frozen=True)
class Cohort:
    """Cases with the folder that their paths start from."""

    root: Path
    cases: tuple[Case, ...]
    target: str = "pneumonia"
    source: str = ""
    partition: Partition | None = None
    unreadable: tuple[str, ...] = field(default=())

    def on(self, side: str) -> tuple[Case, ...]:
        """The cases of one side; CohortError where the cohort is not split or the side is empty."""
        if side not in SPLITS:
            raise CohortError(f"a split has the sides {', '.join(SPLITS)}; '{side}' is none of them")
        if self.partition is None:
            raise CohortError("the cohort has no split yet: run  pneumoscope cohort split  first")
        cases = tuple(case for case in self.cases if case.split == side)
        if not cases:
            raise CohortError(f"the split has no case on the {side} side; split again with other ratios")
        return cases

    def file(self, case: Case) -> Path:
        return self.root / case.path


def positives_by_rule(cases: Iterable[Case], count: int) -> list[Case]:
    """So many cases with the target, in the order of a hash of the image: by rule, never by hand."""
    positive = [case for case in cases if case.reference]
    return sorted(positive, key=lambda c: hashlib.sha256(c.image.encode()).hexdigest())[:count]


def split_sha256(cases: Iterable[Case]) -> str:
    """Hash of who is where: patient, image, reference and side of every case, in an order of its own."""
    lines = sorted(f"{c.patient_id}\t{c.image}\t{c.reference}\t{c.split}" for c in cases)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def both_classes(cases: Iterable[Case], what: str) -> None:
    """CohortError unless the cases hold both classes: no ROC curve exists for one."""
    found = {case.reference for case in cases}
    if found != {0, 1}:
        only = "positive" if found == {1} else "negative"
        raise CohortError(f"{what} has {only} cases only; both classes are needed, so split or choose cases again")
