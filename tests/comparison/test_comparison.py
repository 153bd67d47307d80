"""What a comparison makes of its members' predictions: ensembles, pairs, tables; by hand counts."""

import csv
import io
import json
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pneumoscope.cohort import Case
from pneumoscope.cohort.case import positives_by_rule
from pneumoscope.cohort.row_filter import RowFilter
from pneumoscope.comparison import (
    checklist,
    comparison,
    map_agreement,
    other_comparisons,
    pairwise,
    pareto,
    pictures,
    shown_cases,
    tables,
)
from pneumoscope.comparison.pairwise import Pair
from pneumoscope.comparison.summary import subgroup_figures, summaries
from pneumoscope.evaluation.shortcut_baseline import ALL
from pneumoscope.experiment import compared_model, marked_cohort, plan
from pneumoscope.experiment.cached_measurement import cached
from pneumoscope.experiment.errors import ComparisonError
from pneumoscope.experiment.marked_cohort import RegionSource
from pneumoscope.experiment.plan import Plan
from pneumoscope.reference.box_space import BoxSpace
from pneumoscope.statistics.estimate import Estimate, undefined
from pneumoscope.training.recipe import recipe
from tests.comparison.builders import made

REFERENCE = np.array([0, 0, 0, 0, 1, 1, 1, 1.0])
GOOD = np.array([0.1, 0.2, 0.3, 0.6, 0.4, 0.7, 0.8, 0.9])
POOR = np.array([0.2, 0.6, 0.3, 0.7, 0.4, 0.5, 0.9, 0.8])
SCRATCH = {"resnet18": "scratch", "mobilenet_v2": "scratch"}
PLAN = Plan(("resnet18", "mobilenet_v2"), (3, 4), recipe("default"), SCRATCH, SCRATCH, "5" * 64)


def test_units_come_every_backbone_once_before_any_a_second_time():
    assert [unit.name for unit in PLAN.units] == [
        "resnet18-seed3", "mobilenet_v2-seed3", "resnet18-seed4", "mobilenet_v2-seed4",
    ]  # fmt: skip
    assert [unit.name for unit in replace(PLAN, seeds=(3,), folds=2).units] == [
        "resnet18-seed3-fold1", "mobilenet_v2-seed3-fold1", "resnet18-seed3-fold2", "mobilenet_v2-seed3-fold2",
    ]  # fmt: skip
    assert PLAN.recipe_of(PLAN.units[-1]).seed == 4


def test_units_may_be_added_but_conditions_may_not_change(tmp_path):
    plan.write(PLAN, tmp_path)
    plan.write(replace(PLAN, backbones=("resnet18",), seeds=(3, 4, 5)), tmp_path)
    plan.write(replace(PLAN, recipe=recipe("default", seed=9)), tmp_path)  # the seed is a unit's, not a condition
    with pytest.raises(ComparisonError, match=r"other conditions \(other: recipe\)"):
        plan.write(replace(PLAN, recipe=recipe("default", epochs=3)), tmp_path)
    with pytest.raises(ComparisonError, match="other: folds, split"):
        plan.write(replace(PLAN, folds=5, split_sha256="6" * 64), tmp_path)
    with pytest.raises(ComparisonError, match="other: start of resnet18"):
        plan.write(replace(PLAN, starts={"resnet18": "imagenet"}), tmp_path)
    plan.write(replace(PLAN, starts={"vit_b_16": "imagenet"}), tmp_path)  # of one that is added
    assert plan.read(tmp_path)["starts"] == {**SCRATCH, "vit_b_16": "imagenet"}


def test_an_ensemble_is_the_mean_of_its_members_and_fixes_its_points_on_tune():
    both = [made("a", GOOD, GOOD, REFERENCE), made("b", POOR, POOR, REFERENCE)]
    of_probability = compared_model.ensemble(both, "probability", 50)
    assert of_probability.test.probability == pytest.approx((GOOD + POOR) / 2)
    assert of_probability.evaluation.operating_point.split == "tune"
    of_log_odds = compared_model.ensemble(both, "log-odds", 50)
    logit = (np.log(GOOD / (1 - GOOD)) + np.log(POOR / (1 - POOR))) / 2
    assert [row.log_odds for row in of_log_odds.test.rows] == pytest.approx(logit)
    assert np.argsort(of_log_odds.test.probability).tolist() == np.argsort(logit).tolist()  # a temperature keeps the order


