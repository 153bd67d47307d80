"""Localization figures against hand counts on 4 × 4 maps and against independent implementations."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.metrics import average_precision_score

from pneumoscope.localization import figures as loc
from pneumoscope.localization import pooled_pixels
from pneumoscope.radiograph import Region

# Sum 10; the reference holds 4 + 2 = 6 of it on 4 of 16 pixels.
VALUES = np.array([[0, 0, 0, 0], [0, 4, 2, 0], [0, 2, 1, 1], [0, 0, 0, 0]], np.float32)
REFERENCE = np.array([[0, 1, 1, 0], [0, 1, 1, 0], [0, 0, 0, 0], [0, 0, 0, 0]], bool)
NOTHING = np.zeros((4, 4), bool)
ZERO = np.zeros((4, 4), np.float32)

# Three pixels at the upper left and one, higher, at the lower right.
TWO_PARTS = np.array([[3, 3, 0, 0], [3, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 5]], np.float32)
CORNER = Region(3, 3, 4, 4)

MAPS = hnp.arrays(np.float32, (4, 5), elements=st.integers(0, 6).map(float))
MASKS = hnp.arrays(np.bool_, (4, 5))
WEIGHTS = st.lists(st.integers(0, 3), min_size=4, max_size=4)


def pixel(*at, shape=(4, 4)):
    mask = np.zeros(shape, bool)
    mask[at] = True
    return mask


def best_box_iou(values, boxes, thresholds):
    """The best of all parts at any threshold."""
    return loc.box_iou_curve(values, boxes, thresholds, "all").max()


def pooled_ap(maps, references, weights=None):
    """PxAP over all maps, each counted as often as its weight, with 1001 thresholds up to the highest value."""
    edges = pooled_pixels.pixel_edges(max(float(values.max()) for values in maps), 1001)
    counts = np.array([pooled_pixels.pixel_histogram(v, r, edges) for v, r in zip(maps, references, strict=True)])
    return pooled_pixels.pxap(*np.tensordot(np.ones(len(maps)) if weights is None else weights, counts, 1))


def test_hit_by_hand():
    """The 4 stands at (1, 1)."""
    assert loc.hit(VALUES, REFERENCE) == 1.0
    assert loc.hit(VALUES, ~REFERENCE) == 0.0
    assert loc.hit(VALUES, pixel(1, 2)) == 0.0  # a neighbour: no tolerance


def test_of_tied_peaks_all_must_lie_inside():
    tied = np.where((VALUES == 4) | (VALUES == 1), np.float32(4), VALUES)  # (1, 1), (2, 2), (2, 3)
    assert loc.hit(tied, REFERENCE) == 0.0
    assert loc.hit(tied, tied == 4) == 1.0
    assert loc.hit(tied, pixel(1, 1)) == 0.0  # the first in memory, which argmax alone would take


@pytest.mark.parametrize("level", [0, 0.5])
def test_a_flat_map_never_hits_a_corner_nor_everything(level):
    flat = np.full((4, 4), level, np.float32)
    assert loc.hit(flat, pixel(0, 0)) == 0.0
    assert loc.hit(flat, ~NOTHING) == 0.0


def test_a_map_without_a_positive_value_is_a_miss():
    assert loc.hit(np.where(REFERENCE, np.float32(0), np.float32(-1)), REFERENCE) == 0.0


def test_energy_by_hand():
    """(4 + 2) / 10 = 0.6; on 4 / 16 = 0.25 of the area: 2.4."""
    assert loc.energy_inside(VALUES, REFERENCE) == pytest.approx(0.6)
    assert loc.energy_over_area(VALUES, REFERENCE) == pytest.approx(2.4)
    assert loc.energy_over_area(np.ones((4, 4), np.float32), REFERENCE) == pytest.approx(1.0)
    assert loc.energy_inside(ZERO, REFERENCE) == loc.energy_over_area(ZERO, REFERENCE) == 0.0


def test_energy_of_a_large_map_is_summed_in_double_precision():
    """A sum in single precision is exact to about 1e-7 only."""
    values = np.random.default_rng(0).random((900, 700)).astype(np.float32)
    reference = values > 0.3
    expected = math.fsum(values[reference].tolist()) / math.fsum(values.ravel().tolist())
    assert loc.energy_inside(values, reference) == pytest.approx(expected, rel=1e-12)


def test_overlap_by_hand():
    """At 2: pixels (1,1) (1,2) (2,1), two of them in the reference: 2 / (3 + 4 − 2); their box has 4 pixels, 2 in it.

    At 1: five pixels, 2 / (5 + 4 − 2); the box of rows 1–2 and columns 1–3 has 6 pixels, 2 in the reference.
    """
    assert loc.iou(VALUES, REFERENCE, 2) == pytest.approx(2 / 5)
    assert loc.iobb(VALUES, REFERENCE, 2) == pytest.approx(2 / 4)
    assert loc.iou(VALUES, REFERENCE, 1) == pytest.approx(2 / 7)
    assert loc.iobb(VALUES, REFERENCE, 1) == pytest.approx(2 / 6)


def test_nothing_detected_overlaps_nothing():
    for figure in (loc.iou, loc.iobb):
        assert figure(VALUES, REFERENCE, 4.5) == 0.0
        assert figure(ZERO, ~NOTHING, 0.0) == 0.0  # 0 >= 0, but zero is no evidence
    assert best_box_iou(ZERO, [Region(0, 0, 4, 4)], np.array([0.0, 0.5])) == 0.0


def test_one_pixel_inside_has_the_best_iobb():
    assert loc.iobb(VALUES, REFERENCE, 4) == 1.0
    assert loc.iou(VALUES, REFERENCE, 4) == 0.25


@pytest.mark.parametrize(
    "figure",
    [
        loc.hit, loc.energy_inside, loc.energy_over_area, loc.pixel_average_precision,
        lambda v, r: loc.iou(v, r, 1), lambda v, r: loc.iobb(v, r, 1),
        lambda v, r: best_box_iou(v, [], np.array([1.0])), lambda v, r: loc.laterality(v, ~r, r, r),
        lambda v, r: pooled_ap([v], [r]),
    ],
)  # fmt: skip
@pytest.mark.parametrize("values", [VALUES, ZERO], ids=["map", "zero"])
def test_without_a_reference_nothing_is_defined(figure, values):
    assert math.isnan(figure(values, NOTHING))


def test_box_iou_curve_by_hand():
    """At 2 the larger part is the upper left one, box (0,0)–(2,2); from 4 on only the corner is left; at 6 nothing."""
    thresholds = np.array([2.0, 4.0, 6.0])
    assert loc.box_iou_curve(TWO_PARTS, [CORNER], thresholds, "largest").tolist() == [0, 1, 0]
    assert loc.box_iou_curve(TWO_PARTS, [CORNER], thresholds, "all").tolist() == [1, 1, 0]
    # (0,0)–(2,2) with (0,0)–(2,3): 4 / 6
    both = [CORNER, Region(0, 0, 2, 3)]
    assert loc.box_iou_curve(TWO_PARTS, both, thresholds, "largest") == pytest.approx([4 / 6, 1, 0])
    assert best_box_iou(TWO_PARTS, [Region(0, 0, 2, 3)], thresholds) == pytest.approx(4 / 6)
    assert np.isnan(loc.box_iou_curve(TWO_PARTS, [], thresholds, "all")).tolist() == [True] * 3


def test_pixels_that_touch_at_a_corner_are_one_part():
    """As one part the box is 2 × 2; two parts would give 1 / 4."""
    diagonal = (pixel(0, 0) | pixel(1, 1)).astype(np.float32)
    assert best_box_iou(diagonal, [Region(0, 0, 2, 2)], np.array([1.0])) == 1.0


@pytest.mark.parametrize("turn", [np.asarray, np.fliplr, np.flipud])
def test_of_equally_large_parts_the_worst_counts(turn):
    corners = turn(pixel(0, 0) | pixel(3, 3)).astype(np.float32)
    at = [Region(float(r), float(c), r + 1.0, c + 1.0) for r in (0, 3) for c in (0, 3)]
    for box in at:
        assert loc.box_iou_curve(corners, [box], np.array([1.0]), "largest").tolist() == [0]


def test_iou_of_boxes_off_the_pixel_grid():
    """The pixel (1, 1) and the box (1.5, 1.5)–(2.5, 2.5): 0.25 / (1 + 1 − 0.25)."""
    assert best_box_iou(pixel(1, 1).astype(np.float32), [Region(1.5, 1.5, 2.5, 2.5)], np.array([1.0])) == pytest.approx(1 / 7)


def test_max_box_acc_by_hand():
    """At 0.5: 1/3 and 0. At 0.3: 1/3 and 3/3. At 0.7: 1/3 and 0. One common threshold would give 1/3 throughout."""
    best = np.array([[0.9, 0.4], [0.2, 0.4], [0.1, 0.4]])
    ones = np.ones(3)
    assert loc.max_box_acc_v1(best, ones) == pytest.approx(1 / 3)
    assert loc.max_box_acc_v2(best, ones) == pytest.approx((1 + 1 / 3 + 1 / 3) / 3)
    assert loc.max_box_acc_v1(best, np.array([3.0, 1, 0])) == pytest.approx(3 / 4)


def test_max_box_acc_reaches_its_level_and_leaves_out_cases_without_a_box():
    best = np.array([[0.5, 0.0], [np.nan, np.nan]])
    assert loc.max_box_acc_v1(best, np.ones(2)) == 1.0
    assert math.isnan(loc.max_box_acc_v1(best, np.array([0.0, 1.0])))
    assert math.isnan(loc.max_box_acc_v2(best[1:], np.ones(1)))


def test_pixel_average_precision_by_hand():
    """Steps of recall × precision: 4: ¼ · 1/1; 2: ¼ · 2/3 (one of the two tied); 1: 0; 0: ½ · 4/16; together 13/24."""
    assert loc.pixel_average_precision(VALUES, REFERENCE) == pytest.approx(13 / 24)
    assert loc.pixel_average_precision(ZERO, REFERENCE) == pytest.approx(4 / 16)
    assert math.isnan(loc.pixel_average_precision(VALUES, ~NOTHING))


def test_reduced_by_hand():
    """3 × 5 pixels to at most 3: blocks of 2 × 2, the last row and column cut short."""
    values = np.arange(15, dtype=np.float32).reshape(3, 5)
    small, reference = loc.reduced(values, values == 6, max_blocks=3)
    assert small.tolist() == [[3, 5, 6.5], [10.5, 12.5, 14]]  # (0 + 1 + 5 + 6) / 4, …, (4 + 9) / 2; (10 + 11) / 2, …, 14
    assert reference.tolist() == [[True, False, False], [False, False, False]]
    assert small.dtype == np.float32


def test_a_small_map_is_not_reduced_and_a_large_one_to_320():
    same, _ = loc.reduced(VALUES, REFERENCE)
    assert same is VALUES
    wide = np.zeros((700, 2001), np.float32)
    small, reference = loc.reduced(wide, wide > 0)
    assert small.shape == reference.shape == (100, 286)


def test_reduction_keeps_ties_the_mean_and_the_figure():
    flat = np.full((1000, 900), 0.1, np.float32)
    assert np.unique(loc.block_mean(flat, 4)).tolist() == [np.float32(0.1)]
    large = np.kron(VALUES, np.ones((160, 160), np.float32))  # 640 px, and blocks of 2
    assert loc.pixel_average_precision(large, np.kron(REFERENCE, np.ones((160, 160), bool))) == pytest.approx(13 / 24)
    assert loc.block_mean(large, 160) == pytest.approx(VALUES)
    # Up and down by 0.5 within each block: unreduced, the order of the pixels would change.
    chequered = large + (large > 0) * np.tile(np.array([[0.5, -0.5], [-0.5, 0.5]], np.float32), (320, 320))
    assert loc.pixel_average_precision(chequered, np.kron(REFERENCE, np.ones((160, 160), bool))) == pytest.approx(13 / 24)


def test_pixel_histogram_counts_every_pixel_and_the_highest():
    foreground, background = pooled_pixels.pixel_histogram(VALUES, REFERENCE, np.array([0, 1, 2, 4, np.inf]))
    assert foreground.tolist() == [2, 0, 1, 1]
    assert background.tolist() == [9, 2, 1, 0]


def test_the_highest_value_is_a_threshold_of_its_own():
    edges = pooled_pixels.pixel_edges(4, 1001)
    assert (len(edges), edges[0], edges[1000], edges[1001]) == (1002, 0, 4, np.inf)
    assert pooled_pixels.pixel_histogram(np.array([[3.999, 4]], np.float32), np.array([[False, True]]), edges)[0][1000] == 1


def test_pooled_pixel_average_precision_by_hand():
    """The map with a second one that has a 3 outside and no region.

    4: ¼ · 1; 3: 0; 2: ¼ · 2/4 (the 3 and a 2 are false); 0: ½ · 4/32; together 7/16.
    """
    second = np.where(pixel(0, 0), np.float32(3), ZERO)
    pair = [VALUES, second], [REFERENCE, NOTHING]
    assert pooled_ap(*pair) == pytest.approx(1 / 4 + 1 / 8 + 1 / 16)
    assert pooled_ap(*pair, np.array([1.0, 0])) == pytest.approx(13 / 24)
    assert pooled_ap([ZERO], [REFERENCE]) == pytest.approx(4 / 16)


def test_pooled_pixel_average_precision_is_the_published_sum():
    """Choe 2020, eq. 4, threshold by threshold on all pixels."""
    rng = np.random.default_rng(0)
    maps = list(rng.random((5, 12, 9)).astype(np.float32))
    references = list(rng.random((5, 12, 9)) < 0.3)
    pooled, truth = np.concatenate([m.ravel() for m in maps]), np.concatenate([r.ravel() for r in references])
    value, before = 0.0, 0.0
    for threshold in np.linspace(0, pooled.max(), 1001)[::-1]:
        marked = pooled >= threshold
        recall = (marked & truth).sum() / truth.sum()
        value += (marked & truth).sum() / marked.sum() * (recall - before)
        before = recall
    assert pooled_ap(maps, references) == pytest.approx(value)
    assert value == pytest.approx(average_precision_score(truth, pooled), abs=0.01)


def test_sides_by_hand():
    """Right lung: column 1 with 4 + 2 = 6; left lung: columns 2 and 3 with 4."""
    right, left = NOTHING.copy(), NOTHING.copy()
    right[:, 1], left[:, 2:] = True, True
    assert loc.laterality(VALUES, right, left, pixel(3, 1)) == 1.0
    assert loc.laterality(VALUES, right, left, pixel(0, 3)) == 0.0
    assert loc.laterality(VALUES, left, right, pixel(3, 1)) == 1.0
    assert math.isnan(loc.laterality(VALUES, right, left, REFERENCE))  # two pixels in each
    assert math.isnan(loc.laterality(VALUES, right, left, pixel(0, 0)))  # outside both
    assert loc.laterality(ZERO, right, left, pixel(3, 1)) == 0.0
    assert loc.laterality(np.where(left | right, np.float32(1), ZERO), right, left, pixel(3, 1)) == 0.0  # 4 against 8


def test_equal_evidence_has_no_side():
    right, left = pixel(slice(None), 0), pixel(slice(None), 3)
    even = (right | left).astype(np.float32)
    assert loc.laterality(even, right, left, right) == loc.laterality(even, right, left, left) == 0.0


@pytest.mark.parametrize(("in_left", "one_sided"), [(1, True), (2, False)])
def test_a_reference_is_one_sided_from_95_percent_on(in_left, one_sided):
    """19 of 20 pixels are 95 %, 19 of 21 are 90 %; what lies outside the lungs does not count."""
    right, left, outside = (pixel(slice(None), slice(a, a + 10), shape=(5, 30)) for a in (0, 10, 20))
    reference = outside.copy()
    reference[:, :10].flat[:19] = True
    reference[0, 10 : 10 + in_left] = True
    assert math.isnan(loc.laterality(right.astype(np.float32), right, left, reference)) is not one_sided


def test_energy_in_border_by_hand():
    """One pixel wide on 4 × 4 (a quarter): 1 of 10 lies there, at (2, 3). On 10 × 20 a tenth is 1 row and 2 columns."""
    assert loc.energy_in_border(VALUES, 0.25) == pytest.approx(0.1)
    uniform = np.ones((10, 20), np.float32)
    assert loc.energy_in_border(uniform) == pytest.approx(1 - 8 * 16 / 200)
    assert loc.energy_in_border(pixel(5, 1, shape=(10, 20)).astype(np.float32)) == 1.0
    assert loc.energy_in_border(pixel(5, 2, shape=(10, 20)).astype(np.float32)) == 0.0
    assert math.isnan(loc.energy_in_border(ZERO))


@given(MAPS, MASKS, st.sampled_from([lambda v: 3 * v, lambda v: v**2, lambda v: v + 1, np.expm1]))
def test_only_the_order_of_pixels_counts_for_hit_and_average_precision(values, reference, transform):
    for figure in (loc.hit, loc.pixel_average_precision):
        assert figure(transform(values).astype(np.float32), reference) == pytest.approx(figure(values, reference), nan_ok=True)


@given(MAPS, MASKS)
def test_pixel_average_precision_agrees_with_a_sum_over_distinct_values(values, reference):
    expected, before = 0.0, 0.0
    for threshold in sorted(set(values.ravel().tolist()), reverse=True):
        marked = values >= threshold
        recall = (marked & reference).sum() / max(reference.sum(), 1)
        expected += (marked & reference).sum() / marked.sum() * (recall - before)
        before = recall
    one_class = reference.all() or not reference.any()
    assert loc.pixel_average_precision(values, reference) == pytest.approx(math.nan if one_class else expected, nan_ok=True)
    if reference.any():  # whole numbers up to 6 are told apart by 1001 thresholds
        assert pooled_ap([values], [reference]) == pytest.approx(expected)


@given(MAPS, MASKS, st.integers(0, 7))
def test_figures_stay_within_their_bounds_and_shares_add_up(values, reference, threshold):
    figures = [loc.hit, loc.energy_inside, lambda v, r: loc.iou(v, r, threshold), lambda v, r: loc.iobb(v, r, threshold)]
    for figure in figures:
        value = figure(values, reference)
        assert 0 <= value <= 1 if reference.any() else math.isnan(value)
    if reference.any() and not reference.all() and values.any():
        assert loc.energy_inside(values, reference) + loc.energy_inside(values, ~reference) == pytest.approx(1)
        assert loc.hit(values, reference) + loc.hit(values, ~reference) <= 1


@given(MAPS, MASKS)
def test_all_parts_are_never_worse_than_the_largest(values, reference):
    boxes = [Region.around(reference)] if reference.any() else []
    thresholds = np.arange(8.0)
    largest, every = (loc.box_iou_curve(values, boxes, thresholds, parts) for parts in ("largest", "all"))
    if boxes:
        assert (largest >= 0).all()
        assert (largest <= every).all()
        assert every.max() == best_box_iou(values, boxes, thresholds) <= 1
        assert every[7] == 0  # nothing is that high
        assert best_box_iou(reference.astype(np.float32), [Region.around(reference)], np.array([1.0])) > 0


@given(hnp.arrays(np.float32, (4, 4, 5), elements=st.integers(0, 6).map(float)), hnp.arrays(np.bool_, (4, 4, 5)), WEIGHTS)
def test_weights_count_a_case_as_often_as_repeating_it(maps, references, weights):
    taken, counted = np.repeat(np.arange(4), weights), np.array(weights, float)
    edges = pooled_pixels.pixel_edges(6, 1001)
    counts = np.array([pooled_pixels.pixel_histogram(v, r, edges) for v, r in zip(maps, references, strict=True)])
    repeated = pooled_pixels.pxap(*counts[taken].sum(0)) if len(taken) else math.nan
    assert pooled_pixels.pxap(*np.tensordot(counted, counts, 1)) == pytest.approx(repeated, nan_ok=True)
    best = maps[:, 0] / 6
    for figure in (loc.max_box_acc_v1, loc.max_box_acc_v2):
        assert figure(best, counted) == pytest.approx(figure(best[taken], np.ones(len(taken))), nan_ok=True)
