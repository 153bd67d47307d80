"""The noun `Summary`: a figure of a member with its interval and, over several runs, its standard deviation."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pneumoscope.comparison.repeated_runs import AT_TARGET, ON_TUNE, WITHIN, repeated_figures
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
OF_MAPS = (Figure.ENERGY_IN_LUNGS, Figure.PEAK_IN_LUNGS)
LUNG_SHARE = Figure.LUNG_SHARE
"""The energy in the lungs of a map that is the same everywhere."""
OF_REGIONS = (Figure.HIT, Figure.PIXEL_AP, Figure.ENERGY_INSIDE)
OF_CHANGES = tuple(f"{name}{end}" for name in (Figure.DELETION, Figure.INSERTION) for end in ("", ", minus a shuffled map's"))
AGAINST = " against regions"
"""What follows the name of a figure that is measured against reference regions."""
_NO_CASES = undefined(0, "a run has no case of the subgroup")
_NOT_KEPT = undefined(0, "values of single cases are not kept")


@dataclass(frozen=True)
class Summary:
    """A figure of a member: of one run, or the mean of several runs, with its interval.

    Parameters
    ----------
    value
        The figure; NaN if it is undefined in any run.
    low, high
        Ends of the 95 % interval by patient, of several runs by `repeated_runs.repeated_figures`; NaN if there is none.
    spread
        Standard deviation over several runs (seeds and folds); NaN for one run. It is no standard error: runs share patients.
    runs
        Number of runs.
    reason
        Why the figure is undefined or has no interval.
    n
        Number of patients, of all folds together; 0 if not known.
    method
        How the interval was computed; empty if not known.
    """

    value: float
    low: float = math.nan
    high: float = math.nan
    spread: float = math.nan
    runs: int = 1
    reason: str = ""
    n: int = 0
    method: str = ""

    def __str__(self) -> str:
        """The value with its interval, or why there is none, and the standard deviation of several runs."""
        shown = formatting.figure(self.value, self.low, self.high, reason=self.reason)
        if self.runs > 1 and not math.isnan(self.value):
            return f"{shown}; SD {formatting.number(self.spread)}, {self.runs} runs"
        return shown


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
        own = [member for member in members if member.name == name]
        runs = [_figures(member, draws) for member in own]
        repeated = repeated_figures(own, draws) if len(own) > 1 else {}
        table[name] = {
            figure: _summary(
                [run.get(figure, _NO_CASES) for run in runs], repeated[figure].estimate() if figure in repeated else _NOT_KEPT
            )
            for figure in dict.fromkeys(figure for run in runs for figure in run)
        }
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


def _summary(runs: Sequence[Estimate], over_runs: Estimate) -> Summary:
    if len(runs) == 1:
        (run,) = runs
        return Summary(run.value, run.low, run.high, reason=run.reason, n=run.n, method=run.method)
    values = np.array([run.value for run in runs])  # the mean is NaN if the figure of any run is
    reason = "; ".join(dict.fromkeys(run.reason for run in runs if not run.defined)) or over_runs.reason
    return Summary(
        float(values.mean()),
        over_runs.low,
        over_runs.high,
        float(values.std(ddof=1)),
        len(values),
        reason,
        over_runs.n or max(run.n for run in runs),
        over_runs.method,
    )


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