def test_pairs_are_tested_on_the_cases_of_all_folds():
    members = [made(name, values, values, REFERENCE, fold=fold) for fold in (1, 2) for name, values in (("a", GOOD), ("b", POOR))]
    (pair,) = pairwise.pairs(members, 100)
    assert (pair.first, pair.second) == ("a", "b")
    assert pair.roc_auc.value == pytest.approx(15 / 16 - 12 / 16)  # pairs in the right order, by hand
    assert pair.adjusted == pair.p
    assert pair.roc_auc.method.endswith("mean over 2 folds")
    tested = pairwise.tested_members(members)[0]
    assert tested.reference.tolist() == [*REFERENCE, *REFERENCE]
    assert tested.folds.tolist() == [1] * 8 + [2] * 8


def test_a_scale_that_differs_between_folds_makes_no_difference():
    """Models of different folds have different scales; each model ranks each fold as the other does."""
    members = [made("a", GOOD, GOOD, REFERENCE, fold=fold) for fold in (1, 2, 3)]
    members += [made("b", GOOD, GOOD ** (4.0 * fold - 3), REFERENCE, fold=fold) for fold in (1, 2, 3)]
    (pair,) = pairwise.pairs(members, 100)
    assert (pair.roc_auc.value, pair.p) == (0, 1)
    assert pair.bootstrap["ROC-AUC"].value == 0
    assert pairwise.inseparable_runs("ab", [pair]) == [("a", "b")]
    curves = pictures.curves(pairwise.tested_members(members)).axes
    for axes in curves[:2]:  # the mean of equal curves is the curve
        a, b = (np.asarray(line.get_ydata()) for line in axes.lines[:2])
        assert a == pytest.approx(b)


def test_members_that_were_tested_on_other_cases_are_not_paired():
    other = made("b", POOR, POOR, REFERENCE)
    moved = replace(other, test=replace(other.test, rows=other.test.rows[::-1]))
    with pytest.raises(ComparisonError, match="'a' and 'b' were not tested on the same cases in the same order"):
        pairwise.pairs([made("a", GOOD, GOOD, REFERENCE), moved], 20)


def pair_of(first, second, adjusted):
    return Pair(first, second, Estimate(0.1, 0, 0.2, 9, "patient", "DeLong"), adjusted, adjusted, {}, 1.0, 1.0)


def test_bars_join_neighbours_of_whom_no_two_differ():
    tested = [
        pair_of("a", "d", 0.01),
        pair_of("b", "d", 0.2),
        pair_of("a", "b", 0.9),
        pair_of("a", "c", 0.3),
        pair_of("b", "c", 1),
    ]
    tested.append(pair_of("c", "d", float("nan")))
    assert pairwise.inseparable_runs("abcd", tested) == [("a", "b", "c"), ("b", "c", "d")]
    assert pairwise.inseparable_runs("ab", [pair_of("a", "b", 0.01)]) == []


@given(st.dictionaries(st.text("abcdefgh", min_size=1), st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1))
def test_the_front_holds_exactly_what_nothing_else_beats(points):
    def beaten(name):
        cost, figure = points[name]
        return any(c <= cost and f >= figure and (c, f) != (cost, figure) for c, f in points.values())

    found = pareto.front(points)
    assert {points[name] for name in found} == {points[name] for name in points if not beaten(name)}
    assert sorted(found, key=lambda name: points[name]) == found


