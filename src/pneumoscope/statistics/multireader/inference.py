"""An estimate with its standard error, degrees of freedom, test and interval; and tests against a margin."""

import math
from dataclasses import dataclass

from scipy import special

from pneumoscope.statistics.errors import StatisticsError

LEVEL = 0.95
"""Confidence level of every interval unless another is asked for."""


@dataclass(frozen=True)
class Inference:
    """An estimate with a two-sided test and interval by Student's t, or by the normal distribution if `df` is infinite.

    Parameters
    ----------
    estimate
        The figure, or the difference of two.
    standard_error
        Of the estimate; NaN if it is undefined.
    df
        Degrees of freedom, above 0; infinite for the normal distribution.
    null
        The value that is tested.
    level
        Confidence level of the interval, in (0, 1).
    reason
        Why the estimate or its standard error is undefined; else empty.

    Examples
    --------
    >>> result = Inference(-0.0438, 0.02075, 15.26)
    >>> round(result.p, 3), round(result.low, 3), round(result.high, 3)
    (0.052, -0.088, 0.0)
    """

    estimate: float
    standard_error: float
    df: float
    null: float = 0.0
    level: float = LEVEL
    reason: str = ""

    def __post_init__(self) -> None:
        """Refuse a level that is no probability."""
        if not 0 < self.level < 1:
            raise StatisticsError(f"a confidence level of {self.level}: give one between 0 and 1")

    @property
    def statistic(self) -> float:
        """(Estimate − null) / standard error."""
        return self.statistic_against(self.null)

    @property
    def p(self) -> float:
        """Two-sided p-value of the null value."""
        return 2 * upper_tail(abs(self.statistic), self.df)

    @property
    def low(self) -> float:
        """Lower end of the interval; not clipped to the range of the figure."""
        return self.estimate - self._half_width

    @property
    def high(self) -> float:
        """Upper end of the interval; not clipped to the range of the figure."""
        return self.estimate + self._half_width

    @property
    def _half_width(self) -> float:
        return quantile((1 + self.level) / 2, self.df) * self.standard_error

    def statistic_against(self, value: float) -> float:
        """Compute (estimate − value) / standard error.

        Parameters
        ----------
        value
            The value to test.

        Returns
        -------
        float
            NaN if the standard error is 0 or undefined.
        """
        return (self.estimate - value) / self.standard_error if self.standard_error > 0 else math.nan


def upper_tail(statistic: float, df: float) -> float:
    """Compute the probability that Student's t exceeds a value.

    Parameters
    ----------
    statistic
        The value.
    df
        Degrees of freedom; infinite for the normal distribution.

    Returns
    -------
    float
        In [0, 1]; NaN if an argument is NaN.
    """
    return float(special.ndtr(-statistic) if math.isinf(df) else special.stdtr(df, -statistic))


def quantile(probability: float, df: float) -> float:
    """Compute the quantile of Student's t.

    Parameters
    ----------
    probability
        In (0, 1).
    df
        Degrees of freedom; infinite for the normal distribution.

    Returns
    -------
    float
        NaN if `df` is NaN.
    """
    return float(special.ndtri(probability) if math.isinf(df) else special.stdtrit(df, probability))


def _checked(margin: float) -> float:
    if not margin >= 0:
        raise StatisticsError(f"a margin of {margin}: give the largest difference that does not matter, at least 0")
    return margin


def superiority(difference: Inference, margin: float = 0.0) -> float:
    """Test whether the first is better than the second by more than a margin.

    Parameters
    ----------
    difference
        First − second of a figure that is better the larger it is.
    margin
        At least 0.

    Returns
    -------
    float
        The one-sided p-value of the hypothesis that the difference is at most the margin; shown at level α if p ≤ α, which is the
        lower end of the 1 − 2α interval above the margin. NaN if there is no standard error.

    References
    ----------
    Chen, Petrick & Sahiner 2012, Academic Radiology 19:1158 (superiority and non-inferiority in multi-reader studies).
    """
    return upper_tail(difference.statistic_against(_checked(margin)), difference.df)


def non_inferiority(difference: Inference, margin: float) -> float:
    """Test whether the first is worse than the second by less than a margin.

    Parameters
    ----------
    difference
        First − second of a figure that is better the larger it is.
    margin
        The largest loss that does not matter, at least 0.

    Returns
    -------
    float
        The one-sided p-value of the hypothesis that the difference is at most −margin. NaN if there is no standard error.

    References
    ----------
    Chen, Petrick & Sahiner 2012, Academic Radiology 19:1158.

    Examples
    --------
    >>> round(non_inferiority(Inference(0.0438, 0.02075, 15.26), 0.05), 4)
    0.0002
    """
    return upper_tail(difference.statistic_against(-_checked(margin)), difference.df)


def equivalence(difference: Inference, margin: float) -> float:
    """Test whether two figures differ by less than a margin, by two one-sided tests.

    Parameters
    ----------
    difference
        First − second.
    margin
        The largest difference that does not matter, at least 0.

    Returns
    -------
    float
        The larger of the two one-sided p-values; equivalent at level α if p ≤ α, which is the 1 − 2α interval within ±margin. NaN
        if there is no standard error.

    References
    ----------
    Schuirmann 1987, Journal of Pharmacokinetics and Biopharmaceutics 15:657.
    """
    above = non_inferiority(difference, margin)
    below = upper_tail(-difference.statistic_against(margin), difference.df)
    return max(above, below) if not math.isnan(above) else math.nan
