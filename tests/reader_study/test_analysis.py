"""`study analyse` and `study size` on anyone's tables, against numbers of RJafroc, iMRMC and the University of Iowa's program."""

import json
import math
from xml.etree import ElementTree

import numpy as np
import pytest

from pneumoscope.reader_study import formats
from pneumoscope.reader_study.analysis import report, tables
from pneumoscope.reader_study.analysis.analyse import analyse
from pneumoscope.reader_study.analysis.curves import free_response_points, froc_points, roc_points
from pneumoscope.reader_study.analysis.plan import Plan
from pneumoscope.reader_study.analysis.size import Question, components_of, size_table
from pneumoscope.reader_study.analysis.size_picture import power_curves
from pneumoscope.reader_study.errors import ReaderStudyError
from pneumoscope.statistics.multireader.auc import empirical_auc
from pneumoscope.statistics.multireader.free_response import FreeResponseFigure, figure
from pneumoscope.statistics.multireader.localization import LocatedRatings
from pneumoscope.statistics.multireader.ratings import ReaderRatings
from tests.cli.run import run
from tests.statistics.multireader.reference import DATA, SHARED, golden

RELATIVE = 1e-8


def file_of(study):
    if study.startswith("sim_"):
        return DATA / {"sim_froc": "froc_marks.csv"}.get(study, f"{study.removeprefix('sim_')}.csv")
    folder = "froc" if study in FROC else "roc"
    return SHARED / folder / f"{study}{'_marks' if study in FROC else ''}.csv"


FROC = ("rj01_tony", "rj04_federica", "rj05_thompson", "rj06_magnus", "rj07_lucy_warren", "rj11_dobbins1", "rj13_dobbins3")
ROC = ("van_dyke", "franken", "rj08_penedo", "rj10_ruschin", "rj14_federica_real")


def by_command_line(study, out, *options):
    ran = run("study", "analyse", file_of(study), "-o", out, *options)
    assert ran.code == 0, ran.err
    return json.loads((out / "results.json").read_text(encoding="utf-8")), ran.out


@pytest.fixture
def without_pictures(monkeypatch):
    """Drawing takes longer than all statistics; the tests of the report draw."""
    for name in ("curves", "froc_curves", "forest"):
        monkeypatch.setattr(report.curves, name, lambda result: "")


def shared(*studies):
    return [pytest.param(study, marks=() if study.startswith("sim_") else pytest.mark.shared) for study in studies]


def close(value, reference):
    return value == pytest.approx(reference, rel=RELATIVE, abs=1e-11)


@pytest.mark.usefixtures("without_pictures")
@pytest.mark.parametrize("study", shared("sim_crossed", "sim_ordinal", *ROC))
def test_ratings_by_the_command_line_give_the_numbers_of_rjafroc(study, tmp_path):
    reference, (found, shown) = golden(study)["rjafroc.or_jackknife"], by_command_line(study, tmp_path)
    assert "fully crossed" in shown
    keys = {"rrrc": 0, "frrc": 1, "rrfc": 2}
    for key, position in keys.items():
        analysis = found["obuchowski_rockette"][position]
        assert close(analysis["test"]["p"], reference[key]["test"]["p"]), key
        for mine, theirs in zip(analysis["differences"], reference[key]["differences"], strict=True):
            for attribute, name in {
                "estimate": "estimate",
                "standard_error": "se",
                "p": "p",
                "low": "low",
                "high": "high",
            }.items():
                assert close(mine[attribute], theirs[name]), (key, attribute)


@pytest.mark.usefixtures("without_pictures")
@pytest.mark.parametrize("study", shared("sim_froc", *FROC))
@pytest.mark.parametrize("name", ["wAFROC", "AFROC", "HrAuc"])
def test_marks_by_the_command_line_give_the_numbers_of_rjafroc(study, name, tmp_path):
    reference, (found, _) = (
        golden(study)[f"rjafroc.{name}.or_jackknife"]["rrrc"],
        by_command_line(study, tmp_path, "--figure", name),
    )
    analysis = found["obuchowski_rockette"][0]
    assert close(analysis["test"]["p"], reference["test"]["p"])
    for mine, theirs in zip(analysis["differences"], reference["differences"], strict=True):
        assert close(mine["estimate"], theirs["estimate"])
        assert close(mine["standard_error"], theirs["se"])
        assert close(mine["p"], theirs["p"])


