"""The published policy: strengths, independence, and single operations by hand."""

import numpy as np
import pytest
from scipy import stats

from pneumoscope.training.augmentation import Augmentation, apply, draw

DRAWS = [draw(np.random.default_rng((11, k))) for k in range(3000)]
NOISY = np.random.default_rng(0).integers(0, 256, (64, 64)).astype(np.uint8)


def flat(level: int, side: int = 64) -> np.ndarray:
    return np.full((side, side), level, np.uint8)


@pytest.mark.parametrize(
    ("strength", "low", "high"),
    [
        # Limits that the paper leaves open: defaults of albumentations 1.4.
        (lambda a: a.brightness, -0.2, 0.2),
        (lambda a: a.contrast, 0.8, 1.2),
        (lambda a: a.gamma, 0.8, 1.2),
        (lambda a: (a.noise * 255) ** 2 or 10, 10, 50),
        (lambda a: a.motion_px or 3, 3, 7),
        (lambda a: a.median_px or 3, 3, 5),
        (lambda a: len(a.holes) or 1, 1, 8),
        # Those of the paper.
        (lambda a: a.turn_deg, -15, 15),
        (lambda a: a.shift[0], -0.05, 0.05),
        (lambda a: a.shift[1], -0.05, 0.05),
        (lambda a: a.scale, 0.9, 1.1),
    ],
)
def test_strengths_fill_their_range_and_stay_inside(strength, low, high):
    drawn = [strength(a) for a in DRAWS]

    assert low - 1e-9 <= min(drawn) <= low + 0.05 * (high - low)
    assert high - 0.05 * (high - low) <= max(drawn) <= high + 1e-9


def test_a_blur_has_a_centre_pixel():
    assert {a.motion_px for a in DRAWS} == {0, 3, 5, 7}
    assert {a.median_px for a in DRAWS} == {0, 3, 5}


def test_holes_lie_on_the_square():
    corners = [(r, c, r + h, c + w) for a in DRAWS for r, c, h, w in a.holes]

    assert corners
    assert np.min(corners) >= 0
    assert np.max(corners) <= 1


def test_operations_are_drawn_independently():
    # Turn and contrast, one half each: a quarter both.
    both = sum(a.turn_deg != 0 and a.contrast != 1 for a in DRAWS)

    assert stats.binomtest(both, len(DRAWS), 0.25).pvalue > 1e-4


def test_what_is_returned_is_not_the_input():
    square = NOISY.copy()

    apply(square, Augmentation())[:] = 0
    apply(square, Augmentation(holes=((0.0, 0.0, 1.0, 1.0),)))

    assert (square == NOISY).all()


@pytest.mark.parametrize("quarter_turns", [1, 2, 3])
def test_quarter_turns_are_those_of_numpy(quarter_turns):
    # OpenCV keeps fractions of 1/32 pixel: one of 255 levels times 1/32 in each direction.
    turned = apply(NOISY, Augmentation(turn_deg=90.0 * quarter_turns)).astype(int)

    assert np.abs(turned - np.rot90(NOISY, quarter_turns)).max() <= 16


def test_a_scale_of_two_makes_a_block_twice_as_wide_about_the_centre():
    square = flat(0, 16)
    square[6:10, 6:10] = 200

    scaled = apply(square, Augmentation(scale=2.0))

    assert (scaled[5:11, 5:11] == 200).all()
    assert scaled.sum() == pytest.approx(4 * square.sum(), rel=0.02)
    assert np.abs(scaled.astype(int) - scaled[::-1, ::-1]).max() <= 16


@pytest.mark.parametrize(
    ("augmentation", "before", "after"),
    [
        # 51 is 1/5: + 0.2; 100 · 1.2; (1/5)² · 255 = 10.2; √(1/5) · 255 = 114.04; below 0 and above 1.
        (Augmentation(brightness=0.2), 51, 102),
        (Augmentation(contrast=1.2), 100, 120),
        (Augmentation(gamma=2.0), 51, 10),
        (Augmentation(gamma=0.5), 51, 114),
        (Augmentation(brightness=-0.2), 25, 0),
        (Augmentation(brightness=0.2), 250, 255),
        # Contrast and brightness come before gamma: (1/5 + 1/5)² · 255 = 40.8.
        (Augmentation(brightness=0.2, gamma=2.0), 51, 41),
    ],
)
def test_one_grey_level_by_hand(augmentation, before, after):
    assert (apply(flat(before), augmentation) == after).all()


@pytest.mark.parametrize(("direction", "line"), [(0.0, np.s_[4, 3:6]), (90.0, np.s_[3:6, 4])])
def test_a_motion_blur_of_three_pixels_is_three_thirds_along_its_direction(direction, line):
    square = flat(0, 9)
    square[4, 4] = 255
    expected = flat(0, 9)
    expected[line] = 85

    assert (apply(square, Augmentation(motion_px=3, motion_deg=direction)) == expected).all()


def test_noise_follows_its_seed_and_keeps_the_mean_to_a_level():
    one, same, other = (apply(flat(128), Augmentation(noise=6 / 255, noise_seed=k)) for k in (1, 1, 2))

    assert (one == same).all()
    assert (one != other).any()
    # 64² values of deviation 6 have a mean of deviation 0.1; cutting to whole levels takes up to one.
    assert abs(one.mean() - 128) < 1.5


def test_noise_does_not_wrap_round():
    assert apply(flat(0), Augmentation(noise=0.1)).max() < 128
    assert apply(flat(255), Augmentation(noise=0.1)).min() > 127


def test_adaptive_equalization_spreads_a_narrow_range():
    narrow = NOISY // 16 + 100

    assert np.ptp(apply(narrow, Augmentation(clahe_clip=4.0))) > 2 * np.ptp(narrow)


def test_a_hole_on_a_small_square_is_at_least_one_pixel():
    holed = apply(flat(9, 32), Augmentation(holes=((0.5, 0.25, 0.01, 0.01),)))

    assert np.argwhere(holed == 0).tolist() == [[16, 8]]
