"""Recipes: names, bounds, the published protocol."""

import pytest

from pneumoscope.training.errors import TrainingError
from pneumoscope.training.recipe import Recipe, recipe
from pneumoscope.training.schedule import rate_at


def test_published_recipe_is_the_published_protocol():
    """Shahi & Bagale 2025: ten epochs of 32, Adam 1e-4, decay 1e-4, constant rate, focal γ = 2 with α, balanced sampler."""
    r = recipe("published")
    assert (r.epochs, r.batch, r.optimizer, r.rate, r.weight_decay) == (10, 32, "adam", 1e-4, 1e-4)
    assert (r.schedule, r.warmup_epochs, r.loss, r.gamma, r.alpha) == ("constant", 0, "focal", 2, "inverse-frequency")
    assert (r.sampling, r.patience, r.head, r.side_px, r.augmentation) == ("balanced", 3, "mlp", 224, "published")


def test_unknown_names_list_the_near_ones():
    with pytest.raises(TrainingError, match="did you mean published"):
        recipe("publised")
    with pytest.raises(TrainingError, match="did you mean epochs"):
        recipe("default", epoch=3)


@pytest.mark.parametrize(
    "change", [{"loss": "hinge"}, {"epochs": 0}, {"batch": 1}, {"rate": 0.0}, {"gamma": -1.0}, {"side_px": 8}]
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