def test_one_run_has_its_interval_and_several_have_a_spread():
    once = summaries([made("a", GOOD, GOOD, REFERENCE)], 50)["a"]["ROC-AUC"]
    assert once.value == pytest.approx(15 / 16)
    assert once.low < once.value < once.high
    other = summaries([made("a", POOR, GOOD, REFERENCE)], 50)["a"]
    assert (other["ROC-AUC"].value, other["ROC-AUC on tune"].value) == (pytest.approx(15 / 16), pytest.approx(12 / 16))
    twice = [made("a", GOOD, GOOD, REFERENCE, seed=0), made("a", POOR, POOR, REFERENCE, seed=1)]
    found = summaries(twice, 50)["a"]["ROC-AUC"]
    assert (found.value, found.spread) == (pytest.approx(13.5 / 16), pytest.approx(3 / 16 / math.sqrt(2)))
    assert str(found) == f"0.8438 ({found.low:.4f}–{found.high:.4f}); SD 0.1326, 2 runs"
    assert found.low < found.value < found.high
    flat = [made("a", GOOD, np.full(8, 0.5), REFERENCE, seed=0), made("a", GOOD, GOOD, REFERENCE, seed=1)]
    slope = summaries(flat, 50)["a"]["calibration slope"]
    assert str(slope) == "undefined (not defined on these cases)"  # in one of the two


def test_targets_are_met_on_tune_and_measured_on_test():
    figures = summaries([made("a", GOOD, POOR, REFERENCE)], 50)["a"]
    # On tune a threshold between 0.6 and 0.7 turns away all four negatives; on test two positives and one negative reach it.
    for share in (90, 95):
        assert figures[f"sensitivity at tune's {share} % specificity"].value == 0.5
        assert figures[f"specificity at tune's {share} % specificity"].value == 0.75


def test_each_germ_stands_against_all_who_are_well():
    germs = ["", "", "", "", "bacteria", "bacteria", "virus", "virus"]
    member = made("a", GOOD, GOOD, REFERENCE, subtypes=germs)
    assert subgroup_figures([member]) == [f"{f}, {g}" for g in ("bacteria", "virus") for f in ("ROC-AUC", "sensitivity")]
    figures = summaries([member], 50)["a"]
    assert figures["ROC-AUC, bacteria"].value == pytest.approx(7 / 8)  # 0.4 is above three of four, 0.7 above all
    assert figures["ROC-AUC, virus"].value == 1
    # On tune the best threshold is at most 0.7 and above 0.6, or at most 0.4 and above 0.3.
    assert figures["sensitivity, virus"].value == 1
    without = made("a", GOOD, GOOD, REFERENCE, fold=1)
    assert str(summaries([member, without], 50)["a"]["ROC-AUC, virus"]) == "undefined (a run has no case of the subgroup)"


def test_tables_for_others_hold_every_member():
    summary = summaries([made("mobilenet_v2", GOOD, GOOD, REFERENCE)], 50)
    text = tables.of_figures(summary, {"mobilenet_v2": {"bundle, MB": 10.66}}).csv()
    assert text.splitlines()[1].startswith("mobilenet_v2,ROC-AUC,0.937500,")
    assert text.splitlines()[-1] == 'mobilenet_v2,"bundle, MB",10.66,,,,1'


def test_pairs_for_others_have_both_tests():
    (pair,) = pairwise.pairs([made("a", GOOD, GOOD, REFERENCE), made("b", POOR, POOR, REFERENCE)], 50)
    rows = list(csv.DictReader(io.StringIO(tables.of_differences([replace(pair, mcnemar=math.nan)]).csv())))
    by_figure = {row["figure"]: row for row in rows}
    assert list(by_figure) == list(pair.bootstrap)
    found = by_figure["ROC-AUC"]
    assert (found["first"], found["second"], float(found["difference"])) == ("a", "b", pytest.approx(3 / 16))
    assert [float(found[key]) for key in ("low", "p")] == pytest.approx([pair.roc_auc.low, pair.p], abs=1e-6)
    assert by_figure["accuracy"]["p"] == ""  # undefined


def test_what_is_undefined_says_why():
    nothing = replace(pair_of("a", "b", math.nan), roc_auc=undefined(3, "fewer than two patients of a class"))
    nothing = replace(nothing, bootstrap={"accuracy": nothing.roc_auc, "F1": nothing.roc_auc})
    (line,) = tables.of_pairs([nothing]).rows
    assert line[2:5] == ("undefined (fewer than two patients of a class)", "–", "–")
    assert not tables.of_pairs([])


