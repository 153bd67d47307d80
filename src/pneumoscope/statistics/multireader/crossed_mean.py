"""The mean of a measurement over readers × cases, with its variance over random readers and random cases by U-statistics."""

from dataclasses import dataclass

import numpy as np

from pneumoscope.statistics.errors import StatisticsError
from pneumoscope.statistics.metrics import Array


@dataclass(frozen=True)
class CrossedMean:
    """The mean of a measurement, such as log seconds or the difference of two of them.

    Parameters
    ----------
    mean
        Over all readers and cases.
    variance
        Unbiased variance of the mean over random readers and random cases; it may be negative by chance.
    variance_of_one
        Unbiased variance of one measurement of a random reader of a random case.
    """

    mean: float
    variance: float
    variance_of_one: float


def crossed_mean(values: Array) -> CrossedMean:
    """Compute the mean of measurements that every reader made of every case.

    Parameters
    ----------
    values
        Shape (readers, cases), at least two of each; the difference of two arms for a paired comparison.

    Returns
    -------
    CrossedMean
        Var = Σ share·moment − M₀₀, where a moment is the mean product of two measurements with the same reader and case, the same
        case only, the same reader only, and neither (M₀₀), and the shares are those of such pairs among all.

    Raises
    ------
    StatisticsError
        If there are fewer than two readers or cases, or a measurement is missing.

    References
    ----------
    Gallas, Bandos, Samuelson & Wagner 2009, Communications in Statistics 38:2586, for a kernel of one case (iMRMC, uStat11).

    Examples
    --------
    >>> crossed_mean(np.array([[1.0, 2.0, 3.0], [2.0, 3.0, 4.0]])).mean
    2.5
    """
    if values.ndim != 2 or min(values.shape) < 2 or not np.isfinite(values).all():
        raise StatisticsError(f"measurements of shape {values.shape}: give at least two readers and two cases, without gaps")
    n_readers, n_cases = values.shape
    same = float((values**2).sum())
    of_case, of_reader = float((values.sum(0) ** 2).sum()) - same, float((values.sum(1) ** 2).sum()) - same
    apart = float(values.sum() ** 2) - same - of_case - of_reader
    n_apart = values.size * (n_readers - 1) * (n_cases - 1)
    mean, neither = float(values.mean()), apart / n_apart
    return CrossedMean(mean, mean**2 - neither, same / values.size - neither)
