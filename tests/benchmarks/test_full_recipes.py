"""The recipes at full size are what the full comparison ran."""

import json
from pathlib import Path

import pytest
from full_comparison import step
from full_comparison.plan import BATCH, PAINTED_NEGATIVES, PAINTED_POSITIVES, jobs

from pneumoscope.training.recipe import changed, recipe

FIGURES = Path(__file__).resolve().parents[2] / "docs" / "results" / "full" / "figures.json"


@pytest.mark.parametrize(
    ("name", "job"), [("full-224", "mobilenet_v2-whole-imagenet"), ("full-224-lungs", "mobilenet_v2-lungs-imagenet")]
)
def test_full_recipes_are_the_settings_of_the_full_comparison(name, job):
    """The settings are written in its scripts, and the epochs that its budget left in its figures."""
    (plan,) = (one for one in jobs() if one.name == job)
    base = recipe("default" if plan.crop == "whole" else "evidence")
    evidence = {
        "energy_weight": step.ENERGY_WEIGHT,
        "painting_weight": step.PAINTING_WEIGHT,
        "painted_negatives": PAINTED_NEGATIVES,
        "painted_positives": PAINTED_POSITIVES,
    }
    own = {"mirror_probability": 0.5} if plan.crop == "whole" else evidence
    ran = json.loads(FIGURES.read_text(encoding="utf-8"))["trainings"][job]
    expected = changed(
        base,
        {
            **own,
            "name": name,
            "size_px": 224,
            "gamma": step.GAMMA,
            "rate": plan.rate,
            "head_rate": 2.5,
            "batch": BATCH,
            "epochs": ran["epochs_planned"],
            "patience": 0,
            "clip_norm": step.CLIP,
            "ema_share": step.AVERAGED_SHARE,
        },
    )
    assert (ran["batch"], ran["job"]["rate"], ran["start"][:4]) == (BATCH, plan.rate, "file")
    assert recipe(name) == expected
