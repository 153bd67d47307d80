"""Paired tests of two models: against R's pROC 1.18 and p.adjust, hand counts, and what clusters must and must not change."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from pneumoscope.statistics import metrics, paired
from pneumoscope.statistics.errors import StatisticsError
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


# Folds of a cross-validation


def folded(rng, offsets, patients_of_fold=20, skill=1.0):
    """Reference, scores of one model, patients and folds; each patient has two cases; a fold's model adds its offset."""
    folds = np.repeat(np.arange(len(offsets)), 2 * patients_of_fold)
    patients = [str(k // 2) for k in range(len(folds))]
    reference = np.tile(np.repeat([0.0, 1.0], patients_of_fold), len(offsets))
    noise = np.repeat(rng.normal(0, 0.7, len(folds) // 2), 2) + rng.normal(0, 0.7, len(folds))
    return reference, skill * reference + noise + np.asarray(offsets)[folds], patients, folds


def test_models_that_rank_every_fold_alike_do_not_differ_however_their_scales_differ():
    """The pooled test calls this a difference at p < 0.001: each fold's scores of the second model are moved as a whole."""
    rng = np.random.default_rng(0)
    reference, first, patients, folds = folded(rng, [0.0] * 5, patients_of_fold=60)
    second = first + np.array([0.0, 1.5, -1.5, 3.0, -3.0])[folds]
    pooled = paired.delong(reference, first, second, patients)
    assert pooled.p < 0.001
    found = paired.delong(reference, first, second, patients, folds=folds)
    assert found.difference.value == pytest.approx(0, abs=1e-15)
    assert found.p == 1


def test_a_difference_over_folds_is_the_mean_of_the_folds():
    rng = np.random.default_rng(1)
    reference, first, patients, folds = folded(rng, [0.0, 2.0, -1.0])
    second = rng.permutation(first)
    of_folds = []
    for fold in range(3):
        part = folds == fold
        own = [patient for patient, inside in zip(patients, part, strict=True) if inside]
        of_folds.append(paired.delong(reference[part], first[part], second[part], own).difference)
    found = paired.delong(reference, first, second, patients, folds=folds).difference
    assert found.value == pytest.approx(np.mean([e.value for e in of_folds]))
    halves = [(e.high - e.low) / 2 for e in of_folds]
    assert (found.high - found.low) / 2 == pytest.approx(math.sqrt(sum(h * h for h in halves)) / 3)  # folds are independent
    weights = patient_weights(patients, 2000, 0, folds=folds)
    by_fold = metrics.mean_over_folds(metrics.roc_auc, folds)
    drawn = [paired.draws_of(by_fold, reference, scores, weights) for scores in (first, second)]
    bootstrapped = paired.difference(*drawn, patients)
    assert (bootstrapped.value, bootstrapped.low) == pytest.approx((found.value, found.low), abs=0.03)


def test_two_models_of_equal_skill_differ_once_in_twenty_whatever_the_folds_add():
    """The known null: 400 cross-validations of five folds; the share of p < 0.05 is 0.05 but for chance."""
    rng, trials, rejected = np.random.default_rng(2), 400, 0
    for _ in range(trials):
        reference, first, patients, folds = folded(rng, rng.normal(0, 2, 5), patients_of_fold=24)
        second = folded(rng, rng.normal(0, 2, 5), patients_of_fold=24)[1]
        rejected += paired.delong(reference, first, second, patients, folds=folds).p < 0.05
    assert stats.binomtest(rejected, trials, 0.05).pvalue > 1e-3, rejected


def test_a_patient_in_two_folds_is_refused():
    folds = np.repeat([1, 2], 11)
    with pytest.raises(StatisticsError, match="lie in another fold than others of their patient"):
        paired.delong(REFERENCE, FIRST, SECOND, [str(k % 11) for k in range(22)], folds=folds)


def test_a_fold_without_two_patients_of_a_class_has_no_test():
    folds = np.repeat([1, 2], 11)
    found = paired.delong(REFERENCE, FIRST, SECOND, SINGLE, folds=folds)
    assert found.difference.reason == "fewer than two patients of a class in a fold"


def test_patients_are_drawn_within_their_folds():
    weights = patient_weights(["a", "a", "b", "c", "d", "e"], 40, 0, folds=np.array([1, 1, 1, 2, 2, 2]))
    assert (weights[:, 1:3].sum(1) == 2).all()
    assert (weights[:, 3:].sum(1) == 3).all()
