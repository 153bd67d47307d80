"""Ratings read from a table, the design found in them, and figures that are undefined: NaN with a reason."""

import math

import numpy as np
import pytest

from pneumoscope.statistics.errors import StatisticsError
from pneumoscope.statistics.multireader import dorfman_berbaum_metz
from pneumoscope.statistics.multireader.auc import defined, delong_covariance, empirical_auc
from pneumoscope.statistics.multireader.comparisons import compare
from pneumoscope.statistics.multireader.design import design
from pneumoscope.statistics.multireader.inference import Inference, equivalence, non_inferiority, superiority
from pneumoscope.statistics.multireader.jackknife import by_deletion
from pneumoscope.statistics.multireader.obuchowski_rockette import Population, analyse, one_modality
from pneumoscope.statistics.multireader.one_shot import one_shot
from pneumoscope.statistics.multireader.ratings import ReaderRatings, from_table
from tests.statistics.multireader.reference import DATA, ratings, rows, table

TABLE = {"reader": "aabb", "modality": "MMMM", "case": "1212", "truth": [0, 1, 0, 1], "rating": [1, 2, 3, 4]}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rating": [1, 2, 3, np.nan]}, "1 ratings are not finite"),
        ({"rating": [1, 2, 3, np.inf]}, "1 ratings are not finite"),
        ({"rating": [1, 2, 3]}, r"columns of \[3, 4\] rows"),
        ({"reader": "", "modality": "", "case": "", "truth": [], "rating": []}, r"columns of \[0\] rows"),
        ({"truth": [0, 1, 0, 2]}, "truth has values other than 0 and 1"),
        ({"truth": [0, 1, 1, 1]}, "a case has truth 0 in one row and 1 in another"),
        ({"case": "1112"}, "the same reader, modality and case occur in two rows"),
    ],
    ids=["NaN", "infinite", "lengths", "empty", "truth", "two truths", "twice"],
)
def test_a_table_that_is_no_study_is_refused(change, message):
    columns = TABLE | change
    with pytest.raises(StatisticsError, match=message):
        from_table(*(list(columns[name]) for name in ("reader", "modality", "case", "truth", "rating")))


@pytest.mark.parametrize(
    ("cube", "truth", "names", "message"),
    [
        ([[[1.0, 2.0]]], [True], ("M", "r", (1, 2)), "for .1, 1, 2. names"),
        ([[[1.0, np.inf]]], [True, False], ("M", "r", (1, 2)), "an infinite rating"),
        ([[[1.0, 2.0]]], [True, False], ("M", "r", (1, 1)), "names of axis 'case' are not unique"),
        ([[[1.0, np.nan]]], [True, False], ("M", "r", (1, 2)), "there is a case without any rating"),
        ([[[1.0], [np.nan]]], [True], ("M", "rs", (1,)), "there is a reader without any rating"),
    ],
    ids=["shape", "infinite", "name twice", "empty case", "empty reader"],
)
def test_an_array_that_is_no_study_is_refused(cube, truth, names, message):
    with pytest.raises(StatisticsError, match=message):
        ReaderRatings(np.array(cube), np.array(truth), tuple(names[0]), tuple(names[1]), names[2])


@pytest.mark.parametrize(
    ("study", "words", "shared_diseased", "shared_readers"),
    [
        ("sim_crossed", "fully crossed", 32, 6),
        ("sim_split_plot", "split-plot, 3 groups", 42, 9),
        ("sim_missing", "readings missing", 32, 6),
        ("sim_cases_nested", "cases nested in modality", 0, 5),
        ("sim_readers_nested", "readers nested in modality", 30, 0),
    ],
)
def test_the_design_is_found_in_the_table(study, words, shared_diseased, shared_readers):
    found = design(ratings(study))
    assert (str(found), found.shared_diseased[0, 1], found.shared_readers[0, 1]) == (words, shared_diseased, shared_readers)
    nondiseased = found.shared_nondiseased[0, 0]
    assert nondiseased == np.unique([row["case"] for row in rows_of_modality(study, 0) if row["truth"] == "0"]).size


def rows_of_modality(study, position):
    name = study.removeprefix("sim_")
    wanted = ratings(study).modalities[position]
    return [row for row in rows(DATA / f"{name}.csv") if row["modality"] == wanted]


@pytest.mark.shared
def test_a_partially_paired_study_is_recognized():
    found = design(ratings("kundel"))
    assert str(found) == "partially paired"
    assert found.shared_diseased.tolist() == [[27, 0, 0], [0, 29, 29], [0, 29, 29]]


def test_one_class_leaves_every_figure_undefined_with_a_reason():
    study = table(rows(DATA / "edge_one_class.csv"))
    assert not defined(study).any()
    figure = empirical_auc(study)
    assert np.isnan(figure.value).all()
    analysis = analyse(figure.value, figure.covariance, Population.READERS_AND_CASES)
    assert math.isnan(analysis.overall.p)
    assert "undefined" in analysis.overall.reason
    assert all("undefined" in one.reason and math.isnan(one.p) for one in analysis.means)
    one = one_shot(study).modality(0)
    assert math.isnan(one.result.estimate)
    assert one.result.reason == "the variance is undefined: too few readers or cases"
    assert np.isnan(compare(study).covariance).all()
    assert np.isnan(delong_covariance(study)).all()


