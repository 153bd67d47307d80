"""Lung masks become a lung-field model; drawn ellipses stand for lungs."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from scipy.spatial.distance import cdist

from pneumoscope import radiograph
from pneumoscope.cohort import build, split, table
from pneumoscope.cohort.layouts import LayoutOptions, folders
from pneumoscope.lung_fields import LungFinder
from pneumoscope.lung_fields.graph_module import LungFieldModule
from pneumoscope.lung_fields.network import LungNetwork
from pneumoscope.reference.errors import RegionsError
from pneumoscope.training import TrainingError
from pneumoscope.training.lung_fields import agreement
from pneumoscope.training.lung_fields.agreement import boundary_distance, dice, quality_threshold
from pneumoscope.training.lung_fields.augmentation import augmented
from pneumoscope.training.lung_fields.fit import fit, loss
from pneumoscope.training.lung_fields.recipe import LungRecipe
from pneumoscope.training.lung_fields.squares import LungSet, load, two_lungs
from tests.cli.run import run
from tests.radiograph.builders import cr, show_stored, written

SIDE_PX = 160  # as `LungNetwork` says: (batch, 1, 160, 160)
RECIPE = LungRecipe(epochs=2, batch=4)


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    """Equal to the bit is promised for one thread count."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """The file of a split cohort of 24 chests with dark lungs, and the folder of their masks."""
    root = tmp_path_factory.mktemp("chests")
    rng = np.random.default_rng(0)
    for k in range(24):
        shift, down = (int(v) for v in rng.integers(-3, 4, 2))
        mask = Image.new("L", (64, 64))
        for left in (10, 36):
            ImageDraw.Draw(mask).ellipse((left + shift, 14 + down, left + 18 + shift, 50 + down), fill=255)
        grey = np.where(np.asarray(mask) > 0, 60, 180) + rng.normal(0, 5, (64, 64))
        name = f"images/{'PNEUMONIA' if k % 2 else 'NORMAL'}/{k}.png"
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(grey.astype(np.uint8)).save(root / name)
        (root / "masks").mkdir(exist_ok=True)
        mask.save(root / "masks" / f"{k}.png")
    cohort = build.build(folders.read(root / "images", LayoutOptions(patient_per_file=True))).cohort
    table.write(split.by_ratio(cohort, ratios=(0.6, 0.2, 0.2)), root / "chests.parquet")
    return root / "chests.parquet", root / "masks"


@pytest.fixture(scope="module")
def chests(drawn):
    return LungSet("chests", table.read(drawn[0]), drawn[1], "train")


def two(height=20, second=20, rows=100, cols=100):
    mask = np.zeros((rows, cols), bool)
    mask[10 : 10 + height, 10:30] = True
    mask[50 : 50 + second, 60:80] = True
    return mask


def test_the_right_lung_is_the_one_on_the_left_of_the_image_whichever_is_larger_or_higher():
    for mask in (two(), two(40, 20), two(20, 40), two()[::-1]):
        right, left = two_lungs(mask)
        assert right.shape == left.shape == (SIDE_PX, SIDE_PX)
        assert np.array_equal(np.flatnonzero(right.any(0))[[0, -1]], [16, 47])  # columns 10 to 30 of 100, of 160
        assert np.array_equal(np.flatnonzero(left.any(0))[[0, -1]], [96, 127])  # columns 60 to 80


def test_specks_beside_two_lungs_are_left_out():
    mask = two()
    mask[90:92, 90:92] = True
    assert np.array_equal(two_lungs(mask), two_lungs(two()))


@pytest.mark.parametrize("second", [0, 1])
def test_one_lung_with_or_without_a_speck_is_no_two(second):
    """A part of one row is 5 % of a lung of twenty; from a tenth on it counts."""
    assert two_lungs(two(20, second)) is None
    assert two_lungs(two(20, 2)) is not None


def test_lungs_that_touch_are_no_two():
    mask = two()
    mask[10:70, 28:62] = True
    assert two_lungs(mask) is None
    assert two_lungs(np.zeros((10, 10), bool)) is None


def test_dice_by_hand():
    a, b = np.zeros((2, 4, 4), bool)
    a[0, :3] = True
    b[0, 1:] = True
    assert dice(a, b) == pytest.approx(2 * 2 / 6)
    assert dice(np.stack([a, a, ~a]), np.stack([a, ~a, np.zeros_like(a)])).tolist() == [1, 0, 0]
    assert dice(np.zeros_like(a), np.zeros_like(a)) == 0


def test_boundary_distance_of_a_shifted_column_is_the_shift():
    """Two lines of one pixel, three apart on a square of twenty: 15 %."""
    a, b = np.zeros((2, 20, 20), bool)
    a[:, 5], b[:, 8] = True, True
    assert boundary_distance(a, b) == pytest.approx(3 / 20 * 100)
    assert boundary_distance(a, a) == 0


def test_boundary_distance_takes_the_mean_of_both_ways():
    """A point and a point with a second one four away: nothing one way, (0 + 4) / 2 the other, in mean 1 of 16 pixels."""
    a, b = np.zeros((2, 16, 16), bool)
    a[8, 8] = b[8, 8] = b[8, 12] = True
    assert boundary_distance(a, b) == boundary_distance(b, a) == pytest.approx(1 / 16 * 100)


def test_boundary_distance_agrees_with_all_pairs_of_edge_pixels():
    rng = np.random.default_rng(0)
    rows, cols = np.mgrid[:40, :40]
    a, b = (np.hypot(rows - r, (cols - c) * 1.3) < 12 for r, c in rng.uniform(16, 24, (2, 2)))

    def edge(mask):
        around = np.pad(mask, 1)
        inner = around[:-2, 1:-1] & around[2:, 1:-1] & around[1:-1, :-2] & around[1:-1, 2:]
        return np.argwhere(mask & ~inner)

    pairs = cdist(edge(a), edge(b))
    assert boundary_distance(a, b) == pytest.approx((pairs.min(0).mean() + pairs.min(1).mean()) / 2 / 40 * 100)


def test_boundary_distance_to_nothing_is_no_number():
    a = np.ones((4, 4), bool)
    assert math.isnan(boundary_distance(a, ~a))
    assert math.isnan(boundary_distance(~a, a))


def test_the_loss_by_hand():
    """Probability one half everywhere, one lung of two cells of four and one of none: log 2 + 1 − mean of 3/5 and 1/3."""
    masks = torch.zeros(1, 2, 2, 2)
    masks[0, 0, 0] = 1
    assert float(loss(torch.zeros(1, 2, 2, 2), masks)) == pytest.approx(math.log(2) + 1 - (3 / 5 + 1 / 3) / 2, rel=1e-6)
    assert float(loss((masks - 0.5) * 100, masks)) == pytest.approx(0, abs=1e-6)


def halves(n):
    """Images in which the patient's left lung alone is bright, with the masks of the right lung and of the left."""
    masks = torch.zeros(n, 2, 32, 32)
    masks[:, 0, 8:24, 4:12] = 1
    masks[:, 1, 8:24, 20:28] = 1
    return 0.2 + 0.6 * masks[:, 1:], masks


