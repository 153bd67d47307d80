"""Paired tests of every two members on the same cases, and the members that the tests cannot separate."""

import dataclasses
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
from pneumoscope.statistics.power import SignPower, sign_power
from pneumoscope.statistics.repeated_figure import design

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
    """Two members compared on the same cases, first minus second; every figure is the mean over folds and seeds.

    Parameters
    ----------
    first, second
        Names of the members.
    roc_auc
        Difference of ROC-AUC with DeLong's interval, clustered by patient.
    p, adjusted
        p value of that test, and after Holm's adjustment over all pairs.
    bootstrap
        Differences by figure, by a bootstrap over patients within folds; both members and all seeds are evaluated on the same
        draws.
    mcnemar, mcnemar_adjusted
        p value that both decide rightly equally often, over all folds and seeds, and after Holm's adjustment.
    decisions
        What McNemar's test can show with these patients; None if it was not computed.
    """

    first: str
    second: str
    roc_auc: Estimate
    p: float
    adjusted: float
    bootstrap: Mapping[str, Estimate]
    mcnemar: float
    mcnemar_adjusted: float
    decisions: SignPower | None = None


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
        Members of all seeds.
    draws
        Bootstrap draws of patients.

    Returns
    -------
    list[Pair]
        Every pair once; empty with fewer than two members.

    Raises
    ------
    ComparisonError
        If two members, or two seeds, were not tested on the same cases.
    """
    both = list(itertools.combinations(_over_seeds(members), 2))
    if not both:
        return []
    cases = both[0][0].cases
    weights = patient_weights(cases.patients, draws, np.random.default_rng(0), folds=cases.folds)
    draws_of = {member.name: _draws(member, weights) for pair in both for member in pair}
    delong = [paired.delong(cases.reference, a.scores, b.scores, cases.patients, folds=cases.folds) for a, b in both]
    mcnemar = [_mcnemar(a, b) for a, b in both]
    adjusted, mcnemar_adjusted = paired.holm([test.p for test in delong]), paired.holm(mcnemar)
    return [
        Pair(
            a.name,
            b.name,
            test.difference,
            test.p,
            adjusted[k],
            {name: _difference(a, own, draws_of[b.name][name]) for name, own in draws_of[a.name].items()},
            mcnemar[k],
            mcnemar_adjusted[k],
            _sign_power(a, b, len(both)),
        )
        for k, ((a, b), test) in enumerate(zip(both, delong, strict=True))
    ]


@dataclass(frozen=True, eq=False)
class _MemberOverSeeds:
    """A member on all test cases, once for each seed."""

    seeds: tuple[TestedMember, ...]

    @property
    def name(self) -> str:
        return self.seeds[0].name

    @property
    def cases(self) -> TestedMember:
        """The first seed, which has the cases of all."""
        return self.seeds[0]

    @property
    def scores(self) -> Array:
        """Calibrated probabilities, shape (seeds, n)."""
        return np.stack([one.probability for one in self.seeds])

    @property
    def decisions(self) -> Array:
        """Decisions of all seeds one after the other, shape (seeds · n,)."""
        return np.concatenate([one.decisions for one in self.seeds])

    @property
    def references(self) -> Array:
        """The reference of each of `decisions`."""
        return np.tile(self.cases.reference, len(self.seeds))

    @property
    def patients(self) -> tuple[str, ...]:
        """The patient of each of `decisions`."""
        return self.cases.patients * len(self.seeds)


def _over_seeds(members: Sequence[ComparedModel]) -> list[_MemberOverSeeds]:
    seeds = dict.fromkeys(member.seed for member in members)
    tested = [tested_members([member for member in members if member.seed == seed]) for seed in seeds]
    if any([_cases(one) for one in own] != [_cases(one) for one in tested[0]] for own in tested):
        raise ComparisonError("two seeds were not tested on the same cases in the same order; measure all of them again")
    return [_MemberOverSeeds(own) for own in zip(*tested, strict=True)]


def _cases(member: TestedMember) -> tuple[object, ...]:
    folds = () if member.folds is None else tuple(member.folds.tolist())
    return member.name, member.patients, tuple(member.reference.tolist()), folds


def _mcnemar(first: _MemberOverSeeds, second: _MemberOverSeeds) -> float:
    """McNemar's test of the decisions of all seeds: a patient's surplus is its sum over seeds, and the patients stay as many."""
    return paired.mcnemar(first.references, first.decisions, second.decisions, first.patients)


def _sign_power(first: _MemberOverSeeds, second: _MemberOverSeeds, tests: int) -> SignPower:
    surplus = paired.surplus(first.references, first.decisions, second.decisions, first.patients)
    return sign_power(surplus, len(first.references), tests, LEVEL)


def _draws(member: _MemberOverSeeds, weights: Array) -> dict[str, Draws]:
    """The compared figures in every draw: within each fold, then the mean over folds and seeds."""
    figures: dict[str, Draws] = {}
    for measures, columns in (
        (_OF_PROBABILITIES, [one.probability for one in member.seeds]),
        (_OF_DECISIONS, [one.decisions for one in member.seeds]),
    ):
        for name, metric in measures.items():
            folds, reference = member.cases.folds, member.cases.reference
            within = metric if folds is None else metrics.mean_over_folds(metric, folds)
            figures[name] = _mean([paired.draws_of(within, reference, column, weights) for column in columns])
    return figures


def _difference(member: _MemberOverSeeds, first: Draws, second: Draws) -> Estimate:
    difference = paired.difference(first, second, member.cases.patients)
    folds = 1 if member.cases.folds is None else len(np.unique(member.cases.folds))
    return dataclasses.replace(difference, method=f"{difference.method}{design(folds, len(member.seeds))}")


def _mean(seeds: Sequence[Draws]) -> Draws:
    return Draws(float(np.mean([one.value for one in seeds])), np.asarray(np.mean([one.drawn for one in seeds], axis=0)))


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
