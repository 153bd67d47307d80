"""Whether paired differences show that one thing is better than another, or not worse by more than a margin."""

from pneumoscope.statistics.estimate import EQUAL_DRAWS, Estimate

MIN_PATIENTS = 6
"""Fewest patients that can show anything at the 5 % level: for n differences of one sign the exact two-sided sign test gives
p = 2 · 2⁻ⁿ, which is 0.0625 for five and 0.031 for six."""


def shown_above_zero(difference: Estimate) -> bool:
    """Decide whether a mean paired difference is shown to be greater than zero at the two-sided 5 % level.

    Parameters
    ----------
    difference
        The mean difference with its 95 % interval; ``n`` is the number of patients.

    Returns
    -------
    bool
        True if there are at least `MIN_PATIENTS` patients and either the interval lies above zero, or every bootstrap draw gives
        the same positive difference: then the bootstrap has no spread to show, all patients agree, and the exact sign test
        (Arbuthnot 1710; Conover 1999, section 3.4) decides, which n ≥ `MIN_PATIENTS` satisfies. False for an undefined value
        and for an undefined interval, whatever the reason.

    Notes
    -----
    Does not show: how large the difference is, or that it matters.

    Examples
    --------
    >>> from pneumoscope.statistics.estimate import Estimate
    >>> shown_above_zero(Estimate(0.2, 0.1, 0.3, 40, "patient", "bootstrap"))
    True
    >>> shown_above_zero(Estimate(0.2, 0.1, 0.3, 3, "patient", "bootstrap"))
    False
    """
    if not difference.value > 0 or difference.n < MIN_PATIENTS:
        return False
    return difference.low > 0 or difference.reason == EQUAL_DRAWS


def non_inferior(difference: Estimate, margin: float) -> bool:
    """Decide whether a figure is shown to be lower than another by less than a margin.

    Parameters
    ----------
    difference
        The figure minus the other one, with its 95 % interval.
    margin
        The largest loss that does not matter, above 0.

    Returns
    -------
    bool
        Whether the whole interval lies above −margin; without an interval it is not shown.

    References
    ----------
    Piaggio et al. 2012, JAMA 308:2594 (CONSORT for non-inferiority trials).

    Examples
    --------
    >>> close, vague = (Estimate(-0.001, low, 0.002, 700, "patient", "DeLong") for low in (-0.004, -0.02))
    >>> non_inferior(close, 0.005), non_inferior(vague, 0.005)
    (True, False)
    """
    return difference.n >= MIN_PATIENTS and difference.low > -margin
