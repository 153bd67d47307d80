"""The figures of a comparison as rows of text, for the page and for papers, and by cost."""

import csv
import io
import math
from collections.abc import Mapping, Sequence
from typing import Any

from pneumoscope.comparison.map_agreement import Agreement
from pneumoscope.comparison.other_comparisons import Against
from pneumoscope.comparison.pairwise import Pair
from pneumoscope.comparison.summary import AGAINST, OF_REGIONS, Summary, estimate
from pneumoscope.evaluation.shortcut_baseline import ALL as ALL_SHORTCUTS
from pneumoscope.experiment.compared_model import ComparedModel
from pneumoscope.statistics.estimate import Estimate
from pneumoscope.statistics.superiority import shown_above_zero


def as_csv(summary: Mapping[str, Mapping[str, Summary]], costs: Mapping[str, Mapping[str, float]]) -> str:
    """One row a figure of a member."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["member", "figure", "value", "low", "high", "standard deviation", "runs"])
    for name, figures in summary.items():
        writer.writerows([name, figure, *_cells(s)] for figure, s in figures.items())
        writer.writerows(
            [name, what, "" if math.isnan(value) else f"{value:.6g}", "", "", "", 1]
            for what, value in costs.get(name, {}).items()
        )
    return stream.getvalue()


def _cells(s: Summary) -> list[Any]:
    return [*_numbers(s.value, s.low, s.high, s.spread), s.runs]


def _numbers(*values: float) -> list[str]:
    return ["" if math.isnan(value) else f"{value:.6f}" for value in values]


def pairs_as_csv(tested: Sequence[Pair]) -> str:
    """One row a difference of a pair, first minus second; DeLong's p value and McNemar's stand by ROC-AUC and accuracy."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["first", "second", "figure", "difference", "low", "high", "p", "p, Holm"])
    for pair in tested:
        tests = {"ROC-AUC": (pair.p, pair.adjusted), "accuracy": (pair.mcnemar, pair.mcnemar_adjusted)}
        for figure, e in {**pair.bootstrap, "ROC-AUC": pair.roc_auc}.items():
            p = tests.get(figure, (math.nan, math.nan))
            writer.writerow([pair.first, pair.second, figure, *_numbers(e.value, e.low, e.high, *p)])
    return stream.getvalue()


def as_latex(rows: Sequence[Sequence[str]]) -> str:
    """Lines of text under a line of headings, for a paper that loads booktabs."""
    head, *lines = rows
    written = [
        r"\begin{tabular}{l" + "r" * (len(head) - 1) + "}",
        r"\toprule",
        " & ".join(head) + r" \\",
        r"\midrule",
        *(" & ".join(line) + r" \\" for line in lines),
        r"\bottomrule",
        r"\end{tabular}",
    ]
    return "\n".join(written).translate(_LATEX) + "\n"


_LATEX = str.maketrans({"–": "--", "−": "$-$", "±": r"$\pm$", "<": "$<$", "%": r"\%", "_": r"\_"})


def of_pairs(tested: Sequence[Pair]) -> list[list[str]]:
    """Each pair as a line of text, after a line of headings; nothing where there is no pair."""
    head = [
        "first", "second", "ROC-AUC, first − second (DeLong)", "p", "p, Holm", "accuracy, first − second", "McNemar p",
        "McNemar p, Holm", "F1, first − second",
    ]  # fmt: skip
    lines = [
        [
            pair.first,
            pair.second,
            _difference(pair.roc_auc),
            _p(pair.p),
            _p(pair.adjusted),
            _difference(pair.bootstrap["accuracy"]),
            _p(pair.mcnemar),
            _p(pair.mcnemar_adjusted),
            _difference(pair.bootstrap["F1"]),
        ]
        for pair in tested
    ]
    return [head, *lines] if lines else []


