"""An evaluation as JSON and as a Markdown table."""

import math
from dataclasses import asdict
from typing import Any

from pneumoscope.evaluation.evaluate import Evaluation
from pneumoscope.statistics.estimate import Estimate


def as_json(evaluation: Evaluation) -> dict[str, Any]:
    """A tree of plain values; NaN becomes null, with the reason beside it."""
    tree = asdict(evaluation)
    cleaned = plain(tree)
    assert isinstance(cleaned, dict)
    return cleaned


def plain(value: Any) -> Any:
    """A tree fit for JSON: tuples become lists, NaN becomes null."""
    if isinstance(value, dict):
        return {key: plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    return None if isinstance(value, float) and math.isnan(value) else value


def as_markdown(evaluation: Evaluation) -> str:
    """A table of every figure with its interval, what it was measured on, and the subgroups."""
    point = evaluation.operating_point
    lines = [
        f"**{evaluation.model}**, {evaluation.split} side of split `{evaluation.split_sha256[:12]}`: "
        f"{evaluation.n_images} images of {evaluation.n_patients} patients, {evaluation.n_positive} images positive. "
        + (
            f"Threshold {point.threshold:.4f} ({point.rule}) fixed on the {point.split} side."
            if point
            else "The threshold was fixed on this side: figures that need one are left out."
        ),
        "",
        "| figure | value | 95 % interval | interval by |",
        "|---|--:|:-:|---|",
        *(_row(name, estimate) for name, estimate in evaluation.figures.items()),
    ]
    if evaluation.confusion:
        tn, fp, fn, tp = evaluation.confusion
        lines += ["", f"Confusion: TN {tn}, FP {fp}, FN {fn}, TP {tp}."]
    for name, figures in evaluation.subgroups.items():
        lines += ["", f"Subgroup {name}: " + "; ".join(f"{key} {estimate}" for key, estimate in figures.items()) + "."]
    return "\n".join(lines) + "\n"


def _row(name: str, e: Estimate) -> str:
    if math.isnan(e.value):
        return f"| {name} | NaN | | {e.reason} |"
    if math.isnan(e.low):
        return f"| {name} | {e.value:.4f} | | {e.reason} |"
    return f"| {name} | {e.value:.4f} | {e.low:.4f}–{e.high:.4f} | {e.method} |"
