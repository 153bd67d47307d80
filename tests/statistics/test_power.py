"""Power of paired tests: against statsmodels 0.15, SciPy's noncentral chi-squared distribution, and a simulation."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from pneumoscope.statistics import paired
from pneumoscope.statistics.estimate import Estimate, undefined
from pneumoscope.statistics.power import detectable, paired_power, power, sign_power, standard_error

ERROR = 0.004
Z = 1.959963984540054
"""qnorm(0.975) in R."""


def wald(value, error, n=700):
    return Estimate(value, value - Z * error, value + Z * error, n, "patient", "DeLong")


@pytest.mark.parametrize(
    ("difference", "level", "expected"),
    [
        # NormalIndPower().power(difference / 0.004, nobs1=1, alpha=level, ratio=0)
        (0.005, 0.05, 0.23952699321850004),
        (0.01, 0.05, 0.7054180011138002),
        (0.0, 0.05, 0.05),
        (0.005, 0.05 / 28, 0.030489612087427388),
        (0.01, 0.05 / 28, 0.26640094746273657),
    ],
)
def test_power_is_that_of_statsmodels(difference, level, expected):
    assert power(difference, ERROR, level) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(("level", "expected"), [(0.05, 0.011206327028567333), (0.05 / 28, 0.015861423415596772)])
def test_the_detectable_difference_is_that_of_statsmodels(level, expected):
    # NormalIndPower().solve_power(None, nobs1=1, alpha=level, power=0.8, ratio=0) * 0.004
    assert detectable(ERROR, level) == pytest.approx(expected, rel=1e-7)


@given(st.just(0.0) | st.floats(1e-6, 8), st.floats(1e-6, 0.5))  # the square of a smaller shift is lost in SciPy's series
def test_power_is_that_of_the_chi_squared_test(shift, level):
    """The square of the test's normal statistic follows a noncentral chi-squared distribution."""
    critical = stats.chi2.isf(level, 1)
    expected = stats.ncx2.sf(critical, 1, shift**2) if shift else level
    assert power(shift, 1.0, level) == pytest.approx(expected, rel=1e-5)


@given(st.floats(1e-5, 1), st.floats(1e-6, 0.2), st.floats(0.3, 0.99))
def test_the_detectable_difference_is_detected_with_that_power(error, level, wanted):
    assert power(detectable(error, level, wanted), error, level) == pytest.approx(wanted, abs=1e-9)


def test_what_a_pair_of_28_can_show():
    found = paired_power(wald(-0.002, ERROR), margin=0.005, tests=28)
    assert found.error == pytest.approx(ERROR)
    assert (found.tests, found.margin, found.reason) == (28, 0.005, "")
    assert (found.detectable_alone, found.detectable) == (
        pytest.approx(0.011206327028567333, rel=1e-7), pytest.approx(0.015861423415596772, rel=1e-7),
    )  # fmt: skip
    assert (found.power_alone, found.power) == (pytest.approx(0.2395269932185), pytest.approx(0.03048961208743))
    # NormalIndPower().power(0.005 / 0.004, nobs1=1, alpha=0.025, ratio=0, alternative="larger")
    assert found.non_inferior == pytest.approx(0.23886323519652974)
    # NormalIndPower().solve_power(0.005 / (0.004 * 700**0.5), None, alpha=0.05, power=0.8, ratio=0) is 3516.29
    assert found.patients == 3517


def test_the_observed_difference_changes_nothing():
    """It would be the p value in another form."""
    margin = {"margin": 0.005, "tests": 3}
    none, large = paired_power(wald(0.0, ERROR), **margin), paired_power(wald(0.3, ERROR), **margin)
    names = [name for name in vars(none) if name != "reason"]
    assert [getattr(large, name) for name in names] == pytest.approx([getattr(none, name) for name in names], rel=1e-6)


def test_a_difference_without_an_interval_has_no_power():
    same = Estimate(0.0, math.nan, math.nan, 700, "patient", "DeLong", "the two rank the cases alike")
    for difference in (same, undefined(3, "fewer than two patients of a class")):
        found = paired_power(difference, margin=0.005)
        assert found.reason == difference.reason
        assert all(math.isnan(getattr(found, name)) for name in ("error", "detectable_alone", "detectable", "power", "patients"))


def test_the_standard_error_is_read_back():
    assert standard_error(wald(0.01, 0.003)) == pytest.approx(0.003)


def test_mcnemars_test_detects_what_its_exact_power_says():
    """Of 700 patients 100 differ; the exact power sums the binomial distribution over all p values of SciPy's exact test."""
    differing, cases = 100, 700
    found = sign_power(np.array([1.0] * 50 + [-1.0] * 50 + [0.0] * 600), cases)
    assert found.differing == differing
    favourable = (1 + found.detectable_alone * cases / differing) / 2
    counts = np.arange(differing + 1)
    rejected = np.array([stats.binomtest(int(k), differing, 0.5).pvalue < 0.05 for k in counts])
    exact = stats.binom.pmf(counts, differing, favourable)[rejected].sum()
    assert 0.74 < exact < 0.82


def test_mcnemars_smallest_difference_by_hand():
    """Surpluses 2, −1 and eight of 1: the sum of squares is 13; 10 patients reach 2/1024 but not 0.05/28."""
    found = sign_power(np.array([2.0, -1.0, *[1.0] * 8, 0.0]), cases=50, tests=28)
    assert found.detectable_alone == pytest.approx(2.80158 * math.sqrt(13) / 50, rel=1e-4)  # qnorm(0.975) + qnorm(0.8)
    assert math.isnan(found.detectable)
    assert math.isnan(sign_power(np.array([1.0] * 5), cases=50).detectable_alone)  # p is 0.0625 at best


@pytest.mark.parametrize("differing", range(12))
def test_what_the_exact_test_can_reach_is_known(differing):
    right = np.arange(20) < differing
    lowest = paired.mcnemar(np.ones(20), right.astype(float), np.zeros(20), [str(k) for k in range(20)])
    found = sign_power(paired.surplus(np.ones(20), right, np.zeros(20), [str(k) for k in range(20)]), 20)
    assert math.isnan(found.detectable_alone) == (lowest >= 0.05)


def test_the_test_rejects_as_often_as_its_power_says():
    rng, error, true = np.random.default_rng(0), 0.004, 0.01
    observed = rng.normal(true, error, 4000)
    rejected = int((2 * stats.norm.sf(np.abs(observed) / error) < 0.05).sum())
    assert stats.binomtest(rejected, 4000, power(true, error)).pvalue > 1e-3
