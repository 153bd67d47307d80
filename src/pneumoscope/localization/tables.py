"""A localization as JSON and as Markdown tables."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pneumoscope import DISCLAIMER, atomic_files
from pneumoscope.localization.localizer import Localization, UninformedBaseline
from pneumoscope.statistics import formatting
from pneumoscope.statistics.estimate import Estimate, plain
from pneumoscope.statistics.table import Table

JSON_NAME, MARKDOWN_NAME = "localization.json", "localization.md"
_DECIMALS = 3


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
    return {str(key): plain(value) for key, value in asdict(result).items()}


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
    overlap = f"{'**Measured on training patients.** ' if result.training_overlap else ''}{result.training_overlap}"
    tables = {
        "against the reference regions": result.against_regions,
        "free response, all images": result.free_response,
        "against anatomy, cases with the target": result.anatomy,
        "whole images": result.image,
        **result.further,
    }
    paragraphs = [
        f"**{result.model}** on {where}: {result.n_images} images of {result.n_patients} patients, "
        f"{result.n_with_regions} with reference regions. Threshold of the map "
        f"{result.threshold:.3g} ({result.threshold_from}). Intervals resample patients.",
        overlap,
        result.verdict,
        *(_estimates(title, estimates) for title, estimates in tables.items() if estimates),
        *(_baselines(name, baselines) for name, baselines in result.uninformed.items()),
    ]
    return "\n\n".join(paragraph.rstrip("\n") for paragraph in paragraphs) + "\n"


def write(result: Localization, folder: Path) -> str:
    """Write a localization into a folder, as ``localization.json`` and ``localization.md``.

    Parameters
    ----------
    result
        What was measured.
    folder
        The folder, made if it does not exist.

    Returns
    -------
    str
        The Markdown, as `as_markdown` makes it.

    Raises
    ------
    OSError
        If a file cannot be written.
    """
    text = as_markdown(result)
    for name, content in (
        (JSON_NAME, json.dumps(as_json(result), indent=2, allow_nan=False)),
        (MARKDOWN_NAME, f"{text}\n{DISCLAIMER}"),
    ):
        with atomic_files.text(folder / name) as stream:
            stream.write(content + "\n")
    return text


def _estimates(title: str, estimates: Mapping[str, Estimate]) -> str:
    rows = [[name, _value(e), _interval(e), str(e.n)] for name, e in estimates.items()]
    return Table.of((title, "value", "95 % interval", "n patients"), rows).markdown()


def _baselines(name: str, baselines: Mapping[str, UninformedBaseline]) -> str:
    rows = [
        [rule, _value(one.value), _value(one.difference, signed=True), _interval(one.difference, signed=True)]
        for rule, one in baselines.items()
    ]
    return Table.of((f"{name} of uninformed baselines", "value", "model − baseline", "95 % interval"), rows).markdown()


def _value(e: Estimate, *, signed: bool = False) -> str:
    return formatting.number(e.value, decimals=_DECIMALS, signed=signed) if e.defined else "NaN"


def _interval(e: Estimate, *, signed: bool = False) -> str:
    return formatting.interval(e.low, e.high, decimals=_DECIMALS, signed=signed) or e.reason
