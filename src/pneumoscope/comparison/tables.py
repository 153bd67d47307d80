"""The figures of a comparison as rows: one a member, with its interval or, of several runs, its spread."""

import csv
import io
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pneumoscope.comparison.agreement import Agreement
from pneumoscope.comparison.cost import Cost
from pneumoscope.comparison.member import Member
from pneumoscope.comparison.pairwise import Pair
from pneumoscope.evaluation import metrics
from pneumoscope.evaluation.estimate import Estimate
from pneumoscope.evaluation.intervals import bootstrap, patient_weights
from pneumoscope.evaluation.localize import beats

MEASURED = (
    "ROC-AUC", "PR-AUC", "accuracy", "F1", "sensitivity", "specificity", "balanced accuracy", "MCC", "PPV", "NPV",
    "Brier", "ECE", "calibration slope", "calibration intercept",
)  # fmt: skip
AT_TARGET = {
    "sensitivity at 90 % specificity": ("specificity>=0.9", metrics.sensitivity),
    "sensitivity at 95 % specificity": ("specificity>=0.95", metrics.sensitivity),
    "specificity at 90 % sensitivity": ("sensitivity>=0.9", metrics.specificity),
    "specificity at 95 % sensitivity": ("sensitivity>=0.95", metrics.specificity),
}
"""Figures at thresholds that met the target on tune; on test they may not."""
ON_TUNE = "ROC-AUC on tune"
"""By which a model should be chosen; what is ordered by the test side here is told, not taken."""
OF_MAPS = ("energy in the lungs", "peak in the lungs")
LUNG_SHARE = "share of the image that is lung"
"""The energy in the lungs of a map that is the same everywhere."""
OF_CHANGES = tuple(f"{name}{which}" for name in ("deletion AUC", "insertion AUC") for which in ("", ", minus a shuffled map's"))
OF_REGIONS = ("hit", "pixel AP", "energy inside")
AGAINST = " against regions"


@dataclass(frozen=True)
class Summary:
    """A figure of a member: of one run with its interval, or the mean of several with their standard deviation.

    `reason` says why the figure is undefined, or why it has no interval.
    """

    value: float
    low: float = math.nan
    high: float = math.nan
    spread: float = math.nan
    runs: int = 1
    reason: str = ""

    def __str__(self) -> str:
        if math.isnan(self.value):
            return f"undefined ({self.reason})" if self.reason else "undefined"
        if self.runs > 1:
            return f"{self.value:.4f} ± {self.spread:.4f} ({self.runs} runs)"
        if math.isnan(self.low):
            return f"{self.value:.4f}" + (f" (no interval: {self.reason})" if self.reason else "")
        between = " to " if self.low < 0 else "–"
        return f"{self.value:.4f} ({self.low:.4f}{between}{self.high:.4f})"


def summaries(members: Sequence[Member], draws: int) -> dict[str, dict[str, Summary]]:
    """By name and figure, of the test side."""
    found: dict[str, dict[str, Summary]] = {}
    for name in dict.fromkeys(m.name for m in members):
        runs = [_figures(m, draws) for m in members if m.name == name]
        found[name] = {figure: _summary([run[figure] for run in runs]) for figure in runs[0]}
    return found


def _figures(member: Member, draws: int) -> dict[str, Estimate]:
    found = {name: member.evaluation.figures[name] for name in MEASURED}
    found[ON_TUNE] = _on_tune(member, draws)
    found |= {name: _at(member, rule, metric, draws) for name, (rule, metric) in AT_TARGET.items()}
    anatomy, regions = member.localization.get("anatomy", {}), member.regions.get("against_regions", {})
    changed = member.localization.get("more", {}).get("by intervention", {})
    found |= {name: estimate(anatomy[name]) for name in (*OF_MAPS, LUNG_SHARE) if name in anatomy}
    found |= {name: estimate(changed[name]) for name in OF_CHANGES if name in changed}
    return found | {f"{name}{AGAINST}": estimate(regions[name]) for name in OF_REGIONS if name in regions}


def _on_tune(member: Member, draws: int) -> Estimate:
    tune = member.tune
    weights = patient_weights(tune.patients, draws, np.random.default_rng(0))
    return bootstrap(metrics.roc_auc, tune.reference, tune.probability, tune.patients, weights)


def _at(member: Member, rule: str, metric: Callable[..., float], draws: int) -> Estimate:
    """A share at another operating point than the member's own."""
    test = member.test
    (threshold,) = (point.threshold for point in test.operating_points if point.rule == rule)
    weights = patient_weights(test.patients, draws, np.random.default_rng(0))
    share_of = test.reference == (1 if metric is metrics.sensitivity else 0)
    positive = (test.probability >= threshold).astype(float)
    return bootstrap(metric, test.reference, positive, test.patients, weights, share_of=share_of)


