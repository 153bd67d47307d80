"""Define `SeverityScale`: how the density of a heat map becomes a grade of opacity; no PyTorch."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

HIGHEST_GRADE = 3
"""Grade of a zone that is consolidated throughout; 0 is a zone without opacity."""
HIGHEST_SCORE = 6 * HIGHEST_GRADE
"""Sum over the six zones of two lungs that are consolidated throughout."""


@dataclass(frozen=True)
class SeverityScale:
    """A monotone map from the density of a heat map over a lung zone to a grade, with the error of the summed score.

    The interval of the score is a split conformal prediction interval (Lei et al. 2018, doi 10.1080/01621459.2017.1307116): the
    grades were fitted on one half of the patients of `split`, and `half_width` is a quantile of the absolute errors of the other
    half. It covers the reference score of a new patient of the same kind with at least the stated probability, not of a patient
    of another kind.

    Parameters
    ----------
    knots : tuple of (float, float)
        At least two pairs (density, grade): densities in [0, 1], increasing; grades in [0, 3], not decreasing. Between knots the
        grade is linear, beyond them it is constant.
    half_width : float
        Half the width of the prediction interval of the score, in [0, 18].
    coverage : float
        Probability, in (0, 1), with which the interval covers the reference score.
    n_patients : int
        Number of patients whose errors gave `half_width`, >= 1.
    n_fitted : int
        Number of patients that the grades were fitted on, >= 1.
    reference : str
        What the grades were fitted to, in words.
    split, split_sha256 : str
        The part of the split, always ``tune``, and the SHA-256 of that split.

    Raises
    ------
    ValueError
        A value lies outside its range, or the split is not ``tune``.

    Examples
    --------
    >>> scale = SeverityScale(((0.0, 0.0), (0.5, 3.0)), 2.0, 0.9, 20, 20, "masks", "tune", "")
    >>> scale.grade(np.array([0.1, 0.25, 0.9])).round(1).tolist()
    [0.6, 1.5, 3.0]
    """

    knots: tuple[tuple[float, float], ...]
    half_width: float
    coverage: float
    n_patients: int
    n_fitted: int
    reference: str
    split: Literal["tune"]
    split_sha256: str

    def __post_init__(self) -> None:
        if len(self.knots) < 2 or not all(0 <= x <= 1 and 0 <= grade <= HIGHEST_GRADE for x, grade in self.knots):
            raise ValueError(f"a severity scale needs two or more knots, densities in [0, 1] with grades in [0, {HIGHEST_GRADE}]")
        if any(x >= later_x or grade > later_grade for (x, grade), (later_x, later_grade) in pairwise(self.knots)):
            raise ValueError("the knots of a severity scale must increase in density and not decrease in grade")
        if not 0 <= self.half_width <= HIGHEST_SCORE or not 0 < self.coverage < 1:
            raise ValueError(f"the interval of a severity needs a half width in [0, {HIGHEST_SCORE}] and a coverage in (0, 1)")
        if self.n_patients < 1 or self.n_fitted < 1:
            raise ValueError("a severity scale needs at least one patient for the grades and one for the interval")
        if self.split != "tune":
            raise ValueError(f"a severity scale is fixed on tune, not on {self.split or 'no split'}")

    def grade(self, density: NDArray[np.floating]) -> NDArray[np.float64]:
        """Grade the density of a heat map over lung zones.

        Parameters
        ----------
        density : ndarray, any shape
            Mean of the heat map over a zone, in [0, 1].

        Returns
        -------
        ndarray of float64
            Grades in [0, 3], of the same shape; NaN where the density is NaN.
        """
        densities, grades = np.array(self.knots, np.float64).T
        return np.asarray(np.interp(density, densities, grades))

    def interval(self, score: float) -> tuple[float, float]:
        """Compute the prediction interval of a score.

        Parameters
        ----------
        score : float
            Sum of the six grades, in [0, 18].

        Returns
        -------
        tuple of float
            Lower and upper end, cut to [0, 18].
        """
        return max(0.0, score - self.half_width), min(float(HIGHEST_SCORE), score + self.half_width)
