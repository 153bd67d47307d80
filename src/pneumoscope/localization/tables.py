"""A localization as JSON and as Markdown tables."""

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from pneumoscope.evaluation.tables import plain
from pneumoscope.localization.localize import Localization, UninformedBaseline
from pneumoscope.statistics.estimate import Estimate


def as_json(result: Localization) -> dict[str, Any]:
    """A tree of plain values; NaN becomes null, with the reason beside it."""
    cleaned = plain(asdict(result))
    assert isinstance(cleaned, dict)
    return cleaned


def as_markdown(result: Localization) -> str:
    """Every figure with its interval and n, and what it stands beside."""
    where = f"{result.source}, {result.split} side of split `{result.split_sha256[:12]}`"
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
        ("against the regions", result.against_regions),
        ("free response, all images", result.free_response),
        ("against anatomy, cases with the target", result.anatomy),
        ("whole images", result.image),
        *result.more.items(),
    ):
        if figures:
            lines += [f"| {title} | value | 95 % interval | n patients |", "|---|--:|:-:|--:|", *map(_row, figures.items()), ""]
    for name, rules in result.chance.items():
        lines += _beside(name, rules)
    return "\n".join(lines)


def _row(item: tuple[str, Estimate]) -> str:
    name, e = item
    if math.isnan(e.value):
        return f"| {name} | NaN | {e.reason} | {e.n} |"
    return f"| {name} | {e.value:.3f} | {_interval(e)} | {e.n} |"


def _interval(e: Estimate) -> str:
    return f"{e.low:.3f}–{e.high:.3f}" if not math.isnan(e.low) else e.reason


def _beside(name: str, rules: Mapping[str, UninformedBaseline]) -> list[str]:
    lines = [f"| {name} of a map that looks at nothing | value | the model's is higher by | 95 % interval |", "|---|--:|--:|:-:|"]
    for rule, found in rules.items():
        if math.isnan(found.value.value):
            lines.append(f"| {rule} | NaN | {found.value.reason} | |")
            continue
        lines.append(f"| {rule} | {found.value.value:.3f} | {found.difference.value:+.3f} | {_interval(found.difference)} |")
    return [*lines, ""]
