"""Estimates as wholes: value, interval, number of patients, unit, method and reason, each by hand."""

from dataclasses import astuple

import numpy as np
import pytest

from pneumoscope.statistics import intervals, metrics, paired
from pneumoscope.statistics.estimate import EQUAL_DRAWS, Estimate, from_json, undefined
from pneumoscope.statistics.intervals import patient_weights
from pneumoscope.statistics.paired import Draws
from pneumoscope.statistics.patient_bootstrap import Bootstrap
from pneumoscope.statistics.superiority import non_inferior, shown_above_zero

NAN = float("nan")
TEN = [f"p{k}" for k in range(10)]


def assert_is(found, *expected):
    """Compare all fields; NaN equals NaN."""
    for one, other in zip(astuple(found), expected, strict=True):
        assert one == (other if isinstance(other, str) else pytest.approx(other, nan_ok=True))


def test_an_undefined_figure_has_patients_for_its_unit():
    assert_is(undefined(3, "why"), NAN, NAN, NAN, 3, "patient", "none", "why")
    assert not undefined(3, "why").defined
    assert not undefined(3, "why").has_interval
    without_low, without_high = (Estimate(0.5, low, high, 3, "patient", "") for low, high in ((NAN, 1.0), (0.0, NAN)))
    assert without_low.defined
    assert not without_low.has_interval
    assert not without_high.has_interval
    assert Estimate(0.5, 0.0, 1.0, 3, "patient", "").has_interval


def test_null_in_json_is_nan():
    tree = {"value": None, "low": 0.25, "high": None, "n": 4, "unit": "patient", "method": "m", "reason": "r"}
    assert_is(from_json(tree), NAN, 0.25, NAN, 4, "patient", "m", "r")


# DeLong's interval of one model


def delong(positives, negatives):
    reference = np.repeat([1.0, 0.0], [len(positives), len(negatives)])
    return intervals.delong(reference, np.array([*positives, *negatives], float))


def test_delong_by_hand():
    """Positives 3, 1; negatives 2, 0: 3/4 with components (1, 1/2) and (1/2, 1), of variance 1/8 each: 1/8 in all."""
    found = delong([3, 1], [2, 0])
    half = 1.959963985 * np.sqrt(1 / 8) / (3 / 4 * 1 / 4)
    low, high = (1 / (1 + np.exp(-(np.log(3) + end))) for end in (-half, half))
    assert_is(found, 0.75, low, high, 4, "patient", "DeLong, logit scale", "")


@pytest.mark.parametrize(("positives", "negatives", "value"), [([4, 3], [2, 1], 1), ([1, 2], [3, 4], 0), ([5, 5], [5, 5], 0.5)])
def test_an_area_without_variance_has_no_interval(positives, negatives, value):
    assert_is(delong(positives, negatives), value, NAN, NAN, 4, "patient", "DeLong", "no variance at this AUC")


@pytest.mark.parametrize(("positives", "negatives"), [([4], [2, 1, 3]), ([4, 2, 3], [1]), ([4, 3, 2, 1], []), ([], [4, 3, 2, 1])])
def test_one_case_of_a_class_is_too_few(positives, negatives):
    assert_is(delong(positives, negatives), NAN, NAN, NAN, 4, "patient", "none", "fewer than two cases of a class")


def test_two_cases_of_a_class_are_enough():
    assert delong([3, 1], [2, 0, 0]).has_interval
    assert delong([3, 1, 1], [2, 0]).has_interval


# The bootstrap


def test_the_ends_are_the_quantiles_of_the_defined_draws():
    drawn = np.append(np.linspace(0, 1, 101), [NAN] * 3)
    assert_is(
        intervals.percentile(0.4, drawn, 7),
        0.4,
        0.025,
        0.975,
        7,
        "patient",
        "patient bootstrap, 104 draws, 3 draws undefined",
        "",
    )
    assert intervals.percentile(0.4, drawn[:101], 7).method == "patient bootstrap, 101 draws"


def test_half_of_the_draws_must_be_defined():
    few, enough = np.array([0.1, NAN, NAN]), np.array([0.1, 0.2, NAN, NAN])
    reason = "undefined in most bootstrap draws"
    assert_is(intervals.percentile(0.4, few, 7), 0.4, NAN, NAN, 7, "patient", "bootstrap", reason)
    assert intervals.percentile(0.4, enough, 7).has_interval


