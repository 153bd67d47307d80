"""A step of the full comparison on the CPU, where no graph is captured."""

import copy

import numpy as np
import pytest
import torch
from full_comparison.batches import Data, canvases, order
from full_comparison.fit import rounded
from full_comparison.plan import Job
from full_comparison.step import Step, whole_loss

from pneumoscope.classifier.backbone import backbone
from pneumoscope.classifier.network import Network, build
from pneumoscope.training.recipe import recipe

JOB = Job("mobilenet_v2", "whole", "scratch", 2, 1e-3)


def test_an_epoch_takes_every_image_once_and_another_epoch_another_order() -> None:
    first, second = order(JOB, 70, 16, 0), order(JOB, 70, 16, 1)
    assert first.shape == (4, 16)
    assert len(np.unique(first)) == 64
    assert (first != second).any()
    np.testing.assert_array_equal(first, order(JOB, 70, 16, 0))


def test_canvases_are_of_the_wanted_classes() -> None:
    class Some(Data):
        def __init__(self) -> None:
            self.references = np.array([0, 1] * 40)
            self.numbers = {"train": np.arange(80)}

    drawn = canvases(Some(), JOB, 32, 0)
    assert drawn.shape == (2, 12)
    assert (drawn % 2).tolist() == [[0] * 8 + [1] * 4] * 2


def test_rounded_maps_keep_three_digits() -> None:
    values = np.random.default_rng(0).normal(size=1000).astype(np.float32)
    assert np.abs(rounded(values) / values - 1).max() < 2.0**-13


@pytest.mark.slow
def test_a_step_moves_the_weights_down_and_the_average_behind_them() -> None:
    torch.manual_seed(0)
    network = build(backbone("mobilenet_v2"), "linear", 2, 32)
    assert isinstance(network, Network)
    average = copy.deepcopy(network).requires_grad_(False)
    step = Step(network, average, whole_loss(network, recipe("default")), recipe("default"), 20, graph=True)
    batch = {"grey": torch.rand(8, 1, 32, 32), "target": torch.tensor([0, 1] * 4)}
    start = network.model.classifier[-1].weight.detach().clone()
    losses = [float(step(batch, 1e-3)) for _ in range(20)]
    moved = (network.model.classifier[-1].weight - start).norm()
    behind = (average.model.classifier[-1].weight - start).norm()
    assert losses[-1] < losses[0]
    assert 0 < behind < moved