def test_a_mirrored_image_has_its_lungs_exchanged():
    """Only the patient's left lung is bright: wherever the images go, the right lung's mask lies on the image's left."""
    torch.manual_seed(0)
    images, masks = augmented(*halves(64), 0.0)
    columns = torch.arange(32.0)
    at = (masks * columns).sum((2, 3)) / masks.sum((2, 3))
    assert (at[:, 0] < at[:, 1]).all()
    brightness = (images * masks).sum((2, 3)) / masks.sum((2, 3))
    bright_on_the_left = brightness[:, 0] > brightness[:, 1]
    assert 16 < bright_on_the_left.sum() < 48  # half are mirrored; 16 of 64 by chance is below 1e-4


def test_images_and_masks_move_together():
    """The lung is the only bright thing, so what is brighter than half of the maximum is the mask."""
    torch.manual_seed(1)
    _, masks = halves(32)
    images, moved = augmented(masks.sum(1, keepdim=True), masks, 0.0)
    low, high = images.amin((2, 3), keepdim=True), images.amax((2, 3), keepdim=True)
    found = (images > (low + high) / 2).numpy()[:, 0]
    both = (moved.sum(1) > 0.5).numpy()
    assert not np.array_equal(both, masks.sum(1).numpy() > 0.5)
    assert np.median(dice(found, both)) > 0.9