def test_figures_of_several_members_are_drawn():
    all_of = pairwise.tested_members([made("a", GOOD, GOOD, REFERENCE), made("b", POOR, POOR, REFERENCE)])
    assert len(pictures.curves(all_of).axes) == 3
    assert len(pictures.confusions(all_of).axes) == 2
    bars = pictures.differences({"a": 0.9, "b": 0.8, "c": 0.7}, [("a", "b")], "ROC-AUC").axes[0].lines
    assert [list(line.get_xdata()) for line in bars if line.get_linewidth() == 4] == [[0.9, 0.8]]
    costs = {"a": {"ms": 3.0}, "b": {"ms": 1.0}}
    assert pictures.pareto({"a": 0.9, "b": 0.8, "ensemble": 0.95}, costs, ("ms",), "ROC-AUC").axes[0].get_xscale() == "linear"
    assert pictures.pareto({"a": 0.9, "b": 0.8}, {**costs, "b": {"ms": 0.5}}, ("ms",), "ROC-AUC").axes[0].get_xscale() == "log"


def test_maps_that_agree_and_maps_that_do_not():
    ramp = np.arange(100, dtype=np.float32).reshape(10, 10)
    assert map_agreement.rank_correlation(ramp, ramp**2) == pytest.approx(1)
    assert map_agreement.rank_correlation(ramp, -ramp) == pytest.approx(-1)
    assert (map_agreement.top_iou(ramp, ramp**2), map_agreement.top_iou(ramp, -ramp)) == (1, 0)
    half = ramp.copy()
    half[9, :5], half[0, :5] = -1, 200  # five of the ten highest are elsewhere
    assert map_agreement.top_iou(ramp, half) == pytest.approx(5 / 15)
    assert math.isnan(map_agreement.top_iou(ramp, np.zeros_like(ramp)))
    here, there = np.zeros_like(ramp), np.zeros_like(ramp)
    here[0, :4] = there[9, :4] = 1  # what is empty is no top region
    assert (map_agreement.top_iou(here, there), map_agreement.top_iou(here, here)) == (0, 1)
    assert math.isnan(map_agreement.rank_correlation(np.zeros_like(ramp), ramp))


def test_cases_for_maps_are_positive_and_taken_by_rule():
    cases = [Case(f"{k}.png", "x", k % 2, f"p{k}") for k in range(40)]
    found = positives_by_rule(cases, 5)
    assert len(found) == 5
    assert all(case.reference for case in found)
    assert positives_by_rule(cases[::-1], 5) == found


def compared(tested, costs, order, margin=0.005):
    own = {name: {comparison.COST: cost} for name, cost in costs.items()}
    return comparison.Comparison(PLAN, (), {}, own, tuple(tested), (), {}, "", tuple(order), margin)


def differing(first, second, value, half, n=700):
    """A pair whose ROC-AUC differ by `value` ± `half`."""
    return replace(pair_of(first, second, 0.5), roc_auc=Estimate(value, value - half, value + half, n, "patient", "DeLong"))


def test_the_trade_off_is_the_cheapest_that_is_shown_to_lose_less_than_the_margin():
    """c is the cheapest and not significantly worse, but what it may lose is more than the margin: absence of evidence."""
    tested = [differing("a", "b", 0.001, 0.003), differing("c", "a", -0.004, 0.02), differing("b", "c", 0.003, 0.02)]
    costs = {"a": 30.0, "b": 10.0, "c": 5.0}
    assert compared(tested, costs, "abc").trade_off == "b"
    assert compared(tested, costs, "abc", margin=0.03).trade_off == "c"
    assert compared(tested, costs, "abc", margin=0.001).trade_off == "a"


def test_few_patients_show_no_trade_off():
    assert compared([differing("a", "b", 0.0, 0.001, n=5)], {"a": 30.0, "b": 10.0}, "ab").trade_off == "a"


def test_the_trade_off_is_a_network_where_an_ensemble_is_the_best():
    tested = [differing("a", "ab", -0.1, 0.01), differing("b", "ab", -0.1, 0.01), differing("a", "b", 0.0, 0.001)]
    found = compared(tested, {"a": 3.0, "b": 1.0}, ("ab", "a", "b"))
    assert (found.best_network, found.trade_off) == ("a", "b")


