"""`Score`, `Calibration` and `OperatingPoint`: from logits to a probability to a decision."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Probabilities = NDArray[np.float64]
CalibrationMethod = Literal["none", "temperature", "isotonic"]


@dataclass(frozen=True)
class Calibration:
    """A monotone map of the target's log-odds to its calibrated probability.

    Parameters
    ----------
    method
        ``temperature`` divides the log-odds by one number (Guo et al. 2017, arXiv 1706.04599); ``isotonic`` interpolates
        between `knots` (Zadrozny & Elkan 2002, doi 10.1145/775047.775151); ``none`` is the logistic function.
    temperature
        Divisor of the log-odds, > 0; 1 for the other methods.
    knots
        Pairs of (log-odds, probability), both non-decreasing; empty for the other methods.
    split
        The part of the split that the calibration was fitted on (``tune``); empty if it was not fitted.
    split_sha256
        SHA-256 of that split; empty if the calibration was not fitted.
    """

    method: CalibrationMethod = "none"
    temperature: float = 1.0
    knots: tuple[tuple[float, float], ...] = ()
    split: str = ""
    split_sha256: str = ""

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
        scaled = z / self.temperature
        return np.asarray(np.where(scaled >= 0, 1, np.exp(-np.abs(scaled))) / (1 + np.exp(-np.abs(scaled))))


@dataclass(frozen=True)
class OperatingPoint:
    """A threshold on the calibrated probability and where it was fixed: never on the split that it is tested on.

    Attributes
    ----------
    threshold: positive at or above it, in [0, 1].
    rule: how it was chosen (youden, sensitivity>=0.95, …).
    split: the part of the split that it was chosen on.
    split_sha256: which split that was.
    """

    threshold: float
    rule: str
    split: str
    split_sha256: str

    def decide(self, probability: float) -> Literal["positive", "negative"]:
        return "positive" if probability >= self.threshold else "negative"


@dataclass(frozen=True)
class GreyZone:
    """Probabilities that the model abstains from: neither ruled out nor ruled in (Coste & Pouchot 2003, doi 10.1093/ije/dyg054).

    Attributes
    ----------
    low, high: it abstains from `low` up to, but without, `high`; a zone with ``low >= high`` is empty.
    rule: how the ends were chosen.
    split, split_sha256: the part of the split that they were chosen on, and which split that was.
    """

    low: float
    high: float
    rule: str
    split: str
    split_sha256: str

    def holds(self, probability: float) -> bool:
        return self.low <= probability < self.high


@dataclass(frozen=True)
class Score:
    """Calibrated probability of the named target, with the log-odds that it came from."""

    target: str
    probability: float
    log_odds: float
