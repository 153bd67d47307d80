"""Comparison of modalities: Obuchowski–Rockette, DBM and one-shot U-statistics against RJafroc, MRMCaov, iMRMC and pROC."""

import numpy as np
import pytest

from pneumoscope.statistics.errors import StatisticsError
from pneumoscope.statistics.multireader import dorfman_berbaum_metz, obuchowski_rockette
from pneumoscope.statistics.multireader.auc import delong_covariance, empirical_auc
from pneumoscope.statistics.multireader.comparisons import compare
from pneumoscope.statistics.multireader.design import design
from pneumoscope.statistics.multireader.inference import Inference, non_inferiority
from pneumoscope.statistics.multireader.jackknife import Jackknife
from pneumoscope.statistics.multireader.obuchowski_rockette import Population, components
from pneumoscope.statistics.multireader.one_shot import moments, one_shot
from pneumoscope.statistics.multireader.ratings import ReaderRatings
from pneumoscope.statistics.multireader.roc_figures import sensitivity, specificity
from tests.statistics.multireader.reference import (
    DATA,
    DIFFERENCE,
    PUBLISHED,
    SHARED,
    SIMULATED,
    Deviations,
    golden,
    ratings,
    rows,
    table,
)

POPULATIONS = {"rrrc": Population.READERS_AND_CASES, "frrc": Population.CASES, "rrfc": Population.READERS}
COVARIANCES = {
    "rjafroc.or_jackknife": lambda table: empirical_auc(table).covariance,
    "mrmcaov.auc.jackknife": lambda table: empirical_auc(table).covariance,
    "mrmcaov.auc.delong": delong_covariance,
    "mrmcaov.auc.unbiased": lambda table: compare(table).covariance,
}


def studies(*methods):
    """Studies and methods that a package has numbers for; the published studies where the shared data are."""
    published = PUBLISHED if SHARED.is_dir() else ()
    pairs = [(study, method) for study in (*SIMULATED, *published) for method in methods if method in golden(study)]
    return [pytest.param(study, method, marks=pytest.mark.shared if study in PUBLISHED else ()) for study, method in pairs]


def unclipped(study, method, components):
    """Where Cov2 < Cov3: MRMCaov does not clip the error of fixed readers, RJafroc clips within its VarR and VarTR."""
    return study == "franken" and components.cov2 < components.cov3


def as_list(means):
    return list(means.values()) if isinstance(means, dict) else means


def compare_analysis(found, analysis, reference, method):
    test, overall = reference["test"], analysis.overall
    found.add("statistic", overall.statistic, test.get("F", test.get("chi2")))
    found.add("p", overall.p, test["p"])
    if test.get("df2") is not None:
        found.add("df2", overall.df2, test["df2"])
    differences = [contrast.difference for contrast in analysis.contrasts]
    for mine, theirs in zip(differences, reference["differences"], strict=True):
        found.add_inference("difference", mine, theirs, DIFFERENCE)
    for mine, theirs in zip(analysis.means, as_list(reference["means"]), strict=True):
        found.add_inference("mean", mine, theirs, {"estimate": "estimate", "standard_error": "se"})
        clip = (0.0, 1.0) if method.startswith("mrmcaov") else (-np.inf, np.inf)  # MRMCaov clips intervals to [0, 1]
        found.add_each("ends", np.clip([mine.low, mine.high], *clip), [theirs["low"], theirs["high"]])
        if analysis.population is Population.READERS_AND_CASES:
            found.add("mean df", mine.df, theirs["df"])


def compare_readers(found, analysis, reference):
    mine = [contrast.difference for reader in analysis.per_reader for contrast in reader]
    for ours, theirs in zip(mine, reference["differences_per_reader"], strict=True):
        found.add_inference("per reader", ours, theirs, DIFFERENCE)


