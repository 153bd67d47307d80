"""The noun `Summary`: a figure of a member, with its interval or, of several runs, its spread."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pneumoscope.experiment.compared_model import ComparedModel
from pneumoscope.experiment.cost import Cost
from pneumoscope.faithfulness import intervention
from pneumoscope.statistics import metrics
from pneumoscope.statistics.estimate import Estimate, undefined
from pneumoscope.statistics.intervals import bootstrap, patient_weights

MEASURED = (
    "ROC-AUC", "PR-AUC", "accuracy", "F1", "sensitivity", "specificity", "balanced accuracy", "MCC", "PPV", "NPV",
    "Brier", "ECE", "calibration slope", "calibration intercept",
)  # fmt: skip
AT_TARGET = {
    "sensitivity at tune's 90 % specificity": ("specificity>=0.9", metrics.sensitivity),
    "specificity at tune's 90 % specificity": ("specificity>=0.9", metrics.specificity),
    "sensitivity at tune's 95 % specificity": ("specificity>=0.95", metrics.sensitivity),
    "specificity at tune's 95 % specificity": ("specificity>=0.95", metrics.specificity),
    "specificity at tune's 90 % sensitivity": ("sensitivity>=0.9", metrics.specificity),
    "sensitivity at tune's 90 % sensitivity": ("sensitivity>=0.9", metrics.sensitivity),
    "specificity at tune's 95 % sensitivity": ("sensitivity>=0.95", metrics.specificity),
    "sensitivity at tune's 95 % sensitivity": ("sensitivity>=0.95", metrics.sensitivity),
}
"""Figures at thresholds that met the target on tune, and what of the target is met on test."""
ON_TUNE = "ROC-AUC on tune"
"""By which a model should be chosen; what is ordered by the test side here is told, not taken."""
OF_MAPS = ("energy in the lungs", "peak in the lungs")
LUNG_SHARE = "share of the image that is lung"
"""The energy in the lungs of a map that is the same everywhere."""
OF_CHANGES = tuple(f"{name}{which}" for name in ("deletion AUC", "insertion AUC") for which in ("", ", minus a shuffled map's"))
OF_REGIONS = ("hit", "pixel AP", "energy inside")
AGAINST = " against regions"
WITHIN = ", "
"""Between a figure and the subgroup that it is of."""


_NO_CASES = undefined(0, "a run has no case of the subgroup")


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


def summaries(members: Sequence[ComparedModel], draws: int) -> dict[str, dict[str, Summary]]:
    """By name and figure, of the test side."""
    found: dict[str, dict[str, Summary]] = {}
    for name in dict.fromkeys(m.name for m in members):
        runs = [_figures(m, draws) for m in members if m.name == name]
        figures = dict.fromkeys(figure for run in runs for figure in run)
        found[name] = {figure: _summary([run.get(figure, _NO_CASES) for run in runs]) for figure in figures}
    return found


def of_subgroups(members: Sequence[ComparedModel]) -> list[str]:
    """Names of the figures of subgroups, as `summaries` has them."""
    groups = {group: own for member in members for group, own in member.evaluation.subgroups.items()}
    return [f"{figure}{WITHIN}{group}" for group, own in groups.items() for figure in own]


def _figures(member: ComparedModel, draws: int) -> dict[str, Estimate]:
    found = {name: member.evaluation.figures[name] for name in MEASURED}
    found[ON_TUNE] = _on_tune(member, draws)
    found |= {name: _at(member, rule, metric, draws) for name, (rule, metric) in AT_TARGET.items()}
    for group, own in member.evaluation.subgroups.items():
        found |= {f"{figure}{WITHIN}{group}": value for figure, value in own.items()}
    anatomy, regions = member.localization.get("anatomy", {}), member.regions.get("against_regions", {})
    changed = member.localization.get("further", {}).get(intervention.TITLE, {})
    found |= {name: estimate(anatomy[name]) for name in (*OF_MAPS, LUNG_SHARE) if name in anatomy}
    found |= {name: estimate(changed[name]) for name in OF_CHANGES if name in changed}
    return found | {f"{name}{AGAINST}": estimate(regions[name]) for name in OF_REGIONS if name in regions}


def _on_tune(member: ComparedModel, draws: int) -> Estimate:
    tune = member.tune
    weights = patient_weights(tune.patients, draws, np.random.default_rng(0))
    return bootstrap(metrics.roc_auc, tune.reference, tune.probability, tune.patients, weights)


def _at(member: ComparedModel, rule: str, metric: Callable[..., float], draws: int) -> Estimate:
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


def of_costs(members: Sequence[ComparedModel], costs: Mapping[str, Cost]) -> dict[str, dict[str, float]]:
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
