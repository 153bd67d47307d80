"""Figures, pairs, variance components and power over folds and seeds; by hand counts on made-up predictions."""

import csv
import io
import math
from dataclasses import replace

import numpy as np
import pytest

from pneumoscope.comparison import comparison, pairwise, repeated_runs, sections, tables, uncertainty
from pneumoscope.comparison.summary import summaries
from pneumoscope.experiment.errors import ComparisonError
from pneumoscope.experiment.plan import Plan
from pneumoscope.statistics.estimate import plain
from pneumoscope.statistics.figure import Figure
from pneumoscope.training.recipe import recipe
from tests.comparison.builders import made

REFERENCE = np.array([0, 0, 0, 0, 1, 1, 1, 1.0])
GOOD = np.array([0.1, 0.2, 0.3, 0.6, 0.4, 0.7, 0.8, 0.9])
POOR = np.array([0.2, 0.6, 0.3, 0.7, 0.4, 0.5, 0.9, 0.8])
PERFECT = np.array([0.1, 0.2, 0.3, 0.35, 0.65, 0.7, 0.8, 0.9])
"""ROC-AUC 15/16, 12/16 and 1."""
SCRATCH = {"a": "scratch", "b": "scratch"}


def runs(name, by_fold):
    """Members by fold and seed, the same predictions on tune and test."""
    return [
        made(name, values, values, REFERENCE, seed=seed, fold=fold)
        for fold, row in by_fold.items()
        for seed, values in enumerate(row)
    ]


GRID = [*runs("a", {1: [GOOD, PERFECT], 2: [GOOD, GOOD]}), *runs("b", {1: [POOR, POOR], 2: [POOR, GOOD]})]


def compared(members, seeds, folds, draws=200, margin=0.02):
    plan = Plan(("a", "b"), tuple(range(seeds)), recipe("default"), SCRATCH, SCRATCH, "5" * 64, folds=folds)
    summary = summaries(members, draws)
    costs = {name: dict.fromkeys(sections.COSTS, 1.0) for name in summary}
    return comparison.Comparison(
        plan, tuple(members), summary, costs, tuple(pairwise.pairs(members, draws)), (), {}, "", tuple(summary), margin,
        components=uncertainty.components(members, draws, 0.5),
    )  # fmt: skip


def test_a_figure_over_folds_and_seeds_has_an_interval_by_patient():
    figures = summaries(GRID, 400)["a"]
    found = figures["ROC-AUC"]
    assert (found.value, found.runs, found.n) == (pytest.approx((15 * 3 + 16) / 64), 4, 16)
    assert found.low < found.value <= found.high
    assert found.method.startswith("patient bootstrap, 400 draws")
    assert found.method.endswith(", within 2 folds, 2 seeds on the same draws")
    assert str(found) == f"0.9531 ({found.low:.4f}–{found.high:.4f}); SD {found.spread:.4f}, 4 runs"
    assert {name for name, own in figures.items() if not own.method} == set()


def test_figures_of_every_run_and_over_runs_are_the_same_figures():
    """What is bootstrapped over runs is what `evaluate` computes in each run."""
    subtypes = ["", "", "", "", "bacteria", "bacteria", "virus", "virus"]
    third = np.array([0.3, 0.1, 0.5, 0.2, 0.45, 0.6, 0.35, 0.9])
    seeds = [made("a", values, values, REFERENCE, seed=k, subtypes=subtypes) for k, values in enumerate((GOOD, POOR, third))]
    repeated, figures = repeated_runs.repeated_figures(seeds, 50), summaries(seeds, 50)["a"]
    assert repeated.keys() == figures.keys()
    for name, own in repeated.items():
        assert own.estimate().value == pytest.approx(figures[name].value, rel=1e-12), name
        assert own.values.shape == (1, 3)
        assert own.n == figures[name].n


def test_seeds_share_the_patients_of_a_draw():
    seeds = repeated_runs.repeated_figures(runs("a", {0: [GOOD, GOOD]}), 100, ["ROC-AUC"])["ROC-AUC"]
    assert seeds.drawn[0, 0] == pytest.approx(seeds.drawn[0, 1], nan_ok=True)
    assert np.nanstd(seeds.drawn[0, 0]) > 0
    folds = repeated_runs.repeated_figures(runs("a", {1: [GOOD], 2: [GOOD]}), 100, ["ROC-AUC"])["ROC-AUC"]
    assert not np.allclose(folds.drawn[0, 0], folds.drawn[1, 0], equal_nan=True)


