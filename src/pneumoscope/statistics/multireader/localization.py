"""Figures of merit of the LROC paradigm: one rating and one location for each case."""

from dataclasses import dataclass

import numpy as np

from pneumoscope.statistics.errors import StatisticsError
from pneumoscope.statistics.metrics import Array
from pneumoscope.statistics.multireader.jackknife import Jackknife, by_deletion
from pneumoscope.statistics.multireader.ratings import Bools, ReaderRatings


@dataclass(frozen=True, eq=False)
class LocatedRatings:
    """Ratings with a location, which is right or wrong on a diseased case.

    Parameters
    ----------
    ratings
        The rating of each case.
    located
        Whether the location is right; (modalities, readers, cases); False on non-diseased cases.

    Raises
    ------
    StatisticsError
        If the shapes differ.
    """

    ratings: ReaderRatings
    located: Bools

    def __post_init__(self) -> None:
        """Refuse locations of another shape."""
        if self.located.shape != self.ratings.rating.shape:
            raise StatisticsError(f"locations of shape {self.located.shape} for ratings of shape {self.ratings.rating.shape}")

    def _hidden(self) -> ReaderRatings:
        """Ratings where a wrong location has a rating below all others."""
        rated = self.ratings.rating
        hidden = np.where(self.ratings.truth & ~self.located & self.ratings.read, self._lowest, rated)
        return ReaderRatings(hidden, self.ratings.truth, self.ratings.modalities, self.ratings.readers, self.ratings.cases)

    def curve(self, modality: int, reader: int) -> tuple[Array, Array]:
        """Compute the points of the LROC curve of a reader in a modality.

        Parameters
        ----------
        modality, reader
            Positions.

        Returns
        -------
        tuple[Array, Array]
            False-positive fraction, and share of diseased cases that are located and called positive, from (0, 0) on; NaN
            without a case of a class.
        """
        hidden = self._hidden()
        row, truth = hidden.rating[modality, reader], hidden.truth
        return _curve(row[hidden.read[modality, reader] & ~truth], row[hidden.read[modality, reader] & truth], self._lowest)

    @property
    def _lowest(self) -> float:
        """The rating that a wrong location counts as."""
        return float(np.nanmin(self.ratings.rating)) - 1

    def correct_localization(self, false_positive_fraction: float) -> Jackknife:
        """Compute the share of diseased cases that are located and called positive, at a false-positive fraction (PCL).

        Parameters
        ----------
        false_positive_fraction
            Share of non-diseased cases that are called positive, in [0, 1]. Between points of the curve it is interpolated; at a
            vertical step the lower end counts, as in RJafroc.

        Returns
        -------
        Jackknife
            All cases are left out in turn.

        References
        ----------
        Swensson 1996, Medical Physics 23:1709 (LROC curve).
        """
        at, lowest = _share(false_positive_fraction), self._lowest
        return by_deletion(self._hidden(), lambda no, yes: _height(*_curve(no, yes, lowest), at))

    def area(self, false_positive_fraction: float = 1.0) -> Jackknife:
        """Compute the area under the LROC curve up to a false-positive fraction (ALROC).

        Parameters
        ----------
        false_positive_fraction
            Right end of the area, in [0, 1].

        Returns
        -------
        Jackknife
            Not divided by the width; all cases are left out in turn.

        References
        ----------
        Swensson 1996, Medical Physics 23:1709.
        """
        end, lowest = _share(false_positive_fraction), self._lowest
        return by_deletion(self._hidden(), lambda no, yes: _area(*_curve(no, yes, lowest), end))


def _share(value: float) -> float:
    if not 0 <= value <= 1:
        raise StatisticsError(f"a false-positive fraction of {value}: give one from 0 to 1")
    return value


def _curve(nondiseased: Array, diseased: Array, lowest: float) -> tuple[Array, Array]:
    """False-positive fraction and share of located cases at each threshold, from the strictest."""
    if not (len(nondiseased) and len(diseased)):
        return np.array([np.nan]), np.array([np.nan])
    located = diseased[diseased > lowest]
    thresholds = np.append(np.inf, np.unique(np.concatenate([nondiseased, located]))[::-1])
    false = (nondiseased >= thresholds[:, None]).mean(1)
    return false, (located >= thresholds[:, None]).sum(1) / len(diseased)


def _height(false: Array, located: Array, at: float) -> float:
    """The curve where it first reaches a false-positive fraction: the lower end of a vertical step."""
    place = int(np.searchsorted(false, at, side="left"))
    if np.isnan(false[0]) or false[place] == at:
        return float(located[place])
    share = (at - false[place - 1]) / (false[place] - false[place - 1])
    return float(located[place - 1] + share * (located[place] - located[place - 1]))


def _area(false: Array, located: Array, end: float) -> float:
    if np.isnan(false[0]):
        return float("nan")
    inside = false < end
    x, y = np.append(false[inside], end), np.append(located[inside], _height(false, located, end))
    return float(np.trapezoid(y, x))
