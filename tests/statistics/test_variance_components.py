"""Figures over folds and seeds, and where their variance comes from: by hand, and by simulation with known components."""

import math

import numpy as np
import pytest
from scipy import stats

from pneumoscope.statistics import metrics
from pneumoscope.statistics.estimate import EQUAL_DRAWS
from pneumoscope.statistics.intervals import over_draws, patient_weights
from pneumoscope.statistics.repeated_figure import RepeatedFigure
from pneumoscope.statistics.variance_components import variance_components

VALUES = np.array([[0.90, 0.94], [0.80, 0.82]])
"""Two folds of two seeds."""
DRAWN = np.array([[[0.88, 0.92], [0.93, 0.95]], [[0.77, 0.83], [0.81, 0.83]]])
"""Two draws of each: the variance of two numbers is half of their squared difference."""
COUNTED = np.array([[40, 40], [38, 39]])


def of(values, drawn, counted=None, **options):
    values = np.asarray(values)
    return RepeatedFigure(values, np.asarray(drawn), np.full(values.shape, 40) if counted is None else counted, **options)


def test_the_components_of_two_folds_and_two_seeds_by_hand():
    found = variance_components(of(VALUES, DRAWN, COUNTED), test_to_train=0.25)
    # Variances over the draws 0.0008, 0.0002, 0.0018, 0.0002; covariances 0.04 · 0.02 / 2 and 0.06 · 0.02 / 2.
    assert found.patients.value == pytest.approx((0.0004 + 0.0006) / 2)
    assert found.seeds_patients.value == pytest.approx(0.00075 - 0.0005)
    # Between seeds 0.04² / 2 and 0.02² / 2; between folds (0.92 − 0.81)² / 2.
    assert found.observed_seeds.value == pytest.approx((0.0008 + 0.0002) / 2)
    assert found.seeds.value == pytest.approx(0.0005 - 0.00025)
    assert found.folds.value == pytest.approx(0.00605 - 0.0005 - 0.0005 / 2)
    # σ²_P / 2 + σ²_SP / 4 from the draws, then σ²_S / 4 + σ²_F (1 / 2 + 1 / 4).
    assert found.error_of_patients**2 == pytest.approx(0.0005 / 2 + 0.00025 / 4)
    assert found.error**2 == pytest.approx(0.0005 / 2 + 0.00025 / 4 + 0.00025 / 4 + 0.0053 * 0.75)
    assert found.patients.n == found.seeds_patients.n == 40 + 38
    assert math.isnan(found.patients.low)


def test_the_intervals_are_those_of_a_mean_square():
    # R: 2 * 0.0005 / qchisq(c(0.975, 0.025), 2), and 1 * 0.00605 / qchisq(c(0.975, 0.025), 1)
    found = variance_components(of(VALUES, DRAWN))
    assert (found.observed_seeds.low, found.observed_seeds.high) == pytest.approx((0.001 / 7.377758908, 0.001 / 0.05063561597))
    assert (found.seeds.low, found.seeds.high) == pytest.approx((0.0, 0.001 / 0.05063561597 - 0.00025))
    assert found.folds.high == pytest.approx(0.00605 / 0.0009820691 - 0.00075, rel=1e-6)


def test_one_seed_without_folds_shows_the_patients_alone():
    found = variance_components(of(VALUES[:1, :1], DRAWN[:1, :1]))
    assert found.patients.value == pytest.approx(0.0008)
    for part in (found.seeds, found.observed_seeds, found.seeds_patients):
        assert (str(part), part.reason) == ("undefined (one seed)", "one seed")
    assert str(found.folds) == "undefined (no folds)"
    assert math.isnan(found.error)
    assert found.error_of_patients == pytest.approx(math.sqrt(0.0008))


