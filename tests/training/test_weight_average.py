"""The average of weights against its definition."""

import pytest
import torch
from torch import nn

from pneumoscope.classifier import BACKBONES
from pneumoscope.classifier.network import build
from pneumoscope.training.weight_average import averaged, decay_of


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))


def test_the_decay_of_a_tenth_of_two_hundred_steps():
    assert decay_of(0.1, 200) == pytest.approx(1 - 1 / 20)


def test_a_short_run_is_averaged_over_two_steps():
    assert decay_of(0.1, 5) == 0.5


def test_without_a_share_the_network_itself_is_evaluated_and_kept():
    own = network()
    trained = averaged(own, 0.0, 100)
    trained.after_step()
    assert trained.evaluated is own
    assert trained.state is own


def test_the_average_is_the_weighted_sum_of_all_weights_so_far():
    """θ̄ₙ = dⁿ θ₀ + (1 − d) Σ dⁿ⁻ᵏ θₖ, for weights and for the statistics of batch norms."""
    own = network().double()
    trained = averaged(own, 0.25, 20)  # five steps back
    decay, names = 0.8, ("0.weight", "1.running_mean", "1.running_var", "2.bias")
    history = [{name: own.state_dict()[name].clone() for name in names}]
    for _ in range(6):
        with torch.no_grad():
            for value in (*own.parameters(), *own.buffers()):
                if value.is_floating_point():
                    value.add_(torch.randn_like(value))
        history.append({name: own.state_dict()[name].clone() for name in names})
        trained.after_step()

    result = trained.evaluated.state_dict()
    for name in names:
        first, *rest = (weights[name] for weights in history)
        later = [(1 - decay) * decay ** (len(rest) - k) * value for k, value in enumerate(rest, 1)]
        torch.testing.assert_close(result[name], decay ** len(rest) * first + sum(later))


def test_the_average_is_not_trained_and_does_not_change_the_network():
    own, same = network(), network()
    trained = averaged(own, 0.1, 100)
    trained.after_step()
    assert trained.evaluated is not own
    assert not any(value.requires_grad for value in trained.evaluated.parameters())
    assert all(value.requires_grad for value in own.parameters())
    assert all(torch.equal(value, same.state_dict()[name]) for name, value in own.state_dict().items())


def test_the_state_holds_the_network_and_its_average():
    one, other = (averaged(network(), 0.1, 100) for _ in range(2))
    for _ in range(3):
        with torch.no_grad():
            one.network[0].weight.add_(1.0)
        one.after_step()
    other.state.load_state_dict(one.state.state_dict())
    for restored, stored in ((other.network, one.network), (other.evaluated, one.evaluated)):
        assert torch.equal(restored[0].weight, stored[0].weight)
    for trained in (one, other):  # the next step averages, it does not copy
        trained.after_step()
    assert torch.equal(other.evaluated[0].weight, one.evaluated[0].weight)
    assert not torch.equal(one.evaluated[0].weight, one.network[0].weight)


@pytest.mark.parametrize(("backbone", "head"), [("mobilenet_v2", "evidence"), ("efficientnet_lite0", "linear")])
def test_the_first_average_of_a_real_network_computes_what_the_network_computes(backbone, head):
    own = build(BACKBONES[backbone], head)
    image = torch.rand(2, 2, 64, 64)
    with torch.no_grad():
        assert torch.equal(averaged(own, 0.1, 100).evaluated.eval()(image), own.eval()(image))
