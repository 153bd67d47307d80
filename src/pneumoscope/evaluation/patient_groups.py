"""The noun `PatientGroup`: the figures of a model on one age band, sex or view position, against all other patients."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pneumoscope.evaluation.errors import EvaluationError
from pneumoscope.evaluation.predictions import Prediction, Predictions
from pneumoscope.statistics import intervals, metrics, paired
from pneumoscope.statistics.estimate import Estimate, undefined
from pneumoscope.statistics.figure import Figure
from pneumoscope.statistics.metrics import Array, Metric
from pneumoscope.statistics.patient_bootstrap import Bootstrap
from pneumoscope.statistics.table import Table

AGE_BANDS: tuple[tuple[float, float, str], ...] = (
    (0, 18, "0–17"),
    (18, 40, "18–39"),
    (40, 60, "40–59"),
    (60, 80, "60–79"),
    (80, math.inf, "80+"),
)
"""Lowest age in years, age below which the band ends, and name of each age band."""
UNKNOWN = "unknown"
INSIDE_DOMAIN, ABSTAINED = "inside the domain", "abstained"
"""Names of the shares of images."""


@dataclass(frozen=True)
class PatientGroup:
    """The figures of a model on one group of images.

    Parameters
    ----------
    column
        What divides the images: ``age``, ``sex`` or ``view``.
    value
        The age band, sex or view position of this group; ``unknown`` for images of which it is not known.
    n_images, n_patients, n_positive
        Number of images, of their patients, and of images with the target.
    figures
        ROC-AUC, sensitivity, specificity, and the shares of images inside the domain and of those where the model abstained.
    differences
        Each figure minus the same figure of all other images, on the same bootstrap draws of patients; from the intervals of both
        where one of them is a share of 0 or 1.
    """

    column: str
    value: str
    n_images: int
    n_patients: int
    n_positive: int
    figures: Mapping[str, Estimate]
    differences: Mapping[str, Estimate]


def age_band(years: float | None) -> str:
    """Return the band of an age.

    Parameters
    ----------
    years
        Age in years, ≥ 0; None where it is not known.

    Returns
    -------
    str
        Name of the band in `AGE_BANDS`, or ``unknown``.

    Examples
    --------
    >>> [age_band(years) for years in (17.9, 18, 80, None)]
    ['0–17', '18–39', '80+', 'unknown']
    """
    if years is None:
        return UNKNOWN
    return next(name for low, high, name in AGE_BANDS if low <= years < high)


COLUMNS: Mapping[str, Callable[[Prediction], str]] = {
    "age": lambda row: age_band(row.age_years),
    "sex": lambda row: row.sex or UNKNOWN,
    "view": lambda row: row.view_position or UNKNOWN,
}
"""What may divide the images, and the group of an image."""


@dataclass(frozen=True, eq=False)
class _Measure:
    """A figure of a set of images: what it is computed from, and where it is defined."""

    metric: Metric
    values: Array
    known: NDArray[np.bool_]
    """Images that it is computed on."""
    denominator: NDArray[np.bool_] | None = None
    """Images that it is a share of."""
    needs: tuple[int, ...] = ()
    """References that must occur for it to be defined."""


def parse_columns(text: str) -> tuple[str, ...]:
    """Parse what images are divided by.

    Parameters
    ----------
    text
        One or more of ``age``, ``sex`` and ``view``, separated by commas; empty for nothing.

    Returns
    -------
    tuple of str
        The names, each once.

    Raises
    ------
    EvaluationError
        If a name is unknown.
    """
    names = tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    if wrong := [name for name in names if name not in COLUMNS]:
        raise EvaluationError(f"patients cannot be grouped by '{wrong[0]}'; choose of {', '.join(COLUMNS)}")
    return names


def patient_groups(predictions: Predictions, column: str, threshold: float | None, boot: Bootstrap) -> tuple[PatientGroup, ...]:
    """Measure every group of patients of a column, and its difference to all other patients.

    Parameters
    ----------
    predictions
        The predictions.
    column
        ``age``, ``sex`` or ``view``.
    threshold
        Probability from which the decision is positive; None for a threshold that was fixed on these images, so that only
        ROC-AUC is given.
    boot
        Bootstrap draws of the patients of the predictions.

    Returns
    -------
    tuple of PatientGroup
        The groups in the order of their values, images of unknown value last.

    Raises
    ------
    EvaluationError
        If there is no such column, or no image has a value in it.
    """
    (column,) = parse_columns(column)
    of = np.array([COLUMNS[column](row) for row in predictions.rows])
    values = sorted(set(of.tolist()), key=lambda value: (value == UNKNOWN, value != AGE_BANDS[0][2], value))
    if values == [UNKNOWN]:
        raise EvaluationError(
            f"no image has a known {column}; build the cohort again with its column (cohort build --{column}-column), and "
            "predict again"
        )
    measures = _measures(predictions, threshold)
    return tuple(_group(predictions, column, value, of == value, measures, boot) for value in values)


def _measures(predictions: Predictions, threshold: float | None) -> dict[str, _Measure]:
    reference, every = predictions.reference, np.ones(len(predictions.rows), bool)
    measures = {str(Figure.ROC_AUC): _Measure(metrics.roc_auc, predictions.probability, every, needs=(0, 1))}
    if threshold is None:
        return measures
    positive = (predictions.probability >= threshold).astype(float)
    return {
        **measures,
        str(Figure.SENSITIVITY): _Measure(metrics.sensitivity, positive, every, reference == 1, needs=(1,)),
        str(Figure.SPECIFICITY): _Measure(metrics.specificity, positive, every, reference == 0, needs=(0,)),
        INSIDE_DOMAIN: _share([row.inside_domain for row in predictions.rows]),
        ABSTAINED: _share([row.abstained for row in predictions.rows]),
    }


def _share(flags: Sequence[bool | None]) -> _Measure:
    known = np.array([flag is not None for flag in flags])
    return _Measure(metrics.mean, np.array([bool(flag) for flag in flags], float), known, known)


def _group(
    predictions: Predictions,
    column: str,
    value: str,
    members: NDArray[np.bool_],
    measures: Mapping[str, _Measure],
    boot: Bootstrap,
) -> PatientGroup:
    rows = [row for row, member in zip(predictions.rows, members, strict=True) if member]
    reference = predictions.reference
    return PatientGroup(
        column=column,
        value=value,
        n_images=len(rows),
        n_patients=len({row.patient_id for row in rows}),
        n_positive=sum(row.reference for row in rows),
        figures={name: _figure(measure, reference, members, boot) for name, measure in measures.items()},
        differences={name: _difference(measure, reference, members, boot) for name, measure in measures.items()},
    )


def _missing(measure: _Measure, reference: Array, chosen: NDArray[np.bool_]) -> str:
    """Why a figure is not defined on some images; empty if it is."""
    if not chosen.any():
        return "no image"
    if not (chosen & measure.known).any():
        return "not known of these images"
    absent = [value for value in measure.needs if not (reference[chosen] == value).any()]
    return f"no {'positive' if absent[0] else 'negative'} image" if absent else ""


def _figure(measure: _Measure, reference: Array, members: NDArray[np.bool_], boot: Bootstrap) -> Estimate:
    chosen = members & measure.known
    if reason := _missing(measure, reference, members):
        return undefined(len(set(np.array(boot.patients)[members].tolist())), reason)
    part = Bootstrap(tuple(np.array(boot.patients)[chosen].tolist()), boot.weights[:, chosen])
    share_of = None if measure.denominator is None else measure.denominator[chosen]
    return part.estimate(measure.metric, reference[chosen], measure.values[chosen], share_of=share_of)


def _difference(measure: _Measure, reference: Array, members: NDArray[np.bool_], boot: Bootstrap) -> Estimate:
    for chosen, where in ((members, "in the group"), (~members, "outside of the group")):
        if reason := _missing(measure, reference, chosen):
            return undefined(len(set(boot.patients)), f"{reason} {where}")
    own, others = (_figure(measure, reference, chosen, boot) for chosen in (members, ~members))
    if any(not figure.has_interval or figure.value in (0.0, 1.0) for figure in (own, others)):
        return intervals.difference_from_intervals(own, others, len(set(boot.patients)))
    one, other = (
        paired.draws_of(measure.metric, reference[part], measure.values[part], boot.weights[:, part])
        for part in (members & measure.known, ~members & measure.known)
    )
    return paired.difference(one, other, boot.patients)


def table(groups: Sequence[PatientGroup]) -> Table:
    """Arrange groups as a table with a line for each group.

    Parameters
    ----------
    groups
        The groups.

    Returns
    -------
    Table
        Numbers of images, patients and positives, then every figure with its interval and its difference to all other images.
    """
    names = list(groups[0].figures)
    head = ["by", "group", "images", "patients", "positive", *(part for name in names for part in (name, f"{name}, difference"))]
    return Table.of(
        head,
        [
            [
                group.column,
                group.value,
                *map(str, (group.n_images, group.n_patients, group.n_positive)),
                *(str(estimate) for name in names for estimate in (group.figures[name], group.differences[name])),
            ]
            for group in groups
        ],
    )
