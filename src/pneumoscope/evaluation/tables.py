"""An evaluation as JSON and as Markdown."""

from dataclasses import asdict
from typing import Any

from pneumoscope.evaluation import patient_groups
from pneumoscope.evaluation.evaluation import Evaluation
from pneumoscope.statistics import formatting
from pneumoscope.statistics.estimate import Estimate
from pneumoscope.statistics.estimate import plain as plain
from pneumoscope.statistics.table import Table

_GROUPS = (
    "Groups of patients, with 95 % intervals by a bootstrap over patients. A difference is the figure of the group minus that of "
    "all other images. The intervals are not corrected for the number of groups."
)


def as_json(evaluation: Evaluation) -> dict[str, Any]:
    """Turn an evaluation into a tree for JSON.

    Parameters
    ----------
    evaluation
        What `evaluate` returned.

    Returns
    -------
    dict[str, Any]
        Its fields by name; NaN is None, and the estimate's reason says why. Without groups, there is no such field.
    """
    return {str(key): plain(value) for key, value in asdict(evaluation).items() if key != "groups" or value}


def as_markdown(evaluation: Evaluation) -> str:
    """Write an evaluation as Markdown: what was measured on what, every figure with its interval, the subgroups.

    Parameters
    ----------
    evaluation
        What `evaluate` returned.

    Returns
    -------
    str
        Paragraphs and a table, ending in a line break.
    """
    paragraphs = [
        f"**{evaluation.model}**, {evaluation.split} side of split `{evaluation.split_sha256[:12]}`: "
        f"{evaluation.n_images} images of {evaluation.n_patients} patients, {evaluation.n_positive} images positive. "
        + _threshold(evaluation),
        _training(evaluation),
        Table.of(("figure", "value", "95 % interval", "interval by"), map(_row, *zip(*evaluation.figures.items(), strict=True)))
        .markdown()
        .rstrip("\n"),
    ]
    if evaluation.confusion:
        tn, fp, fn, tp = evaluation.confusion
        paragraphs.append(f"Confusion: TN {tn}, FP {fp}, FN {fn}, TP {tp}.")
    for name, figures in evaluation.subgroups.items():
        paragraphs.append(f"Subgroup {name}: " + "; ".join(f"{key} {estimate}" for key, estimate in figures.items()) + ".")
    if evaluation.groups:
        paragraphs.append(_GROUPS)
        paragraphs.append(patient_groups.table(evaluation.groups).markdown().rstrip("\n"))
    return "\n\n".join(paragraph for paragraph in paragraphs if paragraph) + "\n"


def _threshold(evaluation: Evaluation) -> str:
    point = evaluation.operating_point
    if point is None:
        return "The threshold or the calibration was fitted on this side: figures that need either are left out."
    population = f" Population: {evaluation.population}." if evaluation.population else ""
    return f"Threshold {point.threshold:.4f} ({point.rule}) fixed on the {point.split} side.{population}"


def _training(evaluation: Evaluation) -> str:
    """What is known about the training patients; nothing where the model was trained under the split that it is tested under."""
    overlap = evaluation.training_overlap
    if overlap:
        return f"**Tested on training patients.** {overlap}"
    other = evaluation.model_split_sha256 != evaluation.split_sha256
    if not evaluation.model_split_sha256 or not other:
        return ""
    return f"The model was trained under another split, `{evaluation.model_split_sha256[:12]}`. {overlap}"


def _row(name: str, estimate: Estimate) -> list[str]:
    value = formatting.number(estimate.value) if estimate.defined else "NaN"
    ends = formatting.interval(estimate.low, estimate.high)
    return [name, value, ends, estimate.method if ends else estimate.reason]
