"""Figures of hand-made cases by hand; what is said of a perfect map and of maps that look at nothing; lettering; tables."""

import json
import math
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageDraw
from sklearn.metrics import average_precision_score

from pneumoscope.evaluation.training_overlap import TrainingOverlap
from pneumoscope.localization import LocalizationError, burned_in, uninformed_maps
from pneumoscope.localization.case_rows import THRESHOLDS
from pneumoscope.localization.localizer import (
    Localizer,
    Provenance,
    UninformedBaseline,
    best_threshold,
    verdict,
)
from pneumoscope.localization.tables import as_json, as_markdown
from pneumoscope.radiograph import Region
from pneumoscope.statistics.estimate import Estimate, undefined
from pneumoscope.statistics.intervals import patient_weights
from tests.localization.builders import baselines, case, filled

SQUARE = (64, 64)
RIGHT, LEFT = filled(SQUARE, (16, 8, 48, 28)), filled(SQUARE, (20, 40, 46, 56))
ZERO = np.zeros(SQUARE, np.float32)
RULES = uninformed_maps.RULES
FIGURES = ("hit", "pixel AP", "energy inside")
ONE_SIDED = "correct laterality (one-sided cases)"


def measured(cases, threshold=0.5, draws=10):
    localizer = Localizer(threshold)
    for one in cases:
        localizer.add(one)
    return localizer.result(
        Provenance("hand", "made", "test", "0123456789abcdef", threshold, "the test", TrainingOverlap()), draws
    )


def spread():
    """Twenty-four patients; every third has an opacity over the middle of image and right lung, others a small one elsewhere.

    The first hold the highest place of every map that looks at nothing but the random ones, the others do not.
    """
    rng = np.random.default_rng(5)
    found = []
    for number in range(24):
        top, left = rng.integers(18, 36), rng.choice([42, 46])
        box = (14, 6, 50, 50) if number % 3 == 0 else (top, left, top + 8, left + 8)
        mask = filled(SQUARE, box)
        found.append(case(mask, mask, patient=f"p{number}", right=RIGHT, left=LEFT, lung_box=Region(14, 6, 50, 58)))
    return found


# Beside maps that look at nothing


def test_a_perfect_map_hits_always_and_beats_every_map_that_looks_at_nothing():
    found = measured(spread(), draws=200)
    for name in ("hit", "pixel AP", "PxAP (pooled)", "energy inside", "mIoU, misses as 0", "mIoU, true positives", "IoBB",
                 "best-box IoU", "MaxBoxAcc v1", "MaxBoxAcc v2"):  # fmt: skip
        assert found.against_regions[name].value == pytest.approx(1.0), name
    assert set(found.uninformed) == set(FIGURES)
    for figure, rules in found.uninformed.items():
        assert set(rules) == set(RULES)
        for rule, beside in rules.items():
            assert beside.difference.low > 0, (figure, rule)
            assert beside.value.value < 1, (figure, rule)
            assert beside.difference.value == pytest.approx(1 - beside.value.value)
    assert found.verdict == "The map is better than every uninformed baseline, in hit and in pixel AP."


@pytest.mark.parametrize("rule", RULES)
def test_a_map_that_looks_at_nothing_shows_nothing_beyond_itself(rule):
    cases = spread()
    same = [replace(c, values=values) for c, values in zip(cases, baselines(cases)[rule], strict=True)]
    found = measured(same)
    for figure in FIGURES:
        beside = found.uninformed[figure][rule]
        assert beside.difference.value == 0, figure
        assert beside.value.value == found.against_regions[figure].value, figure
    assert found.verdict.startswith("The map is not shown to be better than an uninformed baseline by: ")
    assert f"hit of '{rule}'" in found.verdict
    assert f"pixel AP of '{rule}'" in found.verdict


