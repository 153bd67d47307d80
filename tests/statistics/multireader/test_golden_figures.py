"""Figures of merit against RJafroc and MRMCaov: free response, LROC, parts and points of the curve; a model against readers."""

import numpy as np
import pytest

from pneumoscope.statistics.errors import StatisticsError
from pneumoscope.statistics.multireader import dorfman_berbaum_metz, obuchowski_rockette, roc_figures
from pneumoscope.statistics.multireader.auc import empirical_auc
from pneumoscope.statistics.multireader.design import design
from pneumoscope.statistics.multireader.free_response import FreeResponseFigure, figure
from pneumoscope.statistics.multireader.inference import non_inferiority
from pneumoscope.statistics.multireader.jackknife import by_deletion
from pneumoscope.statistics.multireader.localization import LocatedRatings
from pneumoscope.statistics.multireader.marks import Lesions, MarkedCases, Marks, from_marks
from pneumoscope.statistics.multireader.obuchowski_rockette import Population, components
from pneumoscope.statistics.multireader.ratings import ReaderRatings
from pneumoscope.statistics.multireader.standalone_model import against_readers, against_readers_as_modality
from tests.statistics.multireader.reference import DATA, SHARED, Deviations, golden, ratings, rows, table
from tests.statistics.multireader.test_golden_comparisons import POPULATIONS, compare_analysis, studies

FROC = (
    "rj01_tony", "rj04_federica", "rj05_thompson", "rj06_magnus", "rj07_lucy_warren", "rj11_dobbins1", "rj13_dobbins3",
)  # fmt: skip


def marked(study) -> MarkedCases:
    stem = str(DATA / "froc") if study == "sim_froc" else str(SHARED / "froc" / study)
    mark, case, lesion = (rows(type(DATA)(f"{stem}_{name}.csv")) for name in ("marks", "cases", "lesions"))
    lesions = Lesions([r["case"] for r in lesion], [r["lesion"] for r in lesion], [float(r["weight"]) for r in lesion])
    column = {key: [row[key] for row in mark] for key in ("reader", "modality", "case")}
    on = [None if row["lesion"] == "0" else row["lesion"] for row in mark]
    marks = Marks(column["reader"], column["modality"], column["case"], on, [float(row["rating"]) for row in mark])
    return from_marks(
        marks,
        lesions,
        [r["case"] for r in case],
        sorted(set(marks.reader), key=lambda name: (len(name), name)),
        list(dict.fromkeys(marks.modality)),
    )


@pytest.mark.parametrize("study", ["sim_froc", *(pytest.param(name, marks=pytest.mark.shared) for name in FROC)])
def test_free_response(study):
    marks, found = marked(study), Deviations(floor=1e-11)
    for key, reference in golden(study).items():
        _, name, method = key.split(".")
        values = figure(marks, FreeResponseFigure(name))
        if method == "or_jackknife":
            table = [list(row.values()) for row in reference["fom"].values()]
            found.add_each(key, values.value.ravel(), [value for row in table for value in row])
            compare_components(found, study, key, components(values.value, values.covariance), reference["variance_components"])
        for population in POPULATIONS.keys() & reference.keys():
            analyse = dorfman_berbaum_metz.analyse(values, POPULATIONS[population])
            if method == "or_jackknife":
                analyse = obuchowski_rockette.analyse(values.value, values.covariance, POPULATIONS[population])
            compare_analysis(found, analyse, reference[population], "rjafroc")
    found.none(at_least=200)


def compare_components(found, study, key, parts, reference):
    found.add_each(
        key, [parts.variance, parts.cov1, parts.cov2, parts.cov3], [reference[k] for k in ("Var", "Cov1", "Cov2", "Cov3")]
    )
    if parts.cov2 < parts.cov3:  # RJafroc clips Cov2 − Cov3 within these two
        assert (study, key) == ("rj06_magnus", "rjafroc.MaxNLF.or_jackknife")
        return
    found.add_each(key, [parts.reader, parts.modality_reader], [reference["VarR"], reference["VarTR"]])


MAGNUS = MarkedCases(
    np.array([[[3.0, -np.inf, 2.0]]]),
    np.array([[[-np.inf, 2.0, 1.0, -np.inf]]]),
    np.array([[[0.0, 1.0, 2.0, 0.0]]]),
    np.array([0, 0, 1]),
    np.array([0.2, 0.8, 1.0]),
    np.array([True, True, False, False]),
    ("CR",),
    ("r",),
    ("a", "b", "c", "d"),
)


