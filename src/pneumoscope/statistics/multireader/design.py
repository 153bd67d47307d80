"""The design of a reader study, recognized from which readings exist."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from pneumoscope.statistics.multireader.ratings import Bools, ReaderRatings

Counts = NDArray[np.int64]


class Crossing(StrEnum):
    """How readers, cases and modalities are combined."""

    FULLY_CROSSED = "fully crossed"
    SPLIT_PLOT = "split-plot"
    READERS_NESTED = "readers nested in modality"
    CASES_NESTED = "cases nested in modality"
    PARTIALLY_PAIRED = "partially paired"
    CASES_NESTED_IN_READER = "cases nested in reader"
    MISSING = "readings missing"


@dataclass(frozen=True, eq=False)
class Design:
    """Which readings of a study exist.

    Parameters
    ----------
    crossing
        How readers, cases and modalities are combined.
    groups
        Number of groups of readers and cases that share none with another group; 1 unless the design is split-plot.
    shared_readers
        Readers that read in both modalities of a pair; (modalities, modalities).
    shared_nondiseased, shared_diseased
        Cases of the class that were read in both modalities of a pair, by any reader; (modalities, modalities).
    """

    crossing: Crossing
    groups: int
    shared_readers: Counts
    shared_nondiseased: Counts
    shared_diseased: Counts

    def __str__(self) -> str:
        """The design in words, with the number of groups where there are several."""
        return f"{self.crossing}, {self.groups} groups" if self.groups > 1 else str(self.crossing)


def _blocks(read: Bools) -> list[tuple[Bools, Bools]]:
    """Groups of readers and cases connected by readings; `read` has shape (readers, cases)."""
    groups: list[tuple[Bools, Bools]] = []
    left = np.ones(len(read), bool)
    while left.any():
        readers: Bools = np.arange(len(left)) == np.flatnonzero(left)[0]
        while True:
            cases = np.asarray(read[readers].any(0))
            more = np.asarray(read[:, cases].any(1))
            if (more == readers).all():
                break
            readers = more
        groups.append((readers, cases))
        left &= ~readers
    return groups


def _full(read: Bools, readers: Bools, cases: Bools) -> bool:
    return bool(read[:, readers][..., cases].all())


def _disjoint(shared: Counts) -> bool:
    return len(shared) > 1 and not (shared - np.diag(np.diag(shared))).any()


def _crossing(read: Bools, groups: list[tuple[Bools, Bools]], readers: Counts, cases: Counts) -> Crossing:
    full_in_modality = all(_full(one[None], one.any(1), one.any(0)) for one in read)
    if read.all():
        return Crossing.FULLY_CROSSED
    if full_in_modality and _disjoint(readers):
        return Crossing.READERS_NESTED
    if full_in_modality and _disjoint(cases):
        return Crossing.CASES_NESTED
    if full_in_modality:
        return Crossing.PARTIALLY_PAIRED
    if len(groups) == 1 or not all(_full(read, *group) for group in groups):
        return Crossing.MISSING
    return Crossing.CASES_NESTED_IN_READER if len(groups) == read.shape[1] else Crossing.SPLIT_PLOT


def design(ratings: ReaderRatings) -> Design:
    """Recognize the design of a study from which readings exist.

    Parameters
    ----------
    ratings
        The readings.

    Returns
    -------
    Design
        Fully crossed: every reader read every case in every modality. Nested readers (cases): no reader (case) occurs in two
        modalities, and each modality is complete in itself. Partially paired: each modality is complete in itself, and some
        modalities have readers or cases that others lack. Split-plot: groups of readers and cases, each fully crossed. Else
        readings are missing.

    References
    ----------
    Obuchowski 2009, Academic Radiology 16:209 (split-plot); Gallas & Brown 2008, Neural Networks 21:387 (any design).

    Examples
    --------
    >>> cube = np.array([[[1.0, 2.0, np.nan, np.nan], [np.nan, np.nan, 1.0, 2.0]]])
    >>> print(design(ReaderRatings(cube, np.array([False, True] * 2), ("CR",), ("r1", "r2"), (1, 2, 3, 4))))
    cases nested in reader, 2 groups
    """
    read = ratings.read
    by_reader, by_case = np.any(read, 2).astype(np.int64), np.any(read, 1).astype(np.int64)
    shared_readers, shared_cases = by_reader @ by_reader.T, by_case @ by_case.T
    diseased = by_case[:, ratings.truth] @ by_case[:, ratings.truth].T
    groups = _blocks(np.any(read, 0))
    crossing = _crossing(read, groups, shared_readers, shared_cases)
    grouped = crossing in (Crossing.SPLIT_PLOT, Crossing.CASES_NESTED_IN_READER)
    return Design(crossing, len(groups) if grouped else 1, shared_readers, shared_cases - diseased, diseased)