def test_a_flat_map_never_hits_and_points_nowhere():
    found = measured([replace(c, values=ZERO + np.float32(0.7)) for c in spread()])
    hit = found.against_regions["hit"]
    assert (hit.value, hit.low) == (0.0, 0.0)
    assert hit.high == pytest.approx(1 - 0.025 ** (1 / 24))  # Clopper & Pearson 1934 for none of 24
    assert found.free_response["FROC score"].value == 0
    assert found.free_response["AFROC AUC"].reason == "not defined on these cases"  # no image is without a region
    assert "hit of 'uniform random'" in found.verdict


def test_the_energy_of_a_map_alone_does_not_decide_the_verdict():
    better = UninformedBaseline(Estimate(0.1, 0, 0.2, 9, "patient", "x"), Estimate(0.5, 0.1, 0.9, 9, "patient", "x"))
    level = UninformedBaseline(Estimate(0.1, 0, 0.2, 9, "patient", "x"), Estimate(0.5, 0.0, 0.9, 9, "patient", "x"))
    none = UninformedBaseline(undefined(0, "because"), undefined(0, "because"))
    assert verdict({"hit": {"r": better}, "pixel AP": {"r": better}, "energy inside": {"r": level}}).startswith(
        "The map is better than every"
    )
    assert verdict({"hit": {"r": better}, "pixel AP": {"r": level, "s": better}}).endswith("by: pixel AP of 'r'.")
    assert verdict({"hit": {"r": none}, "pixel AP": {"r": better}}).endswith("by: hit of 'r'.")


def test_a_map_that_is_right_wherever_chance_is_wrong_beats_it():
    """Small opacities that no blind map's peak lies in: the difference of hits is 1 in all forty patients."""
    masks = [filled(SQUARE, (2 + k % 20, 60, 4 + k % 20, 62)) for k in range(40)]
    cases = [case(m, m, patient=f"p{k}", right=RIGHT, left=LEFT) for k, m in enumerate(masks)]
    found = measured(cases)
    assert found.uninformed["hit"]["centred Gaussian"].difference.value == 1
    assert "hit of 'centred Gaussian'" not in found.verdict


@pytest.mark.parametrize(
    ("patients", "said"),
    [(["p"] * 3, "1 patient with"), (["a", "b", "c"], "3 patients with"), ([f"p{k}" for k in range(5)], "5 patients with")],
)
def test_a_handful_of_patients_shows_nothing_however_perfect_the_map(patients, said):
    """Five of five against none of five: the exact two-sided sign test gives p = 2 / 32 = 0.0625."""
    masks = [filled(SQUARE, (2 + k % 20, 60, 4 + k % 20, 62)) for k in range(len(patients))]
    found = measured([case(m, m, patient=p, right=RIGHT, left=LEFT) for m, p in zip(masks, patients, strict=True)])
    assert found.uninformed["hit"]["centred Gaussian"].difference.value == 1
    assert found.verdict.startswith(f"No verdict: {said} reference regions cannot show a difference")


def test_one_draw_does_not_show_that_all_patients_agree():
    """Eleven of twelve patients are hit: their mean is 11/12, and that of one draw the same only because it is alone."""
    masks = [filled(SQUARE, (2 + k % 20, 60, 4 + k % 20, 62)) for k in range(12)]
    cases = [case(~m if k == 0 else m, m, patient=f"p{k}", right=RIGHT, left=LEFT) for k, m in enumerate(masks)]
    found = measured(cases, draws=1)
    difference = found.uninformed["hit"]["centred Gaussian"].difference
    assert difference.value == pytest.approx(11 / 12)
    assert difference.reason == "too few bootstrap draws for an interval"
    assert "hit of 'centred Gaussian'" in found.verdict


# Memory


def test_some_kilobytes_are_kept_of_a_case_and_no_map():
    """A map of 320 × 320 has 410 kB, the other maps and masks of such a case 2.5 MB; a tenth of one map is allowed."""
    shape = (320, 320)
    rng = np.random.default_rng(0)
    smooth = np.asarray(Image.fromarray(rng.random((7, 7), np.float32)).resize(shape, Image.Resampling.BILINEAR))
    one = case(
        smooth,
        filled(shape, (40, 40, 120, 100)),
        right=filled(shape, (30, 20, 250, 140)),
        left=filled(shape, (40, 180, 250, 300)),
    )
    localizer = Localizer(0.5)
    localizer.add(one)
    tracemalloc.start()
    for number in range(3):
        localizer.add(replace(one, patient_id=f"p{number}"))
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held / 3 < 40_000


