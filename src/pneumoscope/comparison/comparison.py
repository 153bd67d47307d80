"""The noun `Comparison`: the members of an experiment next to each other."""

import dataclasses
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

from pneumoscope.cohort.case import positives_by_rule
from pneumoscope.cohort.shortcut_features import features
from pneumoscope.comparison import map_agreement, other_comparisons
from pneumoscope.comparison.map_agreement import Agreement
from pneumoscope.comparison.other_comparisons import Against, Other
from pneumoscope.comparison.pairwise import Pair, inseparable_runs, pairs, tested_members
from pneumoscope.comparison.repeated_runs import ON_TUNE
from pneumoscope.comparison.summary import Summary, costs_of, summaries
from pneumoscope.comparison.uncertainty import PairPower, components, patients_ratio, powers
from pneumoscope.evaluation import shortcut_baseline
from pneumoscope.evaluation.errors import EvaluationError
from pneumoscope.experiment.cached_measurement import cached
from pneumoscope.experiment.compared_model import ComparedModel
from pneumoscope.experiment.experiment import Experiment
from pneumoscope.experiment.plan import Plan
from pneumoscope.experiment.workspace import BUNDLE
from pneumoscope.radiograph.acceptance import MARK_ALL
from pneumoscope.reader import Reader
from pneumoscope.statistics.estimate import Estimate, from_json
from pneumoscope.statistics.figure import Figure
from pneumoscope.statistics.superiority import non_inferior
from pneumoscope.statistics.variance_components import VarianceComponents

COST = "score and map ms"
"""The cost by which the best trade-off is the cheapest."""
MARGIN = 0.005
"""The loss of ROC-AUC that does not matter, by default."""
SHORTCUTS_NAME = "shortcuts.json"


@dataclass(frozen=True, eq=False)
class Comparison:
    """The members of an experiment next to each other.

    Parameters
    ----------
    plan
        Of the experiment.
    members
        Every run, ensembles included.
    summary, costs
        By member and figure, and by network and cost.
    tested
        Paired tests of every two members, over all folds and seeds.
    agreed
        How far the heat maps of every two networks agree, of the first run of each.
    shortcuts
        ROC-AUC on the whole cohort of classifiers that never see a lung; empty if they could not be measured.
    no_shortcuts
        Why they could not be measured.
    order
        Members from the highest ROC-AUC to the lowest.
    margin
        The loss of ROC-AUC that does not matter when the best trade-off is chosen, above 0.
    against
        Networks compared with themselves in other comparisons.
    left_out
        Why a backbone could not be finished, one sentence each.
    components
        Where the variance of the figures comes from, by member and figure.
    """

    plan: Plan
    members: tuple[ComparedModel, ...]
    summary: Mapping[str, Mapping[str, Summary]]
    costs: Mapping[str, Mapping[str, float]]
    tested: tuple[Pair, ...]
    agreed: tuple[Agreement, ...]
    shortcuts: Mapping[str, Estimate]
    no_shortcuts: str
    order: tuple[str, ...]
    margin: float = MARGIN
    against: tuple[Against, ...] = ()
    left_out: tuple[str, ...] = ()
    components: Mapping[str, Mapping[str, VarianceComponents]] = field(default_factory=dict)

    @property
    def powers(self) -> list[PairPower]:
        """What the test of each pair can show with these patients, for a difference of `margin`."""
        return powers(self.tested, self.margin)

    @property
    def inseparable(self) -> list[tuple[str, ...]]:
        """Runs of members of which no two differ in ROC-AUC."""
        return inseparable_runs(self.order, self.tested)

    @property
    def best_network(self) -> str:
        """The network of the highest ROC-AUC; an ensemble has no cost of its own."""
        return next(name for name in self.order if name in self.costs)

    @property
    def trade_off(self) -> str:
        """The cheapest network, with its heat map, that is shown not to lose `margin` of ROC-AUC against the best network.

        Too little data to tell two networks apart never makes the cheaper one the best trade-off.
        """
        costs = {name: own[COST] for name, own in self.costs.items()}
        return cheapest_non_inferior(self.order, costs, [(p.first, p.second, p.roc_auc) for p in self.tested], self.margin)

    @property
    def chosen_on_tune(self) -> str:
        """The network of the highest ROC-AUC on tune: use this for model selection."""
        return max((name for name in self.order if name in self.costs), key=lambda name: self.summary[name][ON_TUNE].value)

    @cached_property
    def sizes(self) -> dict[str, int]:
        """Images, patients and positive images of the test split, of all folds together."""
        all_cases = tested_members(self.first_seed)[0]
        return {
            "images": len(all_cases.reference),
            "patients": len(set(all_cases.patients)),
            "positive": int(all_cases.reference.sum()),
        }

    @property
    def first_seed(self) -> list[ComparedModel]:
        """The members of the first seed."""
        return [member for member in self.members if member.seed == self.plan.seeds[0]]

    @property
    def several_runs(self) -> bool:
        """Whether a member stands for more than one run."""
        return len(self.plan.units) > len(self.plan.backbones)