@pytest.mark.parametrize(("study", "method"), studies(*COVARIANCES))
def test_obuchowski_rockette(study, method):
    reference, table, crossing = golden(study)[method], ratings(study), design(ratings(study)).crossing
    if not reference["variance_components"]:
        with pytest.raises(StatisticsError, match="not fully crossed: use the jackknife"):
            COVARIANCES[method](table)
        return
    figure, covariance, found = empirical_auc(table).value, COVARIANCES[method](table), Deviations()
    parts, named = components(figure, covariance, crossing), reference["variance_components"]
    if not (unclipped(study, method, parts) and method.startswith("rjafroc")):
        found.add_each("components", [parts.reader, parts.modality_reader], [named["VarR"], named["VarTR"]])
    found.add_each(
        "error", [parts.variance, parts.cov1, parts.cov2, parts.cov3], [named[k] for k in ("Var", "Cov1", "Cov2", "Cov3")]
    )
    for key in POPULATIONS.keys() & reference.keys():
        analysis = obuchowski_rockette.analyse(figure, covariance, POPULATIONS[key], crossing)
        if key == "frrc" and method.startswith("mrmcaov") and unclipped(study, method, parts):
            assert analysis.overall.denominator > reference[key]["test"]["denominator"]
            continue
        compare_analysis(found, analysis, reference[key], method)
        # MRMCaov recycles the readers' standard errors in the wrong order where there are more than two modalities.
        if key == "frrc" and (len(figure) == 2 or method.startswith("rjafroc")):
            compare_readers(found, analysis, reference[key])
    found.none(at_least=30)


@pytest.mark.parametrize(("study", "method"), studies("rjafroc.dbm"))
def test_dorfman_berbaum_metz(study, method):
    reference = golden(study)[method]
    figure, found = empirical_auc(ratings(study)), Deviations()
    squares = dorfman_berbaum_metz.mean_squares(figure.pseudovalues)
    named = {"T": "modality", "R": "reader", "C": "case", "TR": "modality_reader", "TC": "modality_case", "RC": "reader_case"}
    for key, attribute in {**named, "TRC": "rest"}.items():
        found.add(key, getattr(squares, attribute), reference["mean_squares"][key])
    for key, attribute in {
        **{f"Var{key}": f"var_{value}" for key, value in named.items() if key != "T"},
        "VarErr": "var_error",
    }.items():
        found.add(key, getattr(squares, attribute), reference["variance_components"][key])
    for key in POPULATIONS.keys() & reference.keys():
        analysis = dorfman_berbaum_metz.analyse(figure, POPULATIONS[key])
        compare_analysis(found, analysis, reference[key], "rjafroc")
        if key == "frrc":
            compare_readers(found, analysis, reference[key])
    found.none(at_least=20)


def test_obuchowski_rockette_and_dbm_agree_on_random_readers_and_cases():
    figure = empirical_auc(ratings("sim_ordinal"))
    first = obuchowski_rockette.analyse(figure.value, figure.covariance, Population.READERS_AND_CASES)
    second = dorfman_berbaum_metz.analyse(figure, Population.READERS_AND_CASES)
    assert first.overall.p == pytest.approx(second.overall.p, rel=1e-10)
    assert first.overall.df2 == pytest.approx(second.overall.df2, rel=1e-10)


def proportions(table: ReaderRatings, threshold: float, of_diseased: bool) -> ReaderRatings:
    """Decisions of one class and ½ for the other class: then the AUC is the share of positive (negative) decisions."""
    called = np.where(table.truth == of_diseased, (table.rating > threshold).astype(float), 0.5)
    return ReaderRatings(np.where(table.read, called, np.nan), table.truth, table.modalities, table.readers, table.cases)


THRESHOLD = {"van_dyke": 2.5, "imrmc_example": 0.2}


@pytest.mark.parametrize(("study", "method"), studies("imrmc.auc", "imrmc.tpf", "imrmc.fpf"))
def test_one_shot(study, method):
    reference, table = golden(study)[method], ratings(study)
    if method != "imrmc.auc":
        table = proportions(table, THRESHOLD.get(study, 49.5), method == "imrmc.tpf")
    # Small p-values are 1 minus a probability in that package, so they are exact to 1e-15 only.
    found, study_of = Deviations(floor=1e-14), one_shot(table)
    at = {str(name): position for position, name in enumerate(table.modalities)}
    for row in reference["ustat"] + reference["mle"]:
        compare_one_shot(found, study_of, row, at)
    names = {"bdg_ustat_components": "unbiased", "bdg_mle_components": "plugged_in", "bdg_ustat_coefficients": "coefficients"}
    for key in names.keys() & reference.keys():
        for row in reference[key]:
            values = getattr(moments(study_of.comparisons, at[row["modalityID.1"]], at[row["modalityID.2"]]), names[key])
            found.add_each(key, np.nan_to_num(values), [row[f"M{k}"] or 0.0 for k in range(1, 9)])
    for row in reference.get("bck_ustat_components", []):
        parts = moments(study_of.comparisons, at[row["modalityID.1"]], at[row["modalityID.2"]])
        if not np.isnan(parts.unbiased).any():
            found.add_each("BCK", parts.components, [row[key] for key in ("N", "D", "ND", "R", "NR", "DR", "RND")])
    found.none(at_least=30)