DESIGNS = {
    "sim_split_plot": "split-plot, 3 groups",
    "sim_missing": "readings missing",
    "sim_cases_nested": "cases nested in modality",
    "sim_readers_nested": "readers nested in modality",
    "kundel": "partially paired",
}


@pytest.mark.usefixtures("without_pictures")
@pytest.mark.parametrize("study", shared(*DESIGNS))
def test_a_design_that_is_not_fully_crossed_is_recognised_and_gives_the_numbers_of_imrmc(study, tmp_path):
    found, shown = by_command_line(study, tmp_path)
    assert DESIGNS[study] in shown
    assert found["plan"]["method"] == "U-statistics"
    rows = {(row["modalityA"], row["modalityB"]): row for row in golden(study)["imrmc.auc"]["ustat"]}
    for one in found["u_statistics"]["differences"]:
        pair = (one["first"], one["second"])
        sign, row = (1, rows[pair]) if pair in rows else (-1, rows[pair[::-1]])
        assert close(one["estimate"], sign * row["AUCAminusAUCB"])
        assert close(one["variance"], row["varAUCAminusAUCB"])
        if row.get("dfBDG", 50) < 50:
            assert close(one["p"], row["pValueBDG"])


@pytest.mark.shared
def test_kundel_the_bedside_chest_films_share_no_case_between_film_and_computed_radiography(tmp_path):
    """Kundel 1997: 95 patients on film, 95 others in hard and soft copy, four readers."""
    _, shown = by_command_line("kundel", tmp_path)
    assert "| 1 and 2 | 4 | 0 | 0 |" in shown
    assert "| 2 and 3 | 4 | 29 | 66 |" in shown


@pytest.mark.shared
def test_van_dyke_is_what_the_university_of_iowa_prints(tmp_path):
    """F 4.46, df 15.26, p .0517, difference −.04380 (−.08796, .00036); fixed readers χ² 5.47595, p .0193."""
    found, shown = by_command_line("van_dyke", tmp_path)
    random, fixed = found["obuchowski_rockette"][:2]
    assert random["test"]["statistic"] == pytest.approx(4.46, abs=0.005)
    assert random["test"]["df2"] == pytest.approx(15.26, abs=0.005)
    assert found["verdict"]["p"] == pytest.approx(0.0517, abs=5e-5)
    assert [found["verdict"][key] for key in ("estimate", "low", "high")] == pytest.approx(
        [-0.04380, -0.08796, 0.00036], abs=5e-6
    )
    assert (fixed["test"]["statistic"], fixed["test"]["p"]) == pytest.approx((5.47595, 0.0193), abs=5e-5)
    assert "was −0.0438 (95 % interval −0.0880 to +0.0004)" in shown
    assert "random readers and random cases" in shown


@pytest.mark.shared
def test_a_model_against_readers_gives_the_numbers_of_rjafroc(tmp_path):
    """RJafroc takes readers − model, we model − readers."""
    found, _ = by_command_line("rj09_nico_cad", tmp_path, "--model", "1")
    reference, verdict = golden("rj09_nico_cad")["rjafroc.cad_vs_readers.1T-RRRC"], found["verdict"]
    assert close(verdict["estimate"], -reference["avgDiffFom"])
    assert close([verdict["low"], verdict["high"]], [-end for end in reference["CIAvgDiffFom"]][::-1])
    assert close(verdict["p"], reference["pval"])


LROC = {"PCL": ("PCL", "--at", "0.05"), "ALROC": ("ALROC", "--at", "0.2"), "Wilcoxon": ("AUC",)}


