"""Every figure of a model on one side of a split, each with its interval."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pneumoscope.classifier import OperatingPoint
from pneumoscope.evaluation.errors import EvaluationError, TestedOnItselfError
from pneumoscope.evaluation.predictions import Prediction, Predictions
from pneumoscope.statistics import intervals, metrics
from pneumoscope.statistics.estimate import Estimate
from pneumoscope.statistics.intervals import Metric
from pneumoscope.statistics.metrics import Array

_RANKING: Mapping[str, Metric] = {"ROC-AUC": metrics.roc_auc, "PR-AUC": metrics.pr_auc}
_PROBABILITY: Mapping[str, Metric] = {
    "Brier": metrics.brier,
    "ECE": metrics.expected_calibration_error,
    "calibration slope": metrics.calibration_slope,
    "calibration intercept": metrics.calibration_intercept,
}
_DECISION: Mapping[str, Metric] = {
    "accuracy": metrics.accuracy,
    "balanced accuracy": metrics.balanced_accuracy,
    "sensitivity": metrics.sensitivity,
    "specificity": metrics.specificity,
    "PPV": metrics.ppv,
    "NPV": metrics.npv,
    "F1": metrics.f1,
    "MCC": metrics.mcc,
}
# Which cases are the denominator of a decision figure that is a share of cases.
_SHARE_OF: Mapping[str, Callable[[Array, Array], NDArray[np.bool_]]] = {
    "accuracy": lambda reference, positive: np.ones(len(reference), bool),
    "sensitivity": lambda reference, positive: reference == 1,
    "specificity": lambda reference, positive: reference == 0,
    "PPV": lambda reference, positive: positive == 1,
    "NPV": lambda reference, positive: positive == 0,
}


@dataclass(frozen=True)
class Evaluation:
    """What a table of results holds.

    `figures` by name; `confusion` as (TN, FP, FN, TP) at the operating point; `subgroups` by column value.
    """

    model: str
    split: str
    split_sha256: str
    n_images: int
    n_patients: int
    n_positive: int
    operating_point: OperatingPoint | None
    calibrated_on: str
    figures: Mapping[str, Estimate]
    confusion: tuple[int, int, int, int] | None
    subgroups: Mapping[str, Mapping[str, Estimate]]


def evaluate(
    predictions: Predictions,
    *,
    rule: str = "youden",
    subgroup: str = "subtype",
    on_itself: Literal["refuse", "leave-out"] = "refuse",
    draws: int = intervals.DRAWS,
    seed: int = 0,
) -> Evaluation:
    """Evaluate predictions at the operating point of the given rule.

    A threshold or a calibration that was fitted on this very side of this split is refused (TestedOnItselfError);
    ``leave-out`` gives the figures that need neither.
    """
    _check(predictions)
    point = _point(predictions, rule)
    tested_on_itself = _fitted_here(point.split, point.split_sha256, predictions) or (
        predictions.calibrated_on.startswith(f"{predictions.split} side")
        and predictions.calibrated_on.endswith(predictions.split_sha256)
    )
    if tested_on_itself and on_itself == "refuse":
        raise TestedOnItselfError(
            f"the threshold or the calibration of '{predictions.model}' was fitted on the {predictions.split} side, which is the "
            "side under test; evaluate another side"
        )
    rng = np.random.default_rng(seed)
    weights = intervals.patient_weights(predictions.patients, draws, rng)
    wanted = _RANKING if tested_on_itself else {**_RANKING, **_PROBABILITY, **_DECISION}
    figures = _figures(predictions.rows, point, weights, wanted)
    positive = (predictions.probability >= point.threshold).astype(float)
    ones = np.ones(len(positive))
    return Evaluation(
        model=predictions.model,
        split=predictions.split,
        split_sha256=predictions.split_sha256,
        n_images=len(predictions.rows),
        n_patients=len(set(predictions.patients)),
        n_positive=int(predictions.reference.sum()),
        operating_point=None if tested_on_itself else point,
        calibrated_on="" if tested_on_itself else predictions.calibrated_on,
        figures=figures,
        confusion=None if tested_on_itself else _counts(metrics.confusion(predictions.reference, positive, ones)),
        subgroups={} if tested_on_itself else _subgroups(predictions, subgroup, point, draws, seed),
    )


def _counts(values: tuple[float, float, float, float]) -> tuple[int, int, int, int]:
    tn, fp, fn, tp = (round(v) for v in values)
    return tn, fp, fn, tp


def _check(predictions: Predictions) -> None:
    if not predictions.rows:
        raise EvaluationError("there is no prediction to evaluate")
    if len({row.reference for row in predictions.rows}) < 2:
        raise EvaluationError(f"the {predictions.split} side holds one class only; both are needed for a ROC curve")
    if not np.isfinite(predictions.probability).all():
        raise EvaluationError("a prediction is not a finite number; evaluate the model again")


def _point(predictions: Predictions, rule: str) -> OperatingPoint:
    for point in predictions.operating_points:
        if point.rule == rule:
            return point
    rules = ", ".join(p.rule for p in predictions.operating_points) or "none"
    raise EvaluationError(f"the model has no operating point '{rule}' fixed on tune; it has {rules}")


def _fitted_here(side: str, split_sha256: str, predictions: Predictions) -> bool:
    return side == predictions.split and split_sha256 == predictions.split_sha256


def _figures(
    rows: Sequence[Prediction],
    point: OperatingPoint,
    weights: Array,
    wanted: Mapping[str, Metric],
) -> dict[str, Estimate]:
    reference = np.array([row.reference for row in rows], float)
    probability = np.array([row.probability for row in rows], float)
    positive = (probability >= point.threshold).astype(float)
    patients = [row.patient_id for row in rows]
    figures = {}
    for name, metric in wanted.items():
        prediction = positive if name in _DECISION else probability
        if name == "ROC-AUC" and len(set(patients)) == len(patients):
            figures[name] = intervals.delong(reference, prediction)
        else:
            denominator = _SHARE_OF.get(name)
            share_of = denominator(reference, positive) if denominator else None
            figures[name] = intervals.bootstrap(metric, reference, prediction, patients, weights, share_of=share_of)
    return figures


def _subgroups(
    predictions: Predictions, column: str, point: OperatingPoint, draws: int, seed: int
) -> dict[str, dict[str, Estimate]]:
    """ROC-AUC and sensitivity of each value of a column that has positives.

    A subgroup of one class (bacterial pneumonia) is set against all cases of the other class.
    """
    if column not in Prediction.__dataclass_fields__:
        raise EvaluationError(f"predictions have no column '{column}'; choose of {', '.join(Prediction.__dataclass_fields__)}")
    table: dict[str, dict[str, Estimate]] = {}
    for value in sorted({str(getattr(row, column)) for row in predictions.rows} - {""}):
        members = [row for row in predictions.rows if str(getattr(row, column)) == value]
        classes = {row.reference for row in members}
        if classes == {0}:
            continue
        rows = members if classes == {0, 1} else [*members, *(r for r in predictions.rows if r.reference == 0)]
        weights = intervals.patient_weights([r.patient_id for r in rows], draws, np.random.default_rng(seed))
        wanted: dict[str, Metric] = {"ROC-AUC": metrics.roc_auc, "sensitivity": metrics.sensitivity}
        table[value] = _figures(rows, point, weights, wanted)
    return table