def test_one_shot_of_the_readers_without_the_model():
    reference = golden("sim_model_and_readers")["imrmc.readers_only_auc"]
    study = table(rows(DATA / "model_and_readers.csv"))
    found, study_of = Deviations(floor=1e-14), one_shot(study.select(readers=range(1, 8)))
    for row in reference["ustat"] + reference["mle"]:
        compare_one_shot(found, study_of, row, {"m": 0})
    for key, name in {"bdg_ustat_components": "unbiased", "bdg_ustat_coefficients": "coefficients"}.items():
        values = getattr(moments(study_of.comparisons, 0, 0), name)
        found.add_each(key, values, [reference[key][0][f"M{k}"] for k in range(1, 9)])
    found.none(at_least=25)


def compare_one_shot(found, study, row, at):
    first, second = at[row["modalityA"]], at.get(row["modalityB"])
    result = study.modality(first) if second is None else study.difference(first, second)
    difference = "" if second is None else "minusAUCB"
    if "UstatOrMLE" not in row:
        variance = row["varAUCA"] if second is None else row["varAUCAminusAUCB"]
        found.add_each("plugged in", [result.plugged_in.standard_error**2, result.df_plugged_in], [variance, row["dfBDG"]])
        found.add("plugged in p", result.plugged_in.p, row["pValueBDG"])
        return
    variance = study.variance(first) if second is None else study.variance_of_difference(first, second)
    found.add("estimate", result.result.estimate, row["AUCA" + (difference and "minusAUCB")])
    found.add("variance", variance, row["varAUCA"] if second is None else row["varAUCAminusAUCB"])
    if "dfBDG" not in row:  # Franken: a negative variance
        assert variance < 0
        assert "not above 0" in result.result.reason
        return
    found.add("df", result.df, row["dfBDG"])
    found.add_each("normal", [result.normal.p, result.normal.low], [row["pValueNormal"], row["botCInormal"]])
    found.add_each(
        "BDG", [result.result.p, result.result.low, result.result.high], [row[k] for k in ("pValueBDG", "botCIBDG", "topCIBDG")]
    )


@pytest.mark.parametrize(("study", "method"), studies("imrmc.auc"))
def test_unbiased_variance_of_each_reader(study, method):
    reference = golden(study)[method].get("per_reader", [])
    table, found = ratings(study), Deviations()
    compared = compare(table)
    shape = (len(table.modalities), len(table.readers))
    for row in reference:
        reader = [str(name) for name in table.readers].index(row["readerID"])
        a, b = (
            np.ravel_multi_index(([str(m) for m in table.modalities].index(row[key]), reader), shape) if key in row else None
            for key in ("modalityA", "modalityB")
        )
        found.add("AUC", compared.auc.ravel()[a], row["AUCA"])
        found.add("variance", compared.covariance[a, a], row["varAUCA"])
        if b is not None:
            c = compared.covariance
            found.add("variance of difference", c[a, a] + c[b, b] - 2 * c[a, b], row["varAUCAminusAUCB"])
    found.none(at_least=2 * len(reference))


@pytest.mark.parametrize(("study", "method"), studies("proc.delong_per_reader"))
def test_delong_of_each_reader(study, method):
    reference = golden(study)[method]
    table, found = ratings(study), Deviations()
    covariance, auc, n_readers = delong_covariance(table), empirical_auc(table).value, len(table.readers)
    for name, row in reference["readers"].items():
        reader = [str(one) for one in table.readers].index(name)
        i, j = ([str(m) for m in table.modalities].index(m) for m in row["modalities"])
        a, b = i * n_readers + reader, j * n_readers + reader
        found.add_each("AUC", [auc[i, reader], auc[j, reader]], [row["auc_a"], row["auc_b"]])
        found.add_each("error", [covariance[a, a], covariance[b, b], covariance[a, b]], [row["var_a"], row["var_b"], row["cov"]])
        variance = covariance[a, a] + covariance[b, b] - 2 * covariance[a, b]
        result = Inference(auc[i, reader] - auc[j, reader], float(np.sqrt(variance)), np.inf)
        found.add_each("test", [result.statistic, result.p], [row["z"], row["p"]])
    found.none(at_least=16)