@pytest.mark.shared
@pytest.mark.usefixtures("without_pictures")
@pytest.mark.parametrize("name", ["PCL_0.05", "ALROC_0.2", "Wilcoxon"])
def test_lroc_by_the_command_line_gives_the_numbers_of_rjafroc(name, tmp_path):
    """Hupse 2013: nine readers and a model that mark one place on each of 200 mammograms."""
    figure_name, *at = LROC[name.split("_")[0]]
    ran = run(
        "study", "analyse", SHARED / "lroc" / "rj_nico_cad_lroc.csv", "-o", tmp_path, "--model", "1", "--figure", figure_name, *at
    )
    assert ran.code == 0, ran.err
    found = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    reference, verdict = golden("rj_nico_cad_lroc")[f"rjafroc.cad_vs_readers.{name}_1T-RRRC"], found["verdict"]
    assert close(list(found["figures"]["all"].values()), [reference["fomCAD"], *reference["fomRAD"]])
    assert close(verdict["estimate"], -reference["avgDiffFom"])
    assert close([verdict["low"], verdict["high"]], [-end for end in reference["CIAvgDiffFom"]][::-1])
    assert close(verdict["p"], reference["pval"])


OF_CURVE = {
    "partial AUC of specificity": ("empirical_auc_partial_specificity_0.7_1", "0.7", "partial AUC of specificity from 0.7 to 1"),
    "sensitivity at specificity": ("empirical_sens_at_spec_0.8", "0.8", "sensitivity at specificity 0.8"),
    "expected utility": ("empirical_eu", "1", "expected utility at slope 1"),
}


@pytest.mark.shared
@pytest.mark.usefixtures("without_pictures")
@pytest.mark.parametrize("name", OF_CURVE)
@pytest.mark.parametrize("study", ["van_dyke", "franken"])
def test_figures_of_the_curve_by_the_command_line_give_the_numbers_of_mrmcaov(study, name, tmp_path):
    method, at, words = OF_CURVE[name]
    found, shown = by_command_line(study, tmp_path, "--figure", name, "--at", at)
    reference = golden(study)[f"mrmcaov.{method}.jackknife"]["rrrc"]
    assert close(found["verdict"]["p"], reference["test"]["p"])
    assert f"the {words} of '1' minus that of '2'" in shown


def located(seed=5):
    """Two modalities, four readers, 40 cases; a place is right more often the higher the rating."""
    rng, truth = np.random.default_rng(seed), np.arange(40) < 20
    rating = rng.normal(size=(2, 4, 40)) + 1.5 * truth + 0.3 * np.arange(2)[:, None, None]
    right = truth & (rng.normal(size=rating.shape) < rating)
    names = (("CR", "DX"), tuple("abcd"), tuple(range(40)))
    return LocatedRatings(ReaderRatings(rating, truth, *names), right)


def test_locations_are_analysed_drawn_and_asked_for_by_default(tmp_path):
    result = analyse(located(), Plan())
    assert result.figure == "ALROC"
    assert result.verdict.sentence.startswith(
        "In a study of 4 readers and 40 cases (20 with the target), fully crossed, the ALROC of"
    )
    false, share = result.readings.curve(0, 1)
    assert np.trapezoid(share, false) == pytest.approx(result.values[0, 1])
    assert share[-1] == located().located[0, 1].sum() / 20
    report.write(tmp_path, result, "LROC")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert page.count("<svg") == 2
    assert "cases located" in page
    assert analyse(located(), Plan(figure="PCL", at=0.2)).figure == "PCL at false-positive fraction 0.2"


def test_a_model_is_compared_by_every_method(tmp_path):
    result = analyse(formats.read(DATA / "model_and_readers.csv"), Plan(model="model"))
    rows = tables.all_tables(result)["Model against readers"].rows
    assert [row[0].split(",")[0] for row in rows] == ["differences of the same cases"] * 3 + ["model as a second modality"]
    reference = golden("sim_model_and_readers")["rjafroc.cad_vs_readers.2T-RRRC"]["ciDiffFom"][0]
    assert float(rows[3][2]) == pytest.approx(reference["StdErr"], abs=5e-6)
    readers = golden("sim_model_and_readers")["imrmc.readers_only_auc"]["ustat"][0]
    assert result.u_statistics.modality(0).result.estimate == pytest.approx(readers["AUCA"])
    assert result.analyses[0].means[0].estimate == pytest.approx(readers["AUCA"])
    assert tables.figure_table(result).rows[-1][1] == f"{readers['AUCA']:.4f}"