@pytest.mark.parametrize(
    ("name", "by_hand"),
    [
        # Non-diseased cases: c (mark rated 1) and d (none): the lesions beat both, lose and tie, beat both.
        ("wAFROC", (0.2 * 1 + 0.8 * 0.25 + 1) / 2),
        ("AFROC", (1 + 0.25 + 1) / 3),
        # False positives of a (none), b (2), c (1), d (none).
        ("AFROC1", (4 + 2 * 0.5 + 3.5) / 12),
        ("HrAuc", 1.0),
        ("HrSe", 1.0),
        ("HrSp", 0.5),
        ("MaxLLF", 2 / 3),
        ("MaxNLF", 1.0),
    ],
)
def test_free_response_by_hand(name, by_hand):
    assert figure(MAGNUS, FreeResponseFigure(name)).value.item() == pytest.approx(by_hand)


@pytest.mark.parametrize("name", FreeResponseFigure)
def test_leaving_a_case_out_is_the_figure_of_the_others(name):
    if name in ("HrSp", "MaxNLF"):
        kept, position = [0, 1, 2], 1  # without d, the second non-diseased case
    else:
        kept, position = [1, 2, 3], 0
    lesions = np.isin(MAGNUS.lesion_case, kept)
    part = MarkedCases(
        MAGNUS.lesion_rating[..., lesions],
        MAGNUS.highest_elsewhere[..., kept],
        MAGNUS.n_elsewhere[..., kept],
        np.array([kept.index(case) for case in MAGNUS.lesion_case[lesions]]),
        MAGNUS.lesion_weight[lesions],
        MAGNUS.truth[kept],
        ("CR",),
        ("r",),
        tuple("abcd"[k] for k in kept),
    )
    assert figure(MAGNUS, name).left_out[0, 0, position] == pytest.approx(figure(part, name).value.item())


@pytest.mark.parametrize(
    ("rating", "case", "message"),
    [(np.inf, "a", "a mark whose rating is not finite"), (1.0, "z", "names a reader, modality, case")],
)
def test_marks_of_no_study_are_refused(rating, case, message):
    with pytest.raises(StatisticsError, match=message):
        from_marks(Marks(["r"], ["m"], [case], [None], [rating]), Lesions(["a"], ["1"], [1.0]), ["a"], ["r"], ["m"])


def test_weights_that_do_not_sum_to_one_are_refused():
    with pytest.raises(StatisticsError, match="whose weights are above 0 and sum to 1"):
        from_marks(Marks([], [], [], [], []), Lesions(["a"], ["1"], [0.5]), ["a"], ["r"], ["m"])


@pytest.mark.shared
@pytest.mark.parametrize("name", ["PCL_0.05", "ALROC_0.2", "Wilcoxon"])
@pytest.mark.parametrize("method", ["1T-RRRC", "1T-RRFC"])
def test_lroc_of_hupse(name, method):
    table = rows(SHARED / "lroc" / "rj_nico_cad_lroc.csv")
    right = [float(row["rating_if_correctly_located"] or 0) for row in table]
    wrong = [float(row["rating_if_not"]) for row in table]
    study = table_of([{**row, "rating": max(a, b)} for row, a, b in zip(table, right, wrong, strict=True)])
    located = np.array([a > b and row["truth"] == "1" for row, a, b in zip(table, right, wrong, strict=True)])
    lroc = LocatedRatings(study, located.reshape(study.rating.shape))
    figures = {"PCL_0.05": lroc.correct_localization(0.05), "ALROC_0.2": lroc.area(0.2), "Wilcoxon": empirical_auc(study)}
    compare_with_model(figures[name], golden("rj_nico_cad_lroc")[f"rjafroc.cad_vs_readers.{name}_{method}"])


def table_of(rows):
    return table(rows)


MODEL_METHODS = {"1T-RRRC": Population.READERS_AND_CASES, "1T-RRFC": Population.READERS}


def compare_with_model(values, reference):
    method = "1T-RRFC" if "1T-RRFC" in reference["call"] else "1T-RRRC"
    result, found = against_readers(values, 0, MODEL_METHODS[method]), Deviations()
    found.add_each("figures", values.value[0], [reference["fomCAD"], *reference["fomRAD"]])
    difference = result.difference  # model − readers; RJafroc: readers − model
    found.add_each(
        "test", [difference.statistic, difference.df, difference.p], [-reference["Tstat"], reference["df"], reference["pval"]]
    )
    found.add_each("ends", [-difference.high, -difference.low], reference["CIAvgDiffFom"])
    found.add_each("readers", [result.readers.low, result.readers.high], reference.get("CIAvgRad", reference.get("CIAvgRadFom")))
    found.none(at_least=10)