# Figures by hand


def test_hits_of_smaller_and_larger_opacities_by_hand():
    """Areas 4, 16, 64, 256 with the median 40: of the smaller two one is hit, of the larger two both."""
    masks = [filled(SQUARE, (0, 0, side, side)) for side in (2, 4, 8, 16)]
    peaks = [filled(SQUARE, (row, 0, row + 1, 1)) for row in (1, 5, 0, 0)]
    found = measured([case(p, m, patient=str(k)) for k, (p, m) in enumerate(zip(peaks, masks, strict=True))]).against_regions
    assert (found["hit"].value, found["hit"].n) == (0.75, 4)
    assert (found["hit, smaller half"].value, found["hit, smaller half"].n) == (0.5, 2)
    assert (found["hit, larger half"].value, found["hit, larger half"].n) == (1.0, 2)
    assert "undefined in 2 cases" in found["hit, smaller half"].method


def test_images_of_a_patient_are_one_unit_of_the_interval():
    cases = spread()
    found = measured([replace(c, patient_id=f"p{k // 2}") for k, c in enumerate(cases)])
    assert (found.n_images, found.n_patients, found.n_with_regions) == (24, 12, 24)
    assert found.against_regions["hit"].n == 12
    assert found.against_regions["hit"].low == pytest.approx(0.025 ** (1 / 12))  # Clopper & Pearson 1934 for all of 12


def test_pxap_is_scikit_learns_average_precision_over_all_pixels():
    """On maps of half thousandths no two values share a bin, also above the full scale of the map."""
    rng = np.random.default_rng(7)
    maps = [(rng.integers(0, 1500, (8, 9)) + 0.5) / 1000 for _ in range(70)]
    masks = [rng.random((8, 9)) < 0.2 for _ in maps]
    found = measured([case(v, m, patient=f"p{k}") for k, (v, m) in enumerate(zip(maps, masks, strict=True))], draws=40)
    pxap = found.against_regions["PxAP (pooled)"]
    assert pxap.value == pytest.approx(average_precision_score(np.ravel(masks), np.ravel(maps)))
    weights = patient_weights([f"p{k}" for k in range(70)], 40)
    drawn = [
        average_precision_score(np.ravel(masks), np.ravel(maps), sample_weight=np.repeat(row, 72)) for row in np.asarray(weights)
    ]
    assert (pxap.low, pxap.high) == pytest.approx(tuple(np.quantile(drawn, [0.025, 0.975])))
    assert (pxap.n, pxap.method) == (70, "patient bootstrap, 40 draws")


def overlapping():
    """IoU 1, ½ and 1 at the threshold of a half; the last was read as negative."""
    mask = filled(SQUARE, (10, 10, 20, 20))
    half = 0.6 * filled(SQUARE, (10, 10, 20, 15)) + 0.4 * filled(SQUARE, (10, 15, 20, 20))
    return [
        case(0.6 * mask, mask, patient="a"),
        case(half, mask, patient="b"),
        case(0.6 * mask, mask, patient="c", positive=False),
    ]


def test_mean_iou_with_misses_as_nothing_and_of_true_positives_by_hand():
    found = measured(overlapping()).against_regions
    assert found["mIoU, misses as 0"].value == pytest.approx((1 + 0.5 + 0) / 3)
    assert found["mIoU, true positives"].value == pytest.approx((1 + 0.5) / 2)
    assert found["mIoU, true positives"].n == 2
    assert found["IoBB"].value == pytest.approx(1)


def test_the_given_threshold_is_the_one_that_is_used():
    """At 0.4 the whole of the second map is detected; at 0.7 nothing is."""
    assert measured(overlapping(), threshold=0.4).against_regions["mIoU, true positives"].value == pytest.approx(1)
    assert measured(overlapping(), threshold=0.7).against_regions["mIoU, true positives"].value == 0
    assert measured(overlapping(), threshold=0.4).threshold == 0.4


