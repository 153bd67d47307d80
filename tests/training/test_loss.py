"""Losses against hand computation and other implementations."""

import math

import numpy as np
import pytest
import torch
from torch.nn import functional as F
from torchvision.ops import sigmoid_focal_loss

from pneumoscope.training.loss import focal, inverse_frequency, of_recipe
from pneumoscope.training.recipe import Recipe

LOGITS = torch.tensor([[0.3, -1.2], [2.0, 1.0], [-4.0, 3.0]])
TARGET = torch.tensor([1, 0, 1])


def test_focal_loss_without_focus_is_cross_entropy():
    torch.testing.assert_close(focal(LOGITS, TARGET, 0.0), F.cross_entropy(LOGITS, TARGET))


@pytest.mark.parametrize(
    ("p", "gamma", "expected"),
    [(0.9, 2.0, 0.01 * -math.log(0.9)), (0.5, 1.0, 0.5 * math.log(2)), (0.1, 5.0, 0.9**5 * -math.log(0.1))],
)
def test_focal_loss_by_hand(p, gamma, expected):
    """Lin et al. 2017, eq. 4, for one case whose right class has probability p."""
    logits = torch.tensor([[math.log(1 - p), math.log(p)]])
    assert float(focal(logits, torch.tensor([1]), gamma)) == pytest.approx(expected, rel=1e-5)


def test_focal_loss_weighs_each_case_by_its_class():
    alpha = torch.tensor([2.0, 0.5])
    each = [float(focal(LOGITS[k : k + 1], TARGET[k : k + 1], 2.0)) * float(alpha[TARGET[k]]) for k in range(3)]
    assert float(focal(LOGITS, TARGET, 2.0, alpha)) == pytest.approx(sum(each) / 3)


def test_focal_loss_agrees_with_torchvisions_on_the_difference_of_logits():
    expected = sigmoid_focal_loss(LOGITS[:, 1] - LOGITS[:, 0], TARGET.float(), alpha=-1, gamma=2.0, reduction="mean")
    torch.testing.assert_close(focal(LOGITS, TARGET, 2.0), expected)


def test_inverse_frequency_gives_the_published_weights():
    """Shahi & Bagale 2025: α = (1.452, 0.548) for 1,114 normal and 2,951 pneumonia training images."""
    reference = np.repeat([0, 1], [1114, 2951])
    assert inverse_frequency(reference) == pytest.approx([1.452, 0.548], abs=5e-4)


def test_recipes_choose_their_loss():
    reference = np.array([0, 1, 1, 1])
    plain = of_recipe(Recipe("r", loss="cross-entropy"), reference)
    weighted = of_recipe(Recipe("r", loss="weighted-cross-entropy"), reference)
    torch.testing.assert_close(plain(LOGITS, TARGET), F.cross_entropy(LOGITS, TARGET))
    torch.testing.assert_close(weighted(LOGITS, TARGET), F.cross_entropy(LOGITS, TARGET, weight=torch.tensor([1.5, 0.5])))


@pytest.mark.parametrize("smoothing", [0.05, 0.1, 0.5])
def test_smoothed_focal_loss_without_focus_is_pytorchs_smoothed_cross_entropy(smoothing):
    expected = F.cross_entropy(LOGITS, TARGET, label_smoothing=smoothing)
    torch.testing.assert_close(focal(LOGITS, TARGET, 0.0, smoothing=smoothing), expected)


def test_smoothed_focal_loss_with_class_weights_and_without_focus_is_pytorchs_sum_over_images():
    """PyTorch's mean divides by the weights of the labels; the focal loss by the number of images."""
    alpha = torch.tensor([2.0, 0.5])
    expected = F.cross_entropy(LOGITS, TARGET, alpha, label_smoothing=0.1, reduction="sum") / len(TARGET)
    torch.testing.assert_close(focal(LOGITS, TARGET, 0.0, alpha, 0.1), expected)


def test_smoothed_focal_loss_by_hand():
    """p = 0.9 for the label: 0.95 · 0.1² · −ln 0.9 + 0.05 · 0.9² · −ln 0.1, with ε = 0.1 over two classes."""
    logits = torch.tensor([[math.log(0.1), math.log(0.9)]])
    expected = 0.95 * 0.1**2 * -math.log(0.9) + 0.05 * 0.9**2 * -math.log(0.1)
    assert float(focal(logits, torch.tensor([1]), 2.0, smoothing=0.1)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("loss", ["focal", "cross-entropy", "weighted-cross-entropy"])
def test_label_smoothing_reaches_every_loss_of_a_recipe(loss):
    reference, weight = np.array([0, 1, 1, 1]), torch.tensor([1.5, 0.5]) if loss.startswith("weighted") else None
    smoothed = of_recipe(Recipe("r", loss=loss, gamma=0.0, label_smoothing=0.2), reference)
    torch.testing.assert_close(smoothed(LOGITS, TARGET), F.cross_entropy(LOGITS, TARGET, weight, label_smoothing=0.2))
