"""The binormal fit against MRMCaov, against another optimizer, and where it is degenerate."""

import math

import numpy as np
import pytest
from scipy import optimize, stats

from pneumoscope.statistics.multireader.binormal import binormal_auc, fit
from pneumoscope.statistics.multireader.obuchowski_rockette import Population, analyse, components
from tests.statistics.multireader.reference import golden, ratings


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
def test_comparison_of_franken():
    reference, figure = golden("franken")["mrmcaov.binormal_auc.jackknife"], binormal_auc(ratings("franken"))
    parts, named = components(figure.value, figure.covariance), reference["variance_components"]
    for value, key in zip((parts.variance, parts.cov1, parts.cov2, parts.cov3), ("Var", "Cov1", "Cov2", "Cov3"), strict=True):
        assert value == pytest.approx(named[key], rel=1e-4)
    overall = analyse(figure.value, figure.covariance, Population.READERS_AND_CASES).overall
    assert overall.p == pytest.approx(reference["rrrc"]["test"]["p"], rel=1e-4)


@pytest.mark.shared
def test_comparison_of_van_dyke():
    # The fits agree to 1e-4; the variance differs by .8 % for a reason that is not known. Ours are maxima (see another
    # optimizer below, whose first three sets of counts are of this study with one case left out).
    reference, figure = golden("van_dyke")["mrmcaov.binormal_auc.jackknife"], binormal_auc(ratings("van_dyke"))
    parts = components(figure.value, figure.covariance)
    assert parts.variance == pytest.approx(reference["variance_components"]["Var"], rel=0.01)
    assert parts.cov1 == pytest.approx(reference["variance_components"]["Cov1"], rel=1e-4)


COUNTS = (
    ([60, 6, 2, 0], [10, 4, 6, 25]),
    ([23, 24, 15, 7, 0], [0, 0, 6, 5, 33]),
    ([21, 39, 9, 0, 0], [0, 4, 10, 4, 26]),
    ([5, 4, 3, 2, 1, 1], [1, 1, 2, 3, 4, 9]),
)


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
    ],
)
def test_degenerate_curves_say_so(no, yes, auc, reason):
    fitted = fit(np.array(no, float), np.array(yes, float))
    assert fitted.auc == pytest.approx(auc, nan_ok=True)
    assert reason in fitted.reason