def test_a_model_against_readers_names_both():
    result = analyse(formats.read(DATA / "model_and_readers.csv"), Plan(model="model"))
    assert (result.verdict.first, result.verdict.second) == ("model", "readers")
    assert "7 readers and 100 cases" in result.verdict.sentence
    with pytest.raises(ReaderStudyError, match="no reader of the table is named 'x'; the readers are model, "):
        analyse(formats.read(DATA / "model_and_readers.csv"), Plan(model="x"))


# The verdict


def crossed(**asked):
    return analyse(formats.read(DATA / "crossed.csv"), Plan(**asked))


def test_aided_minus_unaided_is_the_default_and_the_sign_turns_with_the_order():
    one, other = crossed(), crossed(first="unaided", second="aided")
    assert (one.verdict.first, one.verdict.second) == ("aided", "unaided")
    assert one.verdict.difference.estimate == -other.verdict.difference.estimate
    assert one.verdict.difference.low == -other.verdict.difference.high
    assert one.verdict.p == other.verdict.p
    assert one.verdict.difference.estimate == pytest.approx(one.values[1].mean() - one.values[0].mean(), abs=1e-15)


@pytest.mark.parametrize("hypothesis", ["superiority", "non-inferiority", "equivalence"])
def test_the_decision_is_that_of_the_interval(hypothesis):
    """One-sided at α: the bound of the 1 − 2α interval (Chen, Petrick & Sahiner 2012; Schuirmann 1987)."""
    for margin in (0.02, 0.1, 0.2, 0.3) if hypothesis != "superiority" else (0.0,):
        verdict = crossed(hypothesis=hypothesis, margin=margin).verdict
        low, high = verdict.difference.low, verdict.difference.high
        assert verdict.difference.level == pytest.approx(0.9)
        inside = {"superiority": low > 0, "non-inferiority": low > -margin, "equivalence": -margin < low and high < margin}
        assert verdict.shown is bool(inside[hypothesis])
        assert ("is shown" in verdict.sentence) is verdict.shown


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"first": "x"}, "no modality 'x'; its modalities are unaided, aided"),
        ({"first": "aided", "second": "aided"}, "compared with itself"),
        ({"figure": "wAFROC"}, "a figure of marks, and the table has ratings"),
        ({"figure": "PCL", "at": 0.1}, "a figure of ratings with a location, which the table does not have"),
        ({"figure": "PCL"}, "PCL needs a value 'at', between 0 and 1"),
        ({"figure": "sensitivity at specificity", "at": 80}, "sensitivity at specificity at 80: give a share between 0 and 1"),
        ({"figure": "MaxNLF", "hypothesis": "superiority"}, "MaxNLF is better the smaller it is"),
        ({"figure": "AUC", "at": 0.8}, "AUC has no parameter"),
        ({"at": 0.8}, "the default figure has no parameter"),
        ({"figure": "sensitivity", "threshold": 50, "method": "U-statistics"}, "U-statistics are for AUC"),
        ({"method": "U-statistics", "population": "cases"}, "take readers and cases as random"),
        ({"figure": "binormal AUC", "covariance": "DeLong"}, "defined for AUC only"),
        ({"figure": "sensitivity"}, "need the lowest rating"),
        ({"threshold": 3}, "other figures do not"),
        ({"hypothesis": "equivalence"}, "have one, above 0"),
        ({"hypothesis": "difference", "margin": 0.1}, "have one, above 0"),
        ({"hypothesis": "superiority", "alpha": 0.6}, "below 0.5"),
    ],
)
def test_what_cannot_be_computed_is_refused(asked, message):
    with pytest.raises(ReaderStudyError, match=message):
        crossed(**asked)


def test_a_reader_without_a_case_of_a_class_has_no_figure_and_the_study_says_why():
    result = analyse(formats.read(DATA / "edge_one_class.csv"), Plan())
    assert math.isnan(result.verdict.p)
    assert result.verdict.shown is False
    assert "has no inference" in result.verdict.sentence
    assert any("a class has no case" in note for note in result.notes)
    json.dumps(tables.as_json(result), allow_nan=False)


