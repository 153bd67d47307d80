"""Where the variance of the members' figures comes from, and what the paired tests can show with these patients."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pneumoscope.cohort import Cohort
from pneumoscope.comparison.pairwise import LEVEL, Pair
from pneumoscope.comparison.repeated_runs import repeated_figures
from pneumoscope.experiment.compared_model import ComparedModel
from pneumoscope.statistics.figure import Figure
from pneumoscope.statistics.power import PairedPower, SignPower, paired_power
from pneumoscope.statistics.variance_components import VarianceComponents, variance_components

OF_COMPONENTS = (
    Figure.ROC_AUC, Figure.PR_AUC, Figure.ACCURACY, Figure.F1, Figure.SENSITIVITY, Figure.SPECIFICITY, Figure.BRIER,
)  # fmt: skip
"""The figures whose variance is divided into components."""
SOURCES: Mapping[str, str] = {
    "patients": "patients",
    "observed_seeds": "seeds, on these patients",
    "seeds": "seeds, on all patients",
    "seeds_patients": "seeds × patients",
    "folds": "folds",
}
"""The sources of variance in words, by the attribute of `VarianceComponents`."""


@dataclass(frozen=True)
class PairPower:
    """The power of the tests of one pair.

    Parameters
    ----------
    first, second
        Names of the members.
    power
        What the test of the difference of ROC-AUC can show.
    decisions
        What McNemar's test can show; None if it was not computed.
    """

    first: str
    second: str
    power: PairedPower
    decisions: SignPower | None


def components(members: Sequence[ComparedModel], draws: int, test_to_train: float) -> dict[str, dict[str, VarianceComponents]]:
    """Estimate the variance components of the members' figures.

    Parameters
    ----------
    members
        Every run.
    draws
        Bootstrap draws of patients.
    test_to_train
        Number of test patients over number of training patients of a fold.

    Returns
    -------
    dict[str, dict[str, VarianceComponents]]
        By member and figure.

    Raises
    ------
    ComparisonError
        If a seed lacks a fold, or two seeds of a fold were not tested on the same cases.
    """
    table: dict[str, dict[str, VarianceComponents]] = {}
    for name in dict.fromkeys(member.name for member in members):
        figures = repeated_figures([member for member in members if member.name == name], draws, OF_COMPONENTS)
        table[name] = {figure: variance_components(figures[figure], test_to_train) for figure in OF_COMPONENTS}
    return table


def patients_ratio(cohorts: Iterable[Cohort]) -> float:
    """Divide the number of test patients by the number of training patients of a fold.

    Parameters
    ----------
    cohorts
        The split cohort of every fold.

    Returns
    -------
    float
        Mean over the folds, above 0.
    """
    counts = [[len({case.patient_id for case in cohort.on(split)}) for split in ("test", "train")] for cohort in cohorts]
    return float(np.mean([test / train for test, train in counts]))


def powers(tested: Sequence[Pair], margin: float) -> list[PairPower]:
    """Compute the power of the tests of every pair.

    Parameters
    ----------
    tested
        Paired tests.
    margin
        The loss of ROC-AUC that does not matter, above 0.

    Returns
    -------
    list[PairPower]
        One for each pair; the tests that have a p value share the significance level.
    """
    tests = sum(not np.isnan(pair.p) for pair in tested)
    return [
        PairPower(pair.first, pair.second, paired_power(pair.roc_auc, margin, max(1, tests), LEVEL), pair.decisions)
        for pair in tested
    ]
