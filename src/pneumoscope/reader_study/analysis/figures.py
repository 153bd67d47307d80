"""The figure of merit of every reader in every modality that a plan asks for, with its covariance."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pneumoscope.reader_study.analysis.plan import AT, OF_LOCATIONS, OF_RATINGS, FigureName, Plan
from pneumoscope.reader_study.errors import ReaderStudyError
from pneumoscope.statistics.metrics import Array
from pneumoscope.statistics.multireader import free_response, roc_figures
from pneumoscope.statistics.multireader.auc import delong_covariance, empirical_auc
from pneumoscope.statistics.multireader.binormal import binormal_auc
from pneumoscope.statistics.multireader.comparisons import compare
from pneumoscope.statistics.multireader.free_response import FreeResponseFigure
from pneumoscope.statistics.multireader.jackknife import Jackknife
from pneumoscope.statistics.multireader.localization import LocatedRatings
from pneumoscope.statistics.multireader.marks import MarkedCases
from pneumoscope.statistics.multireader.proper_binormal import proper_binormal_auc
from pneumoscope.statistics.multireader.ratings import ReaderRatings

Readings = ReaderRatings | LocatedRatings | MarkedCases
_OF_CURVE: Mapping[FigureName, Callable[[ReaderRatings, float], Jackknife]] = {
    "sensitivity at specificity": roc_figures.sensitivity_at_specificity,
    "specificity at sensitivity": roc_figures.specificity_at_sensitivity,
    "partial AUC of specificity": roc_figures.partial_auc_of_specificity,
    "partial AUC of sensitivity": roc_figures.partial_auc_of_sensitivity,
    "expected utility": roc_figures.expected_utility,
}
_AREAS: Mapping[FigureName, Callable[[ReaderRatings], Jackknife]] = {
    "AUC": empirical_auc,
    "binormal AUC": binormal_auc,
    "proper binormal AUC": proper_binormal_auc,
}
_AT_THRESHOLD: Mapping[FigureName, Callable[[ReaderRatings, float], Jackknife]] = {
    "sensitivity": roc_figures.sensitivity,
    "specificity": roc_figures.specificity,
}


@dataclass(frozen=True, eq=False)
class MeasuredFigure:
    """A figure of merit with its covariance.

    Parameters
    ----------
    name : str
        The figure.
    at : float, optional
        Its parameter.
    figure : Jackknife
        Of every reader in every modality.
    covariance : ndarray of float64, shape (cells, cells)
        Of the figures, given the readers.
    """

    name: FigureName
    at: float | None
    figure: Jackknife
    covariance: Array

    @property
    def words(self) -> str:
        """The figure with its parameter, as in a sentence."""
        return words_of(self.name, self.at)

    def of(self, readers: Sequence[int]) -> "MeasuredFigure":
        """Take the figure of some readers.

        Parameters
        ----------
        readers : sequence of int
            Positions.

        Returns
        -------
        MeasuredFigure
            In the order of the positions.
        """
        cells = np.arange(self.figure.value.size).reshape(self.figure.value.shape)[:, readers].ravel()
        figure = Jackknife(self.figure.value[:, readers], self.figure.left_out[:, readers])
        return MeasuredFigure(self.name, self.at, figure, self.covariance[np.ix_(cells, cells)])


def words_of(name: FigureName, at: float | None) -> str:
    """Write a figure with its parameter, as in a sentence.

    Parameters
    ----------
    name : str
        The figure.
    at : float, optional
        Its parameter.

    Returns
    -------
    str
        Such as "sensitivity at specificity 0.8".
    """
    if at is None:
        return name
    between = {"expected utility": f" at slope {at:g}", "PCL": f" at false-positive fraction {at:g}"}
    between |= {"ALROC": "" if at == 1 else f" up to false-positive fraction {at:g}"}
    return name + between.get(name, f" from {at:g} to 1" if name.startswith("partial") else f" {at:g}")


def ratings_of(readings: Readings) -> ReaderRatings:
    """Take the rating of each case.

    Parameters
    ----------
    readings : ReaderRatings, LocatedRatings or MarkedCases
        What was read.

    Returns
    -------
    ReaderRatings
        Of a free-response study the highest mark of each case.
    """
    if isinstance(readings, MarkedCases):
        return readings.highest()
    return readings.ratings if isinstance(readings, LocatedRatings) else readings


def measure(readings: Readings, plan: Plan) -> MeasuredFigure:
    """Compute the figure of merit that a plan asks for.

    Parameters
    ----------
    readings : ReaderRatings, LocatedRatings or MarkedCases
        What was read.
    plan : Plan
        What is asked.

    Returns
    -------
    MeasuredFigure
        NaN where it is undefined.

    Raises
    ------
    ReaderStudyError
        If the readings do not have what the figure needs, or the covariance is not defined for it.
    """
    name: FigureName = plan.figure or _default(readings)
    if plan.covariance != "jackknife" and name != "AUC":
        raise ReaderStudyError(f"the covariance {plan.covariance} is defined for AUC only; take the jackknife for {name}")
    at = AT.get(name) if plan.at is None else plan.at
    figure = _figure(name, at, readings, plan)
    covariance = figure.covariance
    if plan.covariance != "jackknife":
        ratings = ratings_of(readings)
        covariance = delong_covariance(ratings) if plan.covariance == "DeLong" else compare(ratings).covariance
    return MeasuredFigure(name, at, figure, covariance)


def _default(readings: Readings) -> FigureName:
    if isinstance(readings, MarkedCases):
        return "wAFROC"
    return "ALROC" if isinstance(readings, LocatedRatings) else "AUC"


def _figure(name: FigureName, at: float | None, readings: Readings, plan: Plan) -> Jackknife:
    if name in OF_RATINGS:
        return _of_ratings(name, at, ratings_of(readings), plan)
    if name in OF_LOCATIONS:
        if not isinstance(readings, LocatedRatings):
            raise ReaderStudyError(f"{name} is a figure of ratings with a location, which the table does not have; ask for AUC")
        assert at is not None  # the plan sees to it
        return readings.correct_localization(at) if name == "PCL" else readings.area(at)
    if not isinstance(readings, MarkedCases):
        raise ReaderStudyError(f"{name} is a figure of marks, and the table has ratings of cases; give marks, or ask for AUC")
    return free_response.figure(readings, FreeResponseFigure(name))


def _of_ratings(name: FigureName, at: float | None, ratings: ReaderRatings, plan: Plan) -> Jackknife:
    if name in _AREAS:
        return _AREAS[name](ratings)
    function, value = (_AT_THRESHOLD[name], plan.threshold) if name in _AT_THRESHOLD else (_OF_CURVE[name], at)
    assert value is not None  # the plan sees to it
    return function(ratings, value)