def test_the_images_of_a_patient_are_drawn_together():
    """Two images of each patient: the draws are those of one image of each, since the copies rank alike."""
    twice = [made("a", np.repeat(v, 2), np.repeat(v, 2), np.repeat(REFERENCE, 2), seed=k) for k, v in enumerate((GOOD, POOR))]
    rows = [tuple(replace(row, patient_id=f"p{k // 2}") for k, row in enumerate(one.test.rows)) for one in twice]
    members = [
        replace(one, test=replace(one.test, rows=own), tune=replace(one.tune, rows=own))
        for one, own in zip(twice, rows, strict=True)
    ]
    found = repeated_runs.repeated_figures(members, 100, ["accuracy", "ROC-AUC"])
    once = repeated_runs.repeated_figures(runs("a", {0: [GOOD, POOR]}), 100, ["accuracy", "ROC-AUC"])
    for name, own in found.items():
        assert own.n == 8
        assert own.drawn == pytest.approx(once[name].drawn, nan_ok=True)


def test_no_scale_of_a_fold_is_mixed_with_that_of_another():
    """The same ranks in every fold on another scale: pooled ROC-AUC would fall, the mean over folds does not."""
    moved = [made("a", GOOD ** (3.0 * fold), GOOD ** (3.0 * fold), REFERENCE, fold=fold) for fold in (1, 2)]
    same = runs("a", {1: [GOOD], 2: [GOOD]})
    one, other = (summaries(members, 200)["a"]["ROC-AUC"] for members in (moved, same))
    assert (one.value, one.low, one.high) == pytest.approx((other.value, other.low, other.high))


def test_pairs_are_means_over_all_folds_and_seeds():
    (pair,) = pairwise.pairs(GRID, 200)
    expected = (15 * 3 + 16) / 64 - (12 * 3 + 15) / 64
    assert pair.roc_auc.value == pytest.approx(expected)
    assert pair.roc_auc.method == "DeLong, mean over 2 folds, mean over 2 seeds"
    assert pair.roc_auc.n == 16
    assert pair.bootstrap["F1"].method.endswith(", within 2 folds, 2 seeds on the same draws")
    figures = summaries(GRID, 200)
    for name, difference in pair.bootstrap.items():
        assert difference.value == pytest.approx(figures["a"][name].value - figures["b"][name].value), name
    (copied,) = pairwise.pairs([*runs("a", {0: [GOOD] * 3}), *runs("b", {0: [POOR] * 3})], 200)
    (once,) = pairwise.pairs([*runs("a", {0: [GOOD]}), *runs("b", {0: [POOR]})], 200)
    assert (copied.p, copied.mcnemar) == pytest.approx((once.p, once.mcnemar))
    assert copied.bootstrap["F1"].low == pytest.approx(once.bootstrap["F1"].low)


def test_the_interval_of_a_difference_is_paired():
    """b hardly differs from a, so that their difference varies less over the draws than either figure."""
    rng, reference = np.random.default_rng(0), np.tile([0.0, 1.0], 30)
    scores = 1 / (1 + np.exp(-reference - rng.normal(0, 1, (2, 60))))
    near = np.clip(scores + rng.normal(0, 0.02, (2, 60)), 0.01, 0.99)
    members = [made(n, s[k], s[k], reference, fold=k + 1) for n, s in (("a", scores), ("b", near)) for k in (0, 1)]
    (pair,) = pairwise.pairs(members, 400)
    figure, difference = summaries(members, 400)["a"]["ROC-AUC"], pair.bootstrap["ROC-AUC"]
    assert difference.high - difference.low < (figure.high - figure.low) / 2


def test_a_fold_that_a_seed_lacks_is_an_error():
    with pytest.raises(ComparisonError, match="'a' lacks fold 2 of seed 1"):
        summaries([one for one in GRID if one.name == "a"][:3], 20)