def test_opaque_blobs_change_images_not_masks():
    given = halves(16)
    torch.manual_seed(2)
    plain, masks = augmented(*given, 0.0)
    torch.manual_seed(2)
    blobs, same = augmented(*given, 1.0)
    assert torch.equal(masks, same)
    assert ((plain - blobs).abs().amax((1, 2, 3)) > 0.02).float().mean() > 0.8
    assert blobs.min() >= 0
    assert blobs.max() <= 1


def test_a_case_without_a_mask_of_two_lungs_is_left_out(chests, drawn, tmp_path):
    whole = load([chests])
    assert len(whole.images) == 24
    assert whole.trained.sum() == len(chests.cohort.on("train"))
    assert set(whole.where("chests", "tune")) == {k for k, side in enumerate(whole.splits) if side == "tune"}
    for mask in drawn[1].iterdir():
        (tmp_path / mask.name).write_bytes(mask.read_bytes())
    (tmp_path / "0.png").unlink()
    Image.new("L", (64, 64)).save(tmp_path / "1.png")
    assert len(load([replace(chests, masks=tmp_path)]).images) == 22


def test_what_cannot_be_trained_on_is_said(chests, tmp_path):
    with pytest.raises(RegionsError, match=r"no mask in .* has the name of a radiograph of these cases"):
        load([replace(chests, masks=tmp_path)])
    with pytest.raises(TrainingError, match="has no split yet"):
        load([replace(chests, cohort=replace(chests.cohort, partition=None))])
    with pytest.raises(TrainingError, match="do not fill one batch of 100"):
        fit([chests], replace(RECIPE, batch=100), tmp_path / "run")
    with pytest.raises(TrainingError, match="keeps a tune side"):
        fit([replace(chests, split="tune")], RECIPE, tmp_path / "other")


def test_the_quality_threshold_is_that_of_the_graphs_own_quality(chests, monkeypatch):
    """The network's answers are the masks with specks: the graph drops the specks, and so must the quality."""

    class Answering(LungNetwork):
        def forward(self, image):
            grey = (image[:, 0] * 255).round()
            dark = grey < grey.flatten(1).mean(1)[:, None, None] * 0.75
            columns = torch.arange(SIDE_PX) < SIDE_PX // 2
            lungs = torch.stack([dark & columns, dark & ~columns], 1).float()
            lungs[:, 0, :12, :12] = 1  # a speck
            return lungs * 8 - 4

    monkeypatch.setattr(agreement, "WELL_FOUND", 0.3)
    squares, network = load([chests]), Answering()
    tune = torch.from_numpy(squares.images[squares.tune([chests])].astype(np.float32))[:, None]
    module, qualities = LungFieldModule(network, SIDE_PX, 0.0), []
    for images in (tune, tune * 0.15, tune * 0.1 + 127):
        lungs, quality, *_ = module(images.byte().float() / 255)
        well = dice(lungs.numpy() > 0, squares.masks[squares.tune([chests])]) >= 0.3
        qualities.append(quality.numpy()[well])
    assert np.concatenate(qualities).size
    assert quality_threshold(network, squares, [chests]) == pytest.approx(np.quantile(np.concatenate(qualities), 0.01))


def test_two_radiographs_of_one_name_do_not_share_a_mask(chests):
    """`a/0.png` and `b/0.png` beside one `0.png` among the masks: whose mask it is cannot be known."""
    first = next(case for case in chests.cohort.cases if case.path.endswith("/0.png"))
    twice = replace(chests.cohort, cases=(*chests.cohort.cases, replace(first, path=f"elsewhere/{first.path}")))
    with pytest.raises(RegionsError, match=r"the lung mask '0\.png' may belong to any of 2 radiographs"):
        load([replace(chests, cohort=twice)])


@pytest.mark.parametrize("directions", ["RF", "LH", "FL", "HR"])
def test_a_mask_is_turned_with_a_radiograph_that_is_stored_in_another_orientation(chests, tmp_path, directions):
    """The square is in the displayed order, and its mask on the stored grid of the file has to follow it."""
    case = next(case for case in chests.cohort.cases if case.path.endswith("/5.png"))
    grey = np.rint(radiograph.read(chests.cohort.file(case)).pixels * 255).astype(int)
    with Image.open(chests.masks / "5.png") as picture:
        mask = np.asarray(picture.convert("L"))
    squares = []
    for stored in ("LF", directions):
        orientation = radiograph.Orientation(*stored)
        content = written(cr(orientation.to_stored(grey), bits=8, PatientOrientation=list(stored), **show_stored(8)))
        (tmp_path / "5.dcm").write_bytes(content)
        Image.fromarray(np.ascontiguousarray(orientation.to_stored(mask))).save(tmp_path / "5.png")
        cohort = replace(chests.cohort, root=tmp_path, cases=(replace(case, path="5.dcm"),))
        squares.append(load([replace(chests, cohort=cohort, masks=tmp_path)]))
    displayed, turned = squares
    assert np.array_equal(turned.images, displayed.images)
    assert np.array_equal(turned.masks, displayed.masks)