def test_equal_draws_have_no_interval():
    equal, nearly = np.full(9, 0.3), np.append(np.full(8, 0.3), 0.3 + 1e-9)
    assert_is(intervals.percentile(0.3, equal, 7), 0.3, NAN, NAN, 7, "patient", "bootstrap", EQUAL_DRAWS)
    assert intervals.percentile(0.3, nearly, 7).has_interval


def test_a_figure_of_these_cases_that_is_undefined_counts_their_patients():
    boot = Bootstrap.of_patients(["a", "a", "b"], 5)
    found = boot.estimate(metrics.roc_auc, np.ones(3), np.arange(3.0))
    assert_is(found, NAN, NAN, NAN, 2, "patient", "none", "not defined on these cases")


def test_a_share_at_the_boundary_has_the_exact_interval():
    boot = Bootstrap.of_patients(TEN, 20)
    end = 0.025 ** (1 / 10)
    method = "Clopper–Pearson on patients (share at the boundary)"
    assert_is(boot.mean([1.0] * 10, share=True), 1, end, 1, 10, "patient", method, "")
    assert_is(boot.mean([0.0] * 10, share=True), 0, 0, 1 - end, 10, "patient", method, "")
    assert boot.mean([1.0] * 10).reason == EQUAL_DRAWS


def test_a_mean_leaves_out_what_is_undefined_and_says_so():
    boot = Bootstrap.of_patients(["a", "a", "b", "c", "d"], 300, 1)
    values = [1.0, NAN, 0.0, 0.5, NAN]
    found = boot.mean(values)
    weights = patient_weights(["a", "a", "b", "c", "d"], 300, 1)[:, [0, 2, 3]]
    drawn = [row @ [1.0, 0.0, 0.5] / row.sum() for row in weights if row.sum()]
    lost = 300 - len(drawn)
    assert lost > 0
    method = f"patient bootstrap, 300 draws, {lost} draws undefined; undefined in 2 cases"
    assert_is(found, 0.5, *np.quantile(drawn, [0.025, 0.975]), 3, "patient", method, "")
    assert boot.mean([1.0, 0.0, 0.5, 0.25, 0.0]).method == "patient bootstrap, 300 draws"


def test_a_mean_of_nothing_is_undefined():
    found = Bootstrap.of_patients(["a", "a", "b"], 5).mean([NAN] * 3)
    assert_is(found, NAN, NAN, NAN, 0, "patient", "none", "undefined in all 3 cases")


def test_a_figure_of_all_cases_is_computed_from_their_weights():
    boot, values = Bootstrap.of_patients(TEN, 200, 3), np.arange(10.0)
    found = boot.of_all(lambda weights: float(weights @ values / weights.sum()))
    expected = boot.mean(values)
    assert_is(found, *astuple(expected))
    assert found.value == 4.5


def test_a_seed_is_as_good_as_its_generator():
    by_seed, by_generator = patient_weights(TEN, 4, 7), patient_weights(TEN, 4, np.random.default_rng(7))
    assert by_seed.tolist() == by_generator.tolist()
    assert patient_weights(TEN, 4).tolist() == patient_weights(TEN, 4, 0).tolist()
    assert by_seed.shape == (4, 10)


def test_draws_of_a_bootstrap_follow_its_seed():
    seeded = [Bootstrap.of_patients(TEN, 4, seed).weights.tolist() for seed in (0, 7)]
    assert Bootstrap.of_patients(TEN, 4).weights.tolist() == seeded[0] == patient_weights(TEN, 4, 0).tolist()
    assert seeded[1] == patient_weights(TEN, 4, 7).tolist() != seeded[0]


def test_draws_are_worked_on_in_blocks_without_a_change(monkeypatch):
    weights = patient_weights(TEN, 23, 0)
    values = np.arange(10.0)
    whole = intervals.over_draws(metrics.mean, values, values, weights)
    monkeypatch.setattr(intervals, "_AT_A_TIME", 40)
    assert intervals.over_draws(metrics.mean, values, values, weights).tolist() == whole.tolist()
    monkeypatch.setattr(intervals, "_AT_A_TIME", 1)
    assert intervals.over_draws(metrics.mean, values, values, weights).tolist() == whole.tolist()


# Pairs

REFERENCE = np.array([1, 1, 1, 0, 0, 0.0])
FIRST, SECOND = np.array([6, 5, 2, 4, 3, 1.0]), np.array([6, 3, 2, 5, 4, 1.0])


