"""The noun `MarkedCases`: marks of readers with ratings, on lesions and elsewhere, for the free-response paradigm."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pneumoscope.statistics.errors import StatisticsError
from pneumoscope.statistics.metrics import Array
from pneumoscope.statistics.multireader.ratings import Bools, ReaderRatings

Positions = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class MarkedCases:
    """Marks of readers on the same cases in each modality; each reader read every case.

    Parameters
    ----------
    lesion_rating
        Rating of each lesion, the highest of its marks; −∞ for a lesion that is not marked; (modalities, readers, lesions).
    highest_elsewhere
        The highest rating of a mark that is on no lesion of the case; −∞ without one; (modalities, readers, cases).
    n_elsewhere
        Number of such marks; (modalities, readers, cases).
    lesion_case
        Position of the case of each lesion; (lesions,).
    lesion_weight
        Importance of each lesion, above 0, with sum 1 in each case; (lesions,).
    truth
        Whether a case has a lesion; (cases,).
    modalities, readers, cases
        Names.
    """

    lesion_rating: Array
    highest_elsewhere: Array
    n_elsewhere: Array
    lesion_case: Positions
    lesion_weight: Array
    truth: Bools
    modalities: tuple[Hashable, ...]
    readers: tuple[Hashable, ...]
    cases: tuple[Hashable, ...]

    def __post_init__(self) -> None:
        """Refuse weights that do not sum to 1, and lesions that the truth does not know of."""
        sums = np.bincount(self.lesion_case, self.lesion_weight, len(self.cases))
        if (self.lesion_weight <= 0).any() or not np.allclose(sums[self.truth], 1) or sums[~self.truth].any():
            raise StatisticsError(
                "lesion weights: give each diseased case lesions whose weights are above 0 and sum to 1, no other"
            )

    @property
    def lesions_of_case(self) -> Array:
        """Number of lesions of each case, (cases,)."""
        return np.bincount(self.lesion_case, minlength=len(self.cases)).astype(np.float64)

    def highest(self) -> ReaderRatings:
        """Make case ratings of the highest mark of each case, on a lesion or elsewhere.

        Returns
        -------
        ReaderRatings
            A case without a mark has a rating 1 below the lowest mark of the study.
        """
        inferred = self.highest_elsewhere.copy()
        for lesion, case in enumerate(self.lesion_case):
            inferred[..., case] = np.maximum(inferred[..., case], self.lesion_rating[..., lesion])
        marked = np.isfinite(inferred)
        unmarked = float(inferred[marked].min()) - 1 if marked.any() else 0.0
        return ReaderRatings(np.where(marked, inferred, unmarked), self.truth, self.modalities, self.readers, self.cases)


@dataclass(frozen=True)
class Lesions:
    """The lesions of a study.

    Parameters
    ----------
    case
        Case of each lesion.
    lesion
        Name of the lesion, unique within its case.
    weight
        Importance of the lesion, with sum 1 in each case.
    """

    case: Sequence[Any]
    lesion: Sequence[Any]
    weight: ArrayLike


@dataclass(frozen=True)
class Marks:
    """The marks of a study, one a row.

    Parameters
    ----------
    reader, modality, case
        Of each mark.
    lesion
        Name of the lesion that the mark is on; None for a mark that is on no lesion.
    rating
        Finite.
    """

    reader: Sequence[Any]
    modality: Sequence[Any]
    case: Sequence[Any]
    lesion: Sequence[Any]
    rating: ArrayLike


def from_marks(
    marks: Marks, lesions: Lesions, cases: Sequence[Any], readers: Sequence[Any], modalities: Sequence[Any]
) -> MarkedCases:
    """Read a free-response study from its marks, lesions and cases.

    Parameters
    ----------
    marks
        All marks.
    lesions
        All lesions; a case with none is non-diseased.
    cases, readers, modalities
        All of them, since one may have no mark.

    Returns
    -------
    MarkedCases
        Of several marks on one lesion the highest counts.

    Raises
    ------
    StatisticsError
        If a rating is not finite, or a mark names a reader, modality, case or lesion that is not given.

    Examples
    --------
    >>> marks = Marks(["r", "r"], ["CR", "CR"], [1, 2], ["a", None], [5.0, 3.0])
    >>> study = from_marks(marks, Lesions([1, 1], ["a", "b"], [0.5, 0.5]), [1, 2], ["r"], ["CR"])
    >>> study.lesion_rating.tolist(), study.n_elsewhere.tolist()
    ([[[5.0, -inf]]], [[[0.0, 1.0]]])
    """
    rating = np.asarray(marks.rating, np.float64)
    if not np.isfinite(rating).all():
        raise StatisticsError("a mark whose rating is not finite: leave it out")
    k_of, j_of, i_of = ({name: place for place, name in enumerate(names)} for names in (cases, readers, modalities))
    lesion_of = {key: place for place, key in enumerate(zip(lesions.case, lesions.lesion, strict=True))}
    shape = (len(modalities), len(readers), len(cases))
    lesion_rating = np.full((*shape[:2], len(lesion_of)), -np.inf)
    highest, number = np.full(shape, -np.inf), np.zeros(shape)
    try:
        for r, m, c, lesion, value in zip(marks.reader, marks.modality, marks.case, marks.lesion, rating, strict=True):
            cell = (i_of[m], j_of[r])
            target, place = (highest, k_of[c]) if lesion is None else (lesion_rating, lesion_of[c, lesion])
            target[*cell, place] = max(target[*cell, place], value)
            number[*cell, k_of[c]] += lesion is None
        lesion_case = np.array([k_of[case] for case in lesions.case], np.intp)
    except KeyError as error:
        raise StatisticsError("a mark or lesion names a reader, modality, case or lesion that is not in the study") from error
    truth = np.isin(np.arange(len(cases)), lesion_case)
    weight = np.asarray(lesions.weight, np.float64)
    return MarkedCases(
        lesion_rating, highest, number, lesion_case, weight, truth, tuple(modalities), tuple(readers), tuple(cases)
    )
