"""The noun `ReaderRatings`: ratings of readers × cases × modalities with the truth of each case."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pneumoscope.statistics.errors import StatisticsError
from pneumoscope.statistics.metrics import Array

Bools = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class ReaderRatings:
    """Ratings of the same or of different cases by readers in modalities.

    Parameters
    ----------
    rating
        Shape (modalities, readers, cases); larger means more suspicious; NaN for a reading that does not exist.
    truth
        Shape (cases,); True for a diseased case.
    modalities, readers, cases
        Names along the three axes, each unique.

    Raises
    ------
    StatisticsError
        If shapes do not agree, a rating is infinite, a name occurs twice, or a case, reader or modality has no rating.

    Examples
    --------
    >>> ratings = ReaderRatings(np.array([[[1, 2, 3.0]]]), np.array([False, True, True]), ("CR",), ("r1",), (1, 2, 3))
    >>> ratings.n_diseased, ratings.n_nondiseased
    (2, 1)
    """

    rating: Array
    truth: Bools
    modalities: tuple[Hashable, ...]
    readers: tuple[Hashable, ...]
    cases: tuple[Hashable, ...]

    def __post_init__(self) -> None:
        """Refuse what is not a table of ratings."""
        shape = (len(self.modalities), len(self.readers), len(self.cases))
        if self.rating.shape != shape or self.truth.shape != shape[2:]:
            raise StatisticsError(f"ratings of shape {self.rating.shape} and truth of shape {self.truth.shape} for {shape} names")
        if np.isinf(self.rating).any():
            raise StatisticsError("an infinite rating: leave out a reading that does not exist")
        for axis, (word, names) in enumerate([("modality", self.modalities), ("reader", self.readers), ("case", self.cases)]):
            others = tuple({0, 1, 2} - {axis})
            if len(set(names)) < len(names):
                raise StatisticsError(f"the names of axis '{word}' are not unique")
            if not self.read.any(others).all():
                raise StatisticsError(f"there is a {word} without any rating: leave it out")

    @cached_property
    def read(self) -> Bools:
        """Whether a reading exists; shape (modalities, readers, cases)."""
        return ~np.isnan(self.rating)

    @property
    def n_diseased(self) -> int:
        """Number of diseased cases."""
        return int(self.truth.sum())

    @property
    def n_nondiseased(self) -> int:
        """Number of non-diseased cases."""
        return int((~self.truth).sum())

    @property
    def complete(self) -> bool:
        """Whether every reader read every case in every modality."""
        return bool(self.read.all())

    @property
    def lacks_class(self) -> Bools:
        """Whether a reader has no diseased or no non-diseased case in a modality where the reader read; (modalities, readers)."""
        both = self.read[..., self.truth].any(-1) & self.read[..., ~self.truth].any(-1)
        return np.asarray(self.read.any(-1) & ~both)

    def select(
        self, modalities: Sequence[int] | None = None, readers: Sequence[int] | None = None, cases: ArrayLike | None = None
    ) -> "ReaderRatings":
        """Make the ratings of some modalities, readers and cases.

        Parameters
        ----------
        modalities, readers
            Positions along the axis; None for all.
        cases
            Positions of the cases; None for all cases of which a reading is left.

        Returns
        -------
        ReaderRatings
            In the order asked for; readers and cases without a reading are left out where none were asked for.
        """
        part = self.rating if modalities is None else self.rating[list(modalities)]
        kept = np.flatnonzero(~np.isnan(part).all((0, 2))) if readers is None else np.asarray(readers, np.intp)
        part = part[:, kept]
        seen = np.flatnonzero(~np.isnan(part).all((0, 1))) if cases is None else np.asarray(cases, np.intp)
        return ReaderRatings(
            part[..., seen],
            self.truth[seen],
            self.modalities if modalities is None else tuple(self.modalities[i] for i in modalities),
            tuple(self.readers[j] for j in kept),
            tuple(self.cases[k] for k in seen),
        )

    def decisions(self, threshold: float) -> "ReaderRatings":
        """Make decisions of ratings: 1 for a rating that is at least the threshold, else 0.

        Parameters
        ----------
        threshold
            The lowest rating that is called positive.

        Returns
        -------
        ReaderRatings
            With ratings 0 and 1; a reading that does not exist stays so.
        """
        called = np.where(self.read, (self.rating >= threshold).astype(np.float64), np.nan)
        return ReaderRatings(called, self.truth, self.modalities, self.readers, self.cases)


def _codes(values: Sequence[Any]) -> tuple[tuple[Hashable, ...], NDArray[np.intp]]:
    """Distinct values in the order of their first row, and the position of each row's value among them."""
    order = {value: position for position, value in enumerate(dict.fromkeys(values))}
    return tuple(order), np.array([order[value] for value in values], np.intp)


def _refuse_doubles(cells: NDArray[np.intp]) -> None:
    _, first, same = np.unique(cells, return_index=True, return_inverse=True)
    again = np.flatnonzero(first[same] != np.arange(len(cells)))
    if len(again):
        raise StatisticsError(
            f"the same reader, modality and case occur in two rows (reading {first[same][again[0]] + 1} and reading "
            f"{again[0] + 1}; {len(again)} to leave out in all): keep one reading"
        )


def _truth_of_cases(truth: ArrayLike, case: NDArray[np.intp], n_cases: int) -> Bools:
    labels = np.asarray(truth, np.float64)
    if not np.isin(labels, (0, 1)).all():
        raise StatisticsError("truth has values other than 0 and 1")
    of_case = np.zeros(n_cases, bool)
    of_case[case] = labels == 1
    if (of_case[case] != (labels == 1)).any():
        raise StatisticsError("a case has truth 0 in one row and 1 in another: give each case one truth")
    return of_case


def from_table(
    reader: Sequence[Any], modality: Sequence[Any], case: Sequence[Any], truth: ArrayLike, rating: ArrayLike
) -> ReaderRatings:
    """Read ratings from the columns of a long table, one row per reading.

    Parameters
    ----------
    reader, modality, case
        Names, one a row; a reading that does not exist has no row.
    truth
        0 or 1 a row, the same in all rows of a case.
    rating
        A finite number a row.

    Returns
    -------
    ReaderRatings
        Readers, modalities and cases in the order of their first row.

    Raises
    ------
    StatisticsError
        If columns differ in length or are empty, a rating is not finite, a reading occurs twice, or a case has two truths.

    Examples
    --------
    >>> ratings = from_table(["a", "b", "a"], ["CR"] * 3, ["k1", "k1", "k2"], [0, 0, 1], [3, 2, 5])
    >>> ratings.rating[0].tolist()
    [[3.0, 5.0], [2.0, nan]]
    """
    values = np.asarray(rating, np.float64)
    lengths = {len(reader), len(modality), len(case), len(np.asarray(truth)), len(values)}
    if len(lengths) > 1 or not len(values):
        raise StatisticsError(f"columns of {sorted(lengths)} rows: give columns of one length above 0")
    if not np.isfinite(values).all():
        raise StatisticsError(f"{int((~np.isfinite(values)).sum())} ratings are not finite: leave out readings that do not exist")
    (readers, j), (modalities, i), (cases, k) = _codes(reader), _codes(modality), _codes(case)
    shape = (len(modalities), len(readers), len(cases))
    _refuse_doubles(np.ravel_multi_index((i, j, k), shape))
    cube = np.full(shape, np.nan)
    cube[i, j, k] = values
    return ReaderRatings(cube, _truth_of_cases(truth, k, len(cases)), modalities, readers, cases)
