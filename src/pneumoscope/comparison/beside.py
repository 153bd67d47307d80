"""Other comparisons beside this one: another view, start, teacher or split, with what differs in a column."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pneumoscope.comparison.plan import ComparisonError
from pneumoscope.comparison.summary import OF_MAPS, Summary

FIGURES_NAME = "comparison.json"
SHOWN = ("ROC-AUC", "F1", "accuracy", *OF_MAPS)

Told = Mapping[str, Any]
"""A comparison as `report.as_json` tells it."""


def read(folder: Path) -> Told:
    """The figures of a finished comparison; ComparisonError where there are none."""
    try:
        found: Told = json.loads((folder / FIGURES_NAME).read_text(encoding="utf-8"))
        rows([("", found)])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ComparisonError(f"'{folder}' has no figures of a finished comparison ({FIGURES_NAME}); finish it first") from error
    return found


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
    view = f"{recipe['view']}, {recipe['head']}, {recipe['side_px']} px, {recipe['epochs']} epochs"
    teacher = told["conditions"]["teacher"] or "–"
    return [view, told["starts"][name], teacher, told["conditions"]["split"][:12], f"{test['images']} ({test['patients']})"]


def _figure(figures: Mapping[str, Mapping[str, Any]], name: str) -> str:
    if name not in figures:
        return "–"
    told: dict[str, Any] = {key: math.nan if value is None else value for key, value in figures[name].items()}
    return str(Summary(**told))