def test_the_threshold_is_the_one_of_the_highest_mean_iou():
    """Of ten reference pixels a and b show nine at 0.3 and eight above; c shows ten at 0.8 and a hundred more below.

    Up to 0.3 the IoU is 0.9, 0.9 and 1/11; to 0.6 it is 0.8, 0.8 and 1/11; above, to 0.8, it is 0.8, 0.8 and 1. So the
    mean is 0.63, 0.56, then 0.87 from 0.65 to 0.8, of which the first is taken, although two of three cases prefer 0.3.
    """
    mask = filled(SQUARE, (10, 10, 11, 20))
    many = np.where(filled(SQUARE, (10, 10, 11, 18)), 0.84, np.where(filled(SQUARE, (10, 18, 11, 19)), 0.33, 0))
    wide = np.where(mask, 0.84, np.where(filled(SQUARE, (30, 0, 32, 50)), 0.63, 0))
    cases = [case(many, mask, patient="a"), case(many, mask, patient="b"), case(wide, mask, patient="c"), case(ZERO + 1)]
    assert best_threshold(cases) == pytest.approx(0.65)
    assert best_threshold(cases[:2]) == pytest.approx(0.05)


def test_the_threshold_agrees_with_a_count_pixel_by_pixel():
    rng = np.random.default_rng(3)
    cases = [case(rng.random((9, 9)) * 0.6 + 0.4 * (mask := rng.random((9, 9)) > 0.7), mask) for _ in range(5)]

    def mean_iou(threshold):
        shares = []
        for c in cases:
            grids = c.values >= threshold, c.mask
            shown, meant = ({(row, col) for row in range(9) for col in range(9) if grid[row, col]} for grid in grids)
            shares.append(len(shown & meant) / len(shown | meant))
        return sum(shares) / len(shares)

    assert best_threshold(cases) == max((round(0.05 * k, 2) for k in range(1, 20)), key=mean_iou)
    assert len(THRESHOLDS) == 19


def test_without_a_region_no_threshold_can_be_fixed():
    with pytest.raises(LocalizationError, match="no case of the tune split has a reference region"):
        best_threshold([case(ZERO), case(ZERO, reference=0)])


def test_a_mark_too_thin_for_the_grid_does_not_decide_the_threshold():
    """A mask of which no block is half covered comes out of `locate` as an empty one."""
    mask = filled(SQUARE, (10, 10, 20, 20))
    well = case(np.where(mask, 0.8, 0.3), mask)
    assert best_threshold([well]) == pytest.approx(0.35)
    assert best_threshold([well, case(ZERO + 0.1, filled(SQUARE))]) == pytest.approx(0.35)


def marks(lesion, normal, n_normal=3):
    """A case whose region holds the peak, rated `lesion`, and others without a region with one mark each, rated `normal`."""
    spot = filled(SQUARE, (30, 30, 33, 33))
    return [
        case(spot, filled(SQUARE, (25, 25, 40, 40)), patient="p", probability=lesion),
        *(case(spot, reference=0, patient=f"n{k}", probability=normal, positive=False) for k in range(n_normal)),
    ]


def test_false_marks_are_counted_on_normal_images_too():
    """Three normals marked above the region: it is reached at 3/4 false marks an image, so at 1, 2, 4, 8 but not below."""
    found = measured(marks(0.8, 0.9)).free_response
    for rate, expected in (("1/8", 0), ("1/4", 0), ("1/2", 0), ("1", 1), ("2", 1), ("4", 1), ("8", 1)):
        assert found[f"sensitivity at {rate} false marks per image"].value == expected, rate
    assert found["FROC score"].value == pytest.approx(4 / 7)
    assert found["AFROC AUC"].value == 0
    assert measured(marks(0.8, 0.7)).free_response["FROC score"].value == 1
    assert measured(marks(0.8, 0.7)).free_response["AFROC AUC"].value == 1
    assert measured(marks(0.8, 0.8)).free_response["AFROC AUC"].value == 0.5


