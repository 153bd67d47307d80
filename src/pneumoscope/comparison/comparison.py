"""The noun `Comparison`: what was compared, and what came out."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from pneumoscope.cohort import Cohort
from pneumoscope.cohort.case import positives_by_rule
from pneumoscope.cohort.shortcut_features import features
from pneumoscope.comparison import map_agreement, other_comparisons, tables
from pneumoscope.comparison.map_agreement import Agreement
from pneumoscope.comparison.other_comparisons import Against, Other
from pneumoscope.comparison.pairwise import LEVEL, Pair, inseparable_runs, pairs, tested_members
from pneumoscope.comparison.summary import ON_TUNE, Summary, estimate, of_costs, summaries
from pneumoscope.evaluation import shortcut_baseline
from pneumoscope.evaluation.errors import EvaluationError
from pneumoscope.experiment import cost
from pneumoscope.experiment.cached_json import kept
from pneumoscope.experiment.compared_model import ComparedModel
from pneumoscope.experiment.plan import Plan
from pneumoscope.experiment.run_settings import BUNDLE, RunSettings
from pneumoscope.reader import Reader
from pneumoscope.statistics.estimate import Estimate

TRADE = "score and map ms"
SHORTCUTS_NAME = "shortcuts.json"


@dataclass(frozen=True, eq=False)
class Comparison:
    """What was compared, and what came out.

    Attributes
    ----------
    members: every run, ensembles included.
    summary, costs: by name and figure.
    tested: pairs of the first seed's members.
    agreed: how far the maps of every pair agree, of the first run of each.
    shortcuts: ROC-AUC on the whole cohort of classifiers that never see a lung, by what they see; empty where it could not be
        measured, for which `no_shortcuts` says why.
    order: names from the highest ROC-AUC to the lowest.
    beside: networks against themselves in other comparisons.
    left_out: runs that could not be finished, each with the reason.
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
    beside: tuple[Against, ...] = ()
    left_out: tuple[str, ...] = ()

    @property
    def runs(self) -> list[tuple[str, ...]]:
        """Members that cannot be told apart by their ROC-AUC."""
        return inseparable_runs(self.order, self.tested)

    @property
    def trade_off(self) -> str:
        """The quickest network, with its map, that cannot be told from the best network by its ROC-AUC."""
        worse = {p.second if p.roc_auc.value > 0 else p.first for p in self._met if self.best_network in (p.first, p.second)}
        worse -= {self.best_network}  # of several runs the best by the mean may be the worse of a pair
        return tables.trade_off(self.order, worse, {name: own[TRADE] for name, own in self.costs.items()})

    @property
    def _met(self) -> list[Pair]:
        """Pairs that differ in their ROC-AUC."""
        return [pair for pair in self.tested if pair.adjusted < LEVEL]

    @property
    def best_network(self) -> str:
        """The network of the highest ROC-AUC: an ensemble has no cost of its own."""
        return next(name for name in self.order if name in self.costs)

    @property
    def chosen_on_tune(self) -> str:
        """The network of the highest ROC-AUC on tune, by which a model should be chosen."""
        return max((name for name in self.order if name in self.costs), key=lambda name: self.summary[name][ON_TUNE].value)

    @property
    def sizes(self) -> dict[str, int]:
        """Of the test side, all folds together."""
        all_of = tested_members(self.first)[0]
        return {
            "images": len(all_of.reference),
            "patients": len(set(all_of.patients)),
            "positive": int(all_of.reference.sum()),
        }

    @property
    def first(self) -> list[ComparedModel]:
        """The members of the first seed."""
        return [m for m in self.members if m.seed == self.plan.seeds[0]]

    @property
    def several(self) -> bool:
        """Whether a member stands for more than one run."""
        return len(self.plan.units) > len(self.plan.backbones)


def compare(
    plan: Plan, members: Sequence[ComparedModel], cohort: Cohort, place: RunSettings, others: Mapping[str, Other]
) -> Comparison:
    """Put members side by side; the costs are measured in turns, where that was not done before on this machine.

    `cohort` is that of the first run, on whose test side the maps are compared; `others` are comparisons to stand beside,
    by name.
    """
    first = [m for m in members if m.seed == plan.seeds[0]]
    summary = summaries(members, place.draws)
    bundles = {name: folder / BUNDLE for name, folder in place.first_folders(plan).items()}
    costs = of_costs(members, cost.costs(bundles, place.proof, place.out))
    order = sorted(summary, key=lambda name: -summary[name]["ROC-AUC"].value)
    readers = {name: Reader.load(bundles[name]) for name in order if name in bundles}
    cases = positives_by_rule(cohort.on("test"), map_agreement.CASES)
    agreed = map_agreement.agreements(readers, cohort, cases, place.draws, place.show_progress)
    shortcut = _shortcuts(cohort, place)
    tested = tuple(pairs(first, place.draws))
    alone = [] if plan.folds else [m for m in first if m.name in costs]
    return Comparison(
        plan,
        tuple(members),
        summary,
        costs,
        tested,
        tuple(agreed),
        *shortcut,
        tuple(order),
        tuple(other_comparisons.tested(alone, others)),
    )


def _shortcuts(cohort: Cohort, place: RunSettings) -> tuple[dict[str, Estimate], str]:
    """The audit of the whole cohort, kept with the comparison; or why there is none."""
    lines = [f"{c.image} {c.patient_id} {c.reference} {c.file_bytes} {c.rows} {c.cols}" for c in cohort.cases]
    asked = {"cases": hashlib.sha256("\n".join(lines).encode()).hexdigest(), "draws": place.draws}

    def measured() -> dict[str, Any]:
        try:
            seen = features(cohort, show_progress=place.show_progress)
            found = shortcut_baseline.audit(cohort, seen, draws=place.draws)
        except EvaluationError as error:
            return {"missing": str(error)}
        return {"found": {name: asdict(value) for name, value in found.items()}}

    told = kept(place.out / SHORTCUTS_NAME, asked, measured)
    return {name: estimate(value) for name, value in told.get("found", {}).items()}, told.get("missing", "")


def as_json(found: Comparison) -> dict[str, Any]:
    """All that the page says, as plain values; an undefined figure is NaN, which `plain` makes null."""
    return {
        "conditions": found.plan.conditions(),
        "seeds": list(found.plan.seeds),
        "starts": dict(found.plan.starts),
        "test": found.sizes,
        "members": {name: {k: asdict(s) for k, s in figures.items()} for name, figures in found.summary.items()},
        "costs": {name: dict(own) for name, own in found.costs.items()},
        "pairs": [asdict(pair) for pair in found.tested],
        "maps": [asdict(pair) for pair in found.agreed],
        "shortcuts": {name: asdict(value) for name, value in found.shortcuts.items()},
        "beside": [asdict(pair) for pair in found.beside],
        "left out": list(found.left_out),
        "order": list(found.order),
        "not told apart": [list(run) for run in found.runs],
        "trade-off": found.trade_off,
    }
