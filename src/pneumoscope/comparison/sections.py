"""The tables of a comparison's page, each with its title and what a reader must know about it."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pneumoscope.comparison import tables
from pneumoscope.comparison.comparison import COST, Comparison
from pneumoscope.comparison.published import PRINTED, PUBLISHED
from pneumoscope.comparison.repeated_runs import AT_TARGET, ON_TUNE
from pneumoscope.comparison.summary import AGAINST, LUNG_SHARE, OF_CHANGES, OF_MAPS, Summary, subgroup_figures
from pneumoscope.statistics.estimate import Estimate
from pneumoscope.statistics.figure import Figure
from pneumoscope.statistics.formatting import MISSING, number
from pneumoscope.statistics.table import Table

DISCRIMINATION = (
    Figure.ROC_AUC, Figure.PR_AUC, Figure.ACCURACY, Figure.BALANCED_ACCURACY, Figure.F1, Figure.SENSITIVITY,
    Figure.SPECIFICITY, Figure.PPV, Figure.NPV, Figure.MCC, ON_TUNE,
)  # fmt: skip
CALIBRATION = (Figure.BRIER, Figure.ECE, Figure.CALIBRATION_SLOPE, Figure.CALIBRATION_INTERCEPT)
COSTS = (COST, "bundle, MB")
"""The costs that figures are plotted against."""
OF_TRUTH = (
    *OF_MAPS,
    f"{Figure.HIT}{AGAINST}",
    f"{Figure.PIXEL_AP}{AGAINST}",
    *(name for name in OF_CHANGES if "minus" in name),
)
"""Figures of the heat map that stand in one table with accuracy and cost."""
AT_TARGET_NOTE = "Each threshold meets its target on tune; both figures are measured on the test split."
CALIBRATION_NOTE = "Resampling increases an ECE, so that its interval lies above the value."
CHANGES_NOTE = (
    "Area under the calibrated probability, on at most {n} cases, while the pixels with the highest map values are removed "
    "(deletion: lower is better) or restored (insertion: higher is better), and the same minus that of the map with its blocks "
    "shuffled. If the probability hardly falls whatever is removed, deletion says little."
)
MAPS_NOTE = (
    "The lungs are those that the lung-field model finds. A map that is the same everywhere has as much of its energy in the "
    "lungs as the lungs have of the image. An evidence head is built to put its evidence inside these lungs, so a high value "
    "proves nothing."
)
SUBGROUPS_NOTE = (
    "Each at the member's own threshold. A subgroup of one class (bacterial pneumonia) is compared with all cases of the other "
    "class."
)
COMPONENTS_NOTE = (
    "Standard deviations (95 % intervals) of a figure of one training, tested on one test set; a dash is undefined. Patients: "
    "another sample of test patients. Seeds, on these patients: another seed on the same test patients. It has two parts: seeds, "
    "on all patients (what unlimited test patients would leave), and seeds × patients (trainings that are right on different "
    "patients). Folds: another training set, as far as those of the folds differ. The standard errors are of the mean over runs: "
    "from patients alone, as its interval has it, and from patients and training."
)
ONE_SEED_NOTE = (
    "There is one seed, so the randomness of training is {}; use --seeds 3 or more. A difference between two members may be a "
    "difference between two seeds."
)
POWER_NOTE = (
    "What the tests can show with these patients: that of the difference of ROC-AUC by its own standard error, McNemar's by the "
    "patients on whom the two differ (normal approximation; a dash where these are too few for any p value below the level). "
    "Two-sided at 0.05, for one planned test and for all tests (0.05 divided by their number; Holm's adjustment detects at least "
    "as much). The numbers help to plan a study. The power at the observed difference is left out: it only repeats the p value "
    "(Hoenig & Heisey 2001)."
)
COSTS_NOTE = (
    "Milliseconds per radiograph, one at a time, with all networks in turns: the network on its input without and with its map, "
    "and a whole reading (resize, lung fields, network, findings). Training times include the effect of whatever else ran on the "
    "machine."
)


@dataclass(frozen=True)
class Section:
    """A table with its title.

    Parameters
    ----------
    title
        Heading.
    note
        How to read the table; may be empty.
    table
        The table.
    """

    title: str
    note: str
    table: Table


def sections(comparison: Comparison, intervened: int) -> list[Section]:
    """Make the tables of all members.

    Parameters
    ----------
    comparison
        The comparison.
    intervened
        Number of cases on which it was measured whether the score follows the map; 0 leaves that table out.

    Returns
    -------
    list[Section]
        In the order of the page.
    """
    within = subgroup_figures(comparison.first_seed)
    changes = Section(
        "Does the score follow the heat map?", CHANGES_NOTE.format(n=intervened), figure_table(comparison, OF_CHANGES)
    )
    return [
        Section("Accuracy, truthfulness of the map and cost", "", _overview(comparison)),
        Section("Discrimination and decisions", "", figure_table(comparison, DISCRIMINATION)),
        Section("Variance components", _components_note(comparison), component_table(comparison)),
        Section("At other thresholds, fixed on tune", AT_TARGET_NOTE, figure_table(comparison, tuple(AT_TARGET))),
        Section("Calibration", CALIBRATION_NOTE, figure_table(comparison, CALIBRATION)),
        *([Section("Subgroups", SUBGROUPS_NOTE, figure_table(comparison, within))] if within else []),
        Section("Where the heat map lies, cases with the target", MAPS_NOTE, figure_table(comparison, (*OF_MAPS, LUNG_SHARE))),
        *([changes] if intervened else []),
        Section("Cost", COSTS_NOTE, _cost_table(comparison)),
    ]


def component_table(comparison: Comparison) -> Table:
    """Make the table of variance components.

    Parameters
    ----------
    comparison
        The comparison.

    Returns
    -------
    Table
        A line for each member and each of a few figures.
    """
    return tables.of_components(comparison.components, comparison.order, (Figure.ROC_AUC, Figure.ACCURACY, Figure.F1))


def _components_note(comparison: Comparison) -> str:
    note = COMPONENTS_NOTE
    if len(comparison.plan.seeds) == 1:
        return f"{note} {ONE_SEED_NOTE.format('part of the folds' if comparison.plan.folds else 'not known')}"
    best = comparison.best_network
    own = comparison.components[best][Figure.ROC_AUC]
    if not own.observed_seeds.defined:
        return note
    seeds = number(math.sqrt(own.observed_seeds.value))
    return (
        f"{note} ROC-AUC of {best}: the standard deviation between seeds is {seeds}; the standard error is "
        f"{number(own.error_of_patients)} from patients alone and {number(own.error)} with training."
    )


def power_note(comparison: Comparison) -> str:
    """Say what the paired tests can show with these patients.

    Parameters
    ----------
    comparison
        The comparison.

    Returns
    -------
    str
        Plain sentences; empty without pairs.
    """
    known = [one.power for one in comparison.powers if not one.power.reason]
    if not known:
        return POWER_NOTE if comparison.powers else ""
    alone = _span([number(p.detectable_alone) for p in known])
    together = _span([number(p.detectable) for p in known])
    several = f", and each of {known[0].tests} tests one of {together}" if known[0].tests > 1 else ""
    chance = _span([number(p.power_alone, decimals=2) for p in known])
    return (
        f"{POWER_NOTE} With {comparison.sizes['patients']:,} patients one planned test detects a true difference of ROC-AUC of "
        f"{alone} with a power of 80 %{several}. A true difference of {comparison.margin:g} is "
        f"detected with a power of {chance} by one planned test."
    )


def _span(texts: Sequence[str]) -> str:
    low, high = min(texts, key=float), max(texts, key=float)
    return low if low == high else f"{low} to {high} (by pair)"


def values(comparison: Comparison, figure: str) -> dict[str, float]:
    """Collect one figure of the networks.

    Parameters
    ----------
    comparison
        The comparison.
    figure
        Name of the figure.

    Returns
    -------
    dict[str, float]
        By network, without those whose figure is undefined.
    """
    known = {name: own[figure].value for name, own in comparison.summary.items() if name in comparison.costs and figure in own}
    return {name: value for name, value in known.items() if not math.isnan(value)}


def figure_table(comparison: Comparison, figures: Sequence[str]) -> Table:
    """Make a table of some figures.

    Parameters
    ----------
    comparison
        The comparison.
    figures
        Names of the figures, one column each.

    Returns
    -------
    Table
        A line for each member, from the highest ROC-AUC to the lowest; a dash where it has no such figure.
    """
    return Table.of(
        ("", *figures),
        [[name, *(str(comparison.summary[name].get(f, MISSING)) for f in figures)] for name in comparison.order],
    )


def _overview(comparison: Comparison) -> Table:
    """Accuracy, cost and truthfulness of the map; below the networks the uninformed baselines."""
    accuracy = (Figure.ROC_AUC, Figure.F1)
    of_truth = [name for name in OF_TRUTH if any(name in own for own in comparison.summary.values())]
    rows = []
    for name in comparison.order:
        own, costs = comparison.summary[name], comparison.costs.get(name)
        cost_cells = [_short(costs[cost]) if costs else MISSING for cost in COSTS]
        rows.append([name, *(str(own[f]) for f in accuracy), *cost_cells, *(str(own.get(f, MISSING)) for f in of_truth)])
    for rule, baseline in _uninformed(comparison).items():
        cells = [str(baseline[f]) if f in baseline else MISSING for f in of_truth]
        if set(cells) != {MISSING}:
            rows.append([rule, *[MISSING] * (len(accuracy) + len(COSTS)), *cells])
    return Table.of(("", *accuracy, *COSTS, *of_truth), rows)


def _uninformed(comparison: Comparison) -> dict[str, Mapping[str, Estimate | Summary]]:
    """Figures of uninformed baselines, by the name of the baseline."""
    share = comparison.summary[comparison.best_network].get(LUNG_SHARE)
    baselines: dict[str, Mapping[str, Estimate | Summary]] = {}
    if share:
        baselines[f"{tables.UNINFORMED}the same everywhere"] = {Figure.ENERGY_IN_LUNGS: share}
    return {**baselines, **tables.uninformed_figures(comparison.first_seed)}


def best_uninformed(comparison: Comparison) -> dict[str, float]:
    """Find the best value of any uninformed baseline.

    Parameters
    ----------
    comparison
        The comparison.

    Returns
    -------
    dict[str, float]
        By figure; figures from which the shuffled map's was subtracted start at 0.
    """
    best = {name: 0.0 for name in OF_TRUTH if "minus" in name}
    for baseline in _uninformed(comparison).values():
        for figure, estimate in baseline.items():
            best[figure] = max(estimate.value, best.get(figure, -math.inf))
    return best


def _cost_table(comparison: Comparison) -> Table:
    names = [name for name in comparison.order if name in comparison.costs]
    costs = list(comparison.costs[names[0]])
    return Table.of(("", *costs), [[name, *(_short(comparison.costs[name][cost]) for cost in costs)] for name in names])


def published(comparison: Comparison) -> Table:
    """Make a table of published figures next to the same figures of the comparison.

    Parameters
    ----------
    comparison
        The comparison.

    Returns
    -------
    Table
        A line for each backbone whose figures were published.
    """
    head = ("", *(cell for figure in PRINTED for cell in (f"{figure}, published", "here")))
    rows = []
    for name in comparison.order:
        if name in PUBLISHED:
            printed, own = PUBLISHED[name].printed, comparison.summary[name]
            rows.append([name, *(cell for figure in PRINTED for cell in (printed[figure], str(own[figure])))])
    return Table.of(head, rows)


def _short(value: float) -> str:
    if math.isnan(value):
        return MISSING
    return f"{value:,.0f}" if value == int(value) else f"{value:,.1f}" if value >= 10 else f"{value:.2f}"