def test_the_more_normals_the_lower_the_rate_of_one_false_mark():
    """One false mark above the region on two, four and eight images: 1/2, 1/4, 1/8."""
    for silent, rate in ((0, 1 / 2), (2, 1 / 4), (6, 1 / 8)):
        quiet = [case(ZERO, reference=0, patient=f"q{k}") for k in range(silent)]
        found = measured([*marks(0.8, 0.9, n_normal=1), *quiet]).free_response
        reached = [name for name, e in found.items() if name.startswith("sensitivity") and e.value == 1]
        assert reached[0] == f"sensitivity at 1/{round(1 / rate)} false marks per image"


def test_whole_images_by_hand():
    """Probabilities 0.8 | 0.9, 0.2, 0.8: the positive is above one of three and ties with one. Two of four are right."""
    one, *others = marks(0.8, 0.8)
    others = [replace(c, probability=p, positive=d) for c, p, d in zip(others, (0.9, 0.2, 0.8), (True, False, True), strict=True)]
    found = measured([one, *others]).image
    assert found["ROC-AUC"].value == pytest.approx(1.5 / 3)
    assert found["accuracy at the operating point"].value == 0.5


def test_anatomy_by_hand():
    """A map of 3 in the right lung's corner, 1 in the left one, 4 outside and 2 of these in the frame of six pixels."""
    values = ZERO.copy()
    values[20, 10], values[30, 45], values[10, 10], values[63, 63] = 3, 1, 2, 2
    found = measured([case(values, filled(SQUARE, (18, 9, 22, 12)), right=RIGHT, left=LEFT)]).anatomy
    assert found["peak in the lungs"].value == 1
    assert found["energy in the lungs"].value == pytest.approx(4 / 8)
    assert found["share of the image that is lung"].value == pytest.approx((32 * 20 + 26 * 16) / 64**2)
    assert found[ONE_SIDED].value == 1
    assert found["energy in the border"].value == pytest.approx(2 / 8)
    wrong = measured([case(values, filled(SQUARE, (28, 44, 32, 47)), right=RIGHT, left=LEFT)]).anatomy
    assert wrong[ONE_SIDED].value == 0


def test_anatomy_is_that_of_cases_with_the_target():
    """A normal's map lies outside of the lungs, and is not asked; a case marked against its label is."""
    inside, outside = (filled(SQUARE, box) for box in ((20, 10, 22, 12), (0, 0, 2, 2)))
    normal = case(outside, reference=0, patient="n", right=RIGHT, left=LEFT)
    cases = [case(inside, patient="p", right=RIGHT, left=LEFT), normal]
    assert measured(cases).anatomy["peak in the lungs"].value == 1
    assert measured([*cases, replace(normal, mask=outside, patient_id="m")]).anatomy["peak in the lungs"].value == 0.5


# What is undefined, and why


def test_without_a_one_sided_case_the_side_is_undefined_and_says_so():
    both = case(RIGHT, filled(SQUARE, (20, 10, 30, 20), (20, 44, 30, 54)), patient="a", right=RIGHT, left=LEFT)
    found = measured([both, case(RIGHT, patient="b", right=RIGHT, left=LEFT)])
    side = found.anatomy[ONE_SIDED]
    assert math.isnan(side.value)
    assert side.reason == "undefined in all 2 cases"
    assert f"| {ONE_SIDED} | NaN | undefined in all 2 cases | 0 |" in as_markdown(found).splitlines()
    told = json.loads(json.dumps(as_json(found), allow_nan=False))["anatomy"][ONE_SIDED]
    assert (told["value"], told["low"], told["high"]) == (None, None, None)
    assert told["reason"] == "undefined in all 2 cases"


def test_where_no_lung_is_known_nothing_is_said_about_lungs():
    found = measured([case(RIGHT, RIGHT)]).anatomy
    for name in ("peak in the lungs", "energy in the lungs", "share of the image that is lung", ONE_SIDED):
        assert math.isnan(found[name].value), name
        assert found[name].reason == "undefined in all 1 cases", name
    assert found["energy in the border"].value == 0


