"""Other finished comparisons next to this one: another crop, start, teacher or split, with what differs in a column.

Where a network is in both and the test cases are the same, it is tested against itself.
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
from pneumoscope.evaluation.training_overlap import require_unseen
from pneumoscope.experiment.compared_model import ComparedModel
from pneumoscope.experiment.errors import ComparisonError
from pneumoscope.experiment.plan import Unit
from pneumoscope.statistics import paired
from pneumoscope.statistics.estimate import Estimate
from pneumoscope.statistics.figure import Figure
from pneumoscope.statistics.formatting import MISSING
from pneumoscope.statistics.table import Table

FIGURES_NAME = "comparison.json"
SHOWN = (Figure.ROC_AUC, Figure.F1, Figure.ACCURACY, *OF_MAPS)

ComparisonTree = Mapping[str, Any]
"""A comparison as `comparison.as_json` writes it."""


@dataclass(frozen=True, eq=False)
class Other:
    """Another finished comparison.

    Parameters
    ----------
    tree
        Its figures.
    predictions
        Predictions of the test split by network; empty for cross-validation, or if the comparison was copied without ``units/``.
    """

    tree: ComparisonTree
    predictions: Mapping[str, Predictions]


@dataclass(frozen=True)
class Against:
    """A network minus the same backbone in another comparison, on the same test cases.

    Parameters
    ----------
    name
        Of the backbone.
    other
        Of the other comparison.
    roc_auc
        Difference of ROC-AUC with DeLong's interval, clustered by patient.
    p, adjusted
        p value of that test, and after Holm's adjustment over all such pairs.
    """

    name: str
    other: str
    roc_auc: Estimate
    p: float
    adjusted: float


def read(folder: Path, *, allow_training_patients: bool = False) -> Other:
    """Read a finished comparison.

    Parameters
    ----------
    folder
        Its output folder.
    allow_training_patients
        Whether networks may have been tested on patients that they were trained on.

    Returns
    -------
    Other
        Figures and predictions.

    Raises
    ------
    ComparisonError
        If the folder has no finished comparison.
    TrainingPatientsError
        If a network was tested on patients that it was trained on and that is not allowed.
    """
    try:
        tree: ComparisonTree = json.loads((folder / FIGURES_NAME).read_text(encoding="utf-8"))
        table([("", tree)])
        folds, seed = tree["conditions"]["folds"], tree["seeds"][0]
        units = {} if folds else {name: folder / "units" / Unit(name, seed).name / "test.csv" for name in tree["costs"]}
        predictions = {name: prediction_files.read(file) for name, file in units.items() if file.exists()}
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError, EvaluationError) as error:
        raise ComparisonError(f"'{folder}' has no figures of a finished comparison ({FIGURES_NAME}); finish it first") from error
    for name, own in predictions.items():
        require_unseen(own.training_overlap, f"{name} of {folder.name}", allow=allow_training_patients)
    return Other(tree, predictions)


def tested(networks: Sequence[ComparedModel], others: Mapping[str, Other]) -> list[Against]:
    """Test networks against the same backbones in other comparisons, where these were tested on the same cases.

    Parameters
    ----------
    networks
        Networks of one run.
    others
        Other comparisons by name.

    Returns
    -------
    list[Against]
        One for each network and comparison on the same cases.
    """
    both = [
        (own, where, other.predictions[own.name])
        for where, other in others.items()
        for own in networks
        if own.name in other.predictions and _cases(own.test) == _cases(other.predictions[own.name])
    ]
    tests = [
        paired.delong(own.test.reference, own.test.probability, theirs.probability, own.test.patients) for own, _, theirs in both
    ]
    adjusted = paired.holm([test.p for test in tests])
    return [
        Against(
            own.name, where + (" (trained on these patients)" if theirs.training_overlap else ""), test.difference, test.p, holm
        )
        for (own, where, theirs), test, holm in zip(both, tests, adjusted, strict=True)
    ]


def _cases(predictions: Predictions) -> list[tuple[str, str, int]]:
    return [(row.path, row.patient_id, row.reference) for row in predictions.rows]


def table(comparisons: Sequence[tuple[str, ComparisonTree]]) -> Table:
    """List the networks of several comparisons with the conditions in which they differ.

    Parameters
    ----------
    comparisons
        Name and figures of each.

    Returns
    -------
    Table
        A line for each network, within a comparison by ROC-AUC.
    """
    head = ["", "comparison", "crop", "start", "teacher", "split", "images (patients)", *SHOWN]
    rows = [
        [name, where, *_conditions(tree, name), *(_figure(tree["members"][name], figure) for figure in SHOWN)]
        for where, tree in comparisons
        for name in tree["order"]
        if name in tree["costs"]
    ]
    return Table.of(head, rows)


def _conditions(tree: ComparisonTree, name: str) -> list[str]:
    recipe, test = tree["conditions"]["recipe"], tree["test"]
    crop, size_px = recipe.get("crop", recipe.get("view")), recipe.get("size_px", recipe.get("side_px"))  # earlier versions
    what = f"{crop}, {recipe['head']}, {size_px} px, {recipe['epochs']} epochs"
    teacher = tree["conditions"]["teacher"] or MISSING
    return [what, tree["starts"][name], teacher, tree["conditions"]["split"][:12], f"{test['images']} ({test['patients']})"]


def _figure(figures: Mapping[str, Mapping[str, Any]], name: str) -> str:
    if name not in figures:
        return MISSING
    numbers: dict[str, Any] = {key: math.nan if value is None else value for key, value in figures[name].items()}
    return str(Summary(**numbers))