def of_regions(summary: Mapping[str, Mapping[str, Summary]], members: Sequence[ComparedModel]) -> list[list[str]]:
    """Each member's figures against regions, and under them those of maps that look at nothing, with how many the member beats.

    Nothing where nothing is marked.
    """
    marked = {m.name: m.regions for m in reversed(members) if m.regions}
    if not marked:
        return []
    figures = [f"{what}{AGAINST}" for what in OF_REGIONS]
    lines = [
        [name, *(str(summary[name][figure]) for figure in figures), _beaten(marked[name]["uninformed"])]
        for name in summary
        if name in marked
    ]
    lines += [[rule, *(_interval(own[figure]) for figure in figures), ""] for rule, own in of_nothing(members).items()]
    return [["", *OF_REGIONS, "uninformed baselines beaten in hit and pixel AP"], *lines]


def of_nothing(members: Sequence[ComparedModel]) -> dict[str, dict[str, Estimate]]:
    """By rule, figures against regions of maps that look at nothing; nothing where nothing is marked."""
    uninformed: Mapping[str, Any] = next((m.regions["uninformed"] for m in members if m.regions), {OF_REGIONS[0]: {}})
    return {
        f"uninformed baseline: {rule}": {f"{what}{AGAINST}": estimate(uninformed[what][rule]["value"]) for what in OF_REGIONS}
        for rule in uninformed[OF_REGIONS[0]]
    }


def _beaten(uninformed: Mapping[str, Any]) -> str:
    rules = list(uninformed["hit"])
    beaten = [
        r for r in rules if all(shown_above_zero(estimate(uninformed[what][r]["difference"])) for what in ("hit", "pixel AP"))
    ]
    return f"{len(beaten)} of {len(rules)}"


def of_shortcuts(found: Mapping[str, Estimate]) -> list[list[str]]:
    """What is seen, the ROC-AUC of a classifier that sees no more, and of how many patients it is known."""
    most = max((e.n for e in found.values()), default=0)
    some = [name for name, e in found.items() if e.n < most]
    lines = [[name, _interval(e), f"{e.n:,}"] for name, e in found.items()]
    if some and lines[-1][0] == ALL_SHORTCUTS:
        lines[-1][0] += f" but {', '.join(some)}"
    return [["what is seen", "ROC-AUC", "patients"], *lines]


def of_others(found: Sequence[Against]) -> list[list[str]]:
    """Each network against itself elsewhere as a line of text, after a line of headings; nothing where there is none."""
    lines = [[a.name, a.other, _difference(a.roc_auc), _p(a.p), _p(a.adjusted)] for a in found]
    return [["", "comparison", "ROC-AUC, this one − that one (DeLong)", "p", "p, Holm"], *lines] if lines else []


def of_agreements(agreed: Sequence[Agreement]) -> list[list[str]]:
    """Each pair as a line of text, after a line of headings; nothing where there is no pair."""
    lines = [[pair.first, pair.second, _interval(pair.rank_correlation), _interval(pair.top_iou)] for pair in agreed]
    return [["first", "second", "rank correlation of the maps", "IoU of their highest tenth"], *lines] if lines else []


def _interval(e: Estimate) -> str:
    return str(Summary(e.value, e.low, e.high, reason=e.reason))


def _difference(e: Estimate) -> str:
    if math.isnan(e.value):
        return f"undefined ({e.reason})"
    return f"{e.value:+.4f} " + (f"(no interval: {e.reason})" if math.isnan(e.low) else f"({e.low:+.4f} to {e.high:+.4f})")


def _p(value: float) -> str:
    return "–" if math.isnan(value) else "< 0.001" if value < 0.001 else f"{value:.3f}"


def front(points: Mapping[str, tuple[float, float]]) -> list[str]:
    """Names on the Pareto front of (cost, figure): no other is at least as good in both and better in one. Cheapest first."""
    best, found = -math.inf, []
    for name, (_, figure) in sorted(points.items(), key=lambda item: (item[1][0], -item[1][1])):
        if figure > best:
            best = figure
            found.append(name)
    return found


def trade_off(order: Sequence[str], worse: set[str], cost: Mapping[str, float]) -> str:
    """The cheapest member that is not shown to be worse than the best by its ROC-AUC: the rule by which one is named."""
    return min((name for name in order if name not in worse and name in cost), key=lambda name: cost[name])
