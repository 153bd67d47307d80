"""Make the tables of adults in docs/model.md from what `pneumoscope evaluate --by age,sex,view` wrote."""

import json
from pathlib import Path
from typing import Any

from pneumoscope.statistics.table import Table

HERE = Path(__file__).resolve().parent / "adults"
FIGURES = ("ROC-AUC", "sensitivity", "specificity")
OF_GROUPS = (*FIGURES, "inside the domain", "abstained")


def tables() -> str:
    """Make the table of both models on the adults of the test split, and the table of groups of patients."""
    now, before = (json.loads((HERE / f"{name}.json").read_text(encoding="utf-8")) for name in ("default", "children-only"))
    rows = [[name, *(_shown(one["figures"][name]) for one in (before, now))] for name in FIGURES]
    groups = [
        [group["column"], group["value"], str(group["n_images"]), str(group["n_positive"])]
        + [_shown(group["figures"][name]) for name in OF_GROUPS]
        for group in now["groups"]
    ]
    counted = (
        f"{now['n_images']} images of {now['n_patients']} adults of the test split, {now['n_positive']} of them with an opacity"
    )
    return f"""{counted}, against
healthy adults and adults with another abnormality; 95 % intervals by a bootstrap over patients:

{Table.of(["figure", "previous default, children alone", "`default`"], rows).markdown()}
By age in years, sex and view position, at the adults' operating point:

{Table.of(["by", "group", "images", "with opacity", *OF_GROUPS], groups).markdown()}"""


def _shown(figure: dict[str, Any]) -> str:
    if figure["value"] is None:
        return f"undefined ({figure['reason']})"
    return f"{figure['value']:.3f} ({figure['low']:.3f}–{figure['high']:.3f})"