def test_seeds_that_were_tested_on_other_cases_are_an_error():
    first, second = runs("a", {0: [GOOD, GOOD]})
    moved = replace(second, test=replace(second.test, rows=second.test.rows[::-1]))
    with pytest.raises(ComparisonError, match="two seeds of 'a' were not tested on the same cases"):
        summaries([first, moved], 20)
    others = runs("b", {0: [POOR, POOR]})
    other = replace(others[1], test=moved.test)
    with pytest.raises(ComparisonError, match="two seeds were not tested on the same cases"):
        pairwise.pairs([first, moved, others[0], other], 20)


def test_the_components_of_a_comparison():
    found = uncertainty.components(GRID, 400, 0.5)
    assert list(found) == ["a", "b"]
    assert tuple(found["a"]) == uncertainty.OF_COMPONENTS
    auc = found["a"][Figure.ROC_AUC]
    assert auc.observed_seeds.value == pytest.approx((1 / 16) ** 2 / 2 / 2)  # 15/16 and 1 in one fold of two
    assert auc.error >= auc.error_of_patients > 0
    with_folds = uncertainty.components(GRID, 400, 0.0)["b"][Figure.ROC_AUC]
    assert with_folds.error <= found["b"][Figure.ROC_AUC].error


def test_the_tests_that_have_a_p_value_share_the_level():
    members = [*runs("a", {0: [GOOD]}), *runs("b", {0: [POOR]}), *runs("c", {0: [GOOD**2]})]
    tested = [replace(pair, p=math.nan) if pair.first == "b" else pair for pair in pairwise.pairs(members, 20)]
    found = uncertainty.powers(tested, 0.02)
    assert [(one.first, one.second) for one in found] == [("a", "b"), ("a", "c"), ("b", "c")]
    assert {one.power.tests for one in found} == {2}
    assert found[1].power.reason == "the two rank the cases alike"
    assert found[0].power.detectable > found[0].power.detectable_alone > 0


def test_tables_of_components_and_power():
    shown = compared(GRID, 2, 2)
    table = sections.component_table(shown)
    assert [row[:2] for row in table.rows] == [(name, f) for f in ("ROC-AUC", "accuracy", "F1") for name in ("a", "b")]
    rows = list(csv.DictReader(io.StringIO(tables.of_all_components(shown.components).csv())))
    assert {row["source"] for row in rows} == set(uncertainty.SOURCES.values())
    (row,) = (r for r in rows if (r["member"], r["figure"], r["source"]) == ("a", "ROC-AUC", "seeds, on these patients"))
    assert float(row["variance"]) == pytest.approx((1 / 16) ** 2 / 4, rel=1e-5)
    assert table.rows[0][3].startswith(f"{math.sqrt((1 / 16) ** 2 / 4):.4f} (")
    (line,) = tables.of_power(shown.powers).rows
    assert line[:3] == ("a", "b", f"{shown.powers[0].power.error:.4f}")
    (numbers,) = csv.DictReader(io.StringIO(tables.of_power_numbers(shown.powers).csv()))
    assert float(numbers["margin"]) == 0.02
    assert float(numbers["detectable"]) == pytest.approx(shown.powers[0].power.detectable, rel=1e-5)
    assert numbers["McNemar differing"] == str(shown.powers[0].decisions.differing)
    assert line[-2:] == ("–", "–")  # two of sixteen patients can reach no p value below 0.05


def test_the_report_says_what_is_known():
    several, single = compared(GRID, 2, 2), compared([m for m in GRID if m.seed == 0], 1, 2)
    section = next(s for s in sections.sections(several, 0) if s.title == "Variance components")
    assert "the standard deviation between seeds is 0.0312" in section.note
    note = next(s for s in sections.sections(single, 0) if s.title == "Variance components").note
    assert "the randomness of training is part of the folds; use --seeds 3 or more" in note
    power = sections.power_note(several)
    assert "With 16 patients one planned test detects a true difference of ROC-AUC of " in power
    assert "it only repeats the p value (Hoenig & Heisey 2001)" in power
    assert sections.power_note(replace(several, tested=())) == ""


def test_all_of_it_is_in_the_json_form():
    tree = plain(comparison.as_json(compared(GRID, 2, 2)))
    assert tree["power"][0]["power"]["tests"] == 1
    assert tree["variance components"]["a"]["ROC-AUC"]["seeds"]["unit"] == "training"
    assert tree["members"]["a"]["ROC-AUC"]["method"].startswith("patient bootstrap")
