"""Recipes, rates and losses at the edge of what they take."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F
from torchvision.ops import sigmoid_focal_loss

from pneumoscope.training import TrainingError
from pneumoscope.training.batches import batches, order, steps
from pneumoscope.training.compute import Compute
from pneumoscope.training.loss import focal
from pneumoscope.training.pool import Pool
from pneumoscope.training.recipe import RECIPES, Recipe, recipe
from pneumoscope.training.schedule import rate_at, take_step
from pneumoscope.training.square_store import SquareStore
from tests.radiograph.builders import property_test

LOGITS = torch.randn(64, 2, generator=torch.Generator().manual_seed(0)) * 3
TARGET = torch.arange(64) % 2


@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize("name", ["rate", "gamma", "weight_decay", "warmup_epochs"])
def test_a_number_that_is_none_is_refused(name, value):
    with pytest.raises(TrainingError, match=name):
        recipe("default", **{name: value})


def test_the_table_of_recipes_cannot_be_changed():
    with pytest.raises(TypeError):
        RECIPES["default"] = RECIPES["evidence"]


def test_a_change_leaves_the_named_recipe_alone():
    assert recipe("default", epochs=3).epochs == 3
    assert recipe("default") == RECIPES["default"]


@property_test
@given(
    st.floats(0, 4), st.integers(1, 6), st.integers(1, 30), st.sampled_from(["constant", "cosine"]),
)  # fmt: skip
def test_no_step_is_faster_than_the_peak_or_slower_than_standing_still(warmup, epochs, steps, schedule):
    r = Recipe("r", rate=1.0, warmup_epochs=warmup, epochs=epochs, schedule=schedule)

    rates = [rate_at(r, k, steps) for k in range(epochs * steps)]

    assert min(rates) >= 0
    assert max(rates) <= 1


def test_half_an_epoch_of_warm_up_over_five_steps_by_hand():
    r = Recipe("r", rate=1.0, warmup_epochs=0.5, epochs=2, schedule="constant")

    assert [rate_at(r, k, 5) for k in range(4)] == pytest.approx([0.4, 0.8, 1.0, 1.0])


def test_the_last_step_of_a_cosine_is_near_zero():
    r = Recipe("r", rate=1.0, warmup_epochs=1, epochs=12, schedule="cosine")

    assert 0 < rate_at(r, 12 * 100 - 1, 100) < 1e-5


@pytest.mark.parametrize("scale", [None, 1024.0])
@pytest.mark.parametrize(("clip_norm", "change"), [(0.0, (-3.0, -4.0)), (10.0, (-3.0, -4.0)), (1.0, (-0.6, -0.8))])
def test_a_long_gradient_is_scaled_down_to_the_limit(clip_norm, change, scale):
    """The gradient (3, 4) over two groups of parameters has the norm 5."""
    weights = [torch.zeros(1, requires_grad=True) for _ in range(2)]
    optimizer = torch.optim.SGD([{"params": [w]} for w in weights], lr=0.5)

    scaler = torch.amp.GradScaler("cpu", init_scale=scale) if scale else None

    take_step(3 * weights[0].sum() + 4 * weights[1].sum(), optimizer, 1.0, scaler, clip_norm)

    assert [float(w.detach()) for w in weights] == pytest.approx(change, rel=1e-5)


@pytest.mark.parametrize("alpha", [0.25, 0.5, 0.9])
@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0, 5.0])
def test_the_focal_loss_of_torchvision_with_its_alpha(alpha, gamma):
    """For two classes softmax is the logistic function of the difference; torchvision weighs positives α and negatives 1 − α."""
    expected = sigmoid_focal_loss(LOGITS[:, 1] - LOGITS[:, 0], TARGET.float(), alpha=alpha, gamma=gamma, reduction="mean")

    torch.testing.assert_close(focal(LOGITS, TARGET, gamma, torch.tensor([1 - alpha, alpha])), expected)


def test_the_focal_loss_of_a_case_at_nine_tenths_by_hand():
    # 0.1² · −ln 0.9 = 0.01 · 0.10536, and 0.25 of it.
    logits, target = torch.tensor([[0.0, math.log(9)]]), torch.tensor([1])

    assert float(focal(logits, target, 2.0)) == pytest.approx(0.0010536, abs=1e-7)
    assert float(focal(logits, target, 2.0, torch.tensor([7.0, 0.25]))) == pytest.approx(0.0002634, abs=1e-7)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0, 5.0])
@pytest.mark.parametrize("z", [10.0, 30.0, 1000.0])
def test_the_slope_of_the_focal_loss_is_a_number_however_sure_the_model_is(gamma, z):
    logits = torch.tensor([[-z, z], [z, -z]], requires_grad=True)

    loss = focal(logits, torch.tensor([1, 1]), gamma)
    loss.backward()

    # The first is right and costs nothing; the second is wrong by 2 z and all of its weight is left: half of 2 z.
    assert float(loss.detach()) == pytest.approx(z, rel=1e-5)
    torch.testing.assert_close(logits.grad, torch.tensor([[0.0, 0.0], [0.5, -0.5]]), rtol=1e-5, atol=1e-5)


def test_without_focus_the_slope_is_that_of_cross_entropy():
    ours, theirs = (LOGITS.clone().requires_grad_() for _ in range(2))

    focal(ours, TARGET, 0.0).backward()
    F.cross_entropy(theirs, TARGET).backward()

    torch.testing.assert_close(ours.grad, theirs.grad)


@pytest.mark.parametrize(("images", "batch", "whole"), [(7, 8, 0), (8, 8, 1), (17, 8, 2)])
def test_steps_are_whole_batches(images, batch, whole):
    r = Recipe("r", batch=batch)

    assert steps(r, Pool(np.zeros(images, int))) == whole
    assert len(order(r, np.arange(images) % 2, 0)) == whole * batch


def test_another_seed_draws_another_order():
    reference = np.arange(64) % 2

    assert (order(Recipe("r", seed=1), reference, 0) != order(Recipe("r", seed=2), reference, 0)).any()


class Unreadable:
    nbytes = 1

    def __getitem__(self, index):
        raise OSError("the cache was deleted")


def test_what_goes_wrong_ahead_of_the_model_is_raised():
    with pytest.raises(OSError, match="the cache was deleted"):
        next(batches(Recipe("r"), SquareStore(Unreadable(), Compute()), np.arange(64) % 2, 0))
