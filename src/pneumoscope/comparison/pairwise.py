"""Every pair of members, tested on the same cases, and which of them cannot be told apart."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pneumoscope.experiment.compared_model import ComparedModel
from pneumoscope.statistics import metrics, paired
from pneumoscope.statistics.estimate import Estimate
from pneumoscope.statistics.intervals import patient_weights
from pneumoscope.statistics.metrics import Array
from pneumoscope.statistics.paired import Drawn

LEVEL = 0.05


@dataclass(frozen=True)
class Pair:
    """Two members, by name: first minus second, with p values as they are and adjusted for being so many (Holm).

    Attributes
    ----------
    roc_auc: difference with DeLong's interval, clustered by patient; p, adjusted: of that test.
    bootstrap: differences by figure, by a bootstrap over patients.
    mcnemar, mcnemar_adjusted: p values that both decide rightly equally often.
    """

    first: str
    second: str
    roc_auc: Estimate
    p: float
    adjusted: float
    bootstrap: Mapping[str, Estimate]
    mcnemar: float
    mcnemar_adjusted: float


@dataclass(frozen=True, eq=False)
class Pooled:
    """A member's test cases over all folds of a seed."""

    name: str
    reference: Array
    probability: Array
    decisions: Array
    patients: tuple[str, ...]


def pooled(members: Sequence[ComparedModel]) -> list[Pooled]:
    """By name, in their order; cases of folds one after the other."""
    found = []
    for name in dict.fromkeys(m.name for m in members):
        own = sorted((m for m in members if m.name == name), key=lambda m: m.fold)
        found.append(
            Pooled(
                name,
                np.concatenate([m.test.reference for m in own]),
                np.concatenate([m.test.probability for m in own]),
                np.concatenate([m.decisions for m in own]),
                tuple(p for m in own for p in m.test.patients),
            )
        )
    return found


def pairs(members: Sequence[ComparedModel], draws: int) -> list[Pair]:
    """Every pair of members, which all belong to one seed."""
    all_of = pooled(members)
    both = list(itertools.combinations(all_of, 2))
    if not both:
        return []
    weights = patient_weights(all_of[0].patients, draws, np.random.default_rng(0))
    drawn = {member.name: _drawn(member, weights) for member in all_of}
    tests = [paired.delong(a.reference, a.probability, b.probability, a.patients) for a, b in both]
    right = [paired.mcnemar(a.reference, a.decisions, b.decisions, a.patients) for a, b in both]
    adjusted = [paired.holm([t.p for t in tests]), paired.holm(right)]
    return [
        Pair(
            a.name,
            b.name,
            test.difference,
            test.p,
            adjusted[0][k],
            {name: paired.difference(own, drawn[b.name][name], a.patients) for name, own in drawn[a.name].items()},
            right[k],
            adjusted[1][k],
        )
        for k, ((a, b), test) in enumerate(zip(both, tests, strict=True))
    ]


def _drawn(member: Pooled, weights: Array) -> dict[str, Drawn]:
    ranking = {"ROC-AUC": metrics.roc_auc, "Brier": metrics.brier}
    deciding = {
        "accuracy": metrics.accuracy,
        "F1": metrics.f1,
        "sensitivity": metrics.sensitivity,
        "specificity": metrics.specificity,
    }
    found = {name: paired.drawn(metric, member.reference, member.probability, weights) for name, metric in ranking.items()}
    return found | {name: paired.drawn(metric, member.reference, member.decisions, weights) for name, metric in deciding.items()}


def not_told_apart(names: Sequence[str], tested: Sequence[Pair], level: float = LEVEL) -> list[tuple[str, ...]]:
    """Runs of members, given from best to worst, of which no two differ: the bars of a critical-difference diagram.

    A pair differs if its adjusted p value of ROC-AUC is below `level`; one without a p value does not. Runs within a longer run
    are left out, and so are those of one.
    """
    apart = {frozenset((pair.first, pair.second)) for pair in tested if pair.adjusted < level}
    runs: list[tuple[str, ...]] = []
    for start in range(len(names)):
        end = start + 1
        while end < len(names) and not any(frozenset((names[end], other)) in apart for other in names[start:end]):
            end += 1
        run = tuple(names[start:end])
        if len(run) > 1 and not any(set(run) <= set(longer) for longer in runs):
            runs.append(run)
    return runs