def test_one_that_is_better_than_the_best_by_the_mean_is_a_candidate():
    """Of several runs the order is by their mean, and pairs are of the first seed."""
    tested = [differing("b", "a", 0.02, 0.01), differing("a", "c", 0.02, 0.01)]
    found = compared(tested, {"a": 9.0, "b": 1.0, "c": 0.5}, "abc")
    assert (found.best_network, found.trade_off) == ("a", "b")


# What a report adds


def test_cases_are_taken_by_rule_and_one_of_a_patient():
    """At the threshold 0.5 GOOD errs on 0.6 (a negative) and 0.4; right and most confident are 0.1 and 0.9, then 0.2 and 0.8."""
    m = made("a", GOOD, GOOD, REFERENCE)
    point = replace(m.evaluation.operating_point, threshold=0.5)
    m = replace(m, evaluation=replace(m.evaluation, operating_point=point))
    found = shown_cases.by_rule(m, 2)
    assert [c.rule for c in found] == [rule for rule in shown_cases.RULES for _ in range(2)]
    assert {c.path for c in found[:2]} == {"0.png", "7.png"}
    assert {c.path for c in found[2:4]} == {"3.png", "4.png"}
    assert {c.path for c in found[4:]} == {"3.png", "4.png"}
    rows = tuple(replace(row, patient_id="one") for row in m.test.rows)
    assert len(shown_cases.by_rule(replace(m, test=replace(m.test, rows=rows)), 2)) == 3
    perfect = np.array([0.1, 0.2, 0.3, 0.4, 0.6, 0.7, 0.8, 0.9])
    sure = made("b", perfect, perfect, REFERENCE)
    assert not [c for c in shown_cases.by_rule(sure) if c.rule == "most confident and wrong"]


def test_a_measurement_is_kept_with_its_inputs(tmp_path):
    made_with = []

    def measured(value):
        made_with.append(value)
        return {"x": value}

    def asked(draws, value):
        return cached(tmp_path / "a.json", "x", {"draws": draws}, ("pneumoscope.atomic_files",), lambda: measured(value))

    assert asked(1, 1.5) == {"x": 1.5}
    assert asked(1, 2.5) == {"x": 1.5}
    assert asked(2, math.nan) == {"x": None}
    assert made_with[0] == 1.5
    assert len(made_with) == 2


def test_every_item_of_the_checklist_is_asked_once_and_what_nobody_knows_is_blank(cohort):
    """CLAIM 2024 has 44 items; who annotated, de-identification, funding and the like are for the authors."""
    told = {"metrics": ("ROC-AUC",), "localized": "measured.", "external": "", "intervened": 0, "versions": {"torch": "1"}}
    items = checklist.filled(PLAN, cohort, **told)
    assert [item.claim for item in items] == [*map(str, range(1, 45)), "–", "–", "–"]
    answers = {int(item.claim): item.answer for item in items[:44]}
    assert [(item.tripod, item.answer) for item in items[44:]] == [(k, checklist.BLANK) for k in ("14", "19", "24")]
    assert all(answers[k] == checklist.BLANK for k in (2, 3, 5, 8, 11, 13, 16, 17, 18, 21, 33, 34, 36, 41, 42, 44))
    assert "60 radiographs of 30 patients, 30 with the target" in answers[7]
    assert "resnet18: scratch; mobilenet_v2: scratch" in answers[24]
    assert "torch 1" in answers[23]
    assert answers[35].startswith("train ")
    assert answers[20] == "Patient; patients in two parts: 0."
    first, *others = cohort.cases
    moved = next(c for c in others if c.patient_id == first.patient_id)
    cases = [replace(c, split="tune" if c == moved else "train") if c in (first, moved) else c for c in cohort.cases]
    leaking = checklist.filled(PLAN, replace(cohort, cases=tuple(cases)), **told)
    assert leaking[19].answer == "Patient; patients in two parts: 1."
    assert "standard deviation over 2 runs" in answers[29]


