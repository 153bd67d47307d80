"""The published policy: what is drawn, and what a drawn value does."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from pneumoscope.training.augmentation import Augmentation, apply, draw, motion_kernel

SQUARE = np.random.default_rng(0).integers(0, 256, (64, 64)).astype(np.uint8)
DRAWS = [draw(np.random.default_rng(k)) for k in range(3000)]
# Probabilities of Shahi & Bagale 2025.
SHARES = {
    "turn_deg": (0.5, lambda a: a.turn_deg != 0), "scale": (0.5, lambda a: a.scale != 1),
    "contrast": (0.5, lambda a: a.contrast != 1), "clahe": (0.3, lambda a: a.clahe_clip is not None),
    "gamma": (0.3, lambda a: a.gamma != 1), "noise": (0.2, lambda a: a.noise > 0),
    "motion": (0.1, lambda a: a.motion_px > 0), "median": (0.1, lambda a: a.median_px > 0),
    "holes": (0.1, lambda a: bool(a.holes)),
}  # fmt: skip


@pytest.mark.parametrize(("p", "happened"), SHARES.values(), ids=SHARES)
def test_each_operation_happens_as_often_as_published(p, happened):
    count = sum(map(happened, DRAWS))
    assert stats.binomtest(count, len(DRAWS), p).pvalue > 1e-4


def test_values_stay_within_the_published_limits():
    assert max(abs(a.turn_deg) for a in DRAWS) <= 15
    assert max(abs(v) for a in DRAWS for v in a.shift) <= 0.05
    assert {0.9 <= a.scale <= 1.1 for a in DRAWS} == {True}
    assert {1 <= a.clahe_clip <= 4 for a in DRAWS if a.clahe_clip} == {True}


def test_one_seed_gives_one_picture():
    one, other = (apply(SQUARE, draw(np.random.default_rng(7))) for _ in range(2))
    assert (one == other).all()


def test_nothing_drawn_changes_nothing_and_the_input_is_never_touched():
    before = SQUARE.copy()
    assert (apply(SQUARE, Augmentation()) == SQUARE).all()
    for a in DRAWS[:50]:
        out = apply(SQUARE, a)
        assert out.shape == SQUARE.shape
        assert out.dtype == np.uint8
    assert (before == SQUARE).all()


def test_a_shift_moves_rows_and_columns_by_shares_of_the_side():
    dot = np.zeros((64, 64), np.uint8)
    dot[30, 20] = 255
    moved = apply(dot, Augmentation(shift=(3 / 64, -2 / 64)))
    assert np.argwhere(moved == 255).tolist() == [[33, 18]]


def test_a_quarter_turn_goes_counter_clockwise():
    dot = np.zeros((65, 65), np.uint8)
    dot[32, 60] = 255  # right of the centre
    assert np.argwhere(apply(dot, Augmentation(turn_deg=90)) > 200).tolist() == [[4, 32]]  # above it


def test_grey_levels_by_hand():
    square = np.full((8, 8), 102, np.uint8)  # 0.4
    assert apply(square, Augmentation(contrast=1.5, brightness=0.2))[0, 0] == 204  # 0.8
    assert apply(square, Augmentation(gamma=2.0))[0, 0] == round(0.16 * 255)
    assert apply(square, Augmentation(contrast=9.0))[0, 0] == 255


def test_noise_has_the_drawn_deviation():
    flat = np.full((200, 200), 128, np.uint8)
    assert apply(flat, Augmentation(noise=10 / 255)).std() == pytest.approx(10, rel=0.05)


def test_median_takes_a_lone_pixel_away():
    dot = np.zeros((9, 9), np.uint8)
    dot[4, 4] = 255
    assert apply(dot, Augmentation(median_px=3)).max() == 0


@pytest.mark.parametrize("length", [3, 5, 7])
@pytest.mark.parametrize("direction", [0, 30, 45, 90, 135])
def test_a_motion_kernel_is_a_line_through_the_centre_of_sum_one(length, direction):
    kernel = motion_kernel(length, direction)
    assert kernel.sum() == pytest.approx(1)
    assert kernel[length // 2, length // 2] > 0
    assert np.allclose(kernel, kernel[::-1, ::-1])


def test_holes_are_black():
    out = apply(np.full((100, 100), 200, np.uint8), Augmentation(holes=((0.1, 0.2, 0.03, 0.05),)))
    assert (out[10:13, 20:25] == 0).all()
    assert (out == 0).sum() == 15


def test_mirroring_is_drawn_as_often_as_asked_and_changes_no_other_value():
    plain, mirrored = ([draw(np.random.default_rng((7, k)), probability) for k in range(2000)] for probability in (0.0, 0.5))
    assert not any(a.mirrored for a in plain)
    assert stats.binomtest(sum(a.mirrored for a in mirrored), len(mirrored), 0.5).pvalue > 1e-4
    assert [replace(a, mirrored=False) for a in mirrored] == plain


def test_a_mirrored_square_is_the_mirror_image_of_the_augmented_one():
    square = np.random.default_rng(0).integers(0, 256, (64, 64)).astype(np.uint8)
    changes = Augmentation(turn_deg=10, noise=0.02, holes=((0.1, 0.1, 0.04, 0.04),))
    assert (apply(square, replace(changes, mirrored=True)) == np.fliplr(apply(square, changes))).all()
