"""Grad-CAM of every backbone: what it is where it can be computed by hand, and what it leaves as it was."""

import itertools

import numpy as np
import pytest
import torch
from torch import nn

from pneumoscope.classifier import BACKBONES
from pneumoscope.classifier.network import build
from pneumoscope.heatmap import Heatmap
from pneumoscope.heatmap.gradcam import explain
from pneumoscope.radiograph import Placement, Region

POOLED = ["resnet18", "resnet50", "efficientnet_b0", "mobilenet_v2", "efficientnet_lite0"]
"""Nothing but a mean over positions and a linear layer after the explained maps."""
TABLES = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")


def randomized(name: str, head: str = "linear"):
    """Random weights with normalizations that know their images, so that no map is flat; in evaluation mode."""
    torch.manual_seed(3)
    network = build(BACKBONES[name], head).train()
    with torch.no_grad():
        for norm in (m for m in network.modules() if isinstance(m, nn.BatchNorm2d | nn.BatchNorm1d)):
            norm.momentum = 1.0
            norm.bias.uniform_(0, 0.5)
        network(images(name))
        (last,) = (m for m in network.modules() if isinstance(m, nn.Linear) and m.out_features == 2)
        last.weight.normal_(0.1, 0.3)
    return network.eval()


def images(name: str, count: int = 3) -> torch.Tensor:
    side = 224 if name == "vit_b_16" else 64
    return torch.rand(count, 1, side, side, generator=torch.Generator().manual_seed(5))


@pytest.fixture(scope="module", params=BACKBONES)
def each(request):
    return randomized(request.param, "mlp"), images(request.param)


@pytest.fixture
def small():
    return randomized("mobilenet_v2")


@pytest.mark.parametrize("index", [0, 1])
@pytest.mark.parametrize("name", POOLED)
def test_after_a_mean_and_a_linear_layer_it_is_the_class_activation_map_of_zhou(name, index):
    """Zhou et al. 2016, arXiv 1512.04150, eq. 2: Σ w_k f_k; the gradient of the mean over h·w positions adds 1 / (h·w)."""
    network, batch = randomized(name), images(name)
    with torch.no_grad():
        activations = network.features(batch).maps
    (last,) = (m for m in network.modules() if isinstance(m, nn.Linear))
    h, w = activations.shape[2:]
    expected = torch.einsum("k,bkhw->bhw", last.weight[index].detach(), activations).relu() / (h * w)

    _, maps = explain(network, batch, index)

    assert bool((expected.amax((1, 2)) > 0).all())
    assert float((maps - expected).abs().max()) <= 1e-5 * float(expected.max())


def test_the_logits_are_the_networks_own_and_nothing_is_attached(each):
    network, batch = each
    with torch.no_grad():
        expected = network(batch)

    logits, maps = explain(network, batch, 1)

    torch.testing.assert_close(logits, expected, rtol=1e-4, atol=1e-4)
    assert (logits.requires_grad, maps.requires_grad) == (False, False)
    assert bool((maps >= 0).all())
    assert maps.shape == (3, 14, 14) if batch.shape[-1] == 224 else maps.shape == (3, 2, 2)


def test_another_method_may_be_given(small):
    batch = images("mobilenet_v2")
    with torch.no_grad():
        activations = small.features(batch).maps

    _, maps = explain(small, batch, 1, combine=lambda activations, gradients: activations.sum(1).relu())

    torch.testing.assert_close(maps, activations.sum(1).relu())


def fail(*_):
    raise ZeroDivisionError


@pytest.mark.parametrize("where", [None, "_features", "_head"])
@pytest.mark.parametrize("given", [True, False])
def test_every_mode_gradient_flag_buffer_and_hook_is_as_before(small, monkeypatch, where, given):
    half = itertools.cycle([True, False])
    for module in small.modules():
        module.training = next(half)
    parameters = list(small.parameters())
    for parameter in parameters[::3]:
        parameter.grad = torch.full_like(parameter, 7.0) if given else None
    parameters[1].requires_grad_(False)
    handle = small.model.features[3].register_forward_hook(lambda *_: None)

    def state():
        return (
            [m.training for m in small.modules()],
            [(p.requires_grad, None if p.grad is None else p.grad.unique().tolist()) for p in parameters],
            [[list(getattr(m, table)) for table in TABLES] for m in small.modules()],
            [b.sum().item() for b in small.buffers()],
            torch.is_grad_enabled(),
        )

    before = state()
    if where is None:
        explain(small, images("mobilenet_v2"), 1)
    else:
        monkeypatch.setattr(small, where, fail)
        with pytest.raises(ZeroDivisionError):
            explain(small, images("mobilenet_v2"), 1)

    assert state() == before
    handle.remove()


def test_a_frozen_network_is_explained_all_the_same(small):
    expected = explain(small, images("mobilenet_v2"), 1)[1]

    small.requires_grad_(False)

    assert torch.equal(explain(small, images("mobilenet_v2"), 1)[1], expected)


def test_dropout_and_batch_norm_of_a_network_in_training_do_not_disturb_its_map(small):
    expected = explain(small, images("mobilenet_v2"), 1)

    again = explain(small.train(), images("mobilenet_v2"), 1)

    assert all(torch.equal(a, b) for a, b in zip(expected, again, strict=True))


@pytest.mark.parametrize("values", [np.zeros((4, 4)), np.zeros((1, 4, 4), np.float32), np.zeros(4, np.float32)])
def test_a_heat_map_has_rows_columns_and_single_precision(values):
    with pytest.raises(ValueError, match=r"must be float32 \(h, w\)"):
        Heatmap(values, Placement(4, 4, Region(0, 0, 4, 4), 4), "pneumonia", "grad-cam", "features", 1.0)