@pytest.mark.parametrize(("study", "method"), studies("google_health.orh"))
def test_margins_as_google_health(study, method):
    reference = golden(study)[method]
    figure = empirical_auc(ratings(study).select(modalities=[1, 0]))  # second minus first modality
    found = Deviations(relative=1e-5, floor=1e-7)  # that package computes in 32 bits
    analysis = obuchowski_rockette.analyse(figure.value, figure.covariance, Population.READERS_AND_CASES)
    difference = analysis.contrasts[0].difference
    for margin in (0.02, 0.05):
        row = reference[f"margin_{margin}"]
        found.add_each("margin", [difference.estimate, difference.df], [row["effect"], row["dof"]])
        found.add_each("ends", [difference.low, difference.high], row["ci"])
        found.add("p", non_inferiority(difference, margin), row["pvalue"])
    found.add("two-sided p", difference.p, reference["margin_0.0"]["pvalue"])
    compare_decisions(found, ratings(study), reference)
    found.none(at_least=11)


def compare_decisions(found, table, reference):
    """Sensitivity and specificity at a rating; that package leaves out all cases in turn, we those of the class alone."""
    for key in [key for key in reference if "_ge_" in key]:
        name, threshold = key.split("_ge_")
        figure = {"sensitivity": sensitivity, "specificity": specificity}[name](table.select(modalities=[1, 0]), float(threshold))
        n_others = len(table.cases) - figure.left_out.shape[2]
        unchanged = np.repeat(figure.value[..., None], n_others, 2)
        covariance = Jackknife(figure.value, np.concatenate([figure.left_out, unchanged], 2)).covariance
        analysis = obuchowski_rockette.analyse(figure.value, covariance, Population.READERS_AND_CASES)
        difference, row = analysis.contrasts[0].difference, reference[key]
        found.add_each(
            key,
            [difference.estimate, difference.low, difference.high, difference.statistic, difference.df, difference.p],
            [row["effect"], *row["ci"], row["statistic"], row["dof"], row["pvalue"]],
        )


@pytest.mark.shared
@pytest.mark.parametrize(
    ("within", "words"), [("reader", "cases nested in reader, 5 groups"), ("modality", "cases nested in modality")]
)
def test_cases_nested_in_readers_or_modalities_of_van_dyke(within, words):
    """The names of the cases were read as numbers for those reference numbers, so that 1.1, 1.10 and 1.100 were one cluster."""
    reference = golden("van_dyke")[f"mrmcaov.auc.nested_in_{within}.jackknife"]
    table = ratings("van_dyke", f"case_nested_in_{within}")
    assert str(design(table)) == words
    clusters = np.unique([float(case) for case in table.cases], return_inverse=True)[1]
    whole, found = empirical_auc(table).value, Deviations()
    without = [empirical_auc(without_cases(table, clusters == cluster)).value for cluster in range(clusters.max() + 1)]
    figure = Jackknife(whole, np.moveaxis(without, 0, 2))
    parts, named = components(whole, figure.covariance, design(table).crossing), reference["variance_components"]
    found.add_each(
        "error", [parts.variance, parts.cov1, parts.cov2, parts.cov3], [named[k] for k in ("Var", "Cov1", "Cov2", "Cov3")]
    )
    analysis = obuchowski_rockette.analyse(whole, figure.covariance, Population.READERS_AND_CASES, design(table).crossing)
    compare_analysis(found, analysis, reference["rrrc"], "mrmcaov")
    found.none(at_least=14)


def without_cases(table, left_out):
    return table.select(readers=range(len(table.readers)), cases=np.flatnonzero(~left_out))


@pytest.mark.shared
def test_cases_nested_in_readers_of_van_dyke_unbiased():
    """No covariance of two readers: the result does not depend on which cases are one cluster."""
    table, found = ratings("van_dyke", "case_nested_in_reader"), Deviations()
    reference = golden("van_dyke")["mrmcaov.auc.nested_in_reader.unbiased"]
    figure, crossing = empirical_auc(table).value, design(table).crossing
    analysis = obuchowski_rockette.analyse(figure, compare(table).covariance, Population.READERS_AND_CASES, crossing)
    compare_analysis(found, analysis, reference["rrrc"], "mrmcaov")
    found.none(at_least=10)
