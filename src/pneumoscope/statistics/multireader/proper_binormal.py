"""The proper binormal ROC curve of each reader, by maximum likelihood.

Ratings are categories of the likelihood ratio of two normal variables, so that the curve is concave: it has no hook and does not
fall below the diagonal. With k = √(1 + c²) and a cutoff v,

    FPF = Φ(−(1 − c)·v − d·k / 2) + Φ(−(1 − c)·v + d·k / 2c) − H(c),
    TPF = Φ(−(1 + c)·v + d·k / 2) + Φ(−(1 + c)·v + d·k / 2c) − H(c),

where H(c) is 1 for c > 0 and else 0 (Metz & Pan 1999). The separation d is d_a; c = (b − 1) / (b + 1) for the slope b of the
binormal model. The area is 1 − 2·T(d / √2, (1 − c²) / 2|c|) with Owen's function T.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy import special

from pneumoscope.statistics.metrics import Array
from pneumoscope.statistics.multireader.category_likelihood import (
    NOT_ALLOWED,
    Categories,
    Maximum,
    Score,
    ascend,
    categories_of,
    score_of,
)
from pneumoscope.statistics.multireader.jackknife import Jackknife, by_deletion
from pneumoscope.statistics.multireader.ratings import ReaderRatings

_SMALLEST_C = 1e-12
_LARGEST_C = 0.999
"""A curve with a larger |c| runs to a degenerate one: a vertical and a horizontal line, or the mirror image."""
_SMALL = 0.01
"""A separation below this counts as 0, which changes the area by less than 1e-5."""
_BESIDE = 0.05
_STEPS = 60
_SAME = 1e-6
"""Log likelihoods that differ by less are of one maximum."""
_WITHOUT_SEPARATION = (-0.6, 0.6)
"""Asymmetries to start with where the separation is 0."""


@dataclass(frozen=True)
class ProperBinormalFit:
    """A fitted proper binormal curve.

    Parameters
    ----------
    d, c
        Separation d_a, at least 0, and asymmetry, in (−1, 1); NaN if there is no fit.
    auc
        Area under the curve, in [½, 1].
    reason
        Why the fit is degenerate or missing; else empty.
    """

    d: float
    c: float
    auc: float
    reason: str = ""


def area(d: float, c: float) -> float:
    """Compute the area under a proper binormal curve.

    Parameters
    ----------
    d
        Separation d_a, at least 0.
    c
        Asymmetry, in (−1, 1).

    Returns
    -------
    float
        In [½, 1].

    References
    ----------
    Metz & Pan 1999, Journal of Mathematical Psychology 43:1, equation 35, with the bivariate normal integral by Owen's T (Owen
    1956, Annals of Mathematical Statistics 27:1075).

    Examples
    --------
    >>> round(area(0.0, 0.0), 12), round(area(1.0, 0.0), 4)
    (0.5, 0.7602)
    """
    ratio = math.inf if c == 0 else (1 - c**2) / (2 * abs(c))
    return 1 - 2 * float(special.owens_t(d / math.sqrt(2), ratio))


def fit(nondiseased: Array, diseased: Array) -> ProperBinormalFit:
    """Fit a proper binormal curve by maximum likelihood, with Fisher scoring.

    Parameters
    ----------
    nondiseased, diseased
        Ratings of each class; every distinct rating is a category.

    Returns
    -------
    ProperBinormalFit
        The largest of the maxima with a separation above 0 and of 0. With one operating point c is taken as 0. Degenerate, with
        the reason, if the classes do not overlap, c runs to ±1, or no concave curve is more likely than the diagonal; NaN
        without a case of a class, or if the likeliest fit does not converge.

    References
    ----------
    Metz & Pan 1999, Journal of Mathematical Psychology 43:1; Pesce & Metz 2007, Academic Radiology 14:814 (several starts).

    Examples
    --------
    >>> fitted = fit(np.repeat([1.0, 2, 3], [30, 15, 5]), np.repeat([1.0, 2, 3], [6, 12, 32]))
    >>> print(f"{fitted.auc:.3f}")
    0.859
    """
    if not (len(nondiseased) and len(diseased)):
        return ProperBinormalFit(math.nan, math.nan, math.nan, "no case of a class")
    cases = categories_of(nondiseased, diseased)
    if len(cases.nondiseased) == 1:
        return ProperBinormalFit(0.0, 0.0, 0.5, "all ratings are equal")
    false, true = cases.points
    if ((false == 0) | (true == 1)).all():
        return ProperBinormalFit(math.inf, 0.0, 1.0, "the classes do not overlap: no point inside the ROC square")
    if len(false) == 1:
        d = max(float(special.ndtri(true[0]) - special.ndtri(false[0])), 0.0)
        reason = "one operating point: the asymmetry cannot be estimated and is taken as 0"
        return ProperBinormalFit(d, 0.0, area(d, 0.0), reason)
    return _best(cases)


def _best(cases: Categories) -> ProperBinormalFit:
    without = [_maximum_without_separation(cases, c) for c in _WITHOUT_SEPARATION]
    ends = [_maximum(cases, start) for start in (_start(cases), *_beside(cases, without))] + without
    best = max(ends, key=lambda end: end.likelihood + (_SAME if end.converged else 0.0))
    both = cases.nondiseased + cases.diseased
    if best.likelihood <= float(both @ np.log(both / both.sum())):
        return ProperBinormalFit(0.0, 0.0, 0.5, "no concave curve is more likely than the diagonal")
    if best.converged:
        return _as_fit(best, "")
    if abs(best.parameters[1]) > _LARGEST_C:
        return _as_fit(best, "c runs to ±1: a degenerate curve, whose area is near its limit")
    return ProperBinormalFit(math.nan, math.nan, math.nan, "the likelihood has no maximum that the fit reaches")


def _as_fit(end: Maximum, reason: str) -> ProperBinormalFit:
    d, c = abs(float(end.parameters[0])), float(end.parameters[1])
    return ProperBinormalFit(d, c, area(d, c), reason)


def _start(cases: Categories) -> Array:
    """Equal spreads, and the cutoffs of the mean of both classes."""
    x, y = cases.normal_deviates
    return np.concatenate([[max(float(np.mean(x - y)), 0.2), 0.0], (x + y) / 2])


def _beside(cases: Categories, without: list[Maximum]) -> list[Array]:
    """Parameters with a small separation for the maxima at 0 from which the likelihood rises with the separation."""
    found = []
    for end in without:
        c = _apart_from_zero(float(end.parameters[1]))
        shift = _BESIDE * math.hypot(1, c) / (4 * c)
        start = np.concatenate([[_BESIDE, c], end.parameters[2:] + shift])
        if end.converged and _score(cases, start)[0] > end.likelihood:
            found.append(start)
    return found


def _maximum(cases: Categories, start: Array) -> Maximum:
    """Climb in all parameters; not converged if the separation runs to 0, where the likelihood has a ridge."""
    return ascend(lambda p: _score(cases, p), start, lambda p: abs(p[0]) < _SMALL or abs(p[1]) > _LARGEST_C, _STEPS)


def _maximum_without_separation(cases: Categories, c: float) -> Maximum:
    """Climb in c and the cutoffs at a separation of 0, where both variables have one mean."""
    shift = float(c > 0)
    false, true = (special.ndtr(-deviate) for deviate in cases.normal_deviates)
    cutoffs = -(special.ndtri((false + shift) / 2) / (1 - c) + special.ndtri((true + shift) / 2) / (1 + c)) / 2

    def score(part: Array) -> Score:
        value, gradient, information = _score(cases, np.append(0.0, part))
        return value, gradient[1:], information[1:, 1:]

    end = ascend(score, np.append(c, cutoffs), lambda p: abs(p[0]) > _LARGEST_C)
    return Maximum(np.append(0.0, end.parameters), end.likelihood, end.converged)


def _score(cases: Categories, parameters: Array) -> Score:
    """Score of d, c and cutoffs v; a negative d is the mirror image of a positive one."""
    d, c, v = float(parameters[0]), _apart_from_zero(float(parameters[1])), parameters[2:]
    k = math.hypot(1, c)
    if abs(c) >= 1 or (np.diff(v) <= 0).any() or (np.sign(c) * (v - d * k / (4 * c)) >= 0).any():
        return NOT_ALLOWED
    parts = []
    for counts, side in ((cases.nondiseased, -1.0), (cases.diseased, 1.0)):
        slope = 1 + side * c
        near, far = -slope * v + side * d * k / 2, -slope * v + d * k / (2 * c)
        at_near, at_far = _density(near), _density(far)
        by_d = at_near * side * k / 2 + at_far * k / (2 * c)
        by_c = at_near * side * (d * c / (2 * k) - v) + at_far * (d * (1 / (2 * k) - k / (2 * c**2)) - side * v)
        above = special.ndtr(near) + special.ndtr(far) - (c > 0)
        slopes = np.column_stack([-by_d, -by_c, np.diag(slope * (at_near + at_far))])
        parts.append((counts, np.asarray(1 - above), slopes))
    return score_of(parts, len(parameters))


def _apart_from_zero(c: float) -> float:
    return math.copysign(max(abs(c), _SMALLEST_C), c)


def _density(values: Array) -> Array:
    return np.asarray(np.exp(-(values**2) / 2) / math.sqrt(2 * math.pi))


def proper_binormal_auc(ratings: ReaderRatings) -> Jackknife:
    """Compute the area under the proper binormal curve of every reader in every modality.

    Parameters
    ----------
    ratings
        Any design.

    Returns
    -------
    Jackknife
        All cases are left out in turn. 1 where the classes do not overlap, NaN where there is no fit; `fit` gives the reason.

    References
    ----------
    Metz & Pan 1999, Journal of Mathematical Psychology 43:1.
    """
    return by_deletion(ratings, lambda no, yes: fit(no, yes).auc)