@pytest.fixture
def any_threshold(monkeypatch):
    """So few steps give no lung of Dice 0.8, which the threshold is taken from."""
    monkeypatch.setattr(agreement, "quality_threshold", lambda *_: 0.5)


def interrupted(row):
    raise KeyboardInterrupt


def test_a_run_that_was_interrupted_goes_on_to_the_same_weights(chests, tmp_path, any_threshold):
    whole = fit([chests], RECIPE, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        fit([chests], RECIPE, tmp_path / "stopped", on_epoch=interrupted)
    with pytest.raises(TrainingError, match="already holds a run; add --resume"):
        fit([chests], RECIPE, tmp_path / "stopped")
    with pytest.raises(TrainingError, match="another recipe"):
        fit([chests], replace(RECIPE, seed=1), tmp_path / "stopped", resume=True)

    rows = []
    resumed = fit([chests], RECIPE, tmp_path / "stopped", resume=True, on_epoch=rows.append)

    assert [row.epoch for row in rows] == [2]
    ours, theirs = whole.network.state_dict(), resumed.network.state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    torch.manual_seed(RECIPE.seed)
    start = LungNetwork().state_dict()
    assert not torch.equal(ours["out.weight"], start["out.weight"])


@pytest.mark.slow
def test_the_command_leaves_a_model_that_finds_the_drawn_lungs(drawn, tmp_path):
    cohort_file, masks = drawn
    out = tmp_path / "model"

    ran = run("train-lungs", f"{cohort_file}:{masks}:train", "-o", out, "--batch", "4", "--epochs", "20", "--data-licence", "own")

    assert ran.code == 0, ran.err
    assert sorted(p.name for p in out.iterdir()) == ["card.json", "lungs.onnx"]
    finder = LungFinder.load(out)
    card = json.loads((out / "card.json").read_text())
    assert (card["data_licences"], card["recipe"]["epochs"], card["recipe"]["batch"]) == (["own"], 20, 4)
    assert set(card["results"]) == {"chests, tune", "chests, test"}
    assert card["results"]["chests, test"]["dice_mean"] > 0.85
    assert f"model: {out}" in ran.out
    assert ran.out.count("tune Dice") == 20
    cohort = table.read(cohort_file)
    case = cohort.on("test")[0]
    fields = finder.find(radiograph.read(cohort.file(case)))
    with Image.open(masks / f"{case.path.split('/')[-1]}") as image:
        reference = np.asarray(image) > 0
    assert dice(fields.mask, reference) > 0.85
    assert np.argwhere(fields.right)[:, 1].max() < 32 <= np.argwhere(fields.left)[:, 1].min() + 3
    again = run("train-lungs", f"{cohort_file}:{masks}:train", "-o", out)
    assert again.code == 2
    assert "already holds a lung-field model" in again.err


def test_a_network_that_has_found_no_lung_yet_ends_in_a_sentence(drawn, tmp_path):
    ran = run("train-lungs", f"{drawn[0]}:{drawn[1]}:train", "-o", tmp_path / "model", "--batch", "4", "--epochs", "1")
    assert ran.code == 2
    assert "more epochs" in ran.err


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda c, m: f"{c}:{m}", "should be COHORT:MASKS:SPLIT"),
        (lambda c, m: f"{c}:{m}:val", "where SPLIT is one of train, tune, test"),
        (lambda c, m: f"{c}:{m}/nowhere:train", "is not a folder of masks"),
    ],
)
def test_a_set_that_is_none_is_refused_with_a_sentence(drawn, tmp_path, change, says):
    ran = run("train-lungs", change(*drawn), "-o", tmp_path / "model")
    assert ran.code == 2
    assert says in " ".join(ran.err.split())
    assert not (tmp_path / "model").exists()
