"""The noun `Bootstrap`: draws of patients that all figures of a set of cases share."""

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pneumoscope.statistics import intervals, metrics
from pneumoscope.statistics.estimate import Estimate
from pneumoscope.statistics.intervals import RandomSource
from pneumoscope.statistics.metrics import Array, Metric


@dataclass(frozen=True, eq=False)
class Bootstrap:
    """Draws of patients for a set of cases, so that all figures of the set resample the same patients.

    Parameters
    ----------
    patients
        The patient of each case, length n.
    weights
        How often each case is taken in each draw, shape (draws, n).

    Examples
    --------
    >>> boot = Bootstrap.of_patients([f"p{k}" for k in range(10)], draws=500, rng=0)
    >>> print(boot.mean([1.0] * 10, share=True))
    1.0000 (0.6915–1.0000)
    """

    patients: tuple[str, ...]
    weights: Array

    @classmethod
    def of_patients(cls, patients: Sequence[str], draws: int, rng: RandomSource = 0) -> "Bootstrap":
        """Draw patients with replacement.

        Parameters
        ----------
        patients
            The patient of each case, in the order of the cases.
        draws
            Number of draws, at least 1.
        rng
            A generator or a seed.

        Returns
        -------
        Bootstrap
            The draws.
        """
        return cls(tuple(patients), intervals.patient_weights(patients, draws, rng))

    def estimate(
        self, metric: Metric, reference: Array, prediction: Array, *, share_of: NDArray[np.bool_] | None = None
    ) -> Estimate:
        """Estimate a figure of the cases.

        Parameters
        ----------
        metric
            The figure.
        reference
            Shape (n,), 0 or 1.
        prediction
            Shape (n,), what the metric takes.
        share_of
            Shape (n,): the cases of the denominator, where the metric is a share of cases.

        Returns
        -------
        Estimate
            With a percentile interval, see `intervals.bootstrap`.
        """
        return intervals.bootstrap(metric, reference, prediction, self.patients, self.weights, share_of=share_of)

    def mean(self, values: Sequence[float], *, share: bool = False) -> Estimate:
        """Estimate the mean of a value of each case, over the cases where it is defined.

        Parameters
        ----------
        values
            Length n; NaN where undefined.
        share
            Whether each value is 0 or 1, so that a mean of 0 or 1 gets an exact interval.

        Returns
        -------
        Estimate
            Its n are the patients of the defined values.
        """
        column = np.asarray(values, np.float64)
        known = ~np.isnan(column)
        if not known.any():
            return Estimate(np.nan, np.nan, np.nan, 0, "patient", "none", f"undefined in all {len(column)} cases")
        weights = self.weights if known.all() else self.weights[:, known]
        part = Bootstrap(tuple(p for p, k in zip(self.patients, known, strict=True) if k), weights)
        counted = np.ones(int(known.sum()), bool) if share else None
        estimate = part.estimate(metrics.mean, column[known], column[known], share_of=counted)
        if known.all():
            return estimate
        return dataclasses.replace(estimate, method=f"{estimate.method}; undefined in {int((~known).sum())} cases")

    def of_all(self, metric: Callable[[Array], float]) -> Estimate:
        """Estimate a figure of all cases together that is given as a function of their weights alone.

        Parameters
        ----------
        metric
            Takes weights (n,) and returns the figure; called once per draw.

        Returns
        -------
        Estimate
            With a percentile interval.
        """

        def of_weights(reference: Array, prediction: Array, weights: Array | None = None) -> Array:
            rows = np.atleast_2d(np.ones(len(reference)) if weights is None else weights)
            values = np.array([metric(row) for row in rows], np.float64)
            return values if weights is not None and weights.ndim > 1 else values[0]

        nothing = np.zeros(len(self.patients))
        return self.estimate(of_weights, nothing, nothing)