def test_one_reader_allows_fixed_readers_only():
    study = ratings("sim_crossed").select(readers=[0])
    figure = empirical_auc(study)
    random = analyse(figure.value, figure.covariance, Population.READERS_AND_CASES)
    assert random.overall.reason == "one reader: how readers vary cannot be estimated"
    assert math.isnan(random.contrasts[0].difference.p)
    fixed = analyse(figure.value, figure.covariance, Population.CASES)
    assert 0 < fixed.overall.p < 1
    assert one_shot(study).difference(0, 1).result.reason == "the variance is undefined: too few readers or cases"
    assert "no test" in dorfman_berbaum_metz.analyse(figure, Population.READERS).overall.reason


def test_one_modality_has_a_mean_and_no_comparison():
    study = ratings("sim_crossed").select(modalities=[0])
    figure = empirical_auc(study)
    analysis = analyse(figure.value, figure.covariance, Population.READERS_AND_CASES)
    assert analysis.overall.reason == "there is one modality"
    assert analysis.contrasts == ()
    whole = empirical_auc(ratings("sim_crossed"))
    same = analyse(whole.value, whole.covariance, Population.READERS_AND_CASES).means[0]
    assert analysis.means[0].standard_error == pytest.approx(same.standard_error, rel=1e-12)


def test_perfect_readers_have_no_variance_to_test_with():
    cube = np.tile(np.arange(6.0), (2, 3, 1))
    study = ReaderRatings(cube, np.arange(6) > 2, ("A", "B"), tuple("rst"), tuple(range(6)))
    figure = empirical_auc(study)
    for population in Population:
        analysis = analyse(figure.value, figure.covariance, population)
        assert analysis.overall.reason == "no variation: the error variance is not above 0"
        assert analysis.contrasts[0].difference.reason == "no variation: the variance is not above 0"
    assert one_shot(study).difference(0, 1).result.reason == "the variance is not above 0"


def test_a_mean_is_tested_against_a_value():
    study = ratings("sim_crossed").select(modalities=[0])
    figure = empirical_auc(study)
    result = one_modality(figure.value[0], figure.covariance, Population.READERS_AND_CASES, null=0.7)
    assert result.statistic == pytest.approx((result.estimate - 0.7) / result.standard_error)
    assert one_shot(study).modality(0, null=0.7).result.null == 0.7


def test_covariance_of_another_size_is_refused():
    with pytest.raises(StatisticsError, match=r"figures of shape \(2, 3\) with a covariance of shape \(5, 5\)"):
        analyse(np.ones((2, 3)), np.eye(5), Population.CASES)


def test_placements_give_the_same_auc_and_jackknife_as_counting_every_pair():
    study = ratings("sim_missing")

    def by_counting(nondiseased, diseased):
        pairs = diseased[:, None] - nondiseased
        return float((np.sign(pairs) + 1).mean() / 2)

    quick, slow = empirical_auc(study), by_deletion(study, by_counting)
    np.testing.assert_allclose(quick.value, slow.value, rtol=1e-12)
    np.testing.assert_allclose(quick.left_out, slow.left_out, rtol=1e-12)
    np.testing.assert_allclose(compare(study).auc, slow.value, rtol=1e-12)


def test_blocks_of_comparisons_add_up(monkeypatch):
    whole = compare(ratings("sim_missing"))
    monkeypatch.setattr("pneumoscope.statistics.multireader.comparisons._BLOCK", 1)
    in_blocks = compare(ratings("sim_missing"))
    np.testing.assert_array_equal(whole.sums, in_blocks.sums)


def test_margins_follow_the_interval():
    difference = Inference(0.02, 0.01, 20.0)
    low, high = (Inference(0.02, 0.01, 20.0, level=0.9).low, Inference(0.02, 0.01, 20.0, level=0.9).high)
    assert (superiority(difference) <= 0.05) == (low > 0)
    assert non_inferiority(difference, -low + 1e-12 if low < 0 else 0.0) <= 0.05
    assert superiority(difference, low) == pytest.approx(0.05)
    assert equivalence(difference, high) == pytest.approx(0.05)
    assert equivalence(difference, 0.0) >= 0.5
    assert math.isnan(equivalence(Inference(0.1, math.nan, math.nan), 0.1))


@pytest.mark.parametrize("test", [superiority, non_inferiority, equivalence])
def test_a_negative_margin_is_refused(test):
    with pytest.raises(StatisticsError, match=r"a margin of -0.1: give the largest difference that does not matter"):
        test(Inference(0.0, 0.1, 10.0), -0.1)


def test_a_level_that_is_no_probability_is_refused():
    with pytest.raises(StatisticsError, match="a confidence level of 95: give one between 0 and 1"):
        Inference(0.0, 0.1, 10.0, level=95)


def test_selected_ratings_and_decisions():
    study = ratings("sim_cases_nested")
    part = study.select(modalities=[1])
    assert (len(part.cases), part.complete, part.modalities) == (int(study.read[1].any(0).sum()), True, ("aided",))
    assert set(np.unique(part.decisions(50).rating)) == {0.0, 1.0}
    assert (part.decisions(50).rating == 1).sum() == (part.rating >= 50).sum()
    chosen = study.select(modalities=[0], readers=[2, 0], cases=[1, 0])
    np.testing.assert_array_equal(chosen.rating[0], study.rating[0][[2, 0]][:, [1, 0]])