@pytest.mark.parametrize("method", MODEL_METHODS)
def test_model_against_readers(method):
    values = empirical_auc(table(rows(DATA / "model_and_readers.csv")))
    compare_with_model(values, golden("sim_model_and_readers")[f"rjafroc.cad_vs_readers.{method}"])


def model_study(study):
    return ratings(study) if study == "rj09_nico_cad" else table(rows(DATA / "model_and_readers.csv"))


@pytest.mark.parametrize("study", ["sim_model_and_readers", pytest.param("rj09_nico_cad", marks=pytest.mark.shared)])
def test_model_against_readers_as_two_modalities(study):
    reference, found = golden(study)["rjafroc.cad_vs_readers.2T-RRRC"], Deviations()
    result = against_readers_as_modality(empirical_auc(model_study(study)), 0)
    # Model − readers; RJafroc: readers − model.
    test, mean, (difference,) = result.difference, reference["ciAvgRdrEachTrt"][1], reference["ciDiffFom"]
    found.add_each("model", [result.model], [reference["fomCAD"]])
    found.add_each(
        "difference",
        [-test.estimate, test.standard_error, test.df, -test.statistic, test.p, -test.high, -test.low],
        [difference[key] for key in ("Estimate", "StdErr", "DF", "t", "PrGTt", "CILower", "CIUpper")],
    )
    readers = result.readers
    found.add_each(
        "readers",
        [readers.estimate, readers.standard_error, readers.df, readers.low, readers.high],
        [mean[key] for key in ("Estimate", "StdErr", "DF", "CILower", "CIUpper")],
    )
    found.add_each("test", [test.statistic**2, test.p], [reference["FStat"], reference["pval"]])
    found.none(at_least=15)


def test_model_against_readers_as_google_health():
    values = empirical_auc(table(rows(DATA / "model_and_readers.csv")))
    result, reference = (
        against_readers(values, 0, Population.READERS_AND_CASES),
        golden("sim_model_and_readers")["google_health.orh"],
    )
    found = Deviations(relative=1e-5)  # that package computes in 32 bits
    row, difference = reference["margin_0.0"], result.difference
    found.add_each("test", [difference.estimate, difference.p, difference.df], [row["effect"], row["pvalue"], row["dof"]])
    for margin in (0.03, 0.05, 0.1):  # one-sided
        row = reference[f"margin_{margin}"]
        found.add_each("ends", [difference.low, difference.high], row["ci"])
        found.add_each(
            "margin",
            [difference.statistic_against(-margin), non_inferiority(difference, margin)],
            [row["statistic"], row["pvalue"]],
        )
    found.none(at_least=15)


@pytest.mark.shared
@pytest.mark.parametrize("method", MODEL_METHODS)
def test_model_against_readers_of_published_studies(method):
    values = empirical_auc(ratings("rj09_nico_cad"))
    compare_with_model(values, golden("rj09_nico_cad")[f"rjafroc.cad_vs_readers.{method}"])
    values = figure(marked("rj_cad_simu_froc"), FreeResponseFigure.WEIGHTED_AFROC)
    compare_with_model(values, golden("rj_cad_simu_froc")[f"rjafroc.cad_vs_readers.wAFROC_{method}"])


def test_a_model_alone_is_refused():
    values = empirical_auc(table(rows(DATA / "model_and_readers.csv")).select(readers=[0]))
    with pytest.raises(StatisticsError, match="give one modality with a model and at least one reader"):
        against_readers(values, 0, Population.CASES)


FIGURES = {
    "mrmcaov.empirical_auc_partial_specificity_0.7_1.jackknife": lambda table: roc_figures.partial_auc_of_specificity(table, 0.7),
    "mrmcaov.empirical_eu.jackknife": roc_figures.expected_utility,
    "mrmcaov.empirical_sens_at_spec_0.8.jackknife": lambda table: roc_figures.sensitivity_at_specificity(table, 0.8),
    **{
        f"mrmcaov.binary_sens_threshold_ge_{t}.jackknife": lambda table, t=t: roc_figures.sensitivity(table, t)
        for t in (3, 4, 50)
    },
    **{
        f"mrmcaov.binary_spec_threshold_ge_{t}.jackknife": lambda table, t=t: roc_figures.specificity(table, t)
        for t in (3, 4, 50)
    },
}


