"""The nouns `Case`, `Partition` and `Cohort`."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from pneumoscope.cohort.errors import CohortError
from pneumoscope.population import Population
from pneumoscope.radiograph.terms import Sex

SplitName = Literal["train", "tune", "test"]
SPLITS: tuple[SplitName, ...] = ("train", "tune", "test")


@dataclass(frozen=True)
class Case:
    """One radiograph with its reference standard.

    Parameters
    ----------
    path
        Path below the cohort's root, with forward slashes.
    label
        The label as the source writes it; several are joined by ``|``.
    reference
        1 if the target (pneumonia) is present by the reference standard, else 0.
    patient_id
        The patient: the unit of splits and of statistics.
    subtype
        A finer class where the source has one (bacteria, virus).
    official_split
        The split that the source assigns, empty where it assigns none.
    split
        The split that this cohort was given, empty before ``cohort split``.
    rows, cols
        Native size in pixels (of the original where the source gives it), 0 where unknown.
    file_bytes
        Size of the file in bytes.
    pixel_sha256
        Hash of the decoded grey levels; empty where the file could not be read.
    remarks
        Cautions under which the radiograph was accepted (`radiograph.Caution`), such as an overridden Modality; empty where
        there are none.
    source
        Short name of the data set that the case comes from; empty in tables of earlier versions.
    age_years
        Age of the patient in years; None where unknown.
    sex
        Patient's Sex (DICOM): ``F``, ``M``, ``O`` (other), empty where unknown.
    view_position
        View Position (DICOM): AP, PA, LL, …; empty where unknown.
    population
        ``child`` or ``adult``: by the age, or as stated for the whole data set; empty where unknown.
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
    remarks: str = ""
    source: str = ""
    age_years: float | None = None
    sex: Sex | Literal[""] = ""
    view_position: str = ""
    population: Population | Literal[""] = ""

    @property
    def patient_in_source(self) -> str:
        """Identify the patient within the source: the identifier without the prefix that `cohort.join` adds."""
        return self.patient_id.removeprefix(f"{self.source}:") if self.source else self.patient_id

    @property
    def image(self) -> str:
        """Identify the image: the hash of its grey levels, or its path where there is none."""
        return self.pixel_sha256 or self.path


@dataclass(frozen=True)
class Partition:
    """How the cases of a cohort were divided into train, tune and test.

    Parameters
    ----------
    rule
        The rule in words.
    ratios
        Shares of train, tune and test; None for a split that was given.
    seed
        Seed of the draw; None for a split that was given.
    sha256
        Hash of the result, see `split_sha256`: names the split in cards and reports.
    """

    rule: str
    ratios: tuple[float, float, float] | None
    seed: int | None
    sha256: str


@dataclass(frozen=True)
class Cohort:
    """Cases with the folder that their paths start from.

    Parameters
    ----------
    root
        The folder.
    cases
        The cases.
    target
        What `Case.reference` is about.
    source
        Name of the data set.
    partition
        How the cases were split; None before ``cohort split``.
    unreadable
        Path and reason of each file that could not be read or was refused.
    """

    root: Path
    cases: tuple[Case, ...]
    target: str = "pneumonia"
    source: str = ""
    partition: Partition | None = None
    unreadable: tuple[str, ...] = field(default=())

    def on(self, split: str) -> tuple[Case, ...]:
        """Select the cases of one split.

        Parameters
        ----------
        split
            ``train``, ``tune`` or ``test``.

        Returns
        -------
        tuple of Case
            The cases, at least one.

        Raises
        ------
        CohortError
            If there is no such split, the cohort has no split yet, or this one is empty.
        """
        if split not in SPLITS:
            raise CohortError(f"a cohort is split into {', '.join(SPLITS)}; '{split}' is none of them")
        if self.partition is None:
            raise CohortError("the cohort has no split yet: run  pneumoscope cohort split  first")
        cases = tuple(case for case in self.cases if case.split == split)
        if not cases:
            raise CohortError(f"there is no case in the {split} split; split again with other ratios")
        return cases

    def file(self, case: Case) -> Path:
        """Locate the file of a case.

        Parameters
        ----------
        case
            A case of this cohort.

        Returns
        -------
        Path
            The root and the path of the case.
        """
        return self.root / case.path


def positives_by_rule(cases: Iterable[Case], count: int) -> list[Case]:
    """Choose cases with the target by a rule, never by hand.

    Parameters
    ----------
    cases
        The cases to choose from.
    count
        The largest number of cases.

    Returns
    -------
    list of Case
        The first positive cases in the order of SHA-256 of `Case.image`.
    """
    positive = [case for case in cases if case.reference]
    return sorted(positive, key=lambda c: hashlib.sha256(c.image.encode()).hexdigest())[:count]


def split_sha256(cases: Iterable[Case]) -> str:
    """Hash a split: patient, image, reference and split of every case, in any order of the cases.

    Parameters
    ----------
    cases
        The cases with their split.

    Returns
    -------
    str
        64 hexadecimal digits.
    """
    lines = sorted(f"{c.patient_id}\t{c.image}\t{c.reference}\t{c.split}" for c in cases)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def both_classes(cases: Iterable[Case], what: str) -> None:
    """Require positive and negative cases: there is no ROC curve for one class.

    Parameters
    ----------
    cases
        The cases.
    what
        What they are, for the error.

    Raises
    ------
    CohortError
        If one class is missing.
    """
    references = {case.reference for case in cases}
    if references != {0, 1}:
        only = "positive" if references == {1} else "negative"
        raise CohortError(f"{what} has {only} cases only; both classes are needed, so split or choose cases again")
