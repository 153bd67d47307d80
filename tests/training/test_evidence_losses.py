"""What teaches the evidence where to be: losses by hand, painted opacities, moved views."""

import math

import numpy as np
import pytest
import torch
from scipy import stats
from torch.nn import functional as F

from pneumoscope.classifier import BACKBONES
from pneumoscope.classifier.network import build
from pneumoscope.training import batches, painted_opacities, view_augmentation
from pneumoscope.training.compute import Compute
from pneumoscope.training.evidence_losses import energy_outside, painting_loss, step_loss
from pneumoscope.training.loss import of_recipe
from pneumoscope.training.painted_opacities import paint
from pneumoscope.training.pool import Pool
from pneumoscope.training.random_images import Draws
from pneumoscope.training.recipe import EvidenceTraining, Recipe
from pneumoscope.training.square_store import SquareStore

SIDE = 64
RECIPE = Recipe(
    "r", head="evidence", crop="lungs", augmentation="views", batch=4, size_px=SIDE,
    evidence=EvidenceTraining(energy_weight=0.3, painting_weight=0.5, painted_negatives=2, painted_positives=1),
)  # fmt: skip
REFERENCE = np.repeat([0, 1], [30, 70])


def two_lungs(n, side=SIDE):
    lungs = torch.zeros(n, 1, side, side)
    for left in (0.1, 0.55):
        lungs[:, :, side // 4 : 3 * side // 4, int(left * side) : int((left + 0.3) * side)] = 1
    return lungs


def textured(n, side=SIDE):
    return F.interpolate(torch.rand(n, 1, 9, 9), size=(side, side), mode="bilinear")


def softplus_is(*energies):
    return torch.tensor([math.log(math.expm1(e)) for e in energies]).reshape(1, 2, 2)


def test_energy_outside_by_hand():
    """Energies 1, 3, 1, 1 with all, all, none and half of the cell in the lungs: 1.5 of 6 lie outside."""
    cells, lung = softplus_is(1, 3, 1, 1), torch.tensor([[[1.0, 1.0], [0.0, 0.5]]])
    assert energy_outside(cells, lung, torch.tensor([1])).item() == pytest.approx(0.25, rel=1e-5)
    assert energy_outside(cells, lung, torch.tensor([0])).item() == pytest.approx(0.25 / 5, rel=1e-5)
    both = energy_outside(cells.expand(2, 2, 2), lung.expand(2, 2, 2), torch.tensor([1, 0]))
    assert both.item() == pytest.approx((0.25 + 0.05) / 2, rel=1e-5)
    assert energy_outside(cells, torch.ones(1, 2, 2), torch.tensor([1])).item() == pytest.approx(0, abs=1e-6)


def test_energy_outside_pulls_evidence_into_the_lungs():
    cells = torch.zeros(1, 2, 2, requires_grad=True)
    energy_outside(cells, torch.tensor([[[1.0, 1.0], [0.0, 0.0]]]), torch.tensor([1])).backward()
    assert (cells.grad[0, 0] < 0).all()
    assert (cells.grad[0, 1] > 0).all()


PAINTED = torch.tensor([[[1.0, 0.0], [0.0, 0.0]]])
LUNG = torch.tensor([[[1.0, 1.0], [0.0, 0.0]]])


def test_the_painting_loss_by_hand():
    """Evidence 0 everywhere, one of four cells painted. Without the target all four count: log 2 + 1 − (1 + 1) / (2 + 1 + 1).
    With it the lung cell that is not painted is unknown, and three count: log 2 + 1 − (1 + 1) / (1.5 + 1 + 1)."""
    zero = torch.zeros(1, 2, 2)
    assert painting_loss(zero, PAINTED, LUNG, torch.tensor([0])).item() == pytest.approx(math.log(2) + 1 - 2 / 4, rel=1e-6)
    assert painting_loss(zero, PAINTED, LUNG, torch.tensor([1])).item() == pytest.approx(math.log(2) + 1 - 2 / 3.5, rel=1e-6)
    certain = (PAINTED - 0.5) * 100
    assert painting_loss(certain, PAINTED, LUNG, torch.tensor([0])).item() == pytest.approx(0, abs=1e-6)


def test_unpainted_lung_of_positives_does_not_count_and_of_negatives_does():
    for target, counts in ((1, False), (0, True)):
        cells = torch.zeros(1, 2, 2, requires_grad=True)
        painting_loss(cells, PAINTED, LUNG, torch.tensor([target])).backward()
        assert (cells.grad[0, 0, 1] != 0) == counts
        assert cells.grad[0, 0, 0] < 0  # painted: more evidence
        assert (cells.grad[0, 1] > 0).all()  # outside: less


def network():
    torch.manual_seed(0)
    return build(BACKBONES["mobilenet_v2"], "evidence").train()


def batch(n=4, seed=5):
    torch.manual_seed(seed)
    return torch.cat([textured(n), two_lungs(n)], 1), torch.arange(n) % 2


def moved_weights(net, value):
    """Names of the parameters whose gradient is not zero."""
    net.zero_grad()
    value.backward()
    return {name for name, p in net.named_parameters() if p.grad is not None and p.grad.isfinite().all() and p.grad.any()}


def loss_of(net, recipe=RECIPE, canvas=3, seed=7):
    given = *batch(), *batch(canvas, 6)
    torch.manual_seed(seed)
    return step_loss(net, net.cells, *given, of_recipe(recipe, REFERENCE), recipe)


def test_each_loss_moves_the_first_layer_every_level_and_the_evidence():
    net = network()
    squares, target = batch()
    cells = F.avg_pool2d(squares[:, 1], 8)
    painted = F.avg_pool2d(squares[:, 1], 8) * (torch.rand(4, 8, 8) > 0.5)
    first = "model.features.0.0.weight"
    wanted = {first, "evidence.weight"} | {f"lateral.{k}.weight" for k in range(3)} | {f"mix.{k}.0.weight" for k in range(2)}
    assert wanted <= dict(net.named_parameters()).keys()
    for value in (
        energy_outside(net.cells(squares[:, :1]), cells, target),
        painting_loss(net.cells(squares[:, :1]), painted, cells, target),
        loss_of(net),
    ):
        assert wanted <= moved_weights(net, value)


def test_the_loss_of_a_step_adds_its_three_parts_by_their_weights():
    """With one torch seed everything that is random is the same, so the weights' parts add up."""
    net = network()
    for module in net.modules():
        if isinstance(module, torch.nn.Dropout2d):
            module.p = 0.0

    def value(energy, painted):
        recipe = Recipe(
            "r", head="evidence", augmentation="views", evidence=EvidenceTraining(energy, painted, painted_negatives=2)
        )
        return loss_of(net, recipe).item()

    plain, energy, painted = value(0, 0), value(1, 0) - value(0, 0), value(0, 1) - value(0, 0)
    assert plain > 0
    assert 0 < energy < 1
    assert painted > 0.3
    assert value(0.3, 0.5) == pytest.approx(plain + 0.3 * energy + 0.5 * painted, rel=1e-4)


def test_the_same_torch_seed_gives_the_same_loss_and_another_seed_another():
    net = network()
    assert loss_of(net).item() == loss_of(net).item()
    assert loss_of(net).item() != loss_of(net, seed=8).item()


@pytest.mark.filterwarnings("ignore")
def test_a_step_may_paint_on_nothing():
    recipe = Recipe("r", head="evidence", augmentation="views", evidence=EvidenceTraining(energy_weight=0.3))
    assert loss_of(network(), recipe, canvas=0).isfinite()


def test_what_is_painted_lies_in_the_lungs_and_is_zero_or_one():
    torch.manual_seed(0)
    lungs = two_lungs(48)
    images, painted = paint(textured(48), lungs)
    assert images.shape == painted.shape == (48, 1, SIDE, SIDE)
    assert set(painted.unique().tolist()) == {0, 1}
    assert not (painted * (1 - lungs)).any()
    share = (painted.sum((1, 2, 3)) / lungs.sum((1, 2, 3)))[painted.amax((1, 2, 3)) > 0]
    assert len(share) > 24  # none of three: 0.45 · 0.65² = 19 %
    assert 0.02 < share.median() < 0.9


def test_where_the_lungs_did_not_change_at_all_nothing_counts_as_painted():
    torch.manual_seed(1)
    grey, lungs = textured(64), two_lungs(64)
    images, painted = paint(grey, lungs)
    untouched = ((images != grey) * (lungs > 0)).sum((1, 2, 3)) == 0
    assert 2 <= untouched.sum() < 32
    assert not painted[untouched].any()


def test_nearly_every_painted_pixel_looks_different():
    torch.manual_seed(2)
    grey = textured(64)
    images, painted = paint(grey, two_lungs(64))
    assert ((images - grey).abs()[painted > 0] < 1 / 255).float().mean() < 0.05


def test_without_lungs_nothing_is_painted_but_decoys_on_two_images_of_five():
    torch.manual_seed(3)
    grey = textured(200)
    images, painted = paint(grey, torch.zeros_like(grey))
    assert not painted.any()
    changed = images != grey
    assert stats.binomtest(int(changed.flatten(1).any(1).sum()), 200, 0.4).pvalue > 1e-3
    for k in changed.flatten(1).any(1).nonzero()[:, 0]:
        rows, cols = changed[k, 0].any(1).sum().item(), changed[k, 0].any(0).sum().item()
        assert rows * cols == changed[k].sum()  # a rectangle
        assert max(rows, cols) <= 0.08 * SIDE + 1
        assert images[k][changed[k]].unique().numel() == 1  # of even grey


def test_decoys_lie_outside_of_the_lungs(monkeypatch):
    monkeypatch.setattr(painted_opacities, "OPACITIES", 0)
    torch.manual_seed(4)
    grey, lungs = textured(200), two_lungs(200)
    images, painted = paint(grey, lungs)
    assert not painted.any()
    assert (images != grey).any()
    assert torch.equal(images[lungs > 0], grey[lungs > 0])


def test_grey_and_lungs_move_together():
    """A bright square that is also the lung: both channels stay equal, since beyond the edge both are 0."""
    square = torch.zeros(64, 1, SIDE, SIDE)
    square[:, :, 24:40, 24:40] = 1
    torch.manual_seed(5)
    moved = view_augmentation.moved(torch.cat([square, square], 1))
    torch.testing.assert_close(moved[:, 0], moved[:, 1], atol=1e-5, rtol=0)
    assert ((moved[:, :1] - square).abs().amax((1, 2, 3)) > 0.1).all()
    # Size ±20 % times height ±20 %: an area from 1 / (1.2 · 1.44) to 1 / (0.8 · 0.64) of the old one.
    area = moved[:, 1].sum((1, 2)) / 16**2
    assert area.min() > 0.97 / (1.2 * 1.44)
    assert area.max() < 1.03 / (0.8 * 0.64)
    assert area.std() > 0.1


def test_half_of_the_views_are_mirrored():
    squares = torch.zeros(200, 2, SIDE, SIDE)
    squares[:, :, 28:36, 8:16] = 1
    torch.manual_seed(6)
    moved = view_augmentation.moved(squares)[:, 1]
    on_the_left = (moved[:, :, : SIDE // 2].sum((1, 2)) > moved[:, :, SIDE // 2 :].sum((1, 2))).sum()
    assert stats.binomtest(int(on_the_left), 200, 0.5).pvalue > 1e-3


def test_beyond_the_edge_grey_goes_on_and_there_is_no_lung():
    torch.manual_seed(7)
    moved = view_augmentation.moved(torch.ones(32, 2, SIDE, SIDE))
    torch.testing.assert_close(moved[:, 0], torch.ones(32, SIDE, SIDE))
    assert (moved[:, 1].amin((1, 2)) == 0).float().mean() > 0.5


def test_tones_change_every_image_and_no_place():
    """A bright square on black stays where it was; gamma alone changes grey of 0.5 to between 0.5 ** 2.01 and 0.5 ** 0.5."""
    grey = torch.full((64, 1, SIDE, SIDE), 0.1)
    grey[:, :, 16:32, 16:32] = 0.6
    torch.manual_seed(8)
    toned = view_augmentation.toned(grey)
    assert toned.shape == grey.shape
    assert toned.isfinite().all()
    assert ((toned - grey).abs().amax((1, 2, 3)) > 1e-3).all()
    assert (toned[:, 0, 20:28, 20:28].mean((1, 2)) > toned[:, 0, 44:52, 44:52].mean((1, 2))).all()


def test_noise_has_mean_zero_and_deviation_one_in_each_image():
    torch.manual_seed(9)
    noise = view_augmentation.noise(Draws.like(torch.empty(8)), 6, SIDE)
    assert noise.mean((1, 2, 3)).abs().max() < 1e-5
    assert noise.std((1, 2, 3)).numpy() == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize(
    "make", [lambda x: paint(x[:, :1], x[:, 1:]), lambda x: (view_augmentation.moved(x), view_augmentation.toned(x[:, :1]))]
)
def test_the_same_torch_seed_gives_the_same_pictures(make):
    given, _ = batch()
    results = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        results.append(make(given))
    assert all(torch.equal(a, b) for a, b in zip(results[0], results[1], strict=True))
    assert not torch.equal(results[0][0], results[2][0])


IMAGES = np.repeat(np.arange(100, dtype=np.uint8), 2 * 32 * 32).reshape(100, 2, 32, 32)  # each shows its own number
STORE = SquareStore(IMAGES, Compute())


def numbers(canvas):
    return (canvas[0][:, 0, 0, 0] * 255).round().int().tolist()


def test_a_canvas_has_the_wanted_number_of_each_class_and_no_image_twice():
    recipe = Recipe("r", head="evidence", augmentation="views", evidence=EvidenceTraining(0, 0, 20, 9))
    for step in range(5):
        squares, target = canvas = batches.canvas(recipe, STORE, Pool(REFERENCE), 0, step)
        assert squares.shape == (29, 2, 32, 32)
        assert squares.dtype == torch.float32
        drawn = numbers(canvas)
        assert target.tolist() == [0] * 20 + [1] * 9 == REFERENCE[drawn].tolist()
        assert len(set(drawn)) == 29
        assert torch.equal(squares, torch.from_numpy(IMAGES[drawn]).float() / 255)


def test_a_canvas_follows_from_seed_epoch_and_step():
    def drawn(seed=1, epoch=2, step=3):
        recipe = Recipe("r", head="evidence", augmentation="views", evidence=EvidenceTraining(0, 0, 8, 4), seed=seed)
        return numbers(batches.canvas(recipe, STORE, Pool(REFERENCE), epoch, step))

    assert drawn() == drawn()
    assert all(drawn(**other) != drawn() for other in ({"seed": 2}, {"epoch": 3}, {"step": 2}))


def test_a_canvas_may_be_empty():
    squares, target = batches.canvas(Recipe("r"), STORE, Pool(REFERENCE), 0, 0)
    assert (squares.shape, target.shape) == ((0, 2, 32, 32), (0,))
