"""Agreement of raters on a measurement: intraclass correlations, and the limits of agreement of Bland and Altman."""

import math
from dataclasses import dataclass

import numpy as np
from scipy import special

from pneumoscope.statistics.errors import StatisticsError
from pneumoscope.statistics.metrics import Array
from pneumoscope.statistics.multireader.inference import LEVEL


@dataclass(frozen=True)
class IntraclassCorrelation:
    """An intraclass correlation with the F test that it is 0 and its interval.

    Parameters
    ----------
    value
        At most 1; negative if units differ less than ratings of one unit.
    low, high
        Ends of the interval.
    statistic, df1, df2, p
        The F test.
    """

    value: float
    low: float
    high: float
    statistic: float
    df1: float
    df2: float
    p: float


@dataclass(frozen=True)
class IntraclassCorrelations:
    """The six coefficients of Shrout and Fleiss.

    Parameters
    ----------
    one_way, one_way_mean
        Each unit by other raters: ICC(1,1) and ICC(1,k).
    random_raters, random_raters_mean
        Agreement of random raters: ICC(2,1) and ICC(2,k).
    fixed_raters, fixed_raters_mean
        Consistency of these raters: ICC(3,1) and ICC(3,k).
    """

    one_way: IntraclassCorrelation
    random_raters: IntraclassCorrelation
    fixed_raters: IntraclassCorrelation
    one_way_mean: IntraclassCorrelation
    random_raters_mean: IntraclassCorrelation
    fixed_raters_mean: IntraclassCorrelation


def _quantile(probability: float, df1: float, df2: float) -> float:
    return float(special.fdtri(df1, df2, probability))


def _of_single(of_mean: float, k: int) -> float:
    """Reliability of one rating from that of the mean of k (Spearman and Brown, inverted)."""
    return of_mean / (k - (k - 1) * of_mean)


def _pair(statistic: float, df1: int, df2: int, k: int, level: float) -> tuple[IntraclassCorrelation, IntraclassCorrelation]:
    """The coefficient of one rating and of the mean, where the mean's is 1 − 1 / F."""
    p, upper = float(special.fdtrc(df1, df2, statistic)), (1 + level) / 2
    low, high = statistic / _quantile(upper, df1, df2), statistic * _quantile(upper, df2, df1)
    of_mean = [1 - 1 / f for f in (statistic, low, high)]
    of_single = [_of_single(value, k) for value in of_mean]
    test = (statistic, float(df1), float(df2), p)
    (a, b, c), (d, e, g) = of_single, of_mean
    return IntraclassCorrelation(a, b, c, *test), IntraclassCorrelation(d, e, g, *test)


def _agreement(
    units: float, raters: float, rest: float, shape: tuple[int, int], level: float
) -> tuple[IntraclassCorrelation, IntraclassCorrelation]:
    """ICC(2,1) and ICC(2,k) from mean squares, with Satterthwaite's interval."""
    n, k = shape
    value = (units - rest) / (units + (k - 1) * rest + k * (raters - rest) / n)
    f, spread = raters / rest, n * (1 + (k - 1) * value) - k * value
    df = (k - 1) * (n - 1) * (k * value * f + spread) ** 2 / ((n - 1) * k**2 * value**2 * f**2 + spread**2)
    upper = (1 + level) / 2
    above, below = _quantile(upper, n - 1, df), _quantile(upper, df, n - 1)
    other = k * raters + (k * n - k - n) * rest
    low = n * (units - above * rest) / (above * other + n * units)
    high = n * (below * units - rest) / (other + n * below * units)
    of_mean = (units - rest) / (units + (raters - rest) / n)
    mean_low, mean_high = (k * end / (1 + (k - 1) * end) for end in (low, high))
    statistic, df2 = units / rest, (n - 1) * (k - 1)
    test = (statistic, float(n - 1), float(df2), float(special.fdtrc(n - 1, df2, statistic)))
    return IntraclassCorrelation(value, low, high, *test), IntraclassCorrelation(of_mean, mean_low, mean_high, *test)


