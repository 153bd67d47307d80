"""Other ways to explain, from their libraries: what each gives, what it must agree with, and what it leaves as it was."""

import copy
import functools
import itertools

import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn
from torch.nn import functional as F

from pneumoscope.classifier import BACKBONES
from pneumoscope.classifier.evidence_network import pool
from pneumoscope.classifier.network import build
from pneumoscope.classifier.score import TARGET
from pneumoscope.heatmap import library_explainers
from pneumoscope.heatmap.explain import explain
from pneumoscope.heatmap.library_explainers import GENERAL, OWN, attribute

SIDE = 64
HEADS = ("linear", "evidence")
CAMS = (
    "Grad-CAM",
    "Grad-CAM++",
    "HiResCAM",
    "XGrad-CAM",
    "LayerCAM, three layers fused",
    "Eigen-CAM",
    "Score-CAM",
    "Ablation-CAM",
)
KEPT = (OWN, "Grad-CAM", "Eigen-CAM", "LayerCAM, three layers fused", "integrated gradients", "occlusion")


def squares(count=2):
    """Smooth grey with texture, and two rectangles of lung."""
    generator = torch.Generator().manual_seed(5)
    grey = F.interpolate(torch.rand(count, 1, 9, 9, generator=generator), size=(SIDE, SIDE), mode="bilinear")
    lungs = torch.zeros(count, 1, SIDE, SIDE)
    lungs[:, :, 16:48, 6:26] = lungs[:, :, 16:48, 38:58] = 1
    return torch.cat([grey, lungs], 1)


@functools.cache
def network(head):
    """Random weights with normalizations that know their images, so that no map is flat; in evaluation mode."""
    torch.manual_seed(3)
    net = build(BACKBONES["mobilenet_v2"], head).train()
    with torch.no_grad():
        for norm in (m for m in net.modules() if isinstance(m, nn.BatchNorm2d)):
            norm.momentum = 1.0
            norm.bias.uniform_(0, 0.5)
        net(squares(4))
        if head == "linear":
            net.model.classifier[1].weight.normal_(0.1, 0.3)
        else:
            std, mean = torch.std_mean(net.eval().cells(squares(4)[:, :1]))
            net.evidence.weight /= std
            net.evidence.bias.copy_((net.evidence.bias - mean) / std)
    return net.eval()


def square(head):
    return squares()[0].numpy() if head == "evidence" else squares()[0, :1].numpy()


@functools.cache
def mapped(name, head):
    return attribute(name, network(head), square(head))


def spearman(a, b):
    return stats.spearmanr(np.ravel(a), np.ravel(b)).statistic


def test_there_are_twelve_methods_and_the_networks_own_is_first():
    assert (OWN, *CAMS, "integrated gradients", "occlusion", "RISE") == GENERAL


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("name", GENERAL)
def test_each_method_gives_a_finite_map_of_the_square_that_is_not_flat(name, head):
    """Whatever is covered raises this whole-image network's logit, so occlusion is asked of one with the opposite weights."""
    if (name, head) == ("occlusion", "linear"):
        opposite = copy.deepcopy(network(head))
        with torch.no_grad():
            opposite.model.classifier[1].weight.neg_()
        values = attribute(name, opposite, square(head))
    else:
        values = mapped(name, head)
    assert (values.dtype, values.shape) == (np.float32, (SIDE, SIDE))
    assert np.isfinite(values).all()
    assert np.ptp(values) > 1e-6 * np.abs(values).max()
    if name != OWN:
        assert values.min() >= 0


@pytest.mark.parametrize("head", HEADS)
def test_the_networks_own_map_is_the_explained_one_spread_over_the_square(head):
    """Linear interpolation of PyTorch, half-pixel centres, edges held: here by hand."""
    (raw,) = explain(network(head), torch.from_numpy(square(head))[None], TARGET)[1].numpy()
    at = np.clip((np.arange(SIDE) + 0.5) / SIDE * len(raw) - 0.5, 0, len(raw) - 1)
    rows = np.stack([np.interp(at, np.arange(len(raw)), column) for column in raw.T], 1)
    expected = np.stack([np.interp(at, np.arange(len(raw)), row) for row in rows])
    np.testing.assert_allclose(mapped(OWN, head), expected, atol=1e-5 * np.abs(raw).max())


def test_grad_cam_of_the_library_ranks_as_our_own():
    assert spearman(mapped("Grad-CAM", "linear"), mapped(OWN, "linear")) > 0.99


def test_a_linear_head_after_a_mean_makes_grad_cam_and_hirescam_one():
    """Draelos & Carin 2020, arXiv 2011.08891, §3.2: every position has the same gradient there."""
    np.testing.assert_allclose(mapped("HiResCAM", "linear"), mapped("Grad-CAM", "linear"), atol=1e-4)


