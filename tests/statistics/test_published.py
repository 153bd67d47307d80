"""Published examples and textbook bounds, from outside this project."""

import numpy as np
import pytest

from pneumoscope.evaluation import calibration
from pneumoscope.statistics import intervals, metrics

# Hanley & McNeil 1982 (Radiology 143:29), table 1: 109 CT images rated 1 to 5, 58 normal and 51 abnormal.
HANLEY = np.repeat([0.0, 1.0], [58, 51])
RATING = np.concatenate([np.repeat(np.arange(1.0, 6), n) for n in ((33, 6, 6, 11, 2), (3, 2, 2, 11, 33))])


def test_auc_of_hanley_and_mcneils_table_is_the_published_one():
    assert metrics.roc_auc(HANLEY, RATING, np.ones(109)) == pytest.approx(0.893, abs=5e-4)
    assert intervals.delong(HANLEY, RATING).value == pytest.approx(0.893, abs=5e-4)


def test_delong_error_of_hanley_and_mcneils_table_is_what_stata_prints():
    # Stata's manual, [R] roctab, on these data: ROC area 0.8932, std. err. 0.0307, 95 % interval 0.83295 to 0.95339.
    auc, v10, v01 = intervals.delong_components(HANLEY, RATING)
    error = np.sqrt(v10.var(ddof=1) / 51 + v01.var(ddof=1) / 58)
    assert auc == pytest.approx(0.8932, abs=5e-5)
    assert error == pytest.approx(0.0307, abs=5e-5)
    assert (auc - 1.959964 * error, auc + 1.959964 * error) == pytest.approx((0.83295, 0.95339), abs=5e-6)


def test_delong_interval_on_the_logit_scale_is_statas_moved_towards_one_half():
    # The logit makes an interval asymmetric: here longer towards 0.5, and never beyond 1.
    estimate = intervals.delong(HANLEY, RATING)
    assert (estimate.low, estimate.high) == pytest.approx((0.83295, 0.95339), abs=0.02)
    assert estimate.value - estimate.low > estimate.high - estimate.value


@pytest.mark.parametrize(("n", "upper"), [(10, 0.3085), (20, 0.1684), (30, 0.1157), (50, 0.0711), (100, 0.0362)])
def test_none_of_n_has_the_tabulated_exact_upper_bound(n, upper):
    # Tables of exact binomial limits, two-sided 95 %; all of n is the mirror image.
    assert intervals.clopper_pearson(0, n) == pytest.approx((0, upper), abs=5e-5)
    assert intervals.clopper_pearson(n, n) == pytest.approx((1 - upper, 1), abs=5e-5)


def test_exact_interval_of_one_in_ten_is_the_tabulated_one():
    assert intervals.clopper_pearson(1, 10) == pytest.approx((0.0025, 0.4450), abs=5e-5)


def test_isotonic_regression_of_four_cases_pools_the_two_that_are_in_the_wrong_order():
    # Pool-adjacent-violators by hand: outcomes 0, 1, 0, 1 become 0, ½, ½, 1.
    z = np.array([-2.0, -1.0, 1.0, 2.0])
    fitted = calibration.fit("isotonic", np.array([0, 1, 0, 1.0]), z, "tune", "abc")
    assert fitted(z).tolist() == [0, 0.5, 0.5, 1]
    assert fitted(np.array([-9.0, 0.0, 9.0])).tolist() == [0, 0.5, 1]
