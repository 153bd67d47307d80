"""Recipes: names, bounds, the published protocol."""

import json
from dataclasses import replace

import pytest

from pneumoscope.cli.training_options import chosen
from pneumoscope.training.errors import TrainingError
from pneumoscope.training.recipe import OPTIONS, RECIPES, Distillation, EvidenceTraining, Recipe, from_options, recipe
from pneumoscope.training.schedule import rate_at

LATER = ("label_smoothing", "clip_norm", "ema_share", "mirror_probability", "source_shares")


def test_published_recipe_is_the_published_protocol():
    """Shahi & Bagale 2025: ten epochs of 32, Adam 1e-4, decay 1e-4, constant rate, focal γ = 2 with α, balanced sampler."""
    r = recipe("published-224")
    assert (r.epochs, r.batch, r.optimizer, r.rate, r.weight_decay) == (10, 32, "adam", 1e-4, 1e-4)
    assert (r.schedule, r.warmup_epochs, r.loss, r.gamma, r.alpha) == ("constant", 0, "focal", 2, "inverse-frequency")
    assert (r.sampling, r.patience, r.head, r.size_px, r.augmentation) == ("balanced", 3, "mlp", 224, "published")


def test_the_earlier_name_of_the_published_recipe_means_the_same_recipe(tmp_path):
    (tmp_path / "mine.toml").write_text('base = "published"\n')
    assert recipe("published") == RECIPES["published-224"]
    assert replace(chosen(str(tmp_path / "mine.toml"), {}), name="published-224") == RECIPES["published-224"]


@pytest.mark.parametrize("name", ["label_smoothing", "ema_share"])
@pytest.mark.parametrize("value", [-0.1, 1.0, float("nan")])
def test_a_share_lies_between_0_and_1(name, value):
    with pytest.raises(TrainingError, match=f"{name} is .*; it must lie between 0 and below 1"):
        recipe("default", **{name: value})


def test_a_probability_may_be_1_and_not_more():
    assert recipe("default", mirror_probability=1.0).mirror_probability == 1
    with pytest.raises(TrainingError, match=r"mirror_probability is 1\.5; it must lie between 0 and 1"):
        recipe("default", mirror_probability=1.5)


@pytest.mark.parametrize("value", [-1.0, float("inf")])
def test_the_limit_of_the_gradient_is_a_finite_number(value):
    with pytest.raises(TrainingError, match="clip_norm"):
        recipe("default", clip_norm=value)


def test_only_the_published_augmentation_mirrors_with_a_probability():
    with pytest.raises(TrainingError, match="augmentation published mirrors by it, not views; set mirror_probability to 0"):
        recipe("evidence", mirror_probability=0.5)


def test_unknown_names_list_the_near_ones():
    with pytest.raises(TrainingError, match="did you mean published-224"):
        recipe("publised")
    with pytest.raises(TrainingError, match="did you mean epochs"):
        recipe("default", epoch=3)


@pytest.mark.parametrize(
    "change", [{"loss": "hinge"}, {"epochs": 0}, {"batch": 1}, {"rate": 0.0}, {"gamma": -1.0}, {"size_px": 8}]
)
def test_values_out_of_bounds_are_refused(change):
    with pytest.raises(TrainingError, match=next(iter(change))):
        recipe("default", **change)


def test_rate_warms_up_then_follows_half_a_cosine_to_zero():
    r = Recipe("r", rate=1.0, warmup_epochs=1, epochs=3, schedule="cosine")
    assert [rate_at(r, k, 4) for k in range(4)] == [0.25, 0.5, 0.75, 1.0]
    assert rate_at(r, 4, 4) == 1.0
    assert rate_at(r, 8, 4) == pytest.approx(0.5)
    assert rate_at(r, 12, 4) == pytest.approx(0.0)


def test_constant_rate_stays():
    r = Recipe("r", rate=0.1, warmup_epochs=0, schedule="constant")
    assert {rate_at(r, k, 5) for k in range(50)} == {0.1}


FLAT = {"energy_weight": 0.3, "painting_weight": 0.5, "painted_negatives": 8, "painted_positives": 4}


def test_the_parts_of_a_recipe_are_there_only_where_something_uses_them():
    plain, evidence, taught = (recipe(name) for name in ("default", "evidence", "evidence-taught"))
    assert (plain.evidence, plain.distillation) == (None, None)
    assert (evidence.evidence, evidence.distillation) == (EvidenceTraining(**FLAT), None)
    assert taught.distillation == Distillation(teacher_weight=0.5)


def test_flat_settings_reach_their_part():
    changed = recipe("evidence", energy_weight=0.1, distillation_weight=2.0, batch=16)
    assert changed.evidence == EvidenceTraining(0.1, 0.5, 8, 4)
    assert changed.distillation == Distillation(distillation_weight=2.0)
    assert recipe("evidence", energy_weight=0.0, painting_weight=0.0, painted_negatives=0, painted_positives=0).evidence is None


def test_settings_of_a_part_that_the_head_does_not_have_are_refused():
    with pytest.raises(TrainingError, match="are for the evidence heads, not for linear"):
        recipe("default", energy_weight=0.1)
    with pytest.raises(TrainingError, match="are for the evidence heads, not for linear"):
        recipe("default", teacher_weight=0.1)


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_comes_back_from_what_a_card_records(name):
    options = json.loads(json.dumps(recipe(name).options))
    assert set(options) == {"name", *OPTIONS}
    assert from_options(options) == recipe(name)


def test_a_recipe_in_a_card_of_an_earlier_version_is_read():
    options = {**recipe("evidence").options}
    earlier = {**options, "view": options.pop("crop"), "side_px": options.pop("size_px")}
    del earlier["crop"], earlier["size_px"]
    assert from_options(earlier) == recipe("evidence")


@pytest.mark.parametrize("name", ["default", "evidence", "evidence-taught", "published"])
def test_a_card_from_before_smoothing_clipping_averages_and_mirroring_is_read(name):
    earlier = {k: v for k, v in recipe(name).options.items() if k not in LATER}
    assert from_options(earlier) == recipe(name)


def test_earlier_names_of_settings_are_still_read_as_options_and_in_files(tmp_path):
    assert recipe("default", view="whole", side_px=96).size_px == 96
    (tmp_path / "mine.toml").write_text('base = "evidence"\nview = "whole"\nside_px = 64\nenergy_weight = 1\n')
    read = chosen(str(tmp_path / "mine.toml"), {"batch": 4, "seed": None})
    assert (read.name, read.crop, read.size_px, read.evidence.energy_weight, read.batch) == ("mine", "whole", 64, 1.0, 4)
