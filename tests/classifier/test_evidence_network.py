"""A network that adds up to its own map: the logit comes back from the map and the lungs alone."""

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from pneumoscope.classifier import BACKBONES, CheckpointError, Preprocessing
from pneumoscope.classifier import card as cards
from pneumoscope.classifier.checkpoint import Classifier, load, save
from pneumoscope.classifier.evidence_network import EVIDENCE_HEADS, SHARPNESS, EvidenceNetwork, over_cells, pool
from pneumoscope.classifier.network import build
from pneumoscope.lung_fields import LungFieldsError, LungFinder


def network(name="mobilenet_v2", head="evidence"):
    """Random weights whose map is not flat: batch norms that know their inputs, evidence of mean 0 and deviation 1."""
    torch.manual_seed(0)
    net = build(BACKBONES[name], head).train()
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 1.0
    grey = squares(224 if name == "vit_b_16" else 64)[:, :1]
    with torch.no_grad():
        if name != "vit_b_16":  # it has none
            net.cells(grey)
        std, mean = torch.std_mean(net.eval().cells(grey))
        net.evidence.weight /= std
        net.evidence.bias.copy_((net.evidence.bias - mean) / std)
    return net


def squares(side=64, seed=0):
    """Two textured images with two rectangles of lung each, the second one's with a soft edge."""
    torch.manual_seed(seed)
    grey = F.interpolate(torch.rand(2, 1, 9, 9), size=(side, side), mode="bilinear") * 0.8 + torch.rand(2, 1, side, side) * 0.2
    lungs = torch.zeros(2, 1, side, side)
    for left in (0.1, 0.6):
        lungs[:, :, side // 4 : 3 * side // 4, int(left * side) : int((left + 0.3) * side)] = 1
    lungs[1:] = F.avg_pool2d(lungs[1:], 9, 1, 4)
    return torch.cat([grey, lungs], 1)


def pooled(cells, share):
    """The documented formula in float64, without the shift that keeps exponentials small."""
    e, w = (np.asarray(a, np.float64).reshape(len(a), -1) for a in (cells, share))
    w = np.maximum(w, 1e-12)
    return np.log((w * np.exp(SHARPNESS * e)).sum(1) / w.sum(1)) / SHARPNESS


@pytest.mark.parametrize("name", BACKBONES)
def test_the_logit_of_every_backbone_comes_back_from_its_map_and_the_lungs(name):
    side = 224 if name == "vit_b_16" else 64
    square = squares(side)
    net = network(name)
    with torch.no_grad():
        logits, cells = net.explain(square)
        assert torch.equal(net(square), logits)
    h = cells.shape[-1]
    assert h == {224: 14, 64: 8}[side]  # tokens of 16 pixels, or a stride of 8
    share = square[:, 1].double().reshape(2, h, side // h, h, side // h).mean((2, 4))
    assert cells.std() > 0.5, "a flat map proves nothing"
    assert (logits[:, 0] == 0).all()
    assert logits[:, 1].double().numpy() == pytest.approx(pooled(cells, share), abs=1e-5)
    assert np.abs(logits[:, 1].double().numpy() - pooled(cells, np.ones_like(share))).max() > 1e-2


def test_the_pooling_by_hand():
    """Three lung cells of evidence 0 and one of log 2: ¼ log((3 + 16) / 4); weights of 1 and 1/2: ¼ log((1 + 8) / 1.5)."""
    evidence = torch.tensor([[[0.0, 0.0], [0.0, np.log(2)]]])
    assert float(pool(evidence, torch.ones(1, 2, 2))) == pytest.approx(np.log(19 / 4) / 4, rel=1e-6)
    share = torch.tensor([[[1.0, 0.0], [0.0, 0.5]]])
    assert float(pool(evidence, share)) == pytest.approx(np.log(9 / 1.5) / 4, abs=1e-4)


def test_even_evidence_is_its_own_pooling():
    assert pool(torch.full((1, 3, 5), -7.5), torch.rand(1, 3, 5)).item() == pytest.approx(-7.5, abs=1e-5)


maps = st.lists(st.floats(-6, 6, width=32), min_size=9, max_size=9).map(lambda v: torch.tensor(v).reshape(1, 3, 3))
lungs = st.lists(st.booleans(), min_size=9, max_size=9).filter(any).map(lambda v: torch.tensor(v).float().reshape(1, 3, 3))


@settings(max_examples=200, deadline=None)
@given(maps, lungs)
def test_the_pooling_lies_between_mean_and_maximum_of_the_lungs(evidence, lung):
    """Outside of the lungs there is no more evidence than in them; a cell there weighs 1e-12 of one."""
    inside = evidence[lung > 0]
    evidence = torch.where(lung > 0, evidence, inside.min())
    z = pool(evidence, lung).item()
    assert inside.mean().item() - 1e-2 <= z <= inside.max().item() + 1e-5


@settings(max_examples=100, deadline=None)
@given(maps, lungs, st.floats(-20, 0.5))
def test_cells_outside_of_the_lungs_do_not_count(evidence, lung, above):
    """With the lungs in five of nine cells or more, evidence elsewhere up to 0.5 above the lungs' maximum moves 1e-3 at most."""
    lung[0, 1:] = 1
    inside = evidence[lung > 0]
    outside = torch.where(lung > 0, evidence, inside.max() + above)
    alone = np.log(np.exp(SHARPNESS * inside.double().numpy()).mean()) / SHARPNESS
    assert pool(outside, lung).item() == pytest.approx(alone, abs=1e-3)


def test_strong_evidence_outside_of_the_lungs_does_not_count_either():
    evidence = torch.tensor([[[0.0, 0.0], [5.0, 5.0]]])
    assert pool(evidence, torch.tensor([[[1.0, 1.0], [0.0, 0.0]]])).item() == pytest.approx(0, abs=1e-3)


def test_without_lungs_everything_counts_and_the_score_is_finite():
    evidence = torch.tensor([[[0.0, 1.0], [2.0, 3.0]]], requires_grad=True)
    z = pool(evidence, torch.zeros(1, 2, 2))
    z.sum().backward()
    assert z.item() == pytest.approx(np.log(np.exp(4 * np.arange(4.0)).mean()) / 4, rel=1e-5)
    assert evidence.grad.isfinite().all()
    assert evidence.grad.sum().item() == pytest.approx(1, rel=1e-5)


def test_large_evidence_does_not_overflow():
    assert pool(torch.tensor([[[300.0, -300.0]]]), torch.ones(1, 1, 2)).item() == pytest.approx(300 - np.log(2) / 4, rel=1e-6)


def test_the_share_of_a_cell_is_the_mean_of_the_channel_over_it():
    channel = torch.rand(2, 1, 12, 12)
    expected = channel[:, 0].reshape(2, 3, 4, 3, 4).mean((2, 4))
    torch.testing.assert_close(over_cells(channel, torch.zeros(2, 3, 3)), expected)


def test_the_network_normalizes_each_image_by_itself():
    grey = squares()[:, :1]
    normal = network().normalized(grey)
    assert normal.shape == (2, 3, 64, 64)
    assert normal.mean((2, 3)).abs().max() < 1e-5
    assert normal[:, 0].std((1, 2), correction=0).numpy() == pytest.approx(1, abs=0.01)
    assert torch.equal(normal[:, 0], normal[:, 2])
    assert torch.isfinite(network().normalized(torch.full((1, 1, 64, 64), 0.3))).all()


@pytest.mark.parametrize(("contrast", "brightness"), [(0.5, 0.0), (1.0, 0.2), (0.4, 0.55)])
def test_brightness_and_contrast_are_taken_away(contrast, brightness):
    """But for the constant 1e-3 beside the deviation, which is worth as much more as the contrast is weaker."""
    net, grey = network(), squares()[:, :1]
    deviation = grey.double().std((2, 3), correction=0, keepdim=True)
    first, again = net.normalized(grey).double(), net.normalized(grey * contrast + brightness).double()
    shrunk = (deviation + 1e-3) / (deviation + 1e-3 / contrast)
    assert shrunk.min() > 0.97
    torch.testing.assert_close(again, first * shrunk, atol=1e-4, rtol=1e-4)


def test_brightness_does_not_change_the_evidence():
    net, grey = network(), squares()[:, :1]
    with torch.no_grad():
        first, again, other = net.cells(grey), net.cells(grey * 0.5), net.cells(squares(seed=1)[:, :1])
        assert (net.cells(grey + 0.3) - first).abs().max() < 2e-3
    assert (first - again).abs().mean() < 0.2 * (first - other).abs().mean()


def test_the_lungs_change_the_score_but_not_the_map():
    square = squares()
    other = square.clone()
    other[:, 1] = 1 - other[:, 1]
    with torch.no_grad():
        (logits, cells), (changed, same) = network().explain(square), network().explain(other)
    assert torch.equal(cells, same)
    assert (logits[:, 1] - changed[:, 1]).abs().min() > 1e-2


def test_evidence_everywhere_pays_no_regard_to_the_lungs():
    square = squares()
    net = network(head="evidence-everywhere")
    other = square.clone()
    other[:, 1] = 0
    with torch.no_grad():
        logits, cells = net.explain(square)
        assert torch.equal(logits, net(other))
    assert logits[:, 1].double().numpy() == pytest.approx(pooled(cells, np.ones_like(cells)), abs=1e-5)


@pytest.mark.parametrize("name", ["mobilenet_v2", "efficientnet_lite0", "densenet121"])
def test_evidence_coarse_has_one_level_and_its_map_the_coarsest_stride(name):
    net = network(name, "evidence-coarse")
    with torch.no_grad():
        cells = net.cells(squares()[:1, :1])
    assert cells.shape == (1, 2, 2)  # stride 32
    assert (net.levels_used, len(net.lateral), len(net.mix)) == (1, 1, 0)
    assert net.lateral[0].in_channels == BACKBONES[name].pyramid[-1][1]


def test_every_level_of_the_pyramid_reaches_the_map():
    net = network()
    grey = squares()[:, :1]
    with torch.no_grad():
        whole = net.cells(grey)
        for lateral in net.lateral:
            kept = lateral.weight.clone()
            lateral.weight.zero_()
            assert (net.cells(grey) - whole).abs().max() > 1e-2
            lateral.weight.copy_(kept)
        assert torch.equal(net.cells(grey), whole)


@pytest.fixture(scope="module")
def finder():
    return LungFinder.load(threads=1)


@pytest.fixture
def saved(card, finder, tmp_path):
    """An evidence classifier and the folder of its checkpoint."""
    wanted = Preprocessing(64, "lungs", lungs=finder.sha256)
    whole = dataclasses.replace(card, head="evidence", preprocessing=wanted, map_method="evidence")
    classifier = Classifier(network(), whole, finder)
    save(classifier, tmp_path / "c")
    return classifier, tmp_path / "c"


@pytest.mark.parametrize("head", EVIDENCE_HEADS)
def test_a_checkpoint_answers_as_what_was_saved(saved, tmp_path, head):
    first = saved[0]
    classifier = Classifier(network(head=head), dataclasses.replace(first.card, head=head), first.finder)
    kept = save(classifier, tmp_path / "d")
    loaded = load(tmp_path / "d")
    square = squares().numpy()
    assert isinstance(loaded.network, EvidenceNetwork)
    assert loaded.card == kept
    assert (loaded.log_odds(square) == classifier.log_odds(square)).all()
    assert loaded.finder.sha256 == first.finder.sha256
    assert sorted(p.name for p in (tmp_path / "d").iterdir()) == ["card.json", "weights.safetensors"]


def test_a_checkpoint_of_an_unknown_lung_field_model_is_refused(saved):
    folder = saved[1]
    card = cards.read(folder)
    cards.write(dataclasses.replace(card, preprocessing=dataclasses.replace(card.preprocessing, lungs="0" * 64)), folder)
    with pytest.raises(LungFieldsError, match="needs the lung-field model 000000000000"):
        load(folder)


def test_weights_of_another_evidence_head_are_refused(saved):
    folder = saved[1]
    cards.write(dataclasses.replace(cards.read(folder), head="evidence-coarse"), folder)
    with pytest.raises(CheckpointError, match="do not fit a mobilenet_v2 with evidence-coarse head"):
        load(folder)
