"""The noun `RepeatedFigure`: a figure of every fold and seed of a model, evaluated on the same bootstrap draws of patients."""

import dataclasses
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pneumoscope.statistics.estimate import Estimate, undefined
from pneumoscope.statistics.intervals import NOT_DEFINED, clopper_pearson, percentile
from pneumoscope.statistics.metrics import Array
from pneumoscope.statistics.paired import Draws


@dataclass(frozen=True, eq=False)
class RepeatedFigure:
    """A figure of every training of a model, with its bootstrap draws.

    A draw takes patients with replacement within each fold. All seeds of a fold are evaluated on the same draw, since they are
    tested on the same patients. The figure is computed within each fold, so that no threshold, calibration or scale of one
    training is applied to the cases of another one.

    Parameters
    ----------
    values
        The figure, shape (folds, seeds); NaN where undefined.
    drawn
        The figure in each draw of patients, shape (folds, seeds, draws).
    counted
        Number of patients of the figure's denominator, shape (folds, seeds).
    share
        Whether the figure is a share of cases, so that a value of 0 or 1 gets an exact interval.

    Examples
    --------
    >>> drawn = np.stack([np.linspace(0.7, 0.9, 101), np.linspace(0.8, 1.0, 101)])
    >>> print(RepeatedFigure(np.array([[0.8, 0.9]]), drawn[None], np.array([[40, 40]])).estimate())
    0.8500 (0.7550–0.9450)
    """

    values: Array
    drawn: Array
    counted: NDArray[np.int64]
    share: bool = False

    @property
    def n(self) -> int:
        """Number of patients of all folds; where seeds differ in it, the smallest."""
        return int(self.counted.min(axis=1).sum())

    @property
    def mean(self) -> Draws:
        """The mean over folds and seeds, with its draws; NaN where the figure of any training is undefined."""
        return Draws(float(self.values.mean()), self.drawn.mean(axis=(0, 1)))

    def estimate(self) -> Estimate:
        """Estimate the mean over folds and seeds.

        The interval is for these trained networks on other patients. It does not contain the variance of training: see
        `variance_components`.

        Returns
        -------
        Estimate
            With a percentile interval over patients, see `intervals.bootstrap`.

        References
        ----------
        Davison & Hinkley 1997, Bootstrap Methods and their Application, section 3.2 (strata); Field & Welsh 2007, JRSS B 69:369
        (clusters); LeDell et al. 2015, Electronic Journal of Statistics 9:1583 (figures within folds).
        """
        mean = self.mean
        if np.isnan(mean.value):
            return undefined(self.n, NOT_DEFINED)
        if self.share and mean.value in (0.0, 1.0):
            low, high = clopper_pearson(round(mean.value * self.n), self.n)
            return Estimate(mean.value, low, high, self.n, "patient", "Clopper–Pearson on patients (share at the boundary)")
        estimate = percentile(mean.value, mean.drawn, self.n)
        return dataclasses.replace(estimate, method=f"{estimate.method}{design(*self.values.shape)}")


def design(folds: int, seeds: int) -> str:
    """Say over how many folds and seeds the draws of a bootstrap were evaluated.

    Parameters
    ----------
    folds, seeds
        Number of each, at least 1.

    Returns
    -------
    str
        What follows the name of the method; empty for one fold and one seed.

    Examples
    --------
    >>> design(5, 3), design(1, 1)
    (', within 5 folds, 3 seeds on the same draws', '')
    """
    within = f", within {folds} folds" if folds > 1 else ""
    return within + (f", {seeds} seeds on the same draws" if seeds > 1 else "")
