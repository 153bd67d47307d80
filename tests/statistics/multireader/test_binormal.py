"""The binormal fit against MRMCaov, against another optimizer, and where it is degenerate."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, stats

from pneumoscope.statistics.multireader import proper_binormal
from pneumoscope.statistics.multireader.binormal import binormal_auc, fit
from pneumoscope.statistics.multireader.obuchowski_rockette import Population, analyse, components
from tests.statistics.multireader.reference import Deviations, golden, ratings
from tests.statistics.multireader.test_golden_comparisons import compare_analysis


@pytest.mark.shared
@pytest.mark.parametrize("study", ["van_dyke", "franken"])
def test_fits_of_published_studies(study):
    reference, table = golden(study)["mrmcaov.binormal_auc.jackknife"], ratings(study)
    for row in reference["parameters"]:
        cell = table.rating[table.modalities.index(row["modality"]), table.readers.index(row["reader"])]
        fitted = fit(cell[~table.truth], cell[table.truth])
        assert fitted.auc == pytest.approx(reference["fom"][row["modality"]][row["reader"]], rel=1e-4)
        if row["a"] is None:  # Van Dyke, reader 4, modality 2
            assert (fitted.a, fitted.auc) == (math.inf, 1.0)
            assert "do not overlap" in fitted.reason
        else:
            assert (fitted.a, fitted.b) == pytest.approx((row["a"], row["b"]), rel=1e-4)
            assert not fitted.reason


@pytest.mark.shared
@pytest.mark.parametrize("study", ["van_dyke", "franken"])
def test_comparisons_of_published_studies(study):
    """That package stops its search early: its numbers are good to 1e-4 (the published article differs as much)."""
    reference, figure = golden(study)["mrmcaov.binormal_auc.jackknife"], binormal_auc(ratings(study))
    parts, found = components(figure.value, figure.covariance), Deviations(relative=1e-4)
    errors, named = (parts.variance, parts.cov1, parts.cov2, parts.cov3), reference["variance_components"]
    found.add_each("components", errors, [named[key] for key in ("Var", "Cov1", "Cov2", "Cov3")])
    compare_analysis(found, analyse(figure.value, figure.covariance, Population.READERS_AND_CASES), reference["rrrc"], "mrmcaov")
    found.none(at_least=20)


COUNTS = (
    ([60, 6, 2, 0], [10, 4, 6, 25]),
    ([23, 24, 15, 7, 0], [0, 0, 6, 5, 33]),
    ([21, 39, 9, 0, 0], [0, 4, 10, 4, 26]),
    ([5, 4, 3, 2, 1, 1], [1, 1, 2, 3, 4, 9]),
)


counts = st.lists(st.integers(0, 12), min_size=4, max_size=4)
"""Cases of a class in each of four categories."""


def as_ratings(counts):
    return np.repeat(np.arange(len(counts), dtype=float), counts)


@pytest.mark.parametrize("counts", COUNTS)
def test_another_optimizer_finds_the_same_maximum(counts):
    no, yes = map(np.array, counts)

    def deviance(parameters):
        a, b, cutoffs = parameters[0], math.exp(parameters[1]), np.cumsum([parameters[2], *np.exp(parameters[3:])])
        below = [np.concatenate([[0], stats.norm.cdf(z), [1]]) for z in (cutoffs, b * cutoffs - a)]
        return -sum(float(part @ np.log(np.maximum(np.diff(one), 1e-300))) for part, one in zip((no, yes), below, strict=True))

    start = [1.0, -0.5, -0.5, *[-0.5] * (len(no) - 2)]
    found = optimize.minimize(
        deviance, start, method="Nelder-Mead", options={"maxiter": 20_000, "maxfev": 20_000, "fatol": 1e-11}
    )
    fitted = fit(as_ratings(no), as_ratings(yes))
    assert fitted.auc == pytest.approx(stats.norm.cdf(found.x[0] / math.hypot(1, math.exp(found.x[1]))), abs=2e-5)


def test_continuous_ratings_of_a_binormal_model():
    rng = np.random.default_rng(3)
    fitted = fit(rng.normal(size=150), rng.normal(1.5, 1.25, size=150))
    assert fitted.auc == pytest.approx(stats.norm.cdf(1.5 / math.hypot(1, 1.25)), abs=0.06)
    assert not fitted.reason


def test_a_monotone_change_of_ratings_changes_nothing():
    rng = np.random.default_rng(4)
    no, yes = rng.normal(size=40), rng.normal(1.0, size=40)
    assert fit(np.exp(no), np.exp(yes)).auc == pytest.approx(fit(no, yes).auc, rel=1e-9)


@pytest.mark.parametrize(
    ("no", "yes", "auc", "reason"),
    [
        ([1, 1, 2], [2, 3, 3], 1.0, "do not overlap"),
        ([2, 3, 3], [1, 1, 2], 0.0, "do not overlap"),
        ([2, 2], [2, 2], 0.5, "all ratings are equal"),
        ([], [1, 2], math.nan, "no case of a class"),
        # One point: (1/4, 3/4), d' = 2·Φ⁻¹(3/4).
        ([0, 0, 0, 1], [0, 1, 1, 1], stats.norm.cdf(2 * stats.norm.ppf(0.75) / math.sqrt(2)), "one operating point"),
        # Points (0, 41/44), (4/69, 42/44), (7/69, 42/44): up to 42/44, then level. Van Dyke, reader 4, without one case.
        (as_ratings([62, 3, 4, 0]), as_ratings([2, 0, 1, 41]), 42 / 44, "horizontal and vertical lines"),
        # The same with the classes exchanged and the order of the ratings turned: level, then up at 2/44.
        (as_ratings([41, 1, 0, 2]), as_ratings([0, 4, 3, 62]), 42 / 44, "horizontal and vertical lines"),
        ([0, 1, 1, 1, 1, 2], [1, 1, 1], math.nan, "not determined"),
        ([1, 1, 1], [0, 1, 1, 1, 1, 2], math.nan, "not determined"),
    ],
)
def test_degenerate_curves_say_so(no, yes, auc, reason):
    fitted = fit(np.array(no, float), np.array(yes, float))
    assert fitted.auc == pytest.approx(auc, nan_ok=True)
    assert reason in fitted.reason


@pytest.mark.parametrize(
    ("no", "yes", "area"), [([1, 3, 1, 0], [3, 2, 12, 3], 0.80), ([36, 6, 12, 1, 0], [0, 1, 2, 16, 17], 0.98)]
)
def test_a_fit_reaches_its_maximum_where_a_cutoff_lies_far_out(no, yes, area):
    """A category without a case of one class drives its cutoff so far out that its probability is 0 in 64 bits."""
    fitted = fit(as_ratings(no), as_ratings(yes))
    assert math.isfinite(fitted.auc)
    assert fitted.auc == pytest.approx(area, abs=0.03)


@settings(max_examples=60, deadline=None)
@given(counts, counts)
def test_every_fit_has_an_area_or_a_reason_and_turns_with_the_ratings(no, yes):
    """Ratings in the opposite order have the area below the turned curve."""
    fitted, turned = fit(as_ratings(no), as_ratings(yes)), fit(as_ratings(no[::-1]), as_ratings(yes[::-1]))
    if math.isnan(fitted.auc):
        assert fitted.reason
    else:
        assert 0 <= fitted.auc <= 1
        assert turned.auc == pytest.approx(1 - fitted.auc, abs=1e-5)


@pytest.mark.shared
@pytest.mark.parametrize("study", ["van_dyke", "franken"])
def test_proper_fits_and_comparisons_of_published_studies(study):
    """Where the separation is 0 that package stops at .002 to .006; its numbers are good to 2e-4."""
    reference, table = golden(study)["mrmcaov.binormal_lr_auc.jackknife"], ratings(study)
    figure, found = proper_binormal.proper_binormal_auc(table), Deviations(relative=2e-4)
    found.add_each("fom", figure.value.ravel(), [value for row in reference["fom"].values() for value in row.values()])
    parts, named = components(figure.value, figure.covariance), reference["variance_components"]
    found.add_each(
        "error", (parts.variance, parts.cov1, parts.cov2, parts.cov3), [named[k] for k in ("Var", "Cov1", "Cov2", "Cov3")]
    )
    compare_analysis(found, analyse(figure.value, figure.covariance, Population.READERS_AND_CASES), reference["rrrc"], "mrmcaov")
    for row in reference["parameters"]:
        cell = table.rating[table.modalities.index(row["modality"]), table.readers.index(row["reader"])]
        fitted, (metz,) = proper_binormal.fit(cell[~table.truth], cell[table.truth]), row["Metz"]
        if metz["1"] is None:
            assert "do not overlap" in fitted.reason
            continue
        assert fitted.d == pytest.approx(metz["1"], rel=1e-3, abs=0.01)
        assert fitted.c == pytest.approx(metz["2"], rel=2e-4)
    found.none(at_least=20)


@pytest.mark.parametrize(("d", "c"), [(1.2, -0.3), (0.8, 0.4), (1.5, 0.0), (0.0, -0.6), (0.0, 0.7)])
def test_the_proper_area_is_that_of_the_likelihood_ratio(d, c):
    """The area by counting: the share of pairs whose likelihood ratio is in the right order, of the binormal a and b."""
    rng, b = np.random.default_rng(11), (1 + c) / (1 - c)
    a = d * math.sqrt((1 + b**2) / 2)
    no, yes = rng.normal(size=4000), rng.normal(a / b, 1 / b, 4000)
    ratio = [stats.norm.logpdf(x, a / b, 1 / b) - stats.norm.logpdf(x) for x in (no, yes)]
    share = stats.mannwhitneyu(ratio[1], ratio[0]).statistic / 4000**2
    assert proper_binormal.area(d, c) == pytest.approx(share, abs=0.02)


@pytest.mark.parametrize(
    ("no", "yes", "auc", "reason"),
    [
        ([1, 1, 2], [2, 3, 3], 1.0, "do not overlap"),
        ([2, 2], [2, 2], 0.5, "all ratings are equal"),
        ([], [1, 2], math.nan, "no case of a class"),
        ([0, 0, 0, 1], [0, 1, 1, 1], stats.norm.cdf(2 * stats.norm.ppf(0.75) / math.sqrt(2)), "one operating point"),
        (as_ratings([0, 4, 2, 2]), as_ratings([4, 2, 1, 2]), 0.5, "more likely than the diagonal"),
    ],
)
def test_degenerate_proper_curves_say_so(no, yes, auc, reason):
    fitted = proper_binormal.fit(np.array(no, float), np.array(yes, float))
    assert fitted.auc == pytest.approx(auc, nan_ok=True)
    assert reason in fitted.reason


@settings(max_examples=15, deadline=None)
@given(counts, counts)
def test_a_proper_curve_is_never_below_the_diagonal(no, yes):
    fitted = proper_binormal.fit(as_ratings(no), as_ratings(yes))
    assert 0.5 <= fitted.auc <= 1 or (math.isnan(fitted.auc) and fitted.reason)


def test_one_perfect_shape_is_fitted_alike_by_both_models():
    """With equal spreads the binormal curve is proper."""
    no, yes = as_ratings([50, 30, 15, 5]), as_ratings([5, 15, 30, 50])
    assert proper_binormal.fit(no, yes).auc == pytest.approx(fit(no, yes).auc, rel=1e-6)
