"""Turn log-odds into a calibrated probability (`Calibration`) and a decision (`OperatingPoint`)."""

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Probabilities = NDArray[np.float64]
CalibrationMethod = Literal["none", "temperature", "logistic", "isotonic"]
Decision = Literal["positive", "negative"]
_JUST_ABOVE_1 = math.nextafter(1.0, 2.0)
_ROUNDINGS = 16
"""Roundings of single precision that may lie between the log-odds and what the graph's calibration works on."""
_PROBABILITY_TOLERANCE = 1e-5
OTHER, TARGET = 0, 1
"""Indices of the two classes in logits and maps; the target is the last of a card's classes."""


@dataclass(frozen=True)
class Calibration:
    """A monotone map of the target's log-odds to its calibrated probability.

    Parameters
    ----------
    method
        ``temperature`` divides the log-odds by one number (Guo et al. 2017, arXiv 1706.04599); ``logistic`` adds an intercept
        to that quotient (Platt 1999, "Probabilistic outputs for support vector machines"); ``isotonic`` interpolates between
        `knots` (Zadrozny & Elkan 2002, doi 10.1145/775047.775151); ``none`` is the logistic function.
    temperature
        Divisor of the log-odds, > 0: the inverse of the slope of ``logistic``; 1 for ``none`` and ``isotonic``.
    knots
        Pairs of (log-odds, probability), both non-decreasing; empty for the other methods.
    split
        The part of the split that the calibration was fitted on (``tune``); empty if it was not fitted.
    split_sha256
        SHA-256 of that split; empty if the calibration was not fitted.
    intercept
        Calibrated log-odds where the log-odds are 0, finite; 0 unless the method is ``logistic``.
    """

    method: CalibrationMethod = "none"
    temperature: float = 1.0
    knots: tuple[tuple[float, float], ...] = ()
    split: str = ""
    split_sha256: str = ""
    intercept: float = 0.0

    def __post_init__(self) -> None:
        if not math.isfinite(self.intercept) or (self.intercept and self.method != "logistic"):
            raise ValueError(f"the intercept must be finite, and 0 unless the method is logistic, not {self.intercept}")
        if not (math.isfinite(self.temperature) and self.temperature > 0):
            raise ValueError(f"the temperature must be a finite number above 0, not {self.temperature}")
        if self.method == "isotonic" and not self.knots:
            raise ValueError("an isotonic calibration needs at least one knot")
        if not all(math.isfinite(x) and 0 <= p <= 1 for x, p in self.knots):
            raise ValueError("the knots must be finite log-odds with probabilities in [0, 1]")
        if any(x > later_x or p > later_p for (x, p), (later_x, later_p) in pairwise(self.knots)):
            raise ValueError("the knots must not decrease, neither in log-odds nor in probability")

    @property
    def fitted_on(self) -> str:
        """The part of the split and the split that the calibration was fitted on, in words; empty if it was not fitted."""
        return f"{self.split} side of split {self.split_sha256}" if self.split else ""

    def __call__(self, log_odds: NDArray[np.floating]) -> Probabilities:
        """Calibrate log-odds of the target.

        Parameters
        ----------
        log_odds
            Uncalibrated log-odds, any shape.

        Returns
        -------
        ndarray of float64
            Probability in [0, 1], of the same shape; NaN where the log-odds are NaN.
        """
        z = np.asarray(log_odds, np.float64)
        if self.method == "isotonic":
            x, p = np.array(self.knots, float).T
            return np.asarray(np.interp(z, x, p))
        scaled = z / self.temperature + self.intercept
        return np.asarray(np.where(scaled >= 0, 1, np.exp(-np.abs(scaled))) / (1 + np.exp(-np.abs(scaled))))

    def inverse(self, probability: float) -> float:
        """Compute the lowest log-odds at which the calibrated probability reaches a value.

        Parameters
        ----------
        probability
            Calibrated probability of the target, in [0, 1].

        Returns
        -------
        float
            Uncalibrated log-odds; −∞ where every probability reaches the value, +∞ where none below log-odds of +∞ does.
        """
        if self.method == "isotonic":
            x, p = np.array(self.knots, float).T
            if probability <= p[0]:
                return -math.inf
            if probability > p[-1]:
                return math.inf
            k = int(np.argmax(p >= probability))
            return float(x[k - 1] + (x[k] - x[k - 1]) * (probability - p[k - 1]) / (p[k] - p[k - 1]))
        if probability in (0, 1):
            return -math.inf if probability == 0 else math.inf
        return self.temperature * (math.log(probability) - math.log1p(-probability) - self.intercept)

    def agrees(self, log_odds: NDArray[np.floating], probability: NDArray[np.floating]) -> bool:
        """Check probabilities that a graph computed in single precision from the same log-odds.

        The calibration is monotone, so its values a few roundings below and above the log-odds bound what single precision gives.

        Parameters
        ----------
        log_odds : ndarray, any shape
            Uncalibrated log-odds of the target, as the graph gave them.
        probability : ndarray of the same shape
            The graph's own calibrated probabilities.

        Returns
        -------
        bool
            Whether every probability lies within 1e-5 of the interval that rounding allows; False where one is NaN.
        """
        z = np.asarray(log_odds, np.float64)
        size = np.maximum(np.abs(z), max(1.0, abs(self.intercept) * self.temperature))
        rounding = _ROUNDINGS * np.finfo(np.float32).eps * size
        low, high = self(z - rounding) - _PROBABILITY_TOLERANCE, self(z + rounding) + _PROBABILITY_TOLERANCE
        return bool(np.all((low <= probability) & (probability <= high)))