@pytest.mark.parametrize(("study", "method"), studies(*FIGURES))
def test_figures_of_the_curve_and_of_decisions(study, method):
    reference, values, found = golden(study)[method], FIGURES[method](ratings(study)), Deviations(floor=1e-11)
    found.add_each("figure", values.value.ravel(), [value for row in reference["fom"].values() for value in row.values()])
    parts, named = components(values.value, values.covariance), reference["variance_components"]
    found.add_each(
        "error", [parts.variance, parts.cov1, parts.cov2, parts.cov3], [named[k] for k in ("Var", "Cov1", "Cov2", "Cov3")]
    )
    for key in POPULATIONS.keys() & reference.keys():
        if key == "frrc" and parts.cov2 < parts.cov3:
            continue  # MRMCaov does not clip there
        analysis = obuchowski_rockette.analyse(values.value, values.covariance, POPULATIONS[key], design(ratings(study)).crossing)
        compare_analysis(found, analysis, reference[key], method)
    found.none(at_least=15)


AT_A_SENSITIVITY = {
    "mrmcaov.empirical_spec_at_sens_0.8.jackknife": lambda table: roc_figures.specificity_at_sensitivity(table, 0.8),
    "mrmcaov.empirical_auc_partial_sensitivity_0.7_1.jackknife": lambda table: roc_figures.partial_auc_of_sensitivity(table, 0.7),
}


def specificity_of_mrmcaov(nondiseased, diseased, at):
    """Where several points have one sensitivity, keep the one with the lowest specificity only, then join points by lines.

    This is not the empirical curve: the line from the point below a level part goes to its far end.
    """
    false, true = curve_of(nondiseased, diseased)
    heights = np.unique(true)
    return 1 - np.interp(at, heights, [false[true == height].max() for height in heights])


def partial_area_of_mrmcaov(nondiseased, diseased):
    false, true = curve_of(nondiseased, diseased)
    inside = (true > 0.7) & (true < 1)
    low, high = (specificity_of_mrmcaov(nondiseased, diseased, at) for at in (0.7, 1.0))
    return float(np.trapezoid([low, *(1 - false[inside]), high], [0.7, *true[inside], 1.0]))


def curve_of(nondiseased, diseased):
    thresholds = [np.inf, *np.unique([*nondiseased, *diseased])[::-1]]
    return (np.array([(part >= threshold).mean() for threshold in thresholds]) for part in (nondiseased, diseased))


BY_ITS_RULE = {
    "mrmcaov.empirical_spec_at_sens_0.8.jackknife": lambda no, yes: float(specificity_of_mrmcaov(no, yes, 0.8)),
    "mrmcaov.empirical_auc_partial_sensitivity_0.7_1.jackknife": partial_area_of_mrmcaov,
}


@pytest.mark.shared
@pytest.mark.parametrize("study", ["van_dyke", "franken"])
@pytest.mark.parametrize("method", AT_A_SENSITIVITY)
def test_figures_at_a_sensitivity_differ_from_mrmcaov_by_its_rule_for_equal_sensitivities_alone(study, method):
    reference, table = golden(study)[method], ratings(study)
    theirs, ours, found = by_deletion(table, BY_ITS_RULE[method]), AT_A_SENSITIVITY[method](table), Deviations(floor=1e-11)
    found.add_each("figure", theirs.value.ravel(), [value for row in reference["fom"].values() for value in row.values()])
    parts, named = components(theirs.value, theirs.covariance), reference["variance_components"]
    found.add_each(
        "error", [parts.variance, parts.cov1, parts.cov2, parts.cov3], [named[k] for k in ("Var", "Cov1", "Cov2", "Cov3")]
    )
    analysis = obuchowski_rockette.analyse(theirs.value, theirs.covariance, Population.READERS_AND_CASES)
    compare_analysis(found, analysis, reference["rrrc"], method)
    found.none(at_least=15)
    level = [has_level_part(table.rating[i, j], table.truth) for i, j in np.ndindex(ours.value.shape)]
    same = np.isclose(ours.value.ravel(), theirs.value.ravel(), rtol=1e-12)
    assert (ours.value.ravel() >= theirs.value.ravel() - 1e-12).all()
    assert (same | level).all()


def has_level_part(rating, truth):
    _, true = curve_of(rating[~truth], rating[truth])
    return len(np.unique(true)) < len(true)


def test_a_level_part_of_the_curve_is_followed():
    """Points (0, 0), (0, 1/2), (1/4, 1/2), (1/2, 1/2), (1/2, 1), (1, 1); above 1/2 the curve is vertical at 1/2."""
    table = ReaderRatings(np.array([[[1.0, 1, 3, 4, 2, 5]]]), np.arange(6) > 3, ("m",), ("r",), tuple(range(6)))
    assert roc_figures.specificity_at_sensitivity(table, 0.5).value.item() == 1.0
    assert roc_figures.specificity_at_sensitivity(table, 0.75).value.item() == 0.5
    assert roc_figures.partial_auc_of_sensitivity(table, 0.0).value.item() == pytest.approx(0.75)
    assert empirical_auc(table).value.item() == pytest.approx(0.75)


