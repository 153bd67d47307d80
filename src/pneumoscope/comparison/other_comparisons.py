"""Other comparisons beside this one: another view, start, teacher or split, with what differs in a column.

Where a network stands in both and the test cases are the same, it is tested against itself.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pneumoscope.comparison.summary import OF_MAPS, Summary
from pneumoscope.evaluation import Predictions, prediction_files
from pneumoscope.evaluation.errors import EvaluationError
from pneumoscope.experiment.compared_model import ComparedModel
from pneumoscope.experiment.plan import ComparisonError, Unit
from pneumoscope.statistics import paired
from pneumoscope.statistics.estimate import Estimate

FIGURES_NAME = "comparison.json"
SHOWN = ("ROC-AUC", "F1", "accuracy", *OF_MAPS)

Told = Mapping[str, Any]
"""A comparison as `compared.as_json` tells it."""


@dataclass(frozen=True, eq=False)
class Other:
    """Another finished comparison: what it tells, and networks' predictions of the test side: none of folds, nor of a folder that
    was given away without its units."""

    told: Told
    said: Mapping[str, Predictions]


@dataclass(frozen=True)
class Against:
    """A network minus itself in another comparison, on the same test cases: DeLong's test with a patient's cases kept together.

    `adjusted` is p after Holm's adjustment over all such pairs.
    """

    name: str
    other: str
    roc_auc: Estimate
    p: float
    adjusted: float


def read(folder: Path) -> Other:
    """A finished comparison; ComparisonError where there is none."""
    try:
        told: Told = json.loads((folder / FIGURES_NAME).read_text(encoding="utf-8"))
        rows([("", told)])
        folds, seed = told["conditions"]["folds"], told["seeds"][0]
        units = {} if folds else {name: folder / "units" / Unit(name, seed).name / "test.csv" for name in told["costs"]}
        said = {name: prediction_files.read(table) for name, table in units.items() if table.exists()}
    except (OSError, ValueError, KeyError, TypeError, EvaluationError) as error:
        raise ComparisonError(f"'{folder}' has no figures of a finished comparison ({FIGURES_NAME}); finish it first") from error
    return Other(told, said)


def tested(networks: Sequence[ComparedModel], others: Mapping[str, Other]) -> list[Against]:
    """Each network, of one run, against itself in each other comparison that tested it on the same cases."""
    both = [
        (own, where, other.said[own.name])
        for where, other in others.items()
        for own in networks
        if own.name in other.said and _cases(own.test) == _cases(other.said[own.name])
    ]
    found = [
        paired.delong(own.test.reference, own.test.probability, said.probability, own.test.patients) for own, _, said in both
    ]
    adjusted = paired.holm([test.p for test in found])
    return [
        Against(own.name, where, test.difference, test.p, holm)
        for (own, where, _), test, holm in zip(both, found, adjusted, strict=True)
    ]


def _cases(side: Predictions) -> list[tuple[str, str, int]]:
    return [(row.path, row.patient_id, row.reference) for row in side.rows]


def rows(comparisons: Sequence[tuple[str, Told]]) -> list[list[str]]:
    """A line a network of each named comparison, after a line of headings; networks by their ROC-AUC."""
    head = ["", "comparison", "view", "start", "teacher", "split", "images (patients)", *SHOWN]
    lines = [
        [name, where, *_conditions(told, name), *(_figure(told["members"][name], figure) for figure in SHOWN)]
        for where, told in comparisons
        for name in told["order"]
        if name in told["costs"]
    ]
    return [head, *lines]


def _conditions(told: Told, name: str) -> list[str]:
    recipe, test = told["conditions"]["recipe"], told["test"]
    crop, size_px = recipe.get("crop", recipe.get("view")), recipe.get("size_px", recipe.get("side_px"))  # earlier names
    view = f"{crop}, {recipe['head']}, {size_px} px, {recipe['epochs']} epochs"
    teacher = told["conditions"]["teacher"] or "–"
    return [view, told["starts"][name], teacher, told["conditions"]["split"][:12], f"{test['images']} ({test['patients']})"]


def _figure(figures: Mapping[str, Mapping[str, Any]], name: str) -> str:
    if name not in figures:
        return "–"
    told: dict[str, Any] = {key: math.nan if value is None else value for key, value in figures[name].items()}
    return str(Summary(**told))