@dataclass(frozen=True)
class OperatingPoint:
    """A threshold on the calibrated probability, with the split that it was fixed on: never the split that it is tested on.

    Parameters
    ----------
    threshold : float
        The decision is positive at or above it, in [0, 1].
    rule : str
        How it was chosen: ``youden``, ``sensitivity>=0.95``, ``specificity>=0.95``.
    split : str
        The part of the split that it was chosen on.
    split_sha256 : str
        SHA-256 of that split.

    Raises
    ------
    ValueError
        The threshold lies outside [0, 1] or is NaN.
    """

    threshold: float
    rule: str
    split: str
    split_sha256: str

    def __post_init__(self) -> None:
        if not 0 <= self.threshold <= 1:
            raise ValueError(f"a threshold must lie in [0, 1], not at {self.threshold}")

    def decide(self, probability: float) -> Decision:
        """Decide whether the target is present.

        Parameters
        ----------
        probability : float
            Calibrated probability of the target, in [0, 1].

        Returns
        -------
        "positive" or "negative"
            Positive at or above the threshold.

        Raises
        ------
        ValueError
            The probability is NaN or outside [0, 1]: neither answer would be true.
        """
        if not 0 <= probability <= 1:
            raise ValueError(f"a probability must lie in [0, 1], not at {probability}")
        return "positive" if probability >= self.threshold else "negative"


@dataclass(frozen=True)
class GreyZone:
    """The probabilities for which a model abstains (Coste & Pouchot 2003, doi 10.1093/ije/dyg054).

    Parameters
    ----------
    low, high : float
        The model abstains from `low` up to, but without, `high`, both in [0, 1] (`high` may be the next number above 1).
        A zone with ``low >= high`` is empty.
    rule : str
        How the ends were chosen.
    split, split_sha256 : str
        The part of the split that they were chosen on, and the SHA-256 of that split.

    Raises
    ------
    ValueError
        An end lies outside its range or is NaN.
    """

    low: float
    high: float
    rule: str
    split: str
    split_sha256: str

    def __post_init__(self) -> None:
        if not (0 <= self.low <= _JUST_ABOVE_1 and 0 <= self.high <= _JUST_ABOVE_1):
            raise ValueError(f"the ends of a grey zone must lie in [0, 1], not at {self.low} and {self.high}")

    def holds(self, probability: float) -> bool:
        """Tell whether the model abstains at a calibrated probability in [0, 1].

        Parameters
        ----------
        probability : float
            Calibrated probability of the target, in [0, 1].

        Returns
        -------
        bool
            Whether it lies in the zone.
        """
        return self.low <= probability < self.high


@dataclass(frozen=True)
class Score:
    """The calibrated probability of a named target, with the log-odds that it was computed from.

    Parameters
    ----------
    target : str
        The class that the probability is of.
    probability : float
        In [0, 1].
    log_odds : float
        Before calibration, finite.
    """

    target: str
    probability: float
    log_odds: float