CURVE = ReaderRatings(np.array([[[1.0, 2.0, 3.0, 2.0, 3.0, 4.0]]]), np.arange(6) > 2, ("m",), ("r",), tuple(range(6)))
"""ROC points (0, 0), (0, 1/3), (1/3, 2/3), (2/3, 1), (1, 1)."""


@pytest.mark.parametrize(
    ("values", "by_hand"),
    [
        (roc_figures.partial_auc_of_specificity(CURVE, 1 / 3, 2 / 3), (2 / 3 + 1) / 2 / 3),
        (roc_figures.partial_auc_of_specificity(CURVE, 2 / 3), (1 / 3 + 2 / 3) / 2 / 3),
        (roc_figures.partial_auc_of_sensitivity(CURVE, 2 / 3), (2 / 3 + 1 / 3) / 2 / 3),
        (roc_figures.partial_auc_of_sensitivity(CURVE, 0.0, 1 / 3), 1 / 3),
        (roc_figures.sensitivity_at_specificity(CURVE, 1.0), 1 / 3),
        (roc_figures.sensitivity_at_specificity(CURVE, 0.5), 5 / 6),
        (roc_figures.specificity_at_sensitivity(CURVE, 1.0), 1 / 3),
        (roc_figures.specificity_at_sensitivity(CURVE, 0.5), 5 / 6),
        (roc_figures.expected_utility(CURVE), 1 / 3),
        (roc_figures.expected_utility(CURVE, slope=0.5), 2 / 3),
        (roc_figures.sensitivity(CURVE, 3), 2 / 3),
        (roc_figures.specificity(CURVE, 3), 2 / 3),
    ],
)
def test_figures_of_a_small_curve_by_hand(values, by_hand):
    assert values.value.item() == pytest.approx(by_hand)


def test_both_partial_areas_over_everything_are_the_auc():
    study = ratings("sim_ordinal")
    whole = empirical_auc(study).value
    np.testing.assert_allclose(roc_figures.partial_auc_of_sensitivity(study, 0.0).value, whole, rtol=1e-12)
    np.testing.assert_allclose(roc_figures.partial_auc_of_specificity(study, 0.0).value, whole, rtol=1e-12)


def test_lroc_of_readers_who_locate_everything_is_the_roc_curve():
    study = ratings("sim_crossed")
    lroc = LocatedRatings(study, np.broadcast_to(study.truth, study.rating.shape))
    np.testing.assert_allclose(lroc.area().value, empirical_auc(study).value, rtol=1e-12)
    nowhere = LocatedRatings(study, np.zeros(study.rating.shape, bool))
    assert (nowhere.area().value == 0).all()
    assert (nowhere.correct_localization(0.5).value == 0).all()


def test_figures_without_a_class_are_undefined():
    study = table(rows(DATA / "edge_one_class.csv"))
    for values in (
        roc_figures.partial_auc_of_specificity(study, 0.5),
        roc_figures.partial_auc_of_sensitivity(study, 0.5),
        roc_figures.sensitivity_at_specificity(study, 0.5),
        roc_figures.specificity_at_sensitivity(study, 0.5),
        roc_figures.expected_utility(study),
        roc_figures.sensitivity(study, 2),
        LocatedRatings(study, np.zeros(study.rating.shape, bool)).area(),
        LocatedRatings(study, np.zeros(study.rating.shape, bool)).correct_localization(0.5),
    ):
        assert np.isnan(values.value).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: roc_figures.partial_auc_of_specificity(CURVE, 0.8, 0.7), "specificities 0.8, 0.7: give values from 0 to 1"),
        (lambda: roc_figures.sensitivity_at_specificity(CURVE, 80), "specificity 80: give values from 0 to 1"),
        (lambda: roc_figures.expected_utility(CURVE, 0), "a slope of 0: give one above 0"),
        (lambda: LocatedRatings(CURVE, np.zeros((1, 1, 6), bool)).area(5), "a false-positive fraction of 5"),
        (lambda: LocatedRatings(CURVE, np.zeros((1, 2), bool)), r"locations of shape \(1, 2\)"),
    ],
)
def test_values_that_make_no_sense_are_refused(call, message):
    with pytest.raises(StatisticsError, match=message):
        call()