def test_with_one_seed_the_folds_contain_the_seeds():
    found = variance_components(of(VALUES[:, :1], DRAWN[:, :1]), test_to_train=0.25)
    assert found.patients.value == pytest.approx((0.0008 + 0.0018) / 2)
    assert found.folds.value == pytest.approx(0.1**2 / 2 - 0.0013)
    assert found.error**2 == pytest.approx((0.0008 + 0.0018) / 4 + (0.005 - 0.0013) * 0.75)


def test_a_negative_component_is_set_to_zero_and_says_so():
    found = variance_components(of([[0.90, 0.905]], DRAWN[:1]))
    assert (found.seeds.value, found.seeds.low) == (0.0, 0.0)
    assert found.seeds.high > 0
    assert found.seeds.method.endswith("negative estimate set to 0")
    apart = variance_components(of([[0.90, 0.90]], [[[0.88, 0.92], [0.88, 0.92]]]))
    assert (apart.seeds.value, apart.seeds_patients.value) == (0.0, pytest.approx(0.0, abs=1e-15))
    assert apart.patients.value == pytest.approx(0.0008)


def test_seeds_that_go_against_each_other_leave_no_variance_to_the_patients():
    """Draws of variance 1 and covariance −1: the component of the patients is 0, that of seeds × patients is 1."""
    drawn = np.array([[[0.4, 0.6, 0.5], [0.6, 0.4, 0.5]]]) * 10
    components = variance_components(RepeatedFigure(np.array([[0.5, 0.5]]), drawn, np.array([[40, 40]])))
    assert components.patients.value == 0
    assert components.patients.method == "patient bootstrap; negative estimate set to 0"
    assert components.seeds_patients.value == pytest.approx(1.0)
    assert components.error_of_patients == pytest.approx(0, abs=1e-12)


def test_an_interval_that_would_end_at_zero_is_none():
    found = variance_components(of([[0.90, 0.90]], DRAWN[:1]))
    assert (found.seeds.value, found.seeds.reason) == (0.0, "the other components explain all of it")
    assert math.isnan(found.seeds.high)


@pytest.mark.parametrize(
    ("values", "drawn", "reason"),
    [
        ([[0.9, math.nan]], DRAWN[:1], "not defined on these cases"),
        ([[1.0, 1.0]], np.ones((1, 2, 9)), EQUAL_DRAWS),
        ([[0.9, 0.8]], np.full((1, 2, 9), math.nan), "undefined in most bootstrap draws"),
    ],
    ids=["undefined", "no spread", "undefined draws"],
)
def test_what_has_no_draws_has_no_components(values, drawn, reason):
    found = variance_components(of(values, drawn))
    assert {part.reason for part in (found.patients, found.seeds, found.folds)} == {reason}
    assert math.isnan(found.error)


def test_draws_in_which_one_training_is_undefined_are_left_out():
    more = np.concatenate([DRAWN, np.full((2, 2, 1), math.nan)], axis=-1)
    more[0, 0, 2] = 0.5
    assert variance_components(of(VALUES, more)) == variance_components(of(VALUES, DRAWN))


# Known components: a mean over patients of an effect of the fold, of the seed, of the patient, and of both.

FOLDS, SEEDS, PATIENTS, TRIALS = 5, 3, 60, 300
OF_FOLD, OF_SEED, OF_PATIENT, OF_BOTH = 0.06, 0.03, 0.10, 0.08
"""Standard deviations."""


@pytest.fixture(scope="module")
def simulated():
    rng = np.random.default_rng(0)
    weights = patient_weights([str(k) for k in range(PATIENTS)], 200, 1)
    zero, found = np.zeros(PATIENTS), []
    for _ in range(TRIALS):
        of_patient = rng.normal(0.8, OF_PATIENT, (FOLDS, 1, PATIENTS)) + rng.normal(0, OF_BOTH, (FOLDS, SEEDS, PATIENTS))
        effects = rng.normal(0, OF_FOLD, (FOLDS, 1, 1)) + rng.normal(0, OF_SEED, (FOLDS, SEEDS, 1))
        y = of_patient + effects
        drawn = [[over_draws(metrics.mean, zero, cell, weights) for cell in row] for row in y]
        found.append(variance_components(of(y.mean(-1), drawn)))
    return found


