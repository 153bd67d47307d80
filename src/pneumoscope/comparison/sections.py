"""The tables of a comparison's page, each with its title and what one must know to read it."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pneumoscope.comparison import tables
from pneumoscope.comparison.comparison import TRADE, Comparison
from pneumoscope.comparison.published import PRINTED, PUBLISHED
from pneumoscope.comparison.summary import AGAINST, AT_TARGET, LUNG_SHARE, OF_CHANGES, OF_MAPS, ON_TUNE, Summary, of_subgroups
from pneumoscope.statistics.estimate import Estimate

Rows = list[list[str]]

DISCRIMINATION = (
    "ROC-AUC", "PR-AUC", "accuracy", "balanced accuracy", "F1", "sensitivity", "specificity", "PPV", "NPV", "MCC",
    ON_TUNE,
)  # fmt: skip
CALIBRATION = ("Brier", "ECE", "calibration slope", "calibration intercept")
PARETO = (TRADE, "bundle, MB")
TRUTHS = (*OF_MAPS, f"hit{AGAINST}", f"pixel AP{AGAINST}", *(name for name in OF_CHANGES if "minus" in name))
"""Truthfulness of the map, to stand in one table and one plot with the accuracy and the cost."""
AT_TUNES = "The threshold met its target on tune; what of it is left on the test side stands beside."
RESAMPLED = "An ECE grows when cases are drawn again, so that its interval lies high."
OF_REMOVAL = (
    "Areas under the calibrated probability on at most {n} cases while the pixels that the map values most are taken away "
    "(deletion: lower is better) or put back (insertion: higher is better), and less the same by the map with its blocks "
    "shuffled. Where the probability hardly falls whatever is taken, deletion says little."
)
NO_FINDING = (
    "The lungs are those that the lung-field model finds. A map that is the same everywhere has as much of its energy in them as "
    "they have of the image; a head that adds up the evidence in these lungs has it there by its making."
)
OF_A_SUBGROUP = (
    "Each at the member's own threshold. A subgroup of one class (a germ) stands against all cases of the other class."
)
COSTS_TOLD = (
    "Milliseconds a radiograph, one at a time, all networks in turns: the network on its square without and with its map, and a "
    "whole reading (size, lung fields, network, findings). Training times are of the machine as it was, whatever else ran on it."
)


@dataclass(frozen=True)
class Section:
    """A table of text under a line of headings; `note` says how to read it, where that needs saying."""

    title: str
    note: str
    rows: Rows


def sections(found: Comparison, intervened: int) -> list[Section]:
    """All of a comparison's members; whether the score follows the map where that was asked on `intervened` cases."""
    within = of_subgroups(found.first)
    changes = [Section("Does the score follow the heat map?", OF_REMOVAL.format(n=intervened), rows(found, OF_CHANGES))]
    return [
        Section("Accuracy, truthfulness of the map and cost", "", _together(found)),
        Section("Discrimination and decisions", "", rows(found, DISCRIMINATION)),
        Section("At other thresholds of tune", AT_TUNES, rows(found, tuple(AT_TARGET))),
        Section("Calibration", RESAMPLED, rows(found, CALIBRATION)),
        *([Section("Subgroups", OF_A_SUBGROUP, rows(found, within))] if within else []),
        Section("Where the heat map lies, cases with the target", NO_FINDING, rows(found, (*OF_MAPS, LUNG_SHARE))),
        *(changes if intervened else []),
        Section("Cost", COSTS_TOLD, _cost_rows(found)),
    ]


def values(found: Comparison, figure: str) -> dict[str, float]:
    """A figure by name, of the members that are networks and have it."""
    known = {name: own[figure].value for name, own in found.summary.items() if name in found.costs and figure in own}
    return {name: value for name, value in known.items() if not math.isnan(value)}


def rows(found: Comparison, wanted: Sequence[str]) -> Rows:
    """A line a member, from the highest ROC-AUC to the lowest; a dash where it has no such figure."""
    head = ["", *wanted]
    return [head, *([name, *(str(found.summary[name].get(w, "–")) for w in wanted)] for name in found.order)]


def _together(found: Comparison) -> Rows:
    """Accuracy, cost and truthfulness of the map; under the networks, maps that look at nothing."""
    accuracy = ("ROC-AUC", "F1")
    truths = [name for name in TRUTHS if any(name in own for own in found.summary.values())]
    head, *networks = rows(found, (*accuracy, *truths))
    costs = [[_short(found.costs[row[0]][cost]) if row[0] in found.costs else "–" for cost in PARETO] for row in networks]
    lines = [[*row[:3], *own, *row[3:]] for row, own in zip([head, *networks], [list(PARETO), *costs], strict=True)]
    none = ["–"] * (len(accuracy) + len(PARETO))
    blind = {rule: [str(own[name]) if name in own else "–" for name in truths] for rule, own in _blind(found).items()}
    return [*lines, *([rule, *none, *cells] for rule, cells in blind.items() if set(cells) != {"–"})]


def _blind(found: Comparison) -> dict[str, Mapping[str, Estimate | Summary]]:
    """By rule, the figures that maps have which look at nothing."""
    alike = found.summary[found.best_network].get(LUNG_SHARE)
    everywhere = {"uninformed baseline: the same everywhere": {OF_MAPS[0]: alike}} if alike else {}
    return {**everywhere, **tables.of_nothing(found.first)}


def best_blind(found: Comparison) -> dict[str, float]:
    """By figure, the most that a map has which looks at nothing; what is less the shuffled map's has 0 of its own."""
    best = {name: 0.0 for name in TRUTHS if "minus" in name}
    for own in _blind(found).values():
        for figure, e in own.items():
            best[figure] = max(e.value, best.get(figure, -math.inf))
    return best


def _cost_rows(found: Comparison) -> Rows:
    names = [name for name in found.order if name in found.costs]
    head = list(next(iter(found.costs.values())))
    return [["", *head], *([name, *(_short(found.costs[name][key]) for key in head)] for name in names)]


def published(found: Comparison) -> Rows:
    """Published figures beside the same ones of the comparison."""
    lines = [["", *(cell for figure in PRINTED for cell in (f"{figure}, published", "ours"))]]
    for name in found.order:
        if name in PUBLISHED:
            theirs, own = PUBLISHED[name].printed, found.summary[name]
            lines.append([name, *(cell for figure in PRINTED for cell in (theirs[figure], str(own[figure])))])
    return lines


def _short(value: float) -> str:
    if math.isnan(value):
        return "–"
    return f"{value:,.0f}" if value == int(value) else f"{value:,.1f}" if value >= 10 else f"{value:.2f}"