def test_one_modality_is_tested_against_a_value():
    rows = [line for line in (DATA / "crossed.csv").read_text().splitlines() if ",aided," not in line]
    from_text = formats.csv_tables.ratings_of(
        [dict(zip(rows[0].split(","), row.split(","), strict=True)) for row in rows[1:]], "t"
    )
    mean = crossed().analyses[0].means[0]
    tested = analyse(from_text, Plan(null=0.5)).verdict
    assert tested.difference.estimate == pytest.approx(mean.estimate - 0.5)
    assert tested.difference.standard_error == pytest.approx(mean.standard_error)
    assert f"the mean AUC of 'unaided' minus 0.5 was {tested.difference.estimate:+.4f}" in tested.sentence
    stated = analyse(from_text, Plan()).verdict
    assert (
        f"the mean AUC of 'unaided' was {mean.estimate:.4f} (95 % interval {mean.low:.4f} to {mean.high:.4f}" in stated.sentence
    )
    assert "no value to test" in stated.sentence
    assert math.isnan(stated.p)


def test_one_reader_is_told_what_can_be_asked():
    table = formats.read(DATA / "crossed.csv").select(readers=[0])
    alone = analyse(table, Plan()).verdict
    assert "a study of 1 reader and 80 cases" in alone.sentence
    assert "there is one reader, so that how readers vary is not known; take the population 'cases'" in alone.sentence
    assert math.isnan(alone.p)
    fixed = analyse(table, Plan(population="cases")).verdict
    assert 0 < fixed.p < 1
    assert "fixed readers and random cases" in fixed.sentence


def test_sensitivity_and_specificity_are_the_shares_of_cases():
    table = formats.read(DATA / "crossed.csv")
    for name, of_class in (("sensitivity", table.truth), ("specificity", ~table.truth)):
        values = crossed(figure=name, threshold=50).values
        called = table.rating[..., of_class] >= 50
        expected = called.mean(-1) if name == "sensitivity" else 1 - called.mean(-1)
        assert np.allclose(values, expected)


@pytest.mark.usefixtures("without_pictures")
def test_every_format_of_one_study_gives_one_result(tmp_path):
    table = formats.read(DATA / "crossed.csv")
    formats.imrmc.write(tmp_path / "table.imrmc", table, "crossed")
    formats.jafroc.write(tmp_path / "table.xlsx", formats.jafroc.from_ratings(table))
    expected = crossed().verdict
    for name in ("table.imrmc", "table.xlsx"):
        ran = run("study", "analyse", tmp_path / name, "-o", tmp_path / "out")
        assert ran.code == 0, ran.err
        verdict = json.loads((tmp_path / "out" / "results.json").read_text(encoding="utf-8"))["verdict"]
        assert close([verdict["estimate"], verdict["p"]], [expected.difference.estimate, expected.p])
        assert verdict["sentence"] == expected.sentence


# Curves and files


def test_the_area_under_the_drawn_curves_is_the_figure():
    table = formats.read(DATA / "crossed.csv")
    row, auc = table.rating[0, 0], empirical_auc(table).value[0, 0]
    assert np.trapezoid(*roc_points(row[~table.truth], row[table.truth])[::-1]) == pytest.approx(auc)
    marks = formats.read(DATA / "froc_marks.csv").study()
    x, y = free_response_points(marks, 0, 0)
    # The AFROC curve ends where lesions are not marked at all; the straight line to (1, 1) is part of the area.
    area = np.trapezoid(np.append(y, 1.0), np.append(x, 1.0))
    assert area == pytest.approx(figure(marks, FreeResponseFigure.WEIGHTED_AFROC).value[0, 0])


def test_the_report_has_curves_forest_plot_tables_and_the_sentence(tmp_path):
    found, shown = by_command_line("sim_crossed", tmp_path)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert page.count("<svg") == 2
    assert "not a medical device" in page
    assert found["verdict"]["sentence"] in page.replace("&#39;", "'")
    assert found["verdict"]["sentence"] in shown
    assert "http" not in page.split("<body>")[1].replace("http://www.w3.org", "").replace("http://purl.org", "").replace(
        "https://matplotlib.org", ""
    ).replace("http://creativecommons.org", "")
    assert (tmp_path / "tables.tex").read_text(encoding="utf-8").count(r"\begin{tabular}") == 5