def estimate(tree: Mapping[str, Any]) -> Estimate:
    """An estimate that went through JSON, where NaN became null."""
    numbers: dict[str, Any] = {key: math.nan if value is None else value for key, value in tree.items()}
    return Estimate(**numbers)


def _summary(runs: Sequence[Estimate]) -> Summary:
    if len(runs) == 1:
        return Summary(runs[0].value, runs[0].low, runs[0].high, reason=runs[0].reason)
    values = np.array([run.value for run in runs])  # NaN, as a whole, where one run has none
    reason = "; ".join(dict.fromkeys(run.reason for run in runs if math.isnan(run.value)))
    return Summary(float(values.mean()), spread=float(values.std(ddof=1)), runs=len(values), reason=reason)


def of_costs(members: Sequence[Member], costs: Mapping[str, Cost]) -> dict[str, dict[str, float]]:
    """By name: what a member takes to train, to keep and to run; training is of its first run."""
    found = {}
    for member in members:
        if member.name in found or not member.told:
            continue
        told = member.told
        found[member.name] = {
            "parameters, million": told["parameters"] / 1e6,
            "multiply-adds, million": told["multiply_adds"] / 1e6,
            "bundle, MB": told["bytes"] / 1e6,
            "epochs": told["epochs"],
            "training, minutes": told["seconds"] / 60,
            "training, images/s": told["images_per_s"],
            "training, processes": told["processes"],
            **{key: math.nan if value is None else value for key, value in costs[member.name].items()},
        }
    return found


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
    return [*("" if math.isnan(v) else f"{v:.6f}" for v in (s.value, s.low, s.high, s.spread)), s.runs]


def as_latex(summary: Mapping[str, Mapping[str, Summary]], shown: Sequence[str]) -> str:
    """A table of some figures with their intervals, for a paper that loads booktabs."""
    lines = [
        r"\begin{tabular}{l" + "r" * len(shown) + "}",
        r"\toprule",
        " & ".join(["", *shown]) + r" \\",
        r"\midrule",
        *(
            " & ".join([name.replace("_", r"\_"), *(str(figures[f]) for f in shown)]) + r" \\"
            for name, figures in summary.items()
        ),
        r"\bottomrule",
        r"\end{tabular}",
    ]
    return "\n".join(lines).replace("–", "--").replace("±", r"$\pm$").replace("%", r"\%") + "\n"


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


def of_regions(summary: Mapping[str, Mapping[str, Summary]], members: Sequence[Member]) -> list[list[str]]:
    """Each member's figures against regions, and under them those of maps that look at nothing, with how many the member beats.

    Nothing where nothing is marked.
    """
    marked = {m.name: m.regions for m in reversed(members) if m.regions}
    if not marked:
        return []
    lines = [
        [name, *(str(summary[name][f"{what}{AGAINST}"]) for what in OF_REGIONS), _beaten(marked[name]["chance"])]
        for name in summary
        if name in marked
    ]
    nothing = next(iter(marked.values()))["chance"]
    rules = list(nothing[OF_REGIONS[0]])
    lines += [[f"looks at nothing: {r}", *(_interval(estimate(nothing[w][r]["value"])) for w in OF_REGIONS), ""] for r in rules]
    return [["", *OF_REGIONS, "maps that look at nothing beaten in hit and pixel AP"], *lines]


def _beaten(chance: Mapping[str, Any]) -> str:
    rules = list(chance["hit"])
    beaten = [r for r in rules if all(beats(estimate(chance[what][r]["difference"])) for what in ("hit", "pixel AP"))]
    return f"{len(beaten)} of {len(rules)}"


def of_agreements(agreed: Sequence[Agreement]) -> list[list[str]]:
    """Each pair as a line of text, after a line of headings; nothing where there is no pair."""
    lines = [[pair.first, pair.second, _interval(pair.rank_correlation), _interval(pair.top_iou)] for pair in agreed]
    return [["first", "second", "rank correlation of the maps", "IoU of their highest tenth"], *lines] if lines else []


def _interval(e: Estimate) -> str:
    return str(Summary(e.value, e.low, e.high, reason=e.reason))


def _difference(e: Estimate) -> str:
    if math.isnan(e.value):
        return f"undefined ({e.reason})"
    return f"{e.value:+.4f}" + ("" if math.isnan(e.low) else f" ({e.low:+.4f} to {e.high:+.4f})")


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


def trade_off(order: Sequence[str], apart_from_best: set[str], cost: Mapping[str, float]) -> str:
    """The cheapest member that cannot be told from the best by its ROC-AUC: the rule by which one is named."""
    return min((name for name in order if name not in apart_from_best and name in cost), key=lambda name: cost[name])
