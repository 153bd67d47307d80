"""Paired decisions, agreement and reading times against clust.bin.pair, R, geepack, irrCAC, psych and lme4."""

import math

import numpy as np
import pytest
from scipy import stats

from pneumoscope import MissingExtraError
from pneumoscope.statistics.errors import StatisticsError
from pneumoscope.statistics.multireader import agreement, paired_binary, regression
from pneumoscope.statistics.multireader.agreement import Scale, Weighting, cohen, fleiss, gwet, krippendorff_alpha
from pneumoscope.statistics.multireader.crossed_mean import crossed_mean
from pneumoscope.statistics.multireader.measurement_agreement import intraclass_correlations, limits_of_agreement
from pneumoscope.statistics.multireader.paired_binary import ClusteredPairs, mcnemar, mcnemar_exact, pairs
from pneumoscope.statistics.multireader.regression import (
    Link,
    WorkingCorrelation,
    marginal_model,
    paired_reading_times,
    reading_time_model,
)
from tests.statistics.multireader.reference import DATA, SHARED, Deviations, golden, ratings, rows

TESTS = {
    "mcnemar": mcnemar,
    "obuchowski": paired_binary.obuchowski,
    "durkalski": paired_binary.durkalski,
    "eliasziw": paired_binary.eliasziw_donner,
    "yang": paired_binary.yang,
}


def right_decisions(endpoint):
    """Right decisions of `crossed` at a rating of at least 50: (modalities, readers, cases of the class)."""
    study = ratings("sim_crossed")
    diseased = endpoint == "sensitivity"
    called = study.decisions(50).rating[..., study.truth == diseased]
    return called if diseased else 1 - called


def compare_tests(counts, reference):
    found = Deviations()
    for name, test in TESTS.items():
        result = test(counts)
        found.add_each(name, [result.statistic, result.p], [reference[name]["chi2"], reference[name]["p"]])
    found.none(at_least=10)


@pytest.mark.parametrize("endpoint", ["sensitivity", "specificity"])
@pytest.mark.parametrize("cluster", ["case", "reader"])
def test_clustered_pairs(endpoint, cluster):
    first, second = right_decisions(endpoint)
    by = np.indices(first.shape)[1 if cluster == "case" else 0]
    counts = pairs(first.ravel(), second.ravel(), by.ravel())
    compare_tests(counts, golden("sim_crossed")[f"clust.bin.pair.ge_50_{endpoint}_cluster_{cluster}"])


@pytest.mark.shared
@pytest.mark.parametrize("study", ["thyroids", "psychiatry"])
def test_published_clustered_pairs(study):
    table = rows(SHARED / "binary" / f"{study}_clustered_pairs.csv")
    counts = ClusteredPairs(*(np.array([float(row[key]) for row in table]) for key in ("ak", "bk", "ck", "dk")))
    compare_tests(counts, golden("clustered_pairs")[study])


def test_mcnemar_of_each_reader():
    found = Deviations()
    for row in golden("sim_crossed")["r.mcnemar_ge_50"]["rows"]:
        first, second = right_decisions(row["endpoint"])
        if row["reader"] == "all readers":
            continue
        reader = ratings("sim_crossed").readers.index(row["reader"])
        counts = pairs(first[reader], second[reader], np.zeros(first.shape[1]))
        assert counts.first_only.item() == row["only_unaided_right"]
        found.add_each("plain", [mcnemar(counts).statistic, mcnemar(counts).p], [row["chi2"], row["p"]])
        corrected = mcnemar(counts, corrected=True)
        found.add_each("corrected", [corrected.statistic, corrected.p], [row["chi2_corrected"], row["p_corrected"]])
        found.add("exact", mcnemar_exact(counts), row["p_exact"])
    found.none(at_least=50)


def test_no_discordant_pair_has_no_test():
    counts = ClusteredPairs(np.array([2.0, 3.0]), np.zeros(2), np.zeros(2), np.ones(2))
    for test in TESTS.values():
        assert math.isnan(test(counts).p)
        assert "discordant pairs" in test(counts).reason
    assert mcnemar_exact(counts) == 1.0


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        (([1.0], [1.0], [1.0], [-1.0]), "negative or not whole"),
        (([1.5], [1.0], [1.0], [1.0]), "negative or not whole"),
        (([0.0], [0.0], [0.0], [0.0]), "an empty cluster"),
        (([1.0], [1.0], [1.0], [1.0, 2.0]), "give one number for each cluster"),
    ],
)
def test_what_is_no_count_is_refused(counts, message):
    with pytest.raises(StatisticsError, match=message):
        ClusteredPairs(*map(np.array, counts))