def intraclass_correlations(measurements: Array, level: float = LEVEL) -> IntraclassCorrelations:
    """Compute the six intraclass correlations of Shrout and Fleiss.

    Parameters
    ----------
    measurements
        Shape (units, raters), without gaps; at least two of each.
    level
        Confidence level.

    Returns
    -------
    IntraclassCorrelations
        NaN where nothing varies.

    Raises
    ------
    StatisticsError
        If there are gaps, or fewer than two units or raters.

    References
    ----------
    Shrout & Fleiss 1979, Psychological Bulletin 86:420; McGraw & Wong 1996, Psychological Methods 1:30 (interval of ICC(2,1)).
    """
    if measurements.ndim != 2 or min(measurements.shape) < 2 or not np.isfinite(measurements).all():
        raise StatisticsError(
            f"measurements of shape {measurements.shape}: give units × raters without gaps, at least two of each"
        )
    n, k = measurements.shape
    by_unit, by_rater = measurements.mean(1, keepdims=True), measurements.mean(0, keepdims=True)
    units = k * float(((by_unit - measurements.mean()) ** 2).sum()) / (n - 1)
    raters = n * float(((by_rater - measurements.mean()) ** 2).sum()) / (k - 1)
    rest = float(((measurements - by_unit - by_rater + measurements.mean()) ** 2).sum()) / ((n - 1) * (k - 1))
    within = float(((measurements - by_unit) ** 2).sum()) / (n * (k - 1))
    if not (units > 0 and rest > 0 and within > 0):
        nothing = IntraclassCorrelation(*[math.nan] * 7)
        return IntraclassCorrelations(*[nothing] * 6)
    one, one_mean = _pair(units / within, n - 1, n * (k - 1), k, level)
    fixed, fixed_mean = _pair(units / rest, n - 1, (n - 1) * (k - 1), k, level)
    random, random_mean = _agreement(units, raters, rest, (n, k), level)
    return IntraclassCorrelations(one, random, fixed, one_mean, random_mean, fixed_mean)


@dataclass(frozen=True)
class LimitsOfAgreement:
    """The limits of agreement of two measurements.

    Parameters
    ----------
    n
        Number of units.
    bias
        Mean of first − second.
    sd
        Standard deviation of the differences.
    low, high
        bias ± 1.96·sd.
    bias_error
        Standard error of the bias, sd / √n.
    limit_error
        Approximate standard error of a limit, √(3 / n)·sd.
    """

    n: int
    bias: float
    sd: float
    low: float
    high: float
    bias_error: float
    limit_error: float


def limits_of_agreement(first: Array, second: Array) -> LimitsOfAgreement:
    """Compute the limits within which 95 % of differences are expected, for normal differences.

    Parameters
    ----------
    first, second
        Measurements of the same units, (units,), without gaps.

    Returns
    -------
    LimitsOfAgreement
        For first − second.

    Raises
    ------
    StatisticsError
        If the lengths differ, there are gaps, or fewer than two units.

    References
    ----------
    Bland & Altman 1986, Lancet 327:307; 1999, Statistical Methods in Medical Research 8:135 (standard errors).

    Examples
    --------
    >>> limits = limits_of_agreement(np.array([1.0, 2.0, 3.0]), np.array([1.0, 1.0, 3.5]))
    >>> print(f"{limits.bias:.4f} {limits.sd:.4f}")
    0.1667 0.7638
    """
    if first.shape != second.shape or first.size < 2 or not np.isfinite([first, second]).all():
        raise StatisticsError("measurements of different lengths, with gaps, or of fewer than two units")
    difference = first - second
    n, bias, sd = len(difference), float(difference.mean()), float(difference.std(ddof=1))
    half = 1.96 * sd
    return LimitsOfAgreement(n, bias, sd, bias - half, bias + half, sd / math.sqrt(n), math.sqrt(3 / n) * sd)
