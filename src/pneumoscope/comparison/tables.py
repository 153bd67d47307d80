"""The figures of a comparison as tables of text, for its page and for papers."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

from pneumoscope.comparison.map_agreement import Agreement
from pneumoscope.comparison.other_comparisons import Against
from pneumoscope.comparison.pairwise import Pair
from pneumoscope.comparison.summary import AGAINST, OF_REGIONS, Summary
from pneumoscope.comparison.uncertainty import SOURCES, PairPower
from pneumoscope.evaluation.shortcut_baseline import ALL as ALL_SHORTCUTS
from pneumoscope.experiment.compared_model import ComparedModel
from pneumoscope.statistics.estimate import Estimate, from_json
from pneumoscope.statistics.figure import Figure
from pneumoscope.statistics.formatting import MISSING, number, p_value
from pneumoscope.statistics.formatting import figure as figure_text
from pneumoscope.statistics.power import PairedPower, SignPower
from pneumoscope.statistics.superiority import shown_above_zero
from pneumoscope.statistics.table import Table
from pneumoscope.statistics.variance_components import VarianceComponents

UNINFORMED = "uninformed baseline: "
Components = Mapping[str, Mapping[str, VarianceComponents]]
"""Variance components by member and figure."""


def of_figures(summary: Mapping[str, Mapping[str, Summary]], costs: Mapping[str, Mapping[str, float]]) -> Table:
    """List every figure and cost of every member, for a spreadsheet.

    Parameters
    ----------
    summary
        By member and figure.
    costs
        By network and cost.

    Returns
    -------
    Table
        A line for each figure of a member; empty cells where a number is undefined.
    """
    rows: list[list[str]] = []
    for name, figures in summary.items():
        rows += [[name, figure, *_digits(s.value, s.low, s.high, s.spread), str(s.runs)] for figure, s in figures.items()]
        rows += [
            [name, cost, "" if math.isnan(value) else f"{value:.6g}", "", "", "", "1"]
            for cost, value in costs.get(name, {}).items()
        ]
    return Table.of(("member", "figure", "value", "low", "high", "standard deviation", "runs"), rows)


def of_differences(tested: Sequence[Pair]) -> Table:
    """List every difference of every pair, for a spreadsheet.

    Parameters
    ----------
    tested
        Paired tests.

    Returns
    -------
    Table
        A line for each difference, first minus second, with DeLong's p value at ROC-AUC and McNemar's at accuracy.
    """
    rows = []
    for pair in tested:
        tests: dict[str, tuple[float, float]] = {
            Figure.ROC_AUC: (pair.p, pair.adjusted),
            Figure.ACCURACY: (pair.mcnemar, pair.mcnemar_adjusted),
        }
        for figure, estimate in {**pair.bootstrap, Figure.ROC_AUC: pair.roc_auc}.items():
            p = tests.get(figure, (math.nan, math.nan))
            rows.append([pair.first, pair.second, figure, *_digits(estimate.value, estimate.low, estimate.high, *p)])
    return Table.of(("first", "second", "figure", "difference", "low", "high", "p", "p, Holm"), rows)


def of_components(components: Components, order: Sequence[str], figures: Sequence[str]) -> Table:
    """List where the variance of some figures comes from, as standard deviations.

    Parameters
    ----------
    components
        Variance components by member and figure.
    order
        Members in the order of the lines.
    figures
        Names of the figures.

    Returns
    -------
    Table
        A line for each figure of a member.
    """
    head = ("", "figure", *SOURCES.values(), "standard error, patients alone", "standard error, patients and training")
    rows = []
    for figure in figures:
        for own, name in ((components[name][figure], name) for name in order):
            deviations = [_deviation(getattr(own, source)) for source in SOURCES]
            rows.append([name, figure, *deviations, number(own.error_of_patients), number(own.error)])
    return Table.of(head, rows)


def _deviation(variance: Estimate) -> str:
    """The square root of a variance with its interval; a dash where it is undefined, since the note says why."""
    value, low, high = (math.sqrt(end) for end in (variance.value, variance.low, variance.high))
    return figure_text(value, low, high) if variance.defined else MISSING


def of_all_components(components: Components) -> Table:
    """List all variance components, for a spreadsheet.

    Parameters
    ----------
    components
        Variance components by member and figure.

    Returns
    -------
    Table
        A line for each source of each figure of a member.
    """
    rows = []
    for name, own in components.items():
        for figure, parts in own.items():
            for source, words in SOURCES.items():
                e: Estimate = getattr(parts, source)
                rows.append([name, figure, words, *map(_plain, (e.value, e.low, e.high)), e.method, e.reason])
    return Table.of(("member", "figure", "source", "variance", "low", "high", "method", "reason"), rows)


def of_power(powers: Sequence[PairPower]) -> Table:
    """List what the tests of each pair can show.

    Parameters
    ----------
    powers
        One for each pair.

    Returns
    -------
    Table
        A line for each pair.
    """
    margin, tests = (powers[0].power.margin, powers[0].power.tests) if powers else (math.nan, 0)
    head = (
        "first", "second", "standard error of the difference", "difference detected with 80 % power, one planned test",
        f"the same at 0.05 / {tests}", f"power at a difference of {margin:g}, one planned test", f"the same at 0.05 / {tests}",
        f"power to show a loss below {margin:g} if there is none", f"patients for 80 % power at {margin:g}, one planned test",
        "accuracy, McNemar: difference detected with 80 % power, one planned test", f"the same at 0.05 / {len(powers)}",
    )  # fmt: skip
    return Table.of(head, [[one.first, one.second, *_power_cells(one)] for one in powers])


def of_power_numbers(powers: Sequence[PairPower]) -> Table:
    """List what the tests of each pair can show, for a spreadsheet.

    Parameters
    ----------
    powers
        One for each pair.

    Returns
    -------
    Table
        A line for each pair, with the attributes of `PairedPower` and, of McNemar's test, of `SignPower`.
    """
    names, of_decisions = ([field.name for field in dataclasses.fields(of)] for of in (PairedPower, SignPower))
    rows = []
    for one in powers:
        decisions = [getattr(one.decisions, name, math.nan) for name in of_decisions]
        rows.append([one.first, one.second, *map(_plain, (*(getattr(one.power, name) for name in names), *decisions))])
    head = [name.replace("_", " ") for name in (*names, *(f"McNemar {name}" for name in of_decisions))]
    return Table.of(("first", "second", *head), rows)


def _plain(value: float | str) -> str:
    if isinstance(value, str):
        return value
    return "" if math.isnan(value) else f"{value:.6g}"


def _power_cells(one: PairPower) -> list[str]:
    p = one.power
    differences = [number(value) for value in (p.error, p.detectable_alone, p.detectable)]
    chances = [number(value, decimals=2) for value in (p.power_alone, p.power, p.non_inferior)]
    patients = MISSING if math.isnan(p.patients) else f"{p.patients:,.0f}"
    decisions = [number(getattr(one.decisions, name, math.nan)) for name in ("detectable_alone", "detectable")]
    cells = [*differences, *chances, patients, *decisions]
    return [f"undefined ({p.reason})", *cells[1:]] if p.reason else cells


def _digits(*values: float) -> list[str]:
    """Numbers as a spreadsheet reads them."""
    return ["" if math.isnan(value) else f"{value:.6f}" for value in values]


def of_pairs(tested: Sequence[Pair]) -> Table:
    """List the pairs with their tests.

    Parameters
    ----------
    tested
        Paired tests.

    Returns
    -------
    Table
        A line for each pair.
    """
    head = (
        "first", "second", "ROC-AUC, first − second (DeLong)", "p", "p, Holm", "accuracy, first − second", "McNemar p",
        "McNemar p, Holm", "F1, first − second",
    )  # fmt: skip
    return Table.of(
        head,
        [
            [
                pair.first,
                pair.second,
                _signed(pair.roc_auc),
                p_value(pair.p),
                p_value(pair.adjusted),
                _signed(pair.bootstrap[Figure.ACCURACY]),
                p_value(pair.mcnemar),
                p_value(pair.mcnemar_adjusted),
                _signed(pair.bootstrap[Figure.F1]),
            ]
            for pair in tested
        ],
    )


def of_regions(summary: Mapping[str, Mapping[str, Summary]], members: Sequence[ComparedModel]) -> Table:
    """List the figures against reference regions, of the members and below them of uninformed baselines.

    Parameters
    ----------
    summary
        By member and figure, in the order of the lines.
    members
        Members of the first seed.

    Returns
    -------
    Table
        The last column says how many baselines a member beats; no line without reference regions.
    """
    marked = {member.name: member.regions for member in reversed(members) if member.regions}
    figures = [f"{name}{AGAINST}" for name in OF_REGIONS]
    rows = [
        [name, *(str(summary[name][figure]) for figure in figures), _beaten(marked[name]["uninformed"])]
        for name in summary
        if name in marked
    ]
    if rows:
        rows += [[rule, *(str(own[figure]) for figure in figures), ""] for rule, own in uninformed_figures(members).items()]
    return Table.of(("", *OF_REGIONS, "uninformed baselines beaten in hit and pixel AP"), rows)


def uninformed_figures(members: Sequence[ComparedModel]) -> dict[str, dict[str, Estimate]]:
    """Read the figures of uninformed baselines against reference regions.

    Parameters
    ----------
    members
        Members of the first seed.

    Returns
    -------
    dict[str, dict[str, Estimate]]
        By the name of the baseline and the figure; empty without reference regions.
    """
    uninformed: Mapping[str, Any] = next((m.regions["uninformed"] for m in members if m.regions), {Figure.HIT: {}})
    return {
        f"{UNINFORMED}{rule}": {f"{name}{AGAINST}": from_json(uninformed[name][rule]["value"]) for name in OF_REGIONS}
        for rule in uninformed[Figure.HIT]
    }


def _beaten(uninformed: Mapping[str, Any]) -> str:
    rules = list(uninformed[Figure.HIT])
    beaten = [rule for rule in rules if all(_beats(uninformed[name][rule]) for name in (Figure.HIT, Figure.PIXEL_AP))]
    return f"{len(beaten)} of {len(rules)}"


def _beats(baseline: Mapping[str, Any]) -> bool:
    return shown_above_zero(from_json(baseline["difference"]))


def of_shortcuts(shortcuts: Mapping[str, Estimate]) -> Table:
    """List the shortcut baselines.

    Parameters
    ----------
    shortcuts
        ROC-AUC by what the classifier sees.

    Returns
    -------
    Table
        A line for each classifier with the number of patients that it is known of.
    """
    most = max((estimate.n for estimate in shortcuts.values()), default=0)
    partly = [name for name, estimate in shortcuts.items() if estimate.n < most]
    rows = [[name, str(estimate), f"{estimate.n:,}"] for name, estimate in shortcuts.items()]
    if partly and rows[-1][0] == ALL_SHORTCUTS:
        rows[-1][0] += f" but {', '.join(partly)}"
    return Table.of(("what the classifier sees", "ROC-AUC", "patients"), rows)


def of_others(against: Sequence[Against]) -> Table:
    """List the tests of networks against the same backbones in other comparisons.

    Parameters
    ----------
    against
        The tests.

    Returns
    -------
    Table
        A line for each test.
    """
    rows = [[one.name, one.other, _signed(one.roc_auc), p_value(one.p), p_value(one.adjusted)] for one in against]
    return Table.of(("", "comparison", "ROC-AUC, this one − that one (DeLong)", "p", "p, Holm"), rows)


def of_agreements(agreed: Sequence[Agreement]) -> Table:
    """List how far the heat maps of every two networks agree.

    Parameters
    ----------
    agreed
        One for every two networks.

    Returns
    -------
    Table
        A line for every two networks.
    """
    rows = [[pair.first, pair.second, str(pair.rank_correlation), str(pair.top_iou)] for pair in agreed]
    return Table.of(("first", "second", "rank correlation of the maps", "IoU of their highest tenth"), rows)


def _signed(difference: Estimate) -> str:
    return figure_text(difference.value, difference.low, difference.high, reason=difference.reason, signed=True)
