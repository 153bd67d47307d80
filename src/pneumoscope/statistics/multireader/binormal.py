"""The binormal ROC curve of each reader, by maximum likelihood.

Ratings are categories of a normal variable with mean 0 and spread 1 for non-diseased cases and with mean a / b and spread 1 / b
for diseased ones; the curve is TPF = Φ(a + b·Φ⁻¹(FPF)), and its area Φ(a / √(1 + b²)).
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy import special

from pneumoscope.statistics.metrics import Array
from pneumoscope.statistics.multireader.category_likelihood import (
    NOT_ALLOWED,
    Categories,
    Score,
    ascend,
    categories_of,
    score_of,
)
from pneumoscope.statistics.multireader.jackknife import Jackknife, by_deletion
from pneumoscope.statistics.multireader.ratings import ReaderRatings

_LARGEST = 100.0
"""A slope above this, or below its inverse, belongs to a curve that runs to a degenerate one."""
_APART = "the classes do not overlap: no point inside the ROC square"
_LINES = "degenerate ratings: horizontal and vertical lines pass through all operating points, whose area is given"
_NOT_DETERMINED = (
    "degenerate ratings: the area is not determined by operating points that all lie on the border of the ROC square"
)
_ONE_POINT = "one operating point: the slope cannot be estimated and is taken as 1"


@dataclass(frozen=True)
class BinormalFit:
    """A fitted binormal curve.

    Parameters
    ----------
    a, b
        Separation and slope; NaN if there is no fit, and `a` infinite for classes that do not overlap.
    auc
        Area under the curve; 1 or 0 for classes that do not overlap, ½ for one category.
    reason
        Why the fit is degenerate or missing; else empty.
    """

    a: float
    b: float
    auc: float
    reason: str = ""


def fit(nondiseased: Array, diseased: Array) -> BinormalFit:
    """Fit a binormal curve by maximum likelihood, with Fisher scoring.

    Parameters
    ----------
    nondiseased, diseased
        Ratings of each class; every distinct rating is a category.

    Returns
    -------
    BinormalFit
        Converged when a full step of Fisher scoring changes no parameter by 1e-9. Degenerate, with the reason, if horizontal
        and vertical lines pass through all operating points: then the likelihood has no maximum, it grows towards a slope of 0
        or infinity, and the area under the lines is given. With one operating point the slope is taken as 1. NaN without a case
        of a class, or if the fit does not converge.

    References
    ----------
    Dorfman & Alf 1969, Journal of Mathematical Psychology 6:487; for continuous ratings Metz, Herman & Shen 1998, Statistics in
    Medicine 17:1033; degenerate ratings: Metz 1989, Investigative Radiology 24:234.

    Examples
    --------
    >>> fitted = fit(np.repeat([1.0, 2, 3], [30, 15, 5]), np.repeat([1.0, 2, 3], [6, 12, 32]))
    >>> print(f"{fitted.auc:.3f}")
    0.859
    """
    if not (len(nondiseased) and len(diseased)):
        return BinormalFit(math.nan, math.nan, math.nan, "no case of a class")
    cases = categories_of(nondiseased, diseased)
    if len(cases.nondiseased) == 1:
        return BinormalFit(0.0, 1.0, 0.5, "all ratings are equal")
    return _degenerate(cases) or _maximum(cases)


def _degenerate(cases: Categories) -> BinormalFit | None:
    """The limit of the curves if they come arbitrarily close to all operating points; else None."""
    false, true = cases.points
    if ((false == 0) | (true == 1)).all():
        return BinormalFit(math.inf, 1.0, 1.0, _APART)
    if ((false == 1) | (true == 0)).all():
        return BinormalFit(-math.inf, 1.0, 0.0, _APART)
    if len(false) == 1:
        a = float(special.ndtri(true[0]) - special.ndtri(false[0]))
        return BinormalFit(a, 1.0, float(special.ndtr(a / math.sqrt(2))), _ONE_POINT)
    heights, places = np.unique(true[(false > 0) & (false < 1)]), np.unique(false[(true > 0) & (true < 1)])
    if not len(heights) or not len(places):
        return BinormalFit(math.nan, math.nan, math.nan, _NOT_DETERMINED)
    if len(heights) == 1:
        return BinormalFit(float(special.ndtri(heights[0])), 0.0, float(heights[0]), _LINES)
    if len(places) == 1:
        return BinormalFit(math.inf, math.inf, float(1 - places[0]), _LINES)
    return None


def _start(cases: Categories) -> Array:
    """Line through the operating points on normal axes, and the cutoffs of the mean of both classes."""
    x, y = cases.normal_deviates
    slope = float(np.clip(np.std(y) / np.std(x), 0.2, 5.0)) if len(x) > 1 and np.std(x) > 0 else 1.0
    intercept = float(slope * np.mean(x) - np.mean(y))
    cutoffs = np.sort((x + (y + intercept) / slope) / 2)
    cutoffs += np.arange(len(cutoffs)) * 1e-3
    return np.concatenate([[intercept, slope], cutoffs])


def _score(cases: Categories, parameters: Array) -> Score:
    a, b, cutoffs = parameters[0], parameters[1], parameters[2:]
    if b <= 0 or (np.diff(cutoffs) <= 0).any():
        return NOT_ALLOWED
    deviate = b * cutoffs - a
    of_no, of_yes = _density(cutoffs), _density(deviate)
    nothing = np.zeros_like(cutoffs)
    no = np.column_stack([nothing, nothing, np.diag(of_no)])
    yes = np.column_stack([-of_yes, cutoffs * of_yes, np.diag(b * of_yes)])
    below = (cases.nondiseased, special.ndtr(cutoffs), no), (cases.diseased, special.ndtr(deviate), yes)
    return score_of(below, len(parameters))


def _density(values: Array) -> Array:
    return np.asarray(np.exp(-(values**2) / 2) / math.sqrt(2 * math.pi))


def _maximum(cases: Categories) -> BinormalFit:
    end = ascend(lambda parameters: _score(cases, parameters), _start(cases), _runs_out)
    if not end.converged and not _runs_out(end.parameters):
        return BinormalFit(math.nan, math.nan, math.nan, "the likelihood has no maximum that the fit reaches")
    a, b = float(end.parameters[0]), float(end.parameters[1])
    reason = "" if end.converged else "the slope runs to 0 or to infinity: a degenerate curve, whose area is near its limit"
    return BinormalFit(a, b, float(special.ndtr(a / math.hypot(1, b))), reason)


def _runs_out(parameters: Array) -> bool:
    return not 1 / _LARGEST < parameters[1] < _LARGEST


def binormal_auc(ratings: ReaderRatings) -> Jackknife:
    """Compute the area under the binormal curve of every reader in every modality.

    Parameters
    ----------
    ratings
        Any design.

    Returns
    -------
    Jackknife
        All cases are left out in turn. 1 or 0 where the classes do not overlap, NaN where there is no fit; `fit` gives the
        reason.

    References
    ----------
    Dorfman & Alf 1969, Journal of Mathematical Psychology 6:487.
    """
    return by_deletion(ratings, lambda no, yes: fit(no, yes).auc)