def test_decisions_other_than_right_and_wrong_are_refused():
    with pytest.raises(StatisticsError, match="other than 0 and 1"):
        pairs(np.array([0, 2]), np.array([0, 1]), np.array([1, 1]))


@pytest.mark.parametrize("endpoint", ["sensitivity", "specificity"])
@pytest.mark.parametrize("link", Link)
@pytest.mark.parametrize("correlation", WorkingCorrelation)
def test_gee(endpoint, link, correlation):
    right = right_decisions(endpoint)
    second, _, case = np.indices(right.shape)
    fit = marginal_model(right.ravel(), second.ravel(), case.ravel(), link, correlation)
    reference, found = (
        golden("sim_crossed")["geepack.gee_ge_50"]["fits"][f"{endpoint}_{correlation}_{link}"],
        Deviations(relative=1e-7),
    )
    found.add_each(
        "intercept", [fit.intercept.estimate, fit.intercept.standard_error], [reference["intercept"], reference["se_intercept"]]
    )
    found.add_each("effect", [fit.effect.estimate, fit.effect.standard_error], [reference["aided"], reference["se_aided"]])
    found.add_each("test", [fit.effect.statistic**2, fit.effect.p], [reference["wald"], reference["p"]])
    found.none(at_least=6)


def test_gee_needs_two_modalities_with_both_outcomes():
    with pytest.raises(StatisticsError, match="there is no effect to estimate"):
        marginal_model(np.array([1.0, 0.0]), np.array([0, 0]), [1, 2])


def agreement_table(path, columns):
    return np.array([[float(row[c]) if row[c] not in ("", "NA") else np.nan for c in columns] for row in rows(path)])


WEIGHTINGS = {"unweighted": Weighting.IDENTITY, "linear": Weighting.LINEAR, "quadratic": Weighting.QUADRATIC}


def compare_agreement(table, reference):
    found = Deviations()
    for key, weighting in WEIGHTINGS.items():
        for function, name in ((gwet, "gwet_ac"), (fleiss, "fleiss")):
            result = function(table, weighting).coefficient
            found.add_each(
                f"{name} {key}", [result.estimate, result.standard_error], [reference[key][name][k] for k in ("value", "se")]
            )
            found.add(f"{name} {key} p", result.p / 2, float(reference[key][name]["p"]))  # irrCAC's p is one-sided
    for key, scale in (("unweighted", Scale.NOMINAL), ("quadratic", Scale.INTERVAL)):
        found.add(f"krippendorff {key}", krippendorff_alpha(table, scale), reference[key]["krippendorff"]["value"])
    found.none(at_least=20)


def test_agreement_of_four_raters_with_gaps():
    table = agreement_table(DATA / "agreement.csv", ("r1", "r2", "r3", "r4"))
    compare_agreement(table, golden("sim_agreement")["irrcac"])


@pytest.mark.shared
def test_agreement_of_gwets_example():
    table = agreement_table(SHARED / "agreement" / "gwet_4raters_12units.csv", ("Rater1", "Rater2", "Rater3", "Rater4"))
    compare_agreement(table, golden("agreement")["values"]["gwet_4raters_12units"])


def compare_pair(first, second, reference):
    found, n = Deviations(), len(first)
    for key in WEIGHTINGS.keys() & reference.keys():
        kappa, ac = (
            cohen(first, second, WEIGHTINGS[key]).coefficient,
            gwet(np.column_stack([first, second]), WEIGHTINGS[key]).coefficient,
        )
        cohens, gwets = reference[key]["cohen"], reference[key]["gwet"]
        found.add_each(f"Cohen {key}", [kappa.estimate, kappa.standard_error], [cohens["coeff.val"], cohens["coeff.se"]])
        # Of a table of two raters irrCAC divides by n, of ratings by n − 1.
        found.add_each(
            f"Gwet {key}", [ac.estimate, ac.standard_error * math.sqrt((n - 1) / n)], [gwets["coeff.val"], gwets["coeff.se"]]
        )
    found.none(at_least=8)


def test_agreement_of_two_raters():
    table = agreement_table(DATA / "agreement.csv", ("r1", "r2"))
    compare_pair(*table[~np.isnan(table).any(1)].T, golden("sim_agreement")["pair"])


@pytest.mark.shared
@pytest.mark.parametrize("name", ["gwet_diagnosis_4x4_table", "gwet_abstractors_3x3_table"])
def test_agreement_of_published_tables(name):
    table = np.array([[int(value) for value in row.values()] for row in rows(SHARED / "agreement" / f"{name}.csv")])
    first, second = (np.repeat(side.ravel(), table.ravel()).astype(float) for side in np.indices(table.shape))
    compare_pair(first, second, golden("agreement")["values"][name])


