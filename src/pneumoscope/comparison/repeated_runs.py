"""The figures of a member over folds and seeds, all of them on the same bootstrap draws of patients."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pneumoscope.evaluation import Predictions
from pneumoscope.evaluation.evaluation import DECISION, DENOMINATOR, PROBABILITY, RANKING, subgroup_rows
from pneumoscope.experiment.compared_model import ComparedModel
from pneumoscope.experiment.errors import ComparisonError
from pneumoscope.statistics import metrics
from pneumoscope.statistics.calibration_measures import calibration_line
from pneumoscope.statistics.figure import Figure
from pneumoscope.statistics.intervals import over_draws, patient_weights
from pneumoscope.statistics.metrics import Array, Metric
from pneumoscope.statistics.repeated_figure import RepeatedFigure

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
WITHIN = ", "
"""What stands between a figure and the subgroup that it is of."""
_LINE = (Figure.CALIBRATION_SLOPE, Figure.CALIBRATION_INTERCEPT)
Names = tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Measure:
    """How figures of one training are computed on cases of a split.

    Parameters
    ----------
    metric
        Returns a figure, or several along the last axis.
    reference, prediction
        Of the cases, shape (n,).
    share_of
        The cases of the denominator, shape (n,), where the figure is a share of cases.
    cases
        Indices of the cases in the rows of the split, shape (n,); None for all rows.
    """

    metric: Metric
    reference: Array
    prediction: Array
    share_of: NDArray[np.bool_] | None = None
    cases: NDArray[np.intp] | None = None


@dataclass(frozen=True, eq=False)
class _Drawn:
    """A figure of one training."""

    value: float
    drawn: Array
    patients: int
    share: bool


def repeated_figures(
    members: Sequence[ComparedModel], draws: int, only: Collection[str] | None = None
) -> dict[str, RepeatedFigure]:
    """Evaluate the figures of a member in every fold and seed on the same draws of patients.

    Patients are drawn once within each fold, with all of their images; all seeds, and all members of a comparison, are
    evaluated on the same draws.

    Parameters
    ----------
    members
        The runs of one member.
    draws
        Bootstrap draws of patients.
    only
        Names of the wanted figures; None computes all that come from predictions.

    Returns
    -------
    dict[str, RepeatedFigure]
        By name; without figures that a run lacks, as it has no case of a subgroup.

    Raises
    ------
    ComparisonError
        If a seed lacks a fold, or two seeds of a fold were not tested on the same cases.
    """
    grid = _grid(members)
    wanted = None if only is None else frozenset(only)
    of_test = _figures(grid, [row[0].test for row in grid], measures_of_test, draws, wanted)
    return of_test | _figures(grid, [row[0].tune for row in grid], measures_of_tune, draws, wanted)


def measures_of_test(member: ComparedModel) -> dict[Names, Measure]:
    """List the figures of the test split that come from predictions.

    Parameters
    ----------
    member
        One run.

    Returns
    -------
    dict[Names, Measure]
        By the names of the figures.
    """
    test, decisions = member.test, member.decisions
    reference, probability = test.reference, test.probability
    ranked: Mapping[Figure, Metric] = {**RANKING, **PROBABILITY}
    measures: dict[Names, Measure] = {(name,): Measure(of, reference, probability) for name, of in ranked.items()}
    measures[_LINE] = Measure(_calibration_line, reference, probability)
    measures |= {(name,): _decided(name, reference, decisions) for name in DECISION}
    thresholds = {point.rule: point.threshold for point in test.operating_points}
    for name, (rule, figure) in AT_TARGET.items():
        measures[(name,)] = _decided(figure, reference, (probability >= thresholds[rule]).astype(float))
    index = {row.path: k for k, row in enumerate(test.rows)}
    for group, rows in subgroup_rows(test, "subtype").items():
        part = np.array([index[row.path] for row in rows])
        measures[(f"{Figure.ROC_AUC}{WITHIN}{group}",)] = Measure(metrics.roc_auc, reference[part], probability[part], None, part)
        decided = _decided(Figure.SENSITIVITY, reference[part], decisions[part], part)
        measures[(f"{Figure.SENSITIVITY}{WITHIN}{group}",)] = decided
    return measures


def measures_of_tune(member: ComparedModel) -> dict[Names, Measure]:
    """List the figures of the tune split.

    Parameters
    ----------
    member
        One run.

    Returns
    -------
    dict[Names, Measure]
        By the names of the figures.
    """
    tune = member.tune
    return {(ON_TUNE,): Measure(metrics.roc_auc, tune.reference, tune.probability)}


def _decided(figure: Figure, reference: Array, decisions: Array, cases: NDArray[np.intp] | None = None) -> Measure:
    denominator = DENOMINATOR.get(figure)
    return Measure(DECISION[figure], reference, decisions, denominator(reference, decisions) if denominator else None, cases)


def _calibration_line(reference: Array, probability: Array, weights: Array | None = None) -> Array:
    """Slope and intercept along the last axis."""
    return np.stack(calibration_line(reference, probability, weights), -1)


def _grid(members: Sequence[ComparedModel]) -> list[list[ComparedModel]]:
    """The runs of a member by fold and seed."""
    runs = {(member.fold, member.seed): member for member in members}
    folds, seeds = sorted({fold for fold, _ in runs}), [*dict.fromkeys(member.seed for member in members)]
    if missing := [f"fold {fold} of seed {seed}" for seed in seeds for fold in folds if (fold, seed) not in runs]:
        raise ComparisonError(f"'{members[0].name}' lacks {missing[0]}; run the comparison again to finish it")
    grid = [[runs[fold, seed] for seed in seeds] for fold in folds]
    for row in grid:
        if any(_cases(member.test) != _cases(row[0].test) or _cases(member.tune) != _cases(row[0].tune) for member in row):
            raise ComparisonError(
                f"two seeds of '{row[0].name}' were not tested on the same cases in the same order; measure both again"
            )
    return grid


def _cases(predictions: Predictions) -> list[tuple[str, str, int]]:
    return [(row.path, row.patient_id, row.reference) for row in predictions.rows]


def _figures(
    grid: list[list[ComparedModel]],
    splits: list[Predictions],
    measures: Callable[[ComparedModel], dict[Names, Measure]],
    draws: int,
    wanted: frozenset[str] | None,
) -> dict[str, RepeatedFigure]:
    weights = _weights(splits, draws)
    patients = [np.array(split.patients) for split in splits]
    cells = [[_drawn(measures(member), weights[k], patients[k], wanted) for member in row] for k, row in enumerate(grid)]
    in_all = [name for name in cells[0][0] if all(name in cell for row in cells for cell in row)]
    return {name: _repeated([[cell[name] for cell in row] for row in cells]) for name in in_all}


def _weights(splits: list[Predictions], draws: int) -> list[Array]:
    """The draws of each fold, as `pairwise.pairs` takes them."""
    patients = [patient for split in splits for patient in split.patients]
    sizes = [len(split.rows) for split in splits]
    folds = np.repeat(np.arange(len(splits)), sizes) if len(splits) > 1 else None
    return np.split(patient_weights(patients, draws, 0, folds=folds), np.cumsum(sizes)[:-1], axis=1)


def _drawn(
    measures: Mapping[Names, Measure], weights: Array, patients: NDArray[np.str_], wanted: frozenset[str] | None
) -> dict[str, _Drawn]:
    figures: dict[str, _Drawn] = {}
    for names, m in measures.items():
        if wanted is not None and not wanted & set(names):
            continue
        own, who = (weights, patients) if m.cases is None else (weights[:, m.cases], patients[m.cases])
        values = np.atleast_1d(m.metric(m.reference, m.prediction))
        drawn = over_draws(m.metric, m.reference, m.prediction, own).reshape(len(weights), len(names))
        n, share = len(np.unique(who if m.share_of is None else who[m.share_of])), m.share_of is not None
        figures |= {name: _Drawn(float(values[k]), drawn[:, k], n, share) for k, name in enumerate(names)}
    return figures


def _repeated(cells: list[list[_Drawn]]) -> RepeatedFigure:
    return RepeatedFigure(
        np.array([[cell.value for cell in row] for row in cells]),
        np.array([[cell.drawn for cell in row] for row in cells]),
        np.array([[cell.patients for cell in row] for row in cells]),
        cells[0][0].share,
    )