def test_the_checklist_states_smoothing_clipping_averages_and_mirroring_where_a_recipe_has_them(cohort):
    told = {"metrics": ("ROC-AUC",), "localized": "measured.", "external": "", "intervened": 0, "versions": {"torch": "1"}}
    plain, full = (
        " ".join(item.answer for item in checklist.filled(replace(PLAN, recipe=chosen), cohort, **told))
        for chosen in (recipe("default"), recipe("full-224", label_smoothing=0.1))
    )
    for stated in (
        "label smoothing 0.1",
        "gradients of a norm of 5 at most",
        "exponential average of the weights over 0.1 of the steps",
        "augmentation 'published' (mirrored with a probability of 0.5)",
    ):
        assert stated in full
        assert stated not in plain


def told(view, start):
    figure = {"value": 0.9, "low": 0.8, "high": 0.95, "spread": None, "runs": 1}
    return {
        "conditions": {
            "recipe": {"view": view, "head": "linear", "side_px": 96, "epochs": 3},
            "split": "5" * 64,
            "teacher": "",
        },
        "starts": {"a": start},
        "test": {"images": 8, "patients": 7},
        "members": {"a": {"ROC-AUC": figure}, "mean": {"ROC-AUC": figure}},
        "costs": {"a": {}},
        "order": ["mean", "a"],
    }


def test_other_comparisons_stand_beside_with_what_differs():
    found = other_comparisons.table([("this one", told("whole", "scratch")), ("given", told("lungs", "file.pth"))])
    first, second = found.rows
    assert found.head[:7] == ("", "comparison", "crop", "start", "teacher", "split", "images (patients)")
    assert first[:8] == (
        "a", "this one", "whole, linear, 96 px, 3 epochs", "scratch", "–", "5" * 12, "8 (7)", "0.9000 (0.8000–0.9500)",
    )  # fmt: skip
    assert (second[1], second[3], second[8]) == ("given", "file.pth", "–")


def test_a_network_is_tested_against_itself_on_the_same_cases():
    own = [made("a", GOOD, GOOD, REFERENCE), made("b", GOOD, GOOD, REFERENCE)]
    same, fewer = made("a", POOR, POOR, REFERENCE).test, made("a", POOR[1:], POOR[1:], REFERENCE[1:]).test
    others = {
        "poor": other_comparisons.Other({}, {"a": same}),
        "elsewhere": other_comparisons.Other({}, {"a": fewer}),
        "none": other_comparisons.Other({}, {}),
    }
    (found,) = other_comparisons.tested(own, others)
    assert (found.name, found.other, found.roc_auc.value) == ("a", "poor", pytest.approx(3 / 16))
    assert found.adjusted == found.p
    low, high = (f"{end:+.4f}".replace("-", "−") for end in (found.roc_auc.low, found.roc_auc.high))
    assert tables.of_others([found]).rows[0][:3] == ("a", "poor", f"+0.1875 ({low} to {high})")
    assert not tables.of_others([])


def test_what_is_seen_by_all_of_these_leaves_out_what_is_not_known_of_all():
    def known(n):
        return Estimate(0.7, 0.6, 0.8, n, "patient", "")

    found = tables.of_shortcuts({"size": known(5), "border": known(9), ALL: known(9)})
    assert found.rows == (
        ("size", "0.7000 (0.6000–0.8000)", "5"),
        ("border", "0.7000 (0.6000–0.8000)", "9"),
        ("all of these but size", "0.7000 (0.6000–0.8000)", "9"),
    )


def test_a_comparison_that_was_given_away_without_its_units_stands_beside_untested(tmp_path):
    figures = told("whole", "scratch")
    figures |= {"seeds": [1], "conditions": {**figures["conditions"], "folds": 0}}
    (tmp_path / "comparison.json").write_text(json.dumps(figures), encoding="utf-8")
    found = other_comparisons.read(tmp_path)
    assert (found.tree, found.predictions) == (figures, {})


@pytest.mark.parametrize("text", ["{}", "[1]", "3", '{"figures": 1}', "[" * 100_000])
def test_a_folder_without_figures_cannot_stand_beside(tmp_path, text):
    (tmp_path / "comparison.json").write_text(text, encoding="utf-8")
    for folder in (tmp_path, tmp_path / "none"):
        with pytest.raises(ComparisonError, match="has no figures of a finished comparison"):
            other_comparisons.read(folder)