@pytest.mark.shared
def test_fleiss_and_gwet_of_fleiss_1971():
    counts = np.array(
        [[int(v) for k, v in row.items() if k != "case"] for row in rows(SHARED / "agreement" / "fleiss1971_6raters_counts.csv")]
    )
    table = np.array([np.repeat(np.arange(5.0), row) for row in counts])
    reference, found = golden("agreement")["values"]["fleiss1971_6raters_counts"], Deviations()
    estimates = [fleiss(table).coefficient.estimate, gwet(table).coefficient.estimate, krippendorff_alpha(table)]
    found.add_each("estimates", estimates, [reference[key] for key in ("fleiss", "gwet_ac1", "krippendorff_nominal")])
    found.none(at_least=3)


def test_agreement_of_one_category_is_undefined():
    same = np.ones((5, 3))
    for result in (fleiss(same), gwet(same), cohen(same[:, 0], same[:, 1])):
        assert math.isnan(result.coefficient.estimate)
        assert "all ratings are of one category" in result.coefficient.reason
        assert result.observed == 1.0
    assert math.isnan(krippendorff_alpha(same))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: gwet(np.ones((5, 1))), "with at least two raters"),
        (lambda: fleiss(np.array([[1.0, np.nan], [np.nan, 2.0]])), "no unit with two ratings"),
        (lambda: cohen(np.array([1.0, np.nan]), np.array([1.0, 2.0])), "give the units that both rated"),
        (lambda: intraclass_correlations(np.array([[1.0, np.nan], [1.0, 2.0]])), "give units × raters without gaps"),
        (lambda: limits_of_agreement(np.array([1.0]), np.array([2.0])), "fewer than two units"),
    ],
)
def test_ratings_without_agreement_are_refused(call, message):
    with pytest.raises(StatisticsError, match=message):
        call()


ICC = {
    "ICC1": "one_way", "ICC2": "random_raters", "ICC3": "fixed_raters",
    "ICC1k": "one_way_mean", "ICC2k": "random_raters_mean", "ICC3k": "fixed_raters_mean",
}  # fmt: skip


def compare_icc(table, reference):
    found, results = Deviations(), intraclass_correlations(table)
    for name, attribute in ICC.items():
        result, row = getattr(results, attribute), reference[name]
        found.add_each(name, [result.value, result.low, result.high], [row["icc"], row["low"], row["high"]])
        found.add_each(name, [result.statistic, result.df1, result.df2, result.p], [row[key] for key in ("F", "df1", "df2", "p")])
    found.none(at_least=42)


def test_intraclass_correlations():
    compare_icc(agreement_table(DATA / "agreement_continuous.csv", ("r1", "r2", "r3")), golden("sim_agreement")["icc"])


@pytest.mark.shared
@pytest.mark.parametrize("name", ["shrout_fleiss_1979", "irr_anxiety_3raters"])
def test_published_intraclass_correlations(name):
    path = SHARED / "agreement" / f"{name}.csv"
    columns = [column for column in rows(path)[0] if column != "case"]
    compare_icc(agreement_table(path, columns), golden("agreement")["values"]["icc"][name])


@pytest.mark.shared
def test_intraclass_correlations_as_irr():
    reference = golden("agreement")["values"]["icc_irr"]["sim_agreement_continuous"]
    found, results = Deviations(), intraclass_correlations(agreement_table(DATA / "agreement_continuous.csv", ("r1", "r2", "r3")))
    for key, name in {
        "consistency_single": "fixed_raters",
        "consistency_average": "fixed_raters_mean",
        "agreement_single": "random_raters",
        "agreement_average": "random_raters_mean",
    }.items():
        result, row = getattr(results, name), reference[key]
        found.add_each(key, [result.value, result.statistic], [row["value"], row["F"]])
        if key != "agreement_average":  # irr takes other degrees of freedom there; psych takes ours
            found.add_each(key, [result.low, result.high], [row["low"], row["high"]])
    found.none(at_least=14)


def test_intraclass_correlation_of_equal_measurements_is_undefined():
    assert math.isnan(intraclass_correlations(np.ones((4, 3))).random_raters.value)


def test_limits_of_agreement():
    table = agreement_table(DATA / "agreement_continuous.csv", ("r1", "r2"))
    limits, row, found = limits_of_agreement(*table.T), golden("sim_agreement")["bland_altman"], Deviations()
    values = (limits.n, limits.bias, limits.sd, limits.low, limits.high, limits.bias_error, limits.limit_error)
    found.add_each("limits", values, [row[key] for key in ("n", "bias", "sd", "low", "high", "se_bias", "se_limit_approx")])
    found.none(at_least=7)


