"""Paired tests of every two members on the same cases, and the members that the tests cannot separate."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pneumoscope.experiment.compared_model import ComparedModel
from pneumoscope.experiment.errors import ComparisonError
from pneumoscope.statistics import metrics, paired
from pneumoscope.statistics.estimate import Estimate
from pneumoscope.statistics.figure import Figure
from pneumoscope.statistics.intervals import patient_weights
from pneumoscope.statistics.metrics import Array, Metric
from pneumoscope.statistics.paired import Draws

LEVEL = 0.05
"""Significance level of the paired tests after Holm's adjustment."""
_OF_PROBABILITIES: Mapping[Figure, Metric] = {Figure.ROC_AUC: metrics.roc_auc, Figure.BRIER: metrics.brier}
_OF_DECISIONS: Mapping[Figure, Metric] = {
    Figure.ACCURACY: metrics.accuracy,
    Figure.F1: metrics.f1,
    Figure.SENSITIVITY: metrics.sensitivity,
    Figure.SPECIFICITY: metrics.specificity,
}


@dataclass(frozen=True)
class Pair:
    """Two members compared on the same cases, first minus second.

    Parameters
    ----------
    first, second
        Names of the members.
    roc_auc
        Difference of ROC-AUC with DeLong's interval, clustered by patient; over folds the mean of the folds' differences.
    p, adjusted
        p value of that test, and after Holm's adjustment over all pairs.
    bootstrap
        Differences by figure, by a bootstrap over patients, within folds if there are any.
    mcnemar, mcnemar_adjusted
        p value that both decide rightly equally often, and after Holm's adjustment.
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
class TestedMember:
    """A member on all test cases of a seed, those of its folds one after the other.

    Parameters
    ----------
    name
        Of the member.
    reference
        Shape (n,), 0 or 1.
    probability
        Calibrated probability, shape (n,), in [0, 1].
    decisions
        At the member's own threshold, of each fold its own; shape (n,), 0 or 1.
    patients
        The patient of each case.
    folds
        The fold of each case, shape (n,); None without cross-validation.
    """

    __test__ = False  # pytest would collect a class of this name

    name: str
    reference: Array
    probability: Array
    decisions: Array
    patients: tuple[str, ...]
    folds: NDArray[np.int64] | None


def tested_members(members: Sequence[ComparedModel]) -> list[TestedMember]:
    """Join the folds of each member of one seed.

    Parameters
    ----------
    members
        Members of one seed.

    Returns
    -------
    list[TestedMember]
        One for each name, in the order of the names; all with the same cases in the same order.

    Raises
    ------
    ComparisonError
        If two members were not tested on the same cases.
    """
    runs = {name: sorted((m for m in members if m.name == name), key=lambda m: m.fold) for name in _names(members)}
    cases = {name: [(m.fold, r.path, r.patient_id, r.reference) for m in own for r in m.test.rows] for name, own in runs.items()}
    first, *others = runs
    if other := next((name for name in others if cases[name] != cases[first]), ""):
        raise ComparisonError(f"'{first}' and '{other}' were not tested on the same cases in the same order; measure both again")
    return [_joined(name, own) for name, own in runs.items()]


def _names(members: Sequence[ComparedModel]) -> list[str]:
    return [*dict.fromkeys(member.name for member in members)]


def _joined(name: str, runs: Sequence[ComparedModel]) -> TestedMember:
    folded = len(runs) > 1
    return TestedMember(
        name,
        np.concatenate([run.test.reference for run in runs]),
        np.concatenate([run.test.probability for run in runs]),
        np.concatenate([run.decisions for run in runs]),
        tuple(patient for run in runs for patient in run.test.patients),
        np.repeat([run.fold for run in runs], [len(run.test.rows) for run in runs]) if folded else None,
    )


def pairs(members: Sequence[ComparedModel], draws: int) -> list[Pair]:
    """Test every two members.

    Parameters
    ----------
    members
        Members of one seed.
    draws
        Bootstrap draws of patients.

    Returns
    -------
    list[Pair]
        Every pair once; empty with fewer than two members.

    Raises
    ------
    ComparisonError
        If two members were not tested on the same cases.
    """
    tested = tested_members(members)
    both = list(itertools.combinations(tested, 2))
    if not both:
        return []
    weights = patient_weights(tested[0].patients, draws, np.random.default_rng(0), folds=tested[0].folds)
    draws_of = {member.name: _draws(member, weights) for member in tested}
    delong = [paired.delong(a.reference, a.probability, b.probability, a.patients, folds=a.folds) for a, b in both]
    mcnemar = [paired.mcnemar(a.reference, a.decisions, b.decisions, a.patients) for a, b in both]
    adjusted, mcnemar_adjusted = paired.holm([test.p for test in delong]), paired.holm(mcnemar)
    return [
        Pair(
            a.name,
            b.name,
            test.difference,
            test.p,
            adjusted[k],
            {name: paired.difference(own, draws_of[b.name][name], a.patients) for name, own in draws_of[a.name].items()},
            mcnemar[k],
            mcnemar_adjusted[k],
        )
        for k, ((a, b), test) in enumerate(zip(both, delong, strict=True))
    ]


def _draws(member: TestedMember, weights: Array) -> dict[str, Draws]:
    """The compared figures in every draw. Counts and squares are summed over folds; ranks are taken within each fold alone."""
    ranking = metrics.roc_auc if member.folds is None else metrics.mean_over_folds(metrics.roc_auc, member.folds)
    of_probabilities = {**_OF_PROBABILITIES, Figure.ROC_AUC: ranking}
    columns = ((of_probabilities, member.probability), (_OF_DECISIONS, member.decisions))
    return {
        name: paired.draws_of(metric, member.reference, column, weights)
        for measures, column in columns
        for name, metric in measures.items()
    }


def inseparable_runs(names: Sequence[str], tested: Sequence[Pair], level: float = LEVEL) -> list[tuple[str, ...]]:
    """Find runs of neighbouring members of which no two differ: the bars of a critical-difference diagram.

    Parameters
    ----------
    names
        Members from best to worst.
    tested
        Their pairs; a pair without a p value does not count as different.
    level
        Two members differ if their adjusted p value of ROC-AUC is below it.

    Returns
    -------
    list[tuple[str, ...]]
        Runs of two or more members that lie in no longer run.

    References
    ----------
    Demšar 2006, Journal of Machine Learning Research 7:1.
    """
    different = {frozenset((pair.first, pair.second)) for pair in tested if pair.adjusted < level}
    runs: list[tuple[str, ...]] = []
    for start in range(len(names)):
        end = start + 1
        while end < len(names) and not any(frozenset((names[end], other)) in different for other in names[start:end]):
            end += 1
        run = tuple(names[start:end])
        if len(run) > 1 and not any(set(run) <= set(longer) for longer in runs):
            runs.append(run)
    return runs
