"""Make the tables of recipes in docs/how-to/train.md from the recipes and the figures of the full comparison."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pneumoscope.comparison.published import PUBLISHED, SOURCE
from pneumoscope.statistics.estimate import from_json
from pneumoscope.statistics.formatting import number
from pneumoscope.statistics.table import Table
from pneumoscope.training.recipe import RECIPES, Recipe

FIGURES = Path(__file__).resolve().parent / "results" / "full" / "figures.json"
FULL = {"whole": "full-224", "lungs": "full-224-lungs"}
"""The recipe that trains as the full comparison did, by crop."""
_SCRATCH_HEAD_RATE = 1.0  # of the full comparison's networks from random weights, whose layers are all new


def tables() -> str:
    """Make the tables of settings and of what the recipes at full size gave, with what was measured how."""
    figures = json.loads(FIGURES.read_text(encoding="utf-8"))
    images, patients, _ = figures["cases"]["kermany test"]
    train_images = figures["cases"]["kermany train"][0]
    lowest, highest = (number(f(p.roc_auc for p in PUBLISHED.values())) for f in (min, max))
    return f"""{_settings().markdown()}
`published-224` follows the code of the paper ({SOURCE}), except that the epoch is chosen by ROC-AUC on tune and not by accuracy;
`published` is its earlier name. It was not run at full size here, so that neither its time nor its figure was measured. The paper
gives ROC-AUCs of {lowest} to {highest} for six backbones, on another draw of the same images.

`full-224` and `full-224-lungs` train as the [full comparison](../full_comparison.md) trained networks from ImageNet weights
without a teacher. Its trainings of that kind, on {train_images:,} images, tested on {images} images of {patients} patients, with
95 % intervals by a bootstrap over patients:

{_trainings(figures).markdown()}
The script of the full comparison measured this, not `train`: on one {figures["machine"]["device"]},
{figures["workers"]} trainings at a time, in bf16, each step one CUDA graph, with all augmented images made before. Minutes are
those of the epochs, measurement on tune included. `train` has the same settings, but draws other random numbers and may choose
any epoch, where the script chose one of the second half. The script's ImageNet weights were stored in half precision. The other
backbones were not trained from ImageNet weights; their times with a teacher are in the full comparison.
"""


def _settings() -> Table:
    """Every setting in which two recipes differ."""
    options = [recipe.options for recipe in RECIPES.values()]
    differing = [name for name in options[0] if name != "name" and len({one[name] for one in options}) > 1]
    return Table.of(["setting", *RECIPES], [[f"`{name}`", *(_cell(one[name]) for one in options)] for name in differing])


def _cell(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _trainings(figures: Mapping[str, Any]) -> Table:
    """The trainings of the full comparison without a teacher, with the options that make a recipe one of them."""
    head = ["recipe", "backbone", "with", "minutes", "ROC-AUC", "accuracy", "F1", "peak in the lungs"]
    rows = []
    for crop, name in FULL.items():
        for training in figures["trainings"].values():
            job, test = training["job"], training["test"]
            if job["crop"] != crop or job["teachers"] or job["map_teacher"]:
                continue
            shown = [test["ROC-AUC"], *(test[f"{figure} (Youden on tune)"] for figure in ("accuracy", "F1"))]
            peak = str(from_json(training["maps"]["peak in the lungs"])) if training["maps"] else "–"
            minutes = f"{training['seconds_training'] / 60:.1f}"
            rows.append(
                [f"`{name}`", job["backbone"], _with(RECIPES[name], training), minutes, *(str(from_json(e)) for e in shown), peak]
            )
    return Table.of(head, rows)


def _with(recipe: Recipe, training: Mapping[str, Any]) -> str:
    job = training["job"]
    scratch = job["init"] == "scratch"
    ran = {
        "rate": job["rate"],
        "head_rate": _SCRATCH_HEAD_RATE if scratch else recipe.head_rate,
        "epochs": training["epochs"],
        "seed": job["seed"],
    }
    changes = [f"--{k.replace('_', '-')} {v:g}" for k, v in ran.items() if v != recipe.options[k]]
    return f"`{' '.join(['--init scratch'] * scratch + changes)}`" if scratch or changes else "–"
