"""When a difference counts as shown: by SciPy's exact sign test where the bootstrap has no spread."""

import math

import pytest
from scipy import stats

from pneumoscope.statistics.estimate import EQUAL_DRAWS, Estimate, undefined
from pneumoscope.statistics.patient_bootstrap import Bootstrap
from pneumoscope.statistics.superiority import MIN_PATIENTS, shown_above_zero

NAN = math.nan


def difference(value, low=NAN, high=NAN, n=40, reason=""):
    return Estimate(value, low, high, n, "patient", "bootstrap", reason)


def test_an_interval_above_zero_shows_it_and_one_that_reaches_zero_does_not():
    assert shown_above_zero(difference(0.2, 0.1, 0.3))
    assert not shown_above_zero(difference(0.2, 0.0, 0.4))
    assert not shown_above_zero(difference(0.2, -0.1, 0.5))
    assert not shown_above_zero(difference(-0.2, -0.3, -0.1))


@pytest.mark.parametrize(
    "no_data",
    [
        undefined(40, "not defined on these cases"),
        undefined(0, "undefined in all 3 cases"),
        difference(0.2, reason="undefined in most bootstrap draws"),
        difference(NAN, 0.1, 0.3),
    ],
    ids=["undefined", "no case", "most draws undefined", "a value of NaN"],
)
def test_nothing_is_shown_without_data(no_data):
    assert not shown_above_zero(no_data)


@pytest.mark.parametrize("n", range(1, 12))
def test_equal_draws_are_decided_by_the_exact_sign_test(n):
    significant = stats.binomtest(n, n, 0.5).pvalue <= 0.05
    assert shown_above_zero(difference(1.0, n=n, reason=EQUAL_DRAWS)) == significant == (n >= MIN_PATIENTS)


def test_equal_draws_of_no_difference_show_nothing():
    assert not shown_above_zero(difference(0.0, reason=EQUAL_DRAWS))


def test_many_images_of_one_patient_are_one_patient():
    """Fifty images of one patient: every draw is the same, and n is 1."""
    one = Bootstrap.of_patients(["p"] * 50, 100).mean([1.0] * 50)
    assert (one.reason, one.n) == (EQUAL_DRAWS, 1)
    assert not shown_above_zero(one)


def test_an_interval_of_too_few_patients_shows_nothing():
    """Five patients with differences of 0.1 to 0.5: no draw of them is below 0.1, but the sign test gives p = 0.0625."""
    few = Bootstrap.of_patients(list("abcde"), 200).mean([0.1, 0.2, 0.3, 0.4, 0.5])
    assert few.low > 0
    assert not shown_above_zero(few)
