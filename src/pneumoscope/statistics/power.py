"""Power of a test of a paired difference, from the standard error that the test itself uses."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, stats

from pneumoscope.statistics.estimate import Estimate
from pneumoscope.statistics.intervals import LEVEL

WANTED = 0.8
"""The power that is asked for, by convention."""


@dataclass(frozen=True)
class PairedPower:
    """What a paired test can show with these patients; NaN throughout if the difference has no standard error.

    All of it is about true differences that are chosen without looking at the observed one. The power at the observed difference
    is left out on purpose: it is a function of the p value alone, and says nothing more (Hoenig & Heisey 2001).

    Parameters
    ----------
    error
        Standard error of the difference.
    tests
        Number of tests that share the significance level; at least 1.
    detectable_alone
        Smallest true difference that is detected with a power of 80 % if this is the only planned test.
    detectable
        The same at the level divided by the number of tests. Holm's adjustment rejects whatever this level rejects, so its
        smallest detectable difference is at most this.
    margin
        A difference that matters.
    power_alone, power
        Power if the true difference is `margin`, of the only test and at the level divided by the number of tests.
    non_inferior
        Power to show that the loss is below `margin` (the 95 % interval lies above −margin) if the true difference is 0.
    patients
        Number of patients, drawn like these, with which `power_alone` is 80 %; NaN like the rest where it is not known.
    reason
        Why all of it is undefined; else empty.
    """

    error: float
    tests: int
    detectable_alone: float
    detectable: float
    margin: float
    power_alone: float
    power: float
    non_inferior: float
    patients: float
    reason: str = ""


def paired_power(difference: Estimate, margin: float, tests: int = 1, level: float = 1 - LEVEL) -> PairedPower:
    """Compute what a paired test can show with these patients.

    Parameters
    ----------
    difference
        A difference with a Wald interval (value ± quantile · standard error), as DeLong's test gives it.
    margin
        A difference that matters, above 0.
    tests
        Number of tests that share the significance level, at least 1.
    level
        Significance level of all tests together, two-sided, in (0, 1).

    Returns
    -------
    PairedPower
        NaN with a reason if the difference has no interval.

    References
    ----------
    Hoenig & Heisey 2001, The American Statistician 55:19; Holm 1979, Scandinavian Journal of Statistics 6:65.

    Examples
    --------
    >>> found = paired_power(Estimate(0.002, -0.00784, 0.00984, 700, "patient", "DeLong"), margin=0.01, tests=28)
    >>> print(f"{found.detectable_alone:.4f} {found.detectable:.4f} {found.power_alone:.2f}")
    0.0126 0.0179 0.60
    """
    if not difference.has_interval:
        nan, reason = math.nan, difference.reason or "no interval"
        return PairedPower(nan, tests, nan, nan, margin, nan, nan, nan, nan, reason)
    error = standard_error(difference)
    alone = detectable(error, level)
    return PairedPower(
        error,
        tests,
        alone,
        detectable(error, level / tests),
        margin,
        power(margin, error, level),
        power(margin, error, level / tests),
        float(stats.norm.sf(stats.norm.isf((1 - LEVEL) / 2) - margin / error)),
        math.ceil(difference.n * (alone / margin) ** 2),
    )


@dataclass(frozen=True)
class SignPower:
    """What McNemar's test of two models' decisions can show with these patients.

    Parameters
    ----------
    differing
        Number of patients on whom the two models are not right equally often: the test knows no others.
    detectable_alone
        Smallest true difference of accuracy that is detected with a power of 80 % if this is the only planned test; NaN if the
        exact test cannot reach the level with `differing` patients.
    detectable
        The same at the level divided by the number of tests.
    """

    differing: int
    detectable_alone: float
    detectable: float


def sign_power(surplus: NDArray[np.float64], cases: int, tests: int = 1, level: float = 1 - LEVEL) -> SignPower:
    """Compute what McNemar's test, exact over exchanges within patients, can show with these patients.

    Under the hypothesis the sign of each patient's surplus is random, so that the standard error of the difference of accuracy
    is the root of the sum of the squared surpluses over the number of cases. The power is that of the normal approximation with
    this standard error; the exact test has somewhat less, as its p values are discrete. With k differing patients the smallest
    possible p value is 2 · 2⁻ᵏ.

    Parameters
    ----------
    surplus
        Of each patient, as `paired.surplus` counts it.
    cases
        Number of decisions of each model, at least 1.
    tests
        Number of tests that share the significance level, at least 1.
    level
        Significance level of all tests together, two-sided, in (0, 1).

    Returns
    -------
    SignPower
        Differences of accuracy.

    References
    ----------
    Miettinen 1968, Biometrics 24:339; Lachin 1992, Statistics in Medicine 11:1239.

    Examples
    --------
    >>> found = sign_power(np.array([1.0] * 8 + [-1.0] * 8 + [0.0] * 684), cases=700, tests=28)
    >>> print(f"{found.differing} {found.detectable_alone:.4f} {found.detectable:.4f}")
    16 0.0160 0.0227
    """
    differing, error = int(np.count_nonzero(surplus)), float(np.sqrt((surplus**2).sum())) / cases
    alone, together = (detectable(error, own) if 2 * 0.5**differing < own else math.nan for own in (level, level / tests))
    return SignPower(differing, alone, together)


def standard_error(difference: Estimate) -> float:
    """Read the standard error back from a Wald interval.

    Parameters
    ----------
    difference
        An estimate with the interval value ± quantile · standard error.

    Returns
    -------
    float
        Half the length of the interval over the normal quantile.

    Examples
    --------
    >>> round(standard_error(Estimate(0.0, -1.959964, 1.959964, 9, "patient", "DeLong")), 6)
    1.0
    """
    return (difference.high - difference.low) / 2 / float(stats.norm.isf((1 - LEVEL) / 2))


def power(difference: float, error: float, level: float = 1 - LEVEL) -> float:
    """Power of a two-sided normal test.

    Parameters
    ----------
    difference
        The true difference.
    error
        Standard error of the estimate, above 0.
    level
        Significance level, two-sided, in (0, 1).

    Returns
    -------
    float
        Probability of a p value below the level, in [level, 1].

    Examples
    --------
    >>> round(power(0.0, 0.004), 4), round(power(0.01, 0.004), 4)
    (0.05, 0.7054)
    """
    critical, shift = stats.norm.isf(level / 2), difference / error
    return float(stats.norm.sf(critical - shift) + stats.norm.cdf(-critical - shift))


def detectable(error: float, level: float = 1 - LEVEL, wanted: float = WANTED) -> float:
    """Find the smallest true difference that a two-sided normal test detects with a given power.

    Parameters
    ----------
    error
        Standard error of the estimate, above 0.
    level
        Significance level, two-sided, in (0, 1).
    wanted
        Power, in (level, 1).

    Returns
    -------
    float
        A difference above 0.

    Examples
    --------
    >>> round(detectable(0.004), 6)
    0.011206
    """
    near = float(stats.norm.isf(level / 2) + stats.norm.isf(1 - wanted))  # exact but for rejections on the wrong side
    return error * float(optimize.brentq(lambda shift: power(shift, 1.0, level) - wanted, 0.0, near + 1, xtol=1e-12))
