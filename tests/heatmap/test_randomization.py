"""A network that forgets layer by layer: which layers, in which order, and what is left alone."""

import numpy as np
import pytest
import torch

from pneumoscope.classifier import BACKBONES
from pneumoscope.classifier.network import build
from pneumoscope.classifier.score import TARGET
from pneumoscope.heatmap.explain import explain
from pneumoscope.heatmap.randomization import STAGES, cascade, maps_of

HEADS = ("linear", "evidence")
FIRST = "model.features.0.0.weight"


def taught(head, name="mobilenet_v2"):
    """Every tensor is unlike what its library would draw: parameters all the same value, running means and variances too."""
    torch.manual_seed(0)
    network = build(BACKBONES[name], head)
    with torch.no_grad():
        for key, tensor in network.state_dict().items():
            if tensor.dtype.is_floating_point and key not in ("mean", "std"):
                tensor.fill_(0.37)
            else:
                tensor.fill_(9)
    return network.eval()


def state(network):
    return {k: v.clone() for k, v in network.state_dict().items()}


def changed(before, network):
    return {k for k, v in network.state_dict().items() if not torch.equal(v, before[k])}


def layers(network):
    """Names of the layers that their library can draw anew, in the order of registration."""
    return [n for n, m in network.named_modules() if hasattr(m, "reset_parameters") and list(m.parameters(recurse=False))]


@pytest.fixture(params=HEADS)
def head(request):
    return request.param


def test_eight_stages_go_up_to_all_layers_and_leave_the_given_network_untouched(head):
    network = taught(head)
    before, modes = state(network), [m.training for m in network.modules()]
    shares = []
    for share, other in cascade(network):
        shares.append(share)
        assert other is not network
        assert not {p.data_ptr() for p in network.parameters()} & {p.data_ptr() for p in other.parameters()}
        assert not changed(before, network)
    assert shares == [k / 8 for k in range(1, 9)]
    assert STAGES == 8
    assert [m.training for m in network.modules()] == modes


def test_the_last_layers_forget_first_and_the_first_convolution_last(head):
    network = taught(head)
    before = state(network)
    last = "model.classifier.1.weight" if head == "linear" else "evidence.weight"
    for share, other in cascade(network):
        assert last in changed(before, other)
        assert (FIRST in changed(before, other)) == (share == 1)


def test_what_has_forgotten_stays_so_and_each_stage_takes_an_eighth_of_the_layers(head):
    network = taught(head)
    before, order, seen = state(network), layers(network), set()
    for share, other in cascade(network):
        differ = changed(before, other)
        forgotten = {n for n in order if any(k.rpartition(".")[0] == n for k in differ)}
        assert seen <= forgotten
        assert len(forgotten) == int(len(order) * share)
        seen = forgotten


def test_of_the_librarys_model_the_end_forgets_before_the_beginning(head):
    """Blocks of MobileNetV2 are numbered from the input: a stage's set is all that come after some block, and parts of it."""
    network = taught(head)
    before = state(network)
    for _, other in cascade(network):
        differ = changed(before, other)
        blocks = {int(k.split(".")[2]) for k in before if k.startswith("model.features.")}
        whole = {b for b in blocks if all(k in differ for k in before if k.startswith(f"model.features.{b}."))}
        touched = {int(k.split(".")[2]) for k in differ if k.startswith("model.features.")}
        assert len(touched - whole) <= 1
        assert touched == {b for b in blocks if b >= min(touched, default=99)}


def test_what_lies_beside_the_librarys_model_forgets_before_it():
    network = taught("evidence")
    before = state(network)
    _, other = next(cascade(network))
    assert {k for k in before if not k.startswith("model.")} <= changed(before, other)


def test_in_the_end_every_layer_that_can_be_drawn_anew_differs_in_all_its_tensors(head):
    network = taught(head)
    before = state(network)
    *_, (share, other) = cascade(network)
    assert share == 1
    assert changed(before, other) == {k for k in before if k.rpartition(".")[0] in layers(network)} == set(before)


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v3_large", "efficientnet_lite0"])
def test_other_backbones_forget_everything_as_well(name):
    network = taught("evidence", name)
    before = state(network)
    *_, (_, other) = cascade(network)
    assert changed(before, other) == set(before)


def test_a_layer_is_drawn_as_its_library_draws_it():
    """Batch norms become 1 and 0 again, a convolution Kaiming-uniform: within ±1 / √(fan in) of 27 (He 2015 with a = √5)."""
    *_, (_, other) = cascade(taught("linear"))
    norm = other.model.features[0][1]
    for tensor, value in ((norm.weight, 1), (norm.bias, 0), (norm.running_mean, 0), (norm.running_var, 1)):
        assert (tensor == value).all()
    weight = other.model.features[0][0].weight
    assert 0.9 / 27**0.5 < float(weight.detach().abs().max()) <= 1 / 27**0.5


def test_the_seed_decides_what_is_drawn():
    def end(seed):
        *_, (_, other) = cascade(taught("linear"), seed)
        return other.state_dict()[FIRST]

    assert torch.equal(end(0), end(0))
    assert not torch.equal(end(0), end(1))


def test_maps_are_the_explained_ones_of_the_target_for_all_squares():
    torch.manual_seed(0)
    network = build(BACKBONES["mobilenet_v2"], "evidence").eval()
    squares = np.random.default_rng(0).random((3, 2, 64, 64), np.float32)
    maps = maps_of(network, squares)
    assert (maps.dtype, maps.shape) == (np.float32, (3, 8, 8))
    for k in range(3):
        one = explain(network, torch.from_numpy(squares[k : k + 1]), TARGET)[1][0].numpy()
        np.testing.assert_allclose(maps[k], one, atol=1e-5 * np.abs(one).max())
