"""The noun `Summary`: a figure of a member, with its interval or, over several runs, its standard deviation."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pneumoscope.experiment.compared_model import ComparedModel
from pneumoscope.experiment.experiment import Cost
from pneumoscope.faithfulness import intervention
from pneumoscope.statistics import formatting, metrics
from pneumoscope.statistics.estimate import Estimate, from_json, undefined
from pneumoscope.statistics.figure import Figure
from pneumoscope.statistics.metrics import Metric
from pneumoscope.statistics.patient_bootstrap import Bootstrap

MEASURED = (
    Figure.ROC_AUC, Figure.PR_AUC, Figure.ACCURACY, Figure.F1, Figure.SENSITIVITY, Figure.SPECIFICITY,
    Figure.BALANCED_ACCURACY, Figure.MCC, Figure.PPV, Figure.NPV, Figure.BRIER, Figure.ECE, Figure.CALIBRATION_SLOPE,
    Figure.CALIBRATION_INTERCEPT,
)  # fmt: skip
AT_TARGET: Mapping[str, tuple[str, Figure]] = {
    f"{figure} at tune's {percent} % {of}": (f"{of}>={percent / 100:g}", figure)
    for of, figures in (
        (Figure.SPECIFICITY, (Figure.SENSITIVITY, Figure.SPECIFICITY)),
        (Figure.SENSITIVITY, (Figure.SPECIFICITY, Figure.SENSITIVITY)),
    )
    for percent in (90, 95)
    for figure in figures
}
"""Figures at thresholds that met a target on tune: the rule, and the figure."""
ON_TUNE = Figure.ROC_AUC_ON_TUNE
"""Use this for model selection; an order by the test split is descriptive only."""
OF_MAPS = (Figure.ENERGY_IN_LUNGS, Figure.PEAK_IN_LUNGS)
LUNG_SHARE = Figure.LUNG_SHARE
"""The energy in the lungs of a map that is the same everywhere."""
OF_REGIONS = (Figure.HIT, Figure.PIXEL_AP, Figure.ENERGY_INSIDE)
OF_CHANGES = tuple(f"{name}{end}" for name in (Figure.DELETION, Figure.INSERTION) for end in ("", ", minus a shuffled map's"))
AGAINST = " against regions"
"""What follows the name of a figure that is measured against reference regions."""
WITHIN = ", "
"""What stands between a figure and the subgroup that it is of."""
_NO_CASES = undefined(0, "a run has no case of the subgroup")


@dataclass(frozen=True)
class Summary:
    """A figure of a member: of one run with its interval, or the mean of several runs with their standard deviation.

    Parameters
    ----------
    value
        The figure; NaN if it is undefined in any run.
    low, high
        Ends of the 95 % interval of one run; NaN if there is none.
    spread
        Standard deviation over several runs; NaN for one run.
    runs
        Number of runs.
    reason
        Why the figure is undefined or has no interval.
    n
        Number of patients; 0 if not known.
    """

    value: float
    low: float = math.nan
    high: float = math.nan
    spread: float = math.nan
    runs: int = 1
    reason: str = ""
    n: int = 0

    def __str__(self) -> str:
        """The value with its interval or its standard deviation, or why there is none."""
        if self.runs > 1 and not math.isnan(self.value):
            return f"{formatting.number(self.value)} ± {formatting.number(self.spread)} ({self.runs} runs)"
        return formatting.figure(self.value, self.low, self.high, reason=self.reason)


def summaries(members: Sequence[ComparedModel], draws: int) -> dict[str, dict[str, Summary]]:
    """Summarize every figure of every member.

    Parameters
    ----------
    members
        Every run.
    draws
        Bootstrap draws of patients.

    Returns
    -------
    dict[str, dict[str, Summary]]
        By member and figure, of the test split.
    """
    table: dict[str, dict[str, Summary]] = {}
    for name in dict.fromkeys(member.name for member in members):
        runs = [_figures(member, draws) for member in members if member.name == name]
        figures = dict.fromkeys(figure for run in runs for figure in run)
        table[name] = {figure: _summary([run.get(figure, _NO_CASES) for run in runs]) for figure in figures}
    return table


def subgroup_figures(members: Sequence[ComparedModel]) -> list[str]:
    """List the figures of subgroups.

    Parameters
    ----------
    members
        Members of a comparison.

    Returns
    -------
    list[str]
        Their names as in `summaries`.
    """
    groups = {group: own for member in members for group, own in member.evaluation.subgroups.items()}
    return [f"{figure}{WITHIN}{group}" for group, own in groups.items() for figure in own]


def _figures(member: ComparedModel, draws: int) -> dict[str, Estimate]:
    figures: dict[str, Estimate] = {str(name): member.evaluation.figures[name] for name in MEASURED}
    tune = member.tune
    figures[ON_TUNE] = Bootstrap.of_patients(tune.patients, draws).estimate(metrics.roc_auc, tune.reference, tune.probability)
    figures |= _at_targets(member, Bootstrap.of_patients(member.test.patients, draws))
    for group, own in member.evaluation.subgroups.items():
        figures |= {f"{figure}{WITHIN}{group}": value for figure, value in own.items()}
    anatomy, regions = member.localization.get("anatomy", {}), member.regions.get("against_regions", {})
    changed = member.localization.get("further", {}).get(intervention.TITLE, {})
    figures |= {str(name): from_json(anatomy[name]) for name in (*OF_MAPS, LUNG_SHARE) if name in anatomy}
    figures |= {name: from_json(changed[name]) for name in OF_CHANGES if name in changed}
    return figures | {f"{name}{AGAINST}": from_json(regions[name]) for name in OF_REGIONS if name in regions}


def _at_targets(member: ComparedModel, boot: Bootstrap) -> dict[str, Estimate]:
    """Sensitivity and specificity at other operating points than the member's own."""
    test = member.test
    thresholds = {point.rule: point.threshold for point in test.operating_points}
    of: Mapping[Figure, tuple[Metric, int]] = {
        Figure.SENSITIVITY: (metrics.sensitivity, 1),
        Figure.SPECIFICITY: (metrics.specificity, 0),
    }
    figures = {}
    for name, (rule, figure) in AT_TARGET.items():
        metric, label = of[figure]
        positive = (test.probability >= thresholds[rule]).astype(float)
        figures[name] = boot.estimate(metric, test.reference, positive, share_of=test.reference == label)
    return figures


