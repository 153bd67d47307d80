"""`Score`, `Calibration` and `OperatingPoint`: from logits to a probability to a decision."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Probabilities = NDArray[np.float64]
CalibrationMethod = Literal["none", "temperature", "isotonic"]


@dataclass(frozen=True)
class Calibration:
    """A monotone map of the target's log-odds to its calibrated probability, with the split that it was fitted on.

    ``temperature`` divides the log-odds (Guo 2017, one parameter); ``isotonic`` interpolates between `knots` of
    (log-odds, probability) (Zadrozny 2002); ``none`` is the logistic function as it is.
    """

    method: CalibrationMethod = "none"
    temperature: float = 1.0
    knots: tuple[tuple[float, float], ...] = ()
    fitted_on: str = ""

    def __call__(self, log_odds: NDArray[np.floating]) -> Probabilities:
        """Calibrated probability in [0, 1] of the target, any shape."""
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