def test_a_paired_test_by_hand():
    """First: 7/9, components of positives (1, 1, 1/3), of negatives (2/3, 2/3, 1); second: 5/9, (1, 1/3, 1/3), (1/3, 1/3, 1).

    Their differences (0, 2/3, 0) and (1/3, 1/3, 0), each of mean 2/9, have variances 4/27 and 1/27; a third of their sum is 5/81.
    """
    found = paired.delong(REFERENCE, FIRST, SECOND, list("abcdef"))
    error = np.sqrt(5 / 81)
    ends = (2 / 9 - 1.959963985 * error, 2 / 9 + 1.959963985 * error)
    assert_is(found.difference, 2 / 9, *ends, 6, "patient", "DeLong", "")
    assert found.p == pytest.approx(0.3711, abs=5e-5)  # 2 Φ(−0.8944), from a table of the normal distribution


def test_a_paired_test_names_its_clusters_and_folds():
    patients = list("aabcdd")
    assert paired.delong(REFERENCE, FIRST, SECOND, patients).difference.method == "DeLong, clustered by patient (Obuchowski)"
    twice = [np.tile(values, 2) for values in (REFERENCE, FIRST, SECOND)]
    found = paired.delong(*twice, list("abcdefghijkl"), folds=np.repeat([0, 1], 6)).difference
    assert found.method == "DeLong, mean over 2 folds"
    assert (found.value, found.n, found.unit) == (pytest.approx(2 / 9), 12, "patient")


def test_what_cannot_be_tested_says_why():
    few = paired.delong(np.array([1, 0, 0.0]), np.array([3, 2, 1.0]), np.array([1, 2, 3.0]), list("abc"))
    assert_is(few.difference, NAN, NAN, NAN, 3, "patient", "none", "fewer than two patients of a class")
    assert np.isnan(few.p)
    alike = paired.delong(REFERENCE, FIRST, FIRST * 2, list("abcdef"))
    assert_is(alike.difference, 0, NAN, NAN, 6, "patient", "DeLong", "the two rank the cases alike")
    assert alike.p == 1
    right, wrong = np.array([4, 3, 2, 1.0]), np.array([1, 2, 3, 4.0])
    certain = paired.delong(np.array([1, 1, 0, 0.0]), right, wrong, list("abcd"))
    assert_is(certain.difference, 1, NAN, NAN, 4, "patient", "DeLong", "no variance of the difference")
    assert np.isnan(certain.p)


def test_a_difference_is_of_draws_taken_together():
    found = paired.difference(Draws(0.7, np.linspace(0.5, 1.5, 101)), Draws(0.4, np.full(101, 0.5)), ["a", "a", "b"])
    assert_is(found, 0.3, 0.025, 0.975, 2, "patient", "patient bootstrap, 101 draws", "")
    lost = paired.difference(Draws(NAN, np.zeros(3)), Draws(0.4, np.zeros(3)), ["a", "a", "b"])
    assert_is(lost, NAN, NAN, NAN, 2, "patient", "none", "not defined on these cases")


def test_holm_never_falls_below_an_earlier_value_nor_exceeds_one():
    assert paired.holm([0.9, 0.6, 0.01]) == pytest.approx([1, 1, 0.03])
    assert paired.holm([0.01, 0.011, 0.5]) == pytest.approx([0.03, 0.03, 0.5])
    assert paired.holm([]) == []


# Superiority and non-inferiority


def of(value, low, n, reason=""):
    return Estimate(value, low, value + 0.1, n, "patient", "", reason)


def test_six_patients_show_a_difference_and_five_do_not():
    assert shown_above_zero(of(0.2, 0.01, 6))
    assert not shown_above_zero(of(0.2, 0.01, 5))
    assert not shown_above_zero(of(0.2, 0.0, 60))
    assert not shown_above_zero(of(0.0, NAN, 60, EQUAL_DRAWS))
    assert shown_above_zero(of(0.2, NAN, 6, EQUAL_DRAWS))
    assert not shown_above_zero(of(0.2, NAN, 6, "undefined in most bootstrap draws"))


def test_a_loss_of_the_margin_itself_is_not_ruled_out():
    assert non_inferior(of(0.0, -0.0049, 6), 0.005)
    assert not non_inferior(of(0.0, -0.005, 6), 0.005)
    assert not non_inferior(of(0.0, -0.004, 5), 0.005)
    assert not non_inferior(of(0.0, NAN, 60), 0.005)