def test_figures_leave_undefined_cases_out_and_count_them():
    known = case(RIGHT, patient="a", right=RIGHT, left=LEFT)
    found = measured([known, case(RIGHT, patient="b")]).anatomy["energy in the lungs"]
    assert (found.value, found.n) == (1, 1)
    assert "undefined in 1 cases" in found.method


def test_without_regions_only_anatomy_and_whole_images_are_measured():
    found = measured([case(RIGHT, patient="a", right=RIGHT, left=LEFT), case(ZERO, reference=0, patient="n", positive=False)])
    assert (found.against_regions, found.uninformed, found.free_response) == ({}, {}, {})
    assert found.n_with_regions == 0
    assert found.anatomy["peak in the lungs"].value == 1
    assert found.image["accuracy at the operating point"].value == 1
    assert found.verdict == "No reference regions: nothing is said about whether the map shows the opacity."
    assert "against the reference regions" not in as_markdown(found)


def test_normals_alone_have_nothing_to_localize():
    with pytest.raises(LocalizationError, match="nothing to localize"):
        measured([case(ZERO, reference=0)])


def test_masks_without_a_box_have_no_figures_of_boxes():
    found = measured([replace(c, boxes=()) for c in spread()])
    assert "pixel AP" in found.against_regions
    assert not {"best-box IoU", "MaxBoxAcc v1", "MaxBoxAcc v2"} & set(found.against_regions)


# Lettering

IMAGE = (320, 256)
LUNGS = filled(IMAGE, (60, 30, 280, 110), (60, 150, 280, 230))
L = ((10, 10, 34, 14), (30, 10, 34, 26))
"""The letter L in strokes of four pixels, at the upper left."""


def chest(*bright):
    """Grey tissue, dark lungs with bright ribs of four pixels, a bright spine 40 pixels wide; and what else is bright."""
    pixels = np.full(IMAGE, 0.3, np.float32)
    pixels[:, 110:150] = 0.95
    pixels[LUNGS] = 0.1
    for top in range(70, 270, 30):
        pixels[top : top + 4][LUNGS[top : top + 4]] = 0.95
    pixels[filled(IMAGE, *bright)] = 0.95
    return pixels


def test_a_letter_in_a_corner_is_found_and_nothing_of_the_chest():
    assert np.array_equal(burned_in.text(chest(*L), LUNGS), filled(IMAGE, *L))
    assert not burned_in.text(chest(), LUNGS).any()


def test_the_ribs_are_left_out_because_they_lie_in_the_lungs():
    assert burned_in.text(chest(), filled(IMAGE)).any()


def test_printed_letters_are_found():
    """Drawn by Pillow's own font; its soft edges need not be found, its strokes must, but for a dot, and nothing beside them."""
    picture = Image.new("L", (IMAGE[1], IMAGE[0]))
    ImageDraw.Draw(picture).text((200, 8), "R 21", fill=255, font_size=20)
    drawn = np.asarray(picture) / np.float32(255)
    assert (drawn > 0.95).sum() > 50
    found = burned_in.text(np.maximum(chest(), drawn), LUNGS)
    assert found[drawn > 0.95].mean() > 0.95
    assert not found[drawn == 0].any()


@pytest.mark.parametrize(
    "box",
    [(10, 10, 50, 50), (0, 0, 320, 20)],
    ids=["a plate wider than 4 % of the longer side", "an edge of the film"],
)
def test_what_is_wide_is_no_lettering(box):
    assert not burned_in.text(chest(box), LUNGS).any()


def test_what_is_smaller_or_larger_than_letters_is_no_lettering():
    """0.00005 and 0.02 of 81920 pixels are 4.1 and 1638.4."""
    assert not burned_in.text(chest((10, 10, 12, 12)), LUNGS).any()
    assert burned_in.text(chest((10, 10, 11, 15)), LUNGS).sum() == 5
    wide = (290, 0, 300, 110), (290, 150, 300, 203)  # 1100 and 530 pixels, two parts
    assert burned_in.text(chest(*wide), LUNGS).sum() == 1630
