"""The binormal ROC curve of each reader, by maximum likelihood.

Ratings are categories of a normal variable with mean 0 and spread 1 for non-diseased cases and with mean a / b and spread 1 / b
for diseased ones; the curve is TPF = Φ(a + b·Φ⁻¹(FPF)), and its area Φ(a / √(1 + b²)).
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy import special

from pneumoscope.statistics.metrics import Array
from pneumoscope.statistics.multireader.jackknife import Jackknife, by_deletion
from pneumoscope.statistics.multireader.ratings import ReaderRatings

_STEPS = 2000
_CONVERGED = 1e-9
_ROUNDING = 1e-13
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
    no, yes = _counts(nondiseased, diseased)
    if len(no) == 1:
        return BinormalFit(0.0, 1.0, 0.5, "all ratings are equal")
    return _degenerate(no, yes) or _scored(no, yes, _start(no, yes))


def _degenerate(no: Array, yes: Array) -> BinormalFit | None:
    """The limit of the curves if they come arbitrarily close to all operating points; else None."""
    false, true = (1 - part.cumsum()[:-1] / part.sum() for part in (no, yes))
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


def _counts(nondiseased: Array, diseased: Array) -> tuple[Array, Array]:
    """Cases of each class in each category; neighbours that hold only one class are merged, which changes no estimate."""
    categories = np.unique(np.concatenate([nondiseased, diseased]))
    no, yes = ((one[:, None] == categories).sum(0).astype(np.float64) for one in (nondiseased, diseased))
    pure = np.where(yes == 0, 0, np.where(no == 0, 1, 2))
    first = np.append(True, (pure[1:] != pure[:-1]) | (pure[1:] == 2))
    run = first.cumsum() - 1
    return np.bincount(run, no).astype(np.float64), np.bincount(run, yes).astype(np.float64)


def _start(no: Array, yes: Array) -> Array:
    """Line through the operating points on normal axes, and the cutoffs of the mean of both classes."""
    points = [special.ndtri(1 - (part.cumsum()[:-1] + 0.5) / (part.sum() + 1)) for part in (no, yes)]
    x, y = points
    slope = float(np.clip(np.std(y) / np.std(x), 0.2, 5.0)) if len(x) > 1 and np.std(x) > 0 else 1.0
    intercept = float(np.mean(y) - slope * np.mean(x))
    cutoffs = np.sort(((intercept - y) / slope - x) / 2)
    cutoffs += np.arange(len(cutoffs)) * 1e-3
    return np.concatenate([[intercept, slope], cutoffs])


def _likelihood(no: Array, yes: Array, parameters: Array) -> tuple[float, Array, Array]:
    """Log likelihood, its gradient and the expected information."""
    a, b, cutoffs = parameters[0], parameters[1], parameters[2:]
    if b <= 0 or (np.diff(cutoffs) <= 0).any():
        return -math.inf, np.empty(0), np.empty((0, 0))
    m, total, gradient = len(cutoffs), 0.0, np.zeros(len(parameters))
    information = np.zeros((len(parameters), len(parameters)))
    for counts, below, density in (
        (no, special.ndtr(cutoffs), _density(cutoffs)),
        (yes, special.ndtr(b * cutoffs - a), _density(b * cutoffs - a)),
    ):
        slopes = np.zeros((m + 2, len(parameters)))  # derivative of the probability below each cutoff, and of 0 and 1
        if counts is yes:
            slopes[1:-1, 0], slopes[1:-1, 1] = -density, cutoffs * density
        slopes[np.arange(1, m + 1), np.arange(2, m + 2)] = density * (b if counts is yes else 1.0)
        probability = np.diff(np.concatenate([[0.0], below, [1.0]]))
        possible = probability > 0
        if counts[~possible].any():
            return -math.inf, np.empty(0), np.empty((0, 0))
        number, share, by_parameter = counts[possible], probability[possible], np.diff(slopes, axis=0)[possible]
        total += float(number @ np.log(share))
        gradient += (number / share) @ by_parameter
        information += counts.sum() * (by_parameter / share[:, None]).T @ by_parameter
    return total, gradient, information


def _density(values: Array) -> Array:
    return np.asarray(np.exp(-(values**2) / 2) / math.sqrt(2 * math.pi))


def _scored(no: Array, yes: Array, parameters: Array) -> BinormalFit:
    likelihood, gradient, information = _likelihood(no, yes, parameters)
    for _ in range(_STEPS):
        full = step = np.linalg.lstsq(information, gradient, rcond=None)[0]
        while (after := _likelihood(no, yes, parameters + step))[0] == -math.inf or _too_long(step, likelihood, gradient, after):
            step = step / 2
        parameters, (likelihood, gradient, information) = parameters + step, after
        a, b = float(parameters[0]), float(parameters[1])
        auc = float(special.ndtr(a / math.hypot(1, b)))
        if not 1 / _LARGEST < b < _LARGEST:
            return BinormalFit(a, b, auc, "the slope runs to 0 or to infinity: a degenerate curve, whose area is near its limit")
        if np.abs(full).max() < _CONVERGED:
            return BinormalFit(a, b, auc)
    return BinormalFit(math.nan, math.nan, math.nan, "the likelihood has no maximum that the fit reaches")


def _too_long(step: Array, likelihood: float, gradient: Array, after: tuple[float, Array, Array]) -> bool:
    """Whether a step lowers the likelihood, or goes so far beyond its maximum that steps would swing from side to side."""
    if np.abs(step).max() < _CONVERGED:
        return False
    lower = after[0] < likelihood - _ROUNDING * abs(likelihood)
    return bool(lower or after[1] @ step < -0.5 * (gradient @ step))


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