def cheapest_non_inferior(
    order: Sequence[str], costs: Mapping[str, float], differences: Iterable[tuple[str, str, Estimate]], margin: float
) -> str:
    """Find the cheapest network that is shown to lose less than a margin against the best network.

    Parameters
    ----------
    order
        Members from the highest ROC-AUC to the lowest; those without a cost are no candidates.
    costs
        Cost by network.
    differences
        First and second member with the difference of ROC-AUC, first minus second.
    margin
        The loss that does not matter, above 0.

    Returns
    -------
    str
        Name of a network; the best one if no cheaper one is shown to lose little.
    """
    best = next(name for name in order if name in costs)
    enough = {best}
    for first, second, difference in differences:
        if first == best and non_inferior(-difference, margin):
            enough.add(second)
        if second == best and non_inferior(difference, margin):
            enough.add(first)
    return min((name for name in order if name in enough and name in costs), key=lambda name: costs[name])


def compare(experiment: Experiment, others: Mapping[str, Other] | None = None, *, margin: float = MARGIN) -> Comparison:
    """Compare the members of an experiment.

    Parameters
    ----------
    experiment
        A finished experiment.
    others
        Other finished comparisons by name, whose networks are tested against those of this one.
    margin
        The loss of ROC-AUC that does not matter when the best trade-off is chosen, above 0.

    Returns
    -------
    Comparison
        Summaries, paired tests, agreement of the heat maps, shortcut baselines.

    Raises
    ------
    ComparisonError
        If two members were not tested on the same cases.
    """
    plan, members, draws = experiment.plan, experiment.members, experiment.measurement.draws
    summary = summaries(members, draws)
    costs = costs_of(members, experiment.costs)
    order = sorted(summary, key=lambda name: -summary[name][Figure.ROC_AUC].value)
    shortcuts, no_shortcuts = _shortcuts(experiment)
    networks = [] if plan.folds else [member for member in experiment.first_seed if member.name in costs]
    return Comparison(
        plan,
        tuple(members),
        summary,
        costs,
        tuple(pairs(members, draws)),
        tuple(_agreements(experiment, [name for name in order if name in costs])),
        shortcuts,
        no_shortcuts,
        tuple(order),
        margin,
        tuple(other_comparisons.tested(networks, others or {})),
        tuple(experiment.left_out),
        components(members, draws, patients_ratio(experiment.cohorts.values())),
    )


def _agreements(experiment: Experiment, names: list[str]) -> list[Agreement]:
    """How far the heat maps of every two networks agree on the test split of the first run."""
    folders = experiment.workspace.first_folders(experiment.plan)
    readers = {name: Reader.load(folders[name] / BUNDLE, policy=MARK_ALL) for name in names}
    cases = positives_by_rule(experiment.cohort.on("test"), map_agreement.CASES)
    return map_agreement.agreements(
        readers, experiment.cohort, cases, experiment.measurement.draws, show_progress=experiment.workspace.show_progress
    )


def _shortcuts(experiment: Experiment) -> tuple[dict[str, Estimate], str]:
    """Shortcut baselines on the whole cohort, kept with the experiment; or why there are none."""
    cohort, draws, show = experiment.cohort, experiment.measurement.draws, experiment.workspace.show_progress
    lines = [f"{c.image} {c.patient_id} {c.reference} {c.file_bytes} {c.rows} {c.cols}" for c in cohort.cases]
    inputs = {"cases": hashlib.sha256("\n".join(lines).encode()).hexdigest(), "draws": draws}

    def measured() -> dict[str, Any]:
        try:
            audited = shortcut_baseline.audit(cohort, features(cohort, show_progress=show), draws=draws)
        except EvaluationError as error:
            return {"missing": str(error)}
        return {"estimates": {name: asdict(value) for name, value in audited.items()}}

    code = (
        "pneumoscope.evaluation.shortcut_baseline", "pneumoscope.cohort.shortcut_features", "pneumoscope.radiograph.container",
    )  # fmt: skip
    answer = cached(experiment.workspace.out / SHORTCUTS_NAME, "shortcut baselines", inputs, code, measured)
    return {name: from_json(value) for name, value in answer.get("estimates", {}).items()}, answer.get("missing", "")


def as_json(comparison: Comparison) -> dict[str, Any]:
    """Turn a comparison into a tree of plain values.

    Parameters
    ----------
    comparison
        The comparison.

    Returns
    -------
    dict[str, Any]
        All that the report says; an undefined figure is NaN, which `statistics.estimate.plain` makes None.
    """
    return {
        "conditions": comparison.plan.conditions(),
        "seeds": list(comparison.plan.seeds),
        "starts": dict(comparison.plan.starts),
        "test": comparison.sizes,
        "members": {name: {k: asdict(s) for k, s in figures.items()} for name, figures in comparison.summary.items()},
        "costs": {name: dict(own) for name, own in comparison.costs.items()},
        "pairs": [asdict(pair) for pair in comparison.tested],
        "variance components": {
            name: {figure: asdict(one) for figure, one in own.items()} for name, own in comparison.components.items()
        },
        "power": [asdict(pair) for pair in comparison.powers],
        "maps": [asdict(pair) for pair in comparison.agreed],
        "shortcuts": {name: asdict(value) for name, value in comparison.shortcuts.items()},
        "beside": [dataclasses.asdict(pair) for pair in comparison.against],
        "left out": list(comparison.left_out),
        "order": list(comparison.order),
        "inseparable": [list(run) for run in comparison.inseparable],
        "margin": comparison.margin,
        "trade-off": comparison.trade_off,
    }
