"""The noun `Bootstrap`: draws of patients that all figures of a set of cases share."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from pneumoscope.statistics import intervals
from pneumoscope.statistics.estimate import Estimate
from pneumoscope.statistics.metrics import Array


@dataclass(frozen=True, eq=False)
class Bootstrap:
    """Draws of patients for a set of cases, so that all its figures resample the same ones."""

    patients: tuple[str, ...]
    weights: Array

    @classmethod
    def of_patients(cls, patients: Sequence[str], draws: int, seed: int = 0) -> "Bootstrap":
        """For cases of these patients, in their order."""
        return cls(tuple(patients), intervals.patient_weights(patients, draws, np.random.default_rng(seed)))

    def mean(self, values: Sequence[float], *, share: bool = False) -> Estimate:
        """Mean over the cases where the value is defined; `share` where each value is 0 or 1."""
        column = np.asarray(values, np.float64)
        kept = ~np.isnan(column)
        if not kept.any():
            return self._undefined(len(column))
        patients = [p for p, k in zip(self.patients, kept, strict=True) if k]
        counted = np.ones(int(kept.sum()), bool) if share else None
        found = intervals.bootstrap(_mean, column[kept], column[kept], patients, self.weights[:, kept], share_of=counted)
        return _with_lost(found, int((~kept).sum()))

    def of_all(self, metric: Callable[[Array], float]) -> Estimate:
        """A figure of all cases together, as a function of their weights (n,)."""
        nothing = np.zeros(len(self.patients))
        return intervals.bootstrap(lambda _, __, w: metric(w), nothing, nothing, self.patients, self.weights)

    def _undefined(self, n: int) -> Estimate:
        return Estimate(np.nan, np.nan, np.nan, 0, "patient", "none", f"undefined in all {n} cases")


def _mean(_: Array, values: Array, weights: Array) -> float:
    return float(np.average(values, weights=weights)) if weights.sum() else float("nan")


def _with_lost(found: Estimate, lost: int) -> Estimate:
    if not lost:
        return found
    method = f"{found.method}; undefined in {lost} cases"
    return Estimate(found.value, found.low, found.high, found.n, found.unit, method, found.reason)
