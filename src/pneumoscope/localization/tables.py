"""A localization as JSON and as Markdown tables."""

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from pneumoscope.evaluation.tables import plain
from pneumoscope.localization.localize import Localization, UninformedBaseline
from pneumoscope.statistics.estimate import Estimate


def as_json(result: Localization) -> dict[str, Any]:
    """Convert a localization to a tree of plain values.

    Parameters
    ----------
    result
        What was measured.

    Returns
    -------
    dict
        The attributes of `Localization` by name; NaN becomes null, and the ``reason`` next to it says why.
    """
    tree = plain(asdict(result))
    assert isinstance(tree, dict)
    return tree


def as_markdown(result: Localization) -> str:
    """Write every figure with its interval and number of patients as Markdown tables.

    Parameters
    ----------
    result
        What was measured.

    Returns
    -------
    str
        A paragraph on what was measured, the verdict, and the tables.
    """
    where = f"{result.source}, {result.split} split `{result.split_sha256[:12]}`"
    if result.split == "all":
        where = f"{result.source}, all cases"
    lines = [
        f"**{result.model}** on {where}: {result.n_images} images of {result.n_patients} patients, "
        f"{result.n_with_regions} with reference regions. Threshold of the map "
        f"{result.threshold:.3g} ({result.threshold_from}). Intervals resample patients.",
        "",
        result.verdict,
        "",
    ]
    for title, figures in (
        ("against the reference regions", result.against_regions),
        ("free response, all images", result.free_response),
        ("against anatomy, cases with the target", result.anatomy),
        ("whole images", result.image),
        *result.further.items(),
    ):
        if figures:
            lines += [f"| {title} | value | 95 % interval | n patients |", "|---|--:|:-:|--:|", *map(_row, figures.items()), ""]
    for name, baselines in result.uninformed.items():
        lines += _compared(name, baselines)
    return "\n".join(lines)


def _row(item: tuple[str, Estimate]) -> str:
    name, e = item
    if math.isnan(e.value):
        return f"| {name} | NaN | {e.reason} | {e.n} |"
    return f"| {name} | {e.value:.3f} | {_interval(e)} | {e.n} |"


def _interval(e: Estimate) -> str:
    return f"{e.low:.3f}–{e.high:.3f}" if not math.isnan(e.low) else e.reason


def _compared(name: str, baselines: Mapping[str, UninformedBaseline]) -> list[str]:
    lines = [f"| {name} of uninformed baselines | value | model − baseline | 95 % interval |", "|---|--:|--:|:-:|"]
    for rule, baseline in baselines.items():
        if math.isnan(baseline.value.value):
            lines.append(f"| {rule} | NaN | {baseline.value.reason} | |")
            continue
        lines.append(
            f"| {rule} | {baseline.value.value:.3f} | {baseline.difference.value:+.3f} | {_interval(baseline.difference)} |"
        )
    return [*lines, ""]