def test_regions_must_be_on_radiographs_of_patients_that_nothing_was_trained_on(cohort, tmp_path):
    """Regions of the train side alone are none; a cohort that is split another way shows what was trained on."""

    def boxes(cases, of=cohort):
        (tmp_path / "b.csv").write_text("path,x,y,w,h\n" + "".join(f"{c.path},8,12,12,12\n" for c in cases), encoding="utf-8")
        return RegionSource(tmp_path / "b.csv", of, "c", RowFilter(), BoxSpace())

    positive = [case for case in cohort.cases if case.reference]
    with pytest.raises(ComparisonError, match="is marked on the 12 test radiographs of c"):
        marked_cohort.read(boxes(c for c in positive if c.split == "train"), [cohort])
    swapped = {"test": "train", "train": "test", "tune": "tune"}
    other = replace(cohort, cases=tuple(replace(c, split=swapped[c.split]) for c in cohort.cases))
    with pytest.raises(ComparisonError, match="36 of the 36 radiographs to measure heat maps on are of a train or tune side"):
        marked_cohort.read(boxes(positive, other), [cohort])
    found = marked_cohort.read(boxes(positive), [cohort])
    assert set(found.regions) == {c.path for c in positive if c.split == "test"}
    assert found.description == "6 of the 12 radiographs of the test side of c are marked"
    allowed = marked_cohort.read(boxes(positive, other), [cohort], allow_training_patients=True)
    assert allowed.training_cases == 36
    assert allowed.description.endswith("36 of them are of patients that the networks were trained or tuned on")
    assert allowed.sha256 != found.sha256


def test_another_image_of_a_training_patient_is_not_measured_on(cohort, tmp_path):
    """As where another cohort has later radiographs of the same patients."""
    (tmp_path / "b.csv").write_text("path,x,y,w,h\n" + "".join(f"{c.path},8,12,12,12\n" for c in cohort.cases), encoding="utf-8")
    train = next(case for case in cohort.cases if case.split == "train")
    cases = tuple(replace(c, patient_id=train.patient_id) if c.split == "test" else c for c in cohort.cases)
    with pytest.raises(ComparisonError, match=r"12 of the 12 .* side \(1 patients, 0 identical images\)"):
        asked = RegionSource(tmp_path / "b.csv", replace(cohort, cases=cases), "c", RowFilter(), BoxSpace())
        marked_cohort.read(asked, [cohort])


def against(hit, differences):
    def row(value):
        return {"value": value, "low": value, "high": value, "n": 12, "unit": "patient", "method": "", "reason": ""}

    rules = {rule: {"value": row(0.3), "difference": row(d)} for rule, d in differences.items()}
    return {
        "against_regions": {"hit": row(hit), "pixel AP": row(0.5), "energy inside": row(0.4)},
        "uninformed": dict.fromkeys(("hit", "pixel AP", "energy inside"), rules),
    }


def test_maps_that_look_at_nothing_stand_under_the_networks():
    members = [
        replace(made("a", GOOD, GOOD, REFERENCE), regions=against(0.8, {"random": 0.5, "mean of others": -0.1})),
        replace(made("b", POOR, POOR, REFERENCE), regions=against(0.2, {"random": -0.1, "mean of others": -0.5})),
    ]
    summary = summaries(members, 50)
    found = tables.of_regions(summary, members)
    a, b, *nothing = found.rows
    assert found.head[1:4] == ("hit", "pixel AP", "energy inside")
    assert (a[0], a[1], a[4]) == ("a", "0.8000 (0.8000–0.8000)", "1 of 2")
    assert (b[0], b[4]) == ("b", "0 of 2")
    assert [row[0] for row in nothing] == ["uninformed baseline: random", "uninformed baseline: mean of others"]
    assert not tables.of_regions(summaries([made("a", GOOD, GOOD, REFERENCE)], 50), [made("a", GOOD, GOOD, REFERENCE)])
