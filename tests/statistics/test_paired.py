"""Paired tests of two models: against R's pROC 1.18 and p.adjust, hand counts, and what clusters must and must not change."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from pneumoscope.statistics import metrics, paired
from pneumoscope.statistics.intervals import patient_weights

REFERENCE = np.array([1.0] * 12 + [0.0] * 10)
FIRST = np.array(
    [.91, .83, .77, .74, .66, .62, .58, .55, .49, .41, .35, .22, .71, .52, .48, .44, .36, .31, .27, .18, .12, .05]
)  # fmt: skip
SECOND = np.array(
    [.62, .81, .33, .59, .71, .28, .64, .46, .52, .39, .57, .17, .55, .61, .21, .47, .42, .19, .38, .44, .09, .24]
)  # fmt: skip
SINGLE = [str(k) for k in range(len(REFERENCE))]


def test_delong_is_that_of_proc():
    # roc.test(roc(r, a), roc(r, b), method = "delong", paired = TRUE)
    found = paired.delong(REFERENCE, FIRST, SECOND, SINGLE)
    assert found.difference.value == pytest.approx(0.8166666667 - 0.7250000000)
    assert found.p == pytest.approx(0.3374999761, abs=1e-9)
    assert found.difference.low == pytest.approx(-0.0956550344979)
    assert found.difference.high == pytest.approx(0.2789883678312)
    assert found.difference.method == "DeLong"


def test_cases_that_are_copies_of_their_patients_first_one_tell_nothing_new():
    several = [np.repeat(values, 3) for values in (REFERENCE, FIRST, SECOND)]
    found = paired.delong(*several, [patient for patient in SINGLE for _ in range(3)])
    once = paired.delong(REFERENCE, FIRST, SECOND, SINGLE)
    assert found.p == pytest.approx(once.p)
    assert found.difference.n == len(SINGLE)
    assert "clustered" in found.difference.method
    assert paired.delong(*several, [str(k) for k in range(66)]).p < once.p  # as if each were a patient


def test_the_clustered_variance_is_that_of_the_formula_written_out():
    """Obuchowski 1997, by sums over pairs of cases; patients have cases of both classes."""
    patients = [str(k % 9) for k in range(22)]
    x, y = np.flatnonzero(REFERENCE == 1), np.flatnonzero(REFERENCE == 0)

    def kernel(p, i, k):
        return 1.0 if p[i] > p[k] else 0.5 if p[i] == p[k] else 0.0

    def apart(i, k):
        return kernel(FIRST, i, k) - kernel(SECOND, i, k)

    m, n, names = len(x), len(y), sorted(set(patients))
    auc = sum(apart(i, k) for i in x for k in y) / (m * n)
    of_x = [sum(sum(apart(i, k) for k in y) / n - auc for i in x if patients[i] == name) for name in names]
    of_y = [sum(sum(apart(i, k) for i in x) / m - auc for k in y if patients[k] == name) for name in names]
    i10, i01, count = len({patients[i] for i in x}), len({patients[k] for k in y}), len(names)
    s10 = i10 / ((i10 - 1) * m) * sum(v * v for v in of_x)
    s01 = i01 / ((i01 - 1) * n) * sum(v * v for v in of_y)
    s11 = count / (count - 1) * sum(v * w for v, w in zip(of_x, of_y, strict=True))
    variance = s10 / m + s01 / n + 2 * s11 / (m * n)

    found = paired.delong(REFERENCE, FIRST, SECOND, patients)
    assert found.p == pytest.approx(2 * stats.norm.sf(abs(auc) / math.sqrt(variance)))


def test_models_that_rank_alike_do_not_differ():
    found = paired.delong(REFERENCE, FIRST, FIRST**2, SINGLE)
    assert (found.difference.value, found.p) == (0, 1)
    assert math.isnan(found.difference.low)
    assert found.difference.reason == "the two rank the cases alike"


def test_one_patient_of_a_class_gives_no_test():
    reference = np.array([1.0, 1, 0, 0])
    found = paired.delong(reference, np.array([0.9, 0.8, 0.3, 0.2]), np.array([0.3, 0.8, 0.4, 0.2]), ["a", "a", "b", "c"])
    assert math.isnan(found.p)
    assert found.difference.reason == "fewer than two patients of a class"


def test_mcnemar_of_single_cases_is_the_exact_binomial_test():
    # Of 12 discordant pairs 3 are right by the first alone: binom.test(3, 12)$p.value in R.
    reference = np.ones(21)
    first = np.array([1.0] * 3 + [0.0] * 9 + [1.0] * 9)
    second = np.array([0.0] * 3 + [1.0] * 9 + [1.0] * 9)
    assert paired.mcnemar(reference, first, second, [str(k) for k in range(21)]) == pytest.approx(0.145996093750)


@given(st.lists(st.tuples(st.integers(0, 4), st.booleans(), st.booleans(), st.booleans()), min_size=1, max_size=14))
def test_mcnemar_of_clusters_counts_every_exchange(cases):
    patients = [str(patient) for patient, *_ in cases]
    reference, first, second = (np.array([float(case[k]) for case in cases]) for k in (1, 2, 3))
    names = sorted(set(patients))
    surplus = [
        sum(int(f == r) - int(s == r) for p, r, f, s in zip(patients, reference, first, second, strict=True) if p == name)
        for name in names
    ]
    every = [
        abs(sum(sign * value for sign, value in zip(signs, surplus, strict=True)))
        for signs in itertools.product((1, -1), repeat=len(names))
    ]
    expected = np.mean([value >= abs(sum(surplus)) for value in every])
    assert paired.mcnemar(reference, first, second, patients) == pytest.approx(expected)


def test_a_difference_takes_each_patient_for_both_models_at_once():
    patients = [str(k // 2) for k in range(22)]
    weights = patient_weights(patients, 400, np.random.default_rng(0))
    first, second = (paired.draws_of(metrics.roc_auc, REFERENCE, values, weights) for values in (FIRST, SECOND))
    found = paired.difference(first, second, patients)
    assert found.value == pytest.approx(0.0916666667)
    assert found.low < 0 < found.high
    assert (found.n, found.unit) == (11, "patient")
    brier = paired.draws_of(metrics.brier, REFERENCE, FIRST, weights)
    shifted = paired.difference(brier, brier, patients)
    assert (shifted.value, shifted.reason) == (0, "the same in every bootstrap draw")


def test_holm_is_that_of_p_adjust():
    # p.adjust(c(.01, .04, .03, .005, .2, .04), "holm")
    found = paired.holm([0.01, 0.04, 0.03, 0.005, 0.2, 0.04])
    assert found == pytest.approx([0.05, 0.12, 0.12, 0.03, 0.2, 0.12])


def test_what_has_no_p_value_does_not_count_in_holms_adjustment():
    assert paired.holm([0.02, float("nan"), 0.04]) == pytest.approx([0.04, float("nan"), 0.04], nan_ok=True)