def test_methods_explain_the_target_and_not_the_other_class():
    """Of a network whose two logits swap their weights the map of the target is another one."""
    swapped = build(BACKBONES["mobilenet_v2"], "linear").eval()
    swapped.load_state_dict(network("linear").state_dict())
    last = swapped.model.classifier[1]
    with torch.no_grad():
        last.weight.copy_(network("linear").model.classifier[1].weight.flip(0))
        last.bias.copy_(network("linear").model.classifier[1].bias.flip(0))
    there = explain(swapped, torch.from_numpy(square("linear"))[None], 0)[1][0]
    expected = F.interpolate(there[None, None], size=(SIDE, SIDE), mode="bilinear")[0, 0]
    assert spearman(attribute("Grad-CAM", swapped, square("linear")), mapped(OWN, "linear")) < 0.99
    assert spearman(expected, mapped(OWN, "linear")) > 0.99
    for name in ("integrated gradients", "RISE"):
        assert spearman(attribute(name, swapped, square("linear")), mapped(name, "linear")) < 0.99


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("name", KEPT)
def test_modes_parameters_buffers_and_hooks_of_a_network_in_training_are_as_they_were(name, head):
    """Its own modes mixed: what a call sets to evaluation it must give back."""
    net = build(BACKBONES["mobilenet_v2"], head)
    net.load_state_dict(network(head).state_dict())
    half = itertools.cycle([True, False])
    for module in net.modules():
        module.training = next(half)

    def state():
        return (
            [m.training for m in net.modules()],
            {k: v.clone() for k, v in net.state_dict().items()},
            [len(m._forward_hooks) + len(m._backward_hooks) + len(m._forward_pre_hooks) for m in net.modules()],
            [type(m) for m in net.modules()],
        )

    modes, tensors, hooks, kinds = state()
    values = attribute(name, net, square(head))
    after = state()
    assert (after[0], after[2], after[3]) == (modes, hooks, kinds)
    assert all(torch.equal(v, after[1][k]) for k, v in tensors.items())
    np.testing.assert_allclose(values, mapped(name, head), atol=1e-5 * np.abs(values).max())  # as in evaluation


def test_ablation_puts_the_layer_back_that_it_replaced():
    net, before = network("evidence"), list(network("evidence").modules())
    mapped("Ablation-CAM", "evidence")
    attribute("Ablation-CAM", net, square("evidence"))
    assert list(net.modules()) == before


def test_without_gradients_around_it_the_map_is_the_same():
    with torch.no_grad():
        values = attribute("Grad-CAM", network("linear"), square("linear"))
        assert not torch.is_grad_enabled()
    np.testing.assert_array_equal(values, mapped("Grad-CAM", "linear"))


def test_rise_of_one_seed_is_the_same_and_of_another_is_not():
    again = attribute("RISE", network("linear"), square("linear"), seed=0)
    np.testing.assert_array_equal(again, mapped("RISE", "linear"))
    assert (attribute("RISE", network("linear"), square("linear"), seed=1) != again).mean() > 0.9


class Corner(nn.Module):
    """The target's log-odds are ten times the mean of one window of the square above a half."""

    def __init__(self, window):
        super().__init__()
        self.window = window
        self.unused = nn.Parameter(torch.zeros(1))

    def forward(self, grey):
        top, left, bottom, right = self.window
        z = grey[:, 0, top:bottom, left:right].mean((1, 2)) * 10 - 5 + 0 * self.unused
        return torch.stack([torch.zeros_like(z), z], 1)


@pytest.mark.parametrize("name", ["integrated gradients", "occlusion", "RISE"])
@pytest.mark.parametrize("window", [(4, 4, 24, 24), (40, 12, 60, 32)])
def test_methods_that_need_no_layer_find_the_window_that_the_score_comes_from(name, window):
    """White on a dark square in the window and elsewhere too: only the window's own light counts."""
    grey = torch.full((1, 1, SIDE, SIDE), 0.1)
    for top, left, bottom, right in ((4, 4, 24, 24), (40, 12, 60, 32)):
        grey[:, :, top:bottom, left:right] = 0.9
    values = library_explainers._OTHERS[name](Corner(window), grey, 0)
    values = F.interpolate(values.reshape(1, 1, *values.shape[-2:]), size=(SIDE, SIDE), mode="bilinear")[0, 0].numpy()
    top, left, bottom, right = window
    row, col = np.unravel_index(values.argmax(), values.shape)
    assert top - 2 <= row < bottom + 2
    assert left - 2 <= col < right + 2
    outside = np.ones((SIDE, SIDE), bool)
    outside[max(top - 10, 0) : bottom + 10, max(left - 10, 0) : right + 10] = False
    assert values[top:bottom, left:right].mean() > values[outside].mean()


def test_integrated_gradients_of_a_linear_score_by_hand():
    """Gradient 10 / 400 inside the window times the distance from the mean, of a grid of 28 × 28 its cells' means."""
    grey = torch.rand(1, 1, 56, 56, generator=torch.Generator().manual_seed(0))
    values = library_explainers._OTHERS["integrated gradients"](Corner((8, 8, 28, 28)), grey, 0)[0].numpy()
    pixels = grey[0, 0].numpy().astype(np.float64)
    expected = np.zeros((56, 56))
    expected[8:28, 8:28] = np.abs(pixels - pixels.mean())[8:28, 8:28] * 10 / 400
    np.testing.assert_allclose(values, expected.reshape(28, 2, 28, 2).mean((1, 3)), atol=1e-6)


def test_the_lungs_that_count_stay_when_grey_is_covered():
    """With the lungs of one side alone, the map by occlusion of evidence that is a cell's brightness lies on that side."""

    class Bright(nn.Module):
        def forward(self, whole):
            cells = F.avg_pool2d(whole[:, :1], 8)[:, 0] * 8
            z = pool(cells, F.avg_pool2d(whole[:, 1:], 8)[:, 0])
            return torch.stack([torch.zeros_like(z), z], 1)

    lungs = torch.zeros(1, 1, SIDE, SIDE)
    lungs[..., :32] = 1
    model = library_explainers._OfGrey(Bright(), lungs)
    grey = squares()[:1, :1]
    assert model(grey.expand(5, -1, -1, -1)).shape == (5, 2)
    values = library_explainers._OTHERS["occlusion"](model, grey, 0).numpy().reshape(SIDE, SIDE)
    assert values[:, :24].sum() > 0
    assert np.abs(values[:, 48:]).max() <= 1e-5 * values.max()
