"""Maps that look at nothing, against what their rules give by hand."""

import math

import numpy as np
import pytest

from pneumoscope.radiograph import Region
from tests.localization.builders import baselines, case, filled

RULES = {
    "uniform random",
    "random in the lungs",
    "centred Gaussian",
    "lungs, blurred",
    "mean region of others",
    "mean region of others in the lung box",
}
SQUARE = (64, 64)
"""The grid on which regions are averaged: on it nothing is resampled, so that sums are exact."""
HIGH, WIDE = (100, 70), (50, 80)


def blank(shape=SQUARE, *boxes, **more):
    """A case with an empty map, and a mask of these boxes."""
    return case(np.zeros(shape), filled(shape, *boxes) if boxes else None, **more)


def mixed():
    """Four cases of three grids: one without a mask, one without lungs."""
    return [
        blank(SQUARE, (5, 5, 20, 20), patient="a", right=filled(SQUARE, (10, 5, 50, 25)), left=filled(SQUARE, (10, 40, 50, 60))),
        blank(HIGH, (30, 10, 60, 30), patient="b", right=filled(HIGH, (20, 5, 80, 30)), lung_box=Region(10.4, 3.2, 85.5, 66.6)),
        blank(WIDE, patient="c", left=filled(WIDE, (5, 45, 45, 75)), lung_box=Region(2.5, 6.0, 47.5, 78.0)),
        blank(WIDE, (0, 0, 50, 80), patient="d"),
    ]


def test_every_rule_gives_every_case_a_map_on_its_own_grid():
    cases = mixed()
    found = baselines(cases)
    assert set(found) == RULES
    for rule, maps in found.items():
        assert [m.shape for m in maps] == [c.values.shape for c in cases], rule
        assert {m.dtype for m in maps} == {np.dtype(np.float32)}, rule
        assert all(np.isfinite(m).all() and m.min() >= 0 for m in maps), rule
    assert all(m.max() > 0 for rule in RULES - {"random in the lungs", "lungs, blurred"} for m in found[rule])


def test_no_map_depends_on_what_the_model_showed():
    cases = mixed()
    loud = [case(np.ones(c.values.shape), c.mask, patient=c.patient_id, right=c.right, left=c.left, lung_box=c.lung_box)
            for c in cases]  # fmt: skip
    ours, theirs = baselines(cases), baselines(loud)
    assert all(np.array_equal(a, b) for rule in RULES for a, b in zip(ours[rule], theirs[rule], strict=True))


def test_noise_is_the_same_for_a_seed_and_another_for_each_case_and_seed():
    cases = [blank(patient="a"), blank(patient="b")]
    first, second = baselines(cases)["uniform random"]
    again = baselines(cases)["uniform random"]
    other = baselines(cases, seed=1)["uniform random"]
    assert np.array_equal(first, again[0])
    assert np.array_equal(second, again[1])
    assert not np.array_equal(first, second)
    assert not np.array_equal(first, other[0])
    assert first.mean() == pytest.approx(0.5, abs=0.02)  # of 4096 uniform values; their mean has a deviation of 0.0045


def test_random_in_the_lungs_is_the_noise_inside_and_zero_outside():
    one = mixed()[0]
    found = baselines([one])
    (noise,), (inside,) = found["uniform random"], found["random in the lungs"]
    lungs = filled(SQUARE, (10, 5, 50, 25), (10, 40, 50, 60))
    assert not inside[~lungs].any()
    assert np.array_equal(inside[lungs], noise[lungs])
    assert (inside[lungs] > 0).mean() > 0.99


def test_where_no_lung_was_found_the_box_that_was_looked_at_takes_their_place():
    case = blank(lung_box=Region(10.0, 10.0, 30.0, 40.0))
    box = case.lung_box
    inside = np.zeros(case.values.shape, bool)
    inside[round(box.top) : round(box.bottom), round(box.left) : round(box.right)] = True
    found = baselines([case])
    assert ((found["random in the lungs"][0] > 0) == inside).all()
    assert found["lungs, blurred"][0][inside].mean() > 5 * found["lungs, blurred"][0][~inside].mean()


def test_the_gaussian_is_centred_with_a_deviation_of_a_quarter_of_each_side():
    """Of five pixels the centres lie 0.4, 0.2, 0 sides from the middle; in quarters: e^(−1.28), e^(−0.32), 1."""
    (found,) = baselines([blank((5, 10))])["centred Gaussian"]
    down = [math.exp(-1.28), math.exp(-0.32), 1, math.exp(-0.32), math.exp(-1.28)]
    across = [math.exp(-8 * x * x) for x in (0.45, 0.35, 0.25, 0.15, 0.05)]
    assert found == pytest.approx(np.outer(down, across + across[::-1]), rel=1e-6)


