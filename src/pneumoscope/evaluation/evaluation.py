"""The noun `Evaluation`: every figure of a model on one part of a split, each with its interval."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pneumoscope.classifier import OperatingPoint
from pneumoscope.evaluation.errors import EvaluationError, TestedOnItselfError
from pneumoscope.evaluation.patient_groups import PatientGroup, patient_groups
from pneumoscope.evaluation.predictions import FittedOn, Prediction, Predictions
from pneumoscope.evaluation.training_overlap import TrainingOverlap, require_unseen
from pneumoscope.statistics import intervals, metrics
from pneumoscope.statistics.calibration_measures import calibration_line, expected_calibration_error
from pneumoscope.statistics.estimate import Estimate, undefined
from pneumoscope.statistics.figure import Figure
from pneumoscope.statistics.intervals import RandomSource
from pneumoscope.statistics.metrics import Array, Metric
from pneumoscope.statistics.patient_bootstrap import Bootstrap

RANKING: Mapping[Figure, Metric] = {Figure.ROC_AUC: metrics.roc_auc, Figure.PR_AUC: metrics.pr_auc}
"""Figures that need no threshold and no calibration."""
PROBABILITY: Mapping[Figure, Metric] = {Figure.BRIER: metrics.brier, Figure.ECE: expected_calibration_error}
"""Figures of the calibrated probability; the calibration line is fitted once for slope and intercept."""
DECISION: Mapping[Figure, Metric] = {
    Figure.ACCURACY: metrics.accuracy,
    Figure.BALANCED_ACCURACY: metrics.balanced_accuracy,
    Figure.SENSITIVITY: metrics.sensitivity,
    Figure.SPECIFICITY: metrics.specificity,
    Figure.PPV: metrics.ppv,
    Figure.NPV: metrics.npv,
    Figure.F1: metrics.f1,
    Figure.MCC: metrics.mcc,
}
"""Figures of decisions at the operating point."""
DENOMINATOR: Mapping[Figure, Callable[[Array, Array], NDArray[np.bool_]]] = {
    Figure.ACCURACY: lambda reference, positive: np.ones(len(reference), bool),
    Figure.SENSITIVITY: lambda reference, positive: reference == 1,
    Figure.SPECIFICITY: lambda reference, positive: reference == 0,
    Figure.PPV: lambda reference, positive: positive == 1,
    Figure.NPV: lambda reference, positive: positive == 0,
}
"""The cases that a share of cases is a share of."""


@dataclass(frozen=True)
class Evaluation:
    """The figures of a model on one part of a split.

    Parameters
    ----------
    model
        Name of the model.
    split, split_sha256
        The part under test and SHA-256 of the split.
    n_images, n_patients, n_positive
        Number of images, of patients, and of images with the target.
    operating_point
        The threshold of the decisions; None if it was fixed on the part under test.
    calibrated_on
        What the calibration was fitted on; None if the model has none, or if it was fitted on the part under test.
    figures
        Estimates by the name of the figure.
    confusion
        TN, FP, FN, TP at the operating point; None without one.
    subgroups
        Figures by the value of the subgroup's column.
    model_split_sha256
        SHA-256 of the split that the model was trained under; empty if not known.
    training_overlap
        How many of the cases the model was trained on.
    population
        Whose settings decided, in words; empty for a model that has the same settings for all patients.
    groups
        Figures by age band, sex and view position; empty if they were not asked for.
    """

    model: str
    split: str
    split_sha256: str
    n_images: int
    n_patients: int
    n_positive: int
    operating_point: OperatingPoint | None
    calibrated_on: FittedOn | None
    figures: Mapping[str, Estimate]
    confusion: tuple[int, int, int, int] | None
    subgroups: Mapping[str, Mapping[str, Estimate]]
    model_split_sha256: str = ""
    training_overlap: TrainingOverlap = field(default_factory=TrainingOverlap)
    population: str = ""
    groups: tuple[PatientGroup, ...] = ()


def evaluate(
    predictions: Predictions,
    *,
    rule: str | None = None,
    subgroup: str = "subtype",
    by: Sequence[str] = (),
    on_itself: Literal["refuse", "leave-out"] = "refuse",
    allow_training_patients: bool = False,
    draws: int = intervals.DRAWS,
    rng: RandomSource = 0,
) -> Evaluation:
    """Evaluate predictions at one of the model's operating points.

    Parameters
    ----------
    predictions
        Of both classes.
    rule
        The rule of the operating point, such as ``youden`` or ``specificity>=0.95``; None for the default.
    subgroup
        Column of the predictions whose values make subgroups.
    by
        What patients are grouped by: any of ``age``, ``sex`` and ``view`` (`patient_groups`).
    on_itself
        What to do if the threshold or the calibration was fitted on the part under test: refuse, or leave out the figures that
        need either.
    allow_training_patients
        Whether to evaluate predictions of cases that the model was trained on; the result says how many there are.
    draws
        Bootstrap draws of patients, at least 1.
    rng
        A generator or a seed of the bootstrap.

    Returns
    -------
    Evaluation
        Every figure with its 95 % interval.

    Raises
    ------
    TestedOnItselfError
        If the threshold or the calibration was fitted on the part under test and that is refused.
    TrainingPatientsError
        If the model was trained on a case and that is not allowed.
    EvaluationError
        If there is no prediction, only one class, a probability that is not finite, no such operating point or column, or no
        image has a known value in a column of `by`.
    """
    _check(predictions)
    require_unseen(predictions.training_overlap, predictions.model, allow=allow_training_patients)
    point, here = _point(predictions, rule), FittedOn(predictions.split, predictions.split_sha256)
    tested_on_itself = here in (FittedOn(point.split, point.split_sha256), predictions.calibrated_on, *predictions.fixed_on)
    if tested_on_itself and on_itself == "refuse":
        raise TestedOnItselfError(
            f"the threshold or the calibration of '{predictions.model}' was fitted on the {predictions.split} side, which is the "
            "side under test; evaluate another side"
        )
    seed = rng if isinstance(rng, int) else int(rng.integers(2**63))
    rows, threshold = predictions.rows, None if tested_on_itself else point.threshold
    boot = Bootstrap.of_patients(predictions.patients, draws, seed)
    evaluation = Evaluation(
        model=predictions.model,
        split=predictions.split,
        split_sha256=predictions.split_sha256,
        n_images=len(rows),
        n_patients=len(set(predictions.patients)),
        n_positive=int(predictions.reference.sum()),
        operating_point=None,
        calibrated_on=None,
        figures=_figures(rows, point, boot, RANKING),
        confusion=None,
        subgroups={},
        model_split_sha256=predictions.model_split_sha256,
        training_overlap=predictions.training_overlap,
        population=predictions.population,
        groups=tuple(group for column in by for group in patient_groups(predictions, column, threshold, boot)),
    )
    if tested_on_itself:
        return evaluation
    positive = _decisions(rows, point)
    return dataclasses.replace(
        evaluation,
        operating_point=point,
        calibrated_on=predictions.calibrated_on,
        figures={
            **evaluation.figures,
            **_figures(rows, point, boot, PROBABILITY),
            **_calibration_figures(predictions, boot),
            **_figures(rows, point, boot, DECISION),
        },
        confusion=_counts(metrics.confusion(predictions.reference, positive)),
        subgroups=_subgroups(predictions, subgroup, point, draws, seed),
    )


def _counts(values: tuple[Array, Array, Array, Array]) -> tuple[int, int, int, int]:
    tn, fp, fn, tp = (round(float(value)) for value in values)
    return tn, fp, fn, tp


def _check(predictions: Predictions) -> None:
    if not predictions.rows:
        raise EvaluationError("there is no prediction to evaluate; give predictions of a part of a split that has cases")
    if len({row.reference for row in predictions.rows}) < 2:
        raise EvaluationError(f"the {predictions.split} side holds one class only; a ROC curve needs cases of both")
    if wrong := int((~np.isfinite(predictions.probability)).sum()):
        raise EvaluationError(
            f"{wrong} of {len(predictions.rows)} predictions have a probability that is not a finite number; "
            "evaluate the model again"
        )


def _point(predictions: Predictions, rule: str | None) -> OperatingPoint:
    for point in predictions.operating_points:
        if rule in (None, point.rule):
            return point
    rules = ", ".join(p.rule for p in predictions.operating_points) or "none"
    raise EvaluationError(f"the model has no operating point '{rule or 'default'}' fixed on tune; it has {rules}")


def _reference(rows: Sequence[Prediction]) -> Array:
    return np.array([row.reference for row in rows], float)


def _probability(rows: Sequence[Prediction]) -> Array:
    return np.array([row.probability for row in rows], float)


def _decisions(rows: Sequence[Prediction], point: OperatingPoint) -> Array:
    return (_probability(rows) >= point.threshold).astype(float)


def _figures(
    rows: Sequence[Prediction], point: OperatingPoint, boot: Bootstrap, wanted: Mapping[Figure, Metric]
) -> dict[str, Estimate]:
    reference, probability, positive = _reference(rows), _probability(rows), _decisions(rows, point)
    single = len(set(boot.patients)) == len(boot.patients)
    figures: dict[str, Estimate] = {}
    for name, metric in wanted.items():
        if name == Figure.ROC_AUC and single:
            figures[name] = intervals.delong(reference, probability)
        else:
            denominator = DENOMINATOR.get(name)
            share_of = denominator(reference, positive) if denominator else None
            figures[name] = boot.estimate(metric, reference, positive if name in DECISION else probability, share_of=share_of)
    return figures


def _calibration_figures(predictions: Predictions, boot: Bootstrap) -> dict[str, Estimate]:
    """Calibration slope and intercept from one fit per draw."""
    reference, probability = predictions.reference, predictions.probability
    n = len(set(boot.patients))
    value = np.stack(calibration_line(reference, probability))
    drawn = intervals.over_draws(_lines, reference, probability, boot.weights)
    names = (Figure.CALIBRATION_SLOPE, Figure.CALIBRATION_INTERCEPT)
    if np.isnan(value).any():
        return dict.fromkeys(names, undefined(n, intervals.NOT_DEFINED))
    return {name: intervals.percentile(float(value[k]), drawn[:, k], n) for k, name in enumerate(names)}


def _lines(reference: Array, probability: Array, weights: Array | None = None) -> Array:
    return np.stack(calibration_line(reference, probability, weights), -1)


def _subgroups(
    predictions: Predictions, column: str, point: OperatingPoint, draws: int, seed: int
) -> dict[str, dict[str, Estimate]]:
    """ROC-AUC and sensitivity of each value of a column that has positives.

    A subgroup of one class (bacterial pneumonia) is compared with all cases of the other class.
    """
    wanted: dict[Figure, Metric] = {Figure.ROC_AUC: metrics.roc_auc, Figure.SENSITIVITY: metrics.sensitivity}
    return {
        value: _figures(rows, point, Bootstrap.of_patients([row.patient_id for row in rows], draws, seed), wanted)
        for value, rows in subgroup_rows(predictions, column).items()
    }


def subgroup_rows(predictions: Predictions, column: str) -> dict[str, list[Prediction]]:
    """List the cases that each subgroup with positives is evaluated on.

    Parameters
    ----------
    predictions
        Of both classes.
    column
        Column of the predictions whose values make subgroups.

    Returns
    -------
    dict[str, list[Prediction]]
        By the value of the column: the cases that have it, and for a subgroup of positives alone all negatives after them.

    Raises
    ------
    EvaluationError
        If there is no such column.
    """
    if column not in Prediction.__dataclass_fields__:
        raise EvaluationError(
            f"predictions have no column '{column}'; choose one of {', '.join(Prediction.__dataclass_fields__)}"
        )
    table: dict[str, list[Prediction]] = {}
    for value in sorted({str(getattr(row, column)) for row in predictions.rows} - {""}):
        members = [row for row in predictions.rows if str(getattr(row, column)) == value]
        classes = {row.reference for row in members}
        if classes != {0}:
            negatives = [row for row in predictions.rows if row.reference == 0] if classes == {1} else []
            table[value] = [*members, *negatives]
    return table