def _summary(runs: Sequence[Estimate]) -> Summary:
    n = max(run.n for run in runs)
    if len(runs) == 1:
        return Summary(runs[0].value, runs[0].low, runs[0].high, reason=runs[0].reason, n=n)
    values = np.array([run.value for run in runs])  # the mean is NaN if the figure of any run is
    reason = "; ".join(dict.fromkeys(run.reason for run in runs if not run.defined))
    return Summary(float(values.mean()), spread=float(values.std(ddof=1)), runs=len(values), reason=reason, n=n)


def costs_of(members: Sequence[ComparedModel], costs: Mapping[str, Cost]) -> dict[str, dict[str, float]]:
    """Collect what each network takes to train, to store and to run.

    Parameters
    ----------
    members
        Members of a comparison; ensembles have no cost of their own.
    costs
        Times and memory by network.

    Returns
    -------
    dict[str, dict[str, float]]
        By network; training is of its first run.
    """
    table = {}
    for member in members:
        if member.name in table or not member.size_and_time:
            continue
        measured = member.size_and_time
        table[member.name] = {
            "parameters, million": measured["parameters"] / 1e6,
            "multiply-adds, million": measured["multiply_adds"] / 1e6,
            "bundle, MB": measured["bytes"] / 1e6,
            "epochs": measured["epochs"],
            "training, minutes": measured["seconds"] / 60,
            "training, images/s": measured["images_per_s"],
            "training, processes": measured["processes"],
            **costs[member.name],
        }
    return table
