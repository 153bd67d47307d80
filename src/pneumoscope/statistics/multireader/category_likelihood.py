"""Maximum likelihood of a curve from the number of cases of each class in ordered categories."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from pneumoscope.statistics.metrics import Array

_STEPS = 2000
_LONGEST = 2.0
"""The largest change of a parameter in a step, in units of spread."""
_CONVERGED = 1e-9
_ROUNDING = 1e-13

Score = tuple[float, Array, Array]
"""Log likelihood, its gradient and the expected information; −∞ and empty arrays for parameters that are not allowed."""
NOT_ALLOWED: Score = (-math.inf, np.empty(0), np.empty((0, 0)))


@dataclass(frozen=True, eq=False)
class Categories:
    """Cases of each class in ordered categories, at least one case of each class.

    Parameters
    ----------
    nondiseased, diseased
        Number of cases in each category, (categories,).
    """

    nondiseased: Array
    diseased: Array

    @property
    def points(self) -> tuple[Array, Array]:
        """False-positive and true-positive fraction above each cutoff, (categories − 1,)."""
        false, true = (1 - part.cumsum()[:-1] / part.sum() for part in (self.nondiseased, self.diseased))
        return false, true

    @property
    def normal_deviates(self) -> tuple[Array, Array]:
        """Normal deviate of the share of each class below each cutoff, with half a case added at both ends."""
        low, high = (special.ndtri((part.cumsum()[:-1] + 0.5) / (part.sum() + 1)) for part in (self.nondiseased, self.diseased))
        return low, high


def categories_of(nondiseased: Array, diseased: Array) -> Categories:
    """Count the cases of each class in the categories that ratings form.

    Parameters
    ----------
    nondiseased, diseased
        Ratings of each class; every distinct rating is a category.

    Returns
    -------
    Categories
        Neighbours that hold only one class are merged, which changes no estimate.
    """
    values = np.unique(np.concatenate([nondiseased, diseased]))
    no, yes = ((one[:, None] == values).sum(0).astype(np.float64) for one in (nondiseased, diseased))
    pure = np.where(yes == 0, 0, np.where(no == 0, 1, 2))
    run = np.append(True, (pure[1:] != pure[:-1]) | (pure[1:] == 2)).cumsum() - 1
    return Categories(np.bincount(run, no).astype(np.float64), np.bincount(run, yes).astype(np.float64))


def score_of(parts: Sequence[tuple[Array, Array, Array]], n_parameters: int) -> Score:
    """Compute log likelihood, gradient and expected information of counts in categories.

    Parameters
    ----------
    parts
        For each class the counts (categories,), the probability below each cutoff (categories − 1,), and its derivative by
        each parameter (categories − 1, parameters).
    n_parameters
        Number of parameters.

    Returns
    -------
    Score
        Not allowed if a category that holds cases has no probability.
    """
    total, gradient, information = 0.0, np.zeros(n_parameters), np.zeros((n_parameters, n_parameters))
    for counts, below, slopes in parts:
        probability = np.diff(np.concatenate([[0.0], below, [1.0]]))
        possible = probability > 0
        if counts[~possible].any():
            return NOT_ALLOWED
        ends = np.zeros((1, n_parameters))
        by_parameter = np.diff(np.concatenate([ends, slopes, ends]), axis=0)[possible]
        number, share = counts[possible], probability[possible]
        total += float(number @ np.log(share))
        gradient += (number / share) @ by_parameter
        information += counts.sum() * (by_parameter / share[:, None]).T @ by_parameter
    return total, gradient, information


@dataclass(frozen=True, eq=False)
class Maximum:
    """Where an ascent ended.

    Parameters
    ----------
    parameters
        The last parameters.
    likelihood
        Their log likelihood.
    converged
        Whether a full step changes no parameter by 1e-9.
    """

    parameters: Array
    likelihood: float
    converged: bool


def ascend(score: Callable[[Array], Score], start: Array, stop: Callable[[Array], bool], steps: int = _STEPS) -> Maximum:
    """Climb to a maximum of the likelihood by Fisher scoring.

    Parameters
    ----------
    score
        Log likelihood, gradient and expected information of parameters.
    start
        Parameters to start with, which must be allowed.
    stop
        Whether parameters have run so far out that the likelihood has no maximum.
    steps
        Most steps to take.

    Returns
    -------
    Maximum
        No parameter changes by more than 2 in a step. A step is halved until it is allowed, does not lower the likelihood, and
        does not go far beyond the maximum on its line.
    """
    parameters, now = start, score(start)
    for _ in range(steps if now[0] > -math.inf else 0):
        full = np.asarray(np.linalg.lstsq(now[2], now[1], rcond=None)[0], np.float64)
        step = full * min(1.0, _LONGEST / max(float(np.abs(full).max()), _CONVERGED))
        while _too_long(step, now, after := score(parameters + step)):
            step = step / 2
        if after[0] == -math.inf:
            break
        parameters, now = parameters + step, after
        if stop(parameters):
            break
        if np.abs(full).max() < _CONVERGED:
            return Maximum(parameters, now[0], True)
    return Maximum(parameters, now[0], False)


def _too_long(step: Array, now: Score, after: Score) -> bool:
    """Whether a step lowers the likelihood, or goes so far beyond its maximum that steps would swing from side to side."""
    if np.abs(step).max() < _CONVERGED:
        return False
    if after[0] < now[0] - _ROUNDING * abs(now[0]):
        return True
    return bool(after[1] @ step < -0.5 * (now[1] @ step))