def test_the_lungs_are_blurred_by_a_27th_of_the_longer_side():
    """A single pixel of a 40 × 81 grid, deviation 3: three pixels away is e^(−½) of the middle, in either direction."""
    lung = filled((40, 81), (20, 40, 21, 41))
    (found,) = baselines([blank((40, 81), right=lung)])["lungs, blurred"]
    assert np.unravel_index(found.argmax(), found.shape) == (20, 40)
    for row, col in ((17, 40), (23, 40), (20, 37), (20, 43)):
        assert found[row, col] / found[20, 40] == pytest.approx(math.exp(-0.5), rel=1e-5)
    assert found.sum() == pytest.approx(1, rel=1e-4)


def test_both_lungs_are_blurred_and_their_middles_are_highest():
    right, left = filled(SQUARE, (20, 5, 45, 20)), filled(SQUARE, (20, 44, 45, 59))
    (found,) = baselines([blank(right=right, left=left)])["lungs, blurred"]
    assert found[32, 12] == pytest.approx(found[32, 51], rel=1e-5)
    assert found[32, 12] > 0.95 * found.max() > found[20, 5] > found[32, 32]


@pytest.mark.parametrize("rule", ["mean region of others", "mean region of others in the lung box"])
def test_the_mean_region_of_others_leaves_out_all_images_of_the_patient(rule):
    """Patient a has two marked images and an unmarked one, b and c one, d an unmarked one; boxes are whole images."""
    a1, a2, b, c = (filled(SQUARE, box) for box in ((0, 0, 20, 20), (10, 10, 30, 30), (15, 15, 40, 40), (18, 0, 64, 64)))
    cases = [case(np.zeros(SQUARE), mask, patient=p) for mask, p in ((a1, "a"), (b, "b"), (a2, "a"), (None, "a"), (c, "c"))]
    found = baselines([*cases, blank(patient="d")])[rule]
    one, two, three, four = (m.astype(int) for m in (a1, a2, b, c))
    expected = [three + four, one + two + four, three + four, three + four, one + two + three, one + two + three + four]
    for ours, by_hand in zip(found, expected, strict=True):
        assert np.array_equal(ours / ours.max(), (by_hand / by_hand.max()).astype(np.float32))


def test_of_one_patient_alone_there_are_no_others():
    cases = [blank(SQUARE, (0, 0, 20, 20), patient="a"), blank(HIGH, (3, 7, 61, 40), patient="a")]
    found = baselines(cases)
    for rule in ("mean region of others", "mean region of others in the lung box"):
        assert not any(m.any() for m in found[rule])


def test_a_region_of_another_grid_comes_to_the_same_place_of_the_image():
    """The lower left quarter of 128 × 96 is that of 50 × 80: rows from 25, columns to 40; edges are blurred by a few pixels."""
    cases = [blank((128, 96), (64, 0, 128, 48), patient="a"), blank(WIDE, patient="b")]
    found = baselines(cases)["mean region of others"][1]
    found = found / found.max()
    assert (found[28:, :36] > 0.99).all()
    assert not found[:22].any()
    assert not found[:, 44:].any()
    assert found[24:26, 10].mean() == pytest.approx(0.5, abs=0.02)
    assert found[40, 39:41].mean() == pytest.approx(0.5, abs=0.02)


def test_a_region_moves_from_lung_box_to_lung_box():
    """Boxes of 64 × 64, so that nothing is resampled: what is at (3, 5) of one box comes to (3, 5) of the other."""
    shape = (100, 120)
    cases = [
        blank(shape, (33, 55, 43, 75), patient="a", lung_box=Region(30, 50, 94, 114)),
        blank(shape, (40, 40, 50, 50), patient="b", lung_box=Region(10, 20, 74, 84)),
    ]
    to_a, to_b = baselines(cases)["mean region of others in the lung box"]
    assert np.array_equal(to_b, filled(shape, (13, 25, 23, 45)))
    assert np.array_equal(to_a, filled(shape, (60, 70, 70, 80)))


def test_what_lies_outside_of_a_lung_box_does_not_move():
    shape = (100, 120)
    cases = [
        blank(shape, (0, 0, 30, 120), (90, 60, 100, 70), patient="a", lung_box=Region(30, 50, 94, 114)),
        blank(shape, patient="b", lung_box=Region(10, 20, 74, 84)),
    ]
    found = baselines(cases)["mean region of others in the lung box"][1]
    assert np.array_equal(found, filled(shape, (70, 30, 74, 40)))


def test_a_region_around_its_lung_box_fills_the_other_and_nothing_else():
    """The edges 10.4, 6.6, 39.5, 70.4 are rounded to whole pixels (39.5 to even)."""
    cases = [
        blank(HIGH, (15, 5, 85, 65), patient="a", lung_box=Region(20, 10, 80, 60)),
        blank(WIDE, patient="b", lung_box=Region(10.4, 6.6, 39.5, 70.4)),
    ]
    found = baselines(cases)["mean region of others in the lung box"][1]
    assert found == pytest.approx(found.max() * filled(WIDE, (10, 7, 40, 70)), abs=1e-6)
    assert found.max() > 0