@pytest.mark.parametrize(
    ("source", "true"),
    [
        ("patients", OF_PATIENT**2 / PATIENTS),
        ("seeds_patients", OF_BOTH**2 / PATIENTS),
        ("seeds", OF_SEED**2),
        ("observed_seeds", OF_SEED**2 + OF_BOTH**2 / PATIENTS),
        ("folds", OF_FOLD**2),
    ],
)
def test_known_components_are_recovered(simulated, source, true):
    """Within four standard errors of the trials' mean, and 2 % for the bootstrap's (n − 1) / n."""
    values = np.array([getattr(one, source).value for one in simulated])
    assert values.mean() == pytest.approx(true, abs=4 * values.std() / math.sqrt(TRIALS) + 0.02 * true)


def test_the_standard_error_of_the_mean_is_that_of_the_trials(simulated):
    """Independent training sets: folds add σ²_F / folds, which test_to_train = 0 says."""
    mean = OF_FOLD**2 / FOLDS + (OF_SEED**2 + OF_BOTH**2 / PATIENTS) / (FOLDS * SEEDS) + OF_PATIENT**2 / PATIENTS / FOLDS
    squares = np.array([one.error**2 for one in simulated])
    assert squares.mean() == pytest.approx(mean, abs=4 * squares.std() / math.sqrt(TRIALS) + 0.02 * mean)


def test_the_interval_of_the_seeds_covers_as_often_as_it_says(simulated):
    true = OF_SEED**2 + OF_BOTH**2 / PATIENTS
    covered = sum(one.observed_seeds.low <= true <= one.observed_seeds.high for one in simulated)
    assert stats.binomtest(covered, TRIALS, 0.95).pvalue > 1e-3


# One figure over folds and seeds


def test_a_figure_over_runs_is_their_mean_on_the_same_draws():
    found = of(VALUES, DRAWN, COUNTED)
    assert found.mean.value == pytest.approx(0.865)
    assert found.mean.drawn == pytest.approx([(0.88 + 0.93 + 0.77 + 0.81) / 4, (0.92 + 0.95 + 0.83 + 0.83) / 4])
    estimate = found.estimate()
    assert (estimate.value, estimate.n, estimate.unit) == (pytest.approx(0.865), 78, "patient")
    assert estimate.method == "patient bootstrap, 2 draws, within 2 folds, 2 seeds on the same draws"


def test_seeds_that_are_copies_narrow_no_interval_and_folds_do():
    rng = np.random.default_rng(0)
    one = rng.normal(0.9, 0.01, (1, 1, 2000))
    single, copied = (of([[0.9] * k], np.repeat(one, k, axis=1)).estimate() for k in (1, 3))
    assert (copied.low, copied.high) == pytest.approx((single.low, single.high))
    folds = of([[0.9]] * 4, rng.normal(0.9, 0.01, (4, 1, 2000))).estimate()
    assert folds.high - folds.low == pytest.approx((single.high - single.low) / 2, rel=0.1)


def test_a_share_of_one_in_every_run_gets_the_exact_interval_on_patients():
    found = of(np.ones((2, 3)), np.ones((2, 3, 9)), np.array([[5, 6, 5], [5, 5, 7]]), share=True).estimate()
    assert (found.low, found.high) == (pytest.approx(0.6915, abs=1e-4), 1.0)  # Clopper–Pearson of 10 of 10
    assert "Clopper" in found.method
    assert of(np.ones((2, 3)), np.ones((2, 3, 9))).estimate().reason == EQUAL_DRAWS


def test_a_figure_that_one_run_lacks_is_undefined():
    assert str(of([[0.9, math.nan]], DRAWN[:1]).estimate()) == "undefined (not defined on these cases)"