def test_a_report_of_marks_is_drawn(tmp_path):
    _, shown = by_command_line("sim_froc", tmp_path)
    assert "wAFROC of 'aided' minus that of 'unaided'" in shown
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert page.count("<svg") == 3
    assert all(f"{kind} curves of the readers" in page for kind in ("AFROC", "FROC"))


def test_the_froc_curve_ends_at_all_marks():
    """By hand from the rows of the table: marks on no lesion for each case, and the share of lesions that are marked."""
    table = formats.read(DATA / "froc_marks.csv")
    marks, (modality, reader) = table.study(), (table.modalities[1], table.readers[2])
    mine = [
        lesion
        for m, r, lesion in zip(table.marks.modality, table.marks.reader, table.marks.lesion, strict=True)
        if (m, r) == (modality, reader)
    ]
    x, y = froc_points(table, marks, 1, 2)
    assert (x[0], y[0]) == (0.0, 0.0)
    assert x[-1] == pytest.approx(sum(lesion is None for lesion in mine) / len(table.cases))
    assert y[-1] == figure(marks, FreeResponseFigure.MARKED_LESIONS).value[1, 2]
    assert (np.diff(x) >= 0).all()
    assert (np.diff(y) >= 0).all()


# Size


@pytest.mark.shared
@pytest.mark.parametrize("study", ["van_dyke", "franken"])
def test_sizes_from_a_pilot_are_those_of_rjafroc(study):
    sizing = golden("sample_size")["rjafroc"]
    components = components_of(analyse(formats.read(file_of(study)), Plan()))
    rows = [row for row in sizing["cases_for_readers"] if row["pilot"] == study and row["option"] == "RRRC"]
    assert rows
    for row in rows:
        table = size_table(components, Question(row["effect"], row["power_wanted"]), [row["J"]])
        assert table.rows[0][1] == str(row["KRRRC"]), row


def test_a_pilot_of_another_design_is_refused():
    with pytest.raises(ReaderStudyError, match="this one is split-plot, 3 groups"):
        components_of(analyse(formats.read(DATA / "split_plot.csv"), Plan()))


def test_split_plot_needs_more_cases_and_one_group_is_the_crossed_study():
    components = components_of(crossed())
    counts = {groups: int(size_table(components, Question(0.25, groups=groups), [6]).rows[0][1]) for groups in (1, 2, 3)}
    assert counts[1] <= counts[2] <= counts[3]
    assert counts[2] % 2 == counts[3] % 3 == 0
    assert not math.isnan(float(size_table(components, Question(0.25, groups=2), [6], [60]).rows[0][3]))


def test_the_plot_of_sizes_crosses_the_wanted_power_where_the_table_says():
    components, question = components_of(crossed()), Question(0.25)
    needed = int(size_table(components, question, [6]).rows[0][1])
    cases, power = power_curves(components, question, [6], 2 * needed)
    assert np.interp(needed, cases, power[0]) == pytest.approx(0.8, abs=0.01)
    assert (np.diff(power[0]) > 0).all()


@pytest.mark.parametrize("options", [(), ("--groups", "2")])
def test_the_plot_of_sizes_is_written_by_the_command_line(tmp_path, options):
    stated = "--components=0.0002,0.0008,0.00035,0.00034,0.00024,114"
    ran = run("study", "size", stated, "--effect", "0.05", "--readers", "4-12", "--plot", tmp_path / "sizes.svg", *options)
    assert ran.code == 0, ran.err
    drawn = ElementTree.parse(tmp_path / "sizes.svg").getroot()
    assert drawn.tag.endswith("svg")


def test_an_effect_that_no_number_of_cases_shows_is_said():
    assert size_table(components_of(crossed()), Question(1e-5), [3]).rows[0][1:] == ("more than 100,000", "–")
    with pytest.raises(ReaderStudyError, match="an effect of 0"):
        Question(0)