def reading_times():
    table = rows(DATA / "reading_times.csv")
    seconds = np.array([float(row["seconds"]) for row in table])
    aided = np.array([float(row["arm"] == "aided") for row in table])
    period = np.array([float(row["period"] == "2") for row in table])
    return seconds, aided, [row["reader"] for row in table], [row["case"] for row in table], period[:, None]


def test_reading_times():
    reference = golden("sim_reading_times")["lme4_and_others"]
    seconds, aided, reader, case, period = reading_times()
    fit = reading_time_model(seconds, aided, reader, case, period)
    found = Deviations(relative=2e-5)  # both programs stop their search for the standard deviations at about 1e-5
    for result, key in ((fit.arm, "armaided"), (fit.covariates[0], "period2")):
        row = reference["fixed"][key]
        found.add_each(key, [result.estimate, result.standard_error, result.statistic], [row["estimate"], row["se"], row["t"]])
    sd = reference["sd"]
    found.add_each("sd", [fit.sd_reader, fit.sd_case, fit.sd_rest], [sd["reader"], sd["case"], sd["Residual"]])
    found.none(at_least=9)
    assert fit.ratio == pytest.approx(reference["paired_t"]["ratio"], rel=1e-8)
    assert fit.ratio_low < fit.ratio < fit.ratio_high < 1


def test_reading_times_by_u_statistics():
    reference, found = golden("sim_reading_times")["lme4_and_others"]["ustat11_identity"], Deviations()
    seconds, aided, reader, case, _ = reading_times()
    _, r = np.unique(reader, return_inverse=True)
    _, c = np.unique(case, return_inverse=True)
    log = np.full((2, r.max() + 1, c.max() + 1), np.nan)
    log[aided.astype(int), r, c] = np.log(seconds)
    results = [crossed_mean(log[0]), crossed_mean(log[1]), crossed_mean(log[0] - log[1])]
    found.add_each("mean", [one.mean for one in results], reference["mean"])
    found.add_each("variance", [one.variance for one in results], reference["var"])
    found.add_each("one", [one.variance_of_one for one in results[:2]], reference["var.1obs"][:2])
    found.none(at_least=8)


def test_a_crossed_mean_needs_every_measurement():
    with pytest.raises(StatisticsError, match="at least two readers and two cases, without gaps"):
        crossed_mean(np.array([[1.0, np.nan], [1.0, 2.0]]))


def test_paired_reading_times():
    reference, found = golden("sim_reading_times")["lme4_and_others"]["paired_t"], Deviations()
    result = paired_reading_times(*reading_times()[:3])
    found.add_each(
        "test", [result.estimate, result.statistic, result.df, result.p], [reference[k] for k in ("mean", "t", "df", "p")]
    )
    found.add_each("ratio", np.exp([result.low, result.high]), [reference["low"], reference["high"]])
    found.none(at_least=6)


@pytest.mark.parametrize("model", [lambda *a: reading_time_model(*a), lambda *a: paired_reading_times(*a[:3])])
def test_a_reading_time_of_zero_is_refused(model):
    seconds, *rest = reading_times()
    with pytest.raises(StatisticsError, match="a reading time that is not above 0"):
        model(np.where(seconds > 100, 0.0, seconds), *rest)


def test_columns_that_depend_on_each_other_are_refused():
    seconds, aided, reader, case, _ = reading_times()
    with pytest.raises(StatisticsError, match="arm and covariates depend on each other"):
        reading_time_model(seconds, aided, reader, case, 1 - aided[:, None])
    with pytest.raises(StatisticsError, match="a reader without a reading in one of the arms"):
        paired_reading_times(seconds, np.zeros(len(seconds)), reader)


def test_the_extra_is_named_where_a_library_is_missing(monkeypatch):
    monkeypatch.setattr(agreement, "krippendorff", None)
    monkeypatch.setattr(regression, "mixed_linear_model", None)
    for call in (
        lambda: krippendorff_alpha(np.array([[1.0, 2.0]])),
        lambda: reading_time_model(*reading_times()),
        lambda: marginal_model(np.array([1.0]), np.array([0]), [1]),
    ):
        with pytest.raises(MissingExtraError, match=r"pneumoscope\[study\]"):
            call()


def test_exact_mcnemar_is_scipys_binomial_test():
    counts = ClusteredPairs(np.array([1.0]), np.array([3.0]), np.array([11.0]), np.array([0.0]))
    assert mcnemar_exact(counts) == pytest.approx(stats.binomtest(3, 14).pvalue)
