"""A reading and what radiologists marked, brought to a small grid: counted by hand on a radiograph of 700 × 900 pixels."""

import time

import numpy as np
import pytest
from PIL import Image

from pneumoscope.classifier import OperatingPoint, Score
from pneumoscope.cohort import Case, Cohort
from pneumoscope.localization.case import ReadCase, read_cases
from pneumoscope.radiograph import Orientation, Radiograph, RadiographError, Region
from pneumoscope.readings import ModelIdentity, ModelReading
from pneumoscope.reference.regions import ReferenceRegions
from tests.heatmap.builders import heatmap_of
from tests.localization.builders import filled
from tests.lung_fields.builders import lungs

ROWS, COLS = 700, 900
SMALL = (234, 300)
"""900 / 320 is above 2, so blocks of 3 × 3: 233⅓ rows of them and 300 columns. The last row of blocks is one pixel high."""


class Told:
    """A reader that answers what it was told, and remembers what it was shown."""

    def __init__(self, *readings):
        self.readings = list(readings)
        self.shown = []

    def read(self, radiograph):
        self.shown.append(radiograph)
        return self.readings.pop(0)


def reading(values=None, fields=None, probability=0.7, decision="positive", shape=(ROWS, COLS)):
    values = np.zeros(shape, np.float32) if values is None else values
    return ModelReading(
        Score("pneumonia", probability, 0.0),
        decision,
        OperatingPoint(0.5, "youden", "tune", "0" * 64),
        heatmap_of(values),
        (),
        lungs(*shape) if fields is None else fields,
        ModelIdentity("told", "0" * 64),
    )


@pytest.fixture
def cohort(tmp_path):
    """Two radiographs: one with a white block of 3 × 3 pixels, a grey pixel, a grey stretch in its last row; one in two greys."""
    pixels = np.zeros((ROWS, COLS), np.uint8)
    pixels[30:33, 60:63] = 255
    pixels[300, 300] = 153  # 0.6, a ninth of which is 1/15
    pixels[699, 0:3] = 51  # 0.2
    Image.fromarray(pixels).save(tmp_path / "a.png")
    Image.fromarray(np.where(filled((80, 160), (0, 0, 80, 80)), 51, 102).astype(np.uint8)).save(tmp_path / "b.png")
    return Cohort(tmp_path, (Case("a.png", "PNEUMONIA", 1, "p1"), Case("b.png", "NORMAL", 0, "p2")))


def located(cohort, told, regions=None, lung_masks=None):
    (one,) = read_cases(Told(told), cohort, cohort.cases[:1], regions, lambda path, grid: (lung_masks or {}).get(path))
    return one.reduced


def marked(mask, *boxes):
    return {"a.png": ReferenceRegions(mask, boxes or (Region.around(mask),), ("",))}


def is_rectangle(mask, box):
    """But for its corners, which the interpolation of a lung's cells rounds off."""
    top, left, bottom, right = box
    expected = filled(mask.shape, box)
    inner = filled(mask.shape, (top + 4, left, bottom - 4, right), (top, left + 4, bottom, right - 4))
    assert not mask[~expected].any()
    assert mask[inner].all()


def test_cases_keep_their_order_and_are_read_once_each(cohort):
    reader = Told(reading(probability=0.7), reading(probability=0.2, decision="negative", shape=(80, 160)))
    first, second = (read.reduced for read in read_cases(reader, cohort, cohort.cases, workers=1))
    assert [r.pixels.shape for r in reader.shown] == [(ROWS, COLS), (80, 160)]
    assert (first.path, first.patient_id, first.reference, first.probability, first.positive) == ("a.png", "p1", 1, 0.7, True)
    assert (second.path, second.patient_id, second.reference) == ("b.png", "p2", 0)
    assert (second.probability, second.positive) == (0.2, False)


def test_the_map_is_the_mean_of_blocks(cohort):
    values = np.zeros((ROWS, COLS), np.float32)
    values[30:33, 60:63] = 1.0
    values[300, 300] = 0.9
    values[699, 0:3] = 0.6  # a whole block, as there is no row below
    values[698, 897:900] = 0.3  # a third of a block
    expected = np.zeros(SMALL)
    expected[10, 20], expected[100, 100], expected[233, 0], expected[232, 299] = 1.0, 0.1, 0.6, 0.1
    found = located(cohort, reading(values)).values
    assert found.dtype == np.float32
    assert found == pytest.approx(expected, abs=1e-6)


def test_the_pixels_are_the_mean_of_blocks(cohort):
    expected = np.zeros(SMALL)
    expected[10, 20], expected[100, 100], expected[233, 0] = 1.0, 1 / 15, 0.2
    assert located(cohort, reading()).pixels == pytest.approx(expected, abs=1e-6)


def test_a_small_radiograph_stays_on_its_own_grid(cohort):
    values = np.random.default_rng(0).random((80, 160)).astype(np.float32)
    mask = filled((80, 160), (3, 5, 4, 6))
    region = {"b.png": ReferenceRegions(mask, (Region(3, 5, 4, 6),), ("",))}
    (read,) = read_cases(Told(reading(values, shape=(80, 160))), cohort, cohort.cases[1:], region)
    one = read.reduced
    assert np.array_equal(one.values, values)
    assert np.array_equal(one.mask, mask)
    assert one.boxes == (Region(3, 5, 4, 6),)
    assert one.pixels == pytest.approx(np.where(filled((80, 160), (0, 0, 80, 80)), 0.2, 0.4))
    is_rectangle(one.right, (20, 16, 68, 64))
    is_rectangle(one.left, (20, 96, 68, 144))


def test_boxes_and_masks_land_on_the_reduced_grid(cohort):
    mask = filled((ROWS, COLS), (30, 90, 60, 150), (600, 30, 700, 60))
    one = located(cohort, reading(), marked(mask, Region(30, 90, 60, 150), Region(601.5, 31, 700, 60)))
    assert np.array_equal(one.mask, filled(SMALL, (10, 30, 20, 50), (200, 10, 234, 20)))
    first, second = one.boxes
    assert first == Region(10, 30, 20, 50)
    assert (second.top, second.left, second.bottom, second.right) == pytest.approx((200.5, 31 / 3, 700 / 3, 20))


def test_a_block_is_marked_where_half_of_it_is(cohort):
    """Of nine pixels five are enough and four are not; of the three in the last row two are, and one is not."""
    mask = np.zeros((ROWS, COLS), bool)
    mask[30:33, 60:63].flat[:5] = True
    mask[30:33, 90:93].flat[:4] = True
    mask[699, 300:302] = True
    mask[699, 600] = True
    found = located(cohort, reading(), marked(mask)).mask
    assert np.argwhere(found).tolist() == [[10, 20], [233, 100]]


def test_without_a_mark_a_case_has_no_mask_and_no_box(cohort):
    one = located(cohort, reading())
    assert one.mask is None
    assert one.boxes == ()


def test_found_lungs_land_on_the_reduced_grid(cohort):
    """Cells of 17.5 × 22.5: rows 175–595, columns 90–360 and 540–810. Block 58 has two of three rows inside, block 198 one."""
    one = located(cohort, reading())
    is_rectangle(one.right, (58, 30, 198, 120))
    is_rectangle(one.left, (58, 180, 198, 270))
    assert np.array_equal(one.lungs, one.right | one.left)


def test_the_lung_box_lands_on_the_reduced_grid(cohort):
    """Rows 175–595 and columns 90–810, with 7 % of 420 and of 720 on each side; then thirds of it."""
    box = located(cohort, reading()).lung_box
    assert (box.top * 3, box.left * 3, box.bottom * 3, box.right * 3) == pytest.approx((145.6, 39.6, 624.4, 860.4))


def test_where_the_lungs_were_not_found_the_box_is_the_readers_fallback(cohort):
    """The central 80 %: 70–630 of 700 rows, 90–810 of 900 columns."""
    box = located(cohort, reading(fields=lungs(ROWS, COLS, state="not found", right=None, left=None))).lung_box
    assert (box.top * 3, box.left * 3, box.bottom * 3, box.right * 3) == pytest.approx((70, 90, 630, 810))


def test_a_given_lung_mask_replaces_the_found_lungs_and_is_parted_between_them(cohort):
    """Found lungs at columns 90–270 and 360–540 have their means at 179.5 and 449.5: what is left of 314.5 is right."""
    fields = lungs(ROWS, COLS, right=(10, 4, 34, 12), left=(10, 16, 34, 24))
    given = filled((ROWS, COLS), (300, 240, 600, 600))
    one = located(cohort, reading(fields=fields), lung_masks={"a.png": given})
    assert np.array_equal(one.right, filled(SMALL, (100, 80, 200, 105)))
    assert np.array_equal(one.left, filled(SMALL, (100, 105, 200, 200)))


@pytest.mark.parametrize("sides", [{"right": None, "left": None}, {"right": None}, {"left": None}])
def test_a_given_lung_mask_is_parted_in_the_middle_unless_both_lungs_were_found(cohort, sides):
    """The middle of 900 columns is 450; a single lung tells nothing about where the other begins."""
    fields = lungs(ROWS, COLS, "not found", **sides)
    given = filled((ROWS, COLS), (300, 240, 600, 600))
    one = located(cohort, reading(fields=fields), lung_masks={"a.png": given})
    assert np.array_equal(one.right, filled(SMALL, (100, 80, 200, 150)))
    assert np.array_equal(one.left, filled(SMALL, (100, 150, 200, 200)))


def test_a_lung_mask_of_another_case_changes_nothing(cohort):
    one = located(cohort, reading(), lung_masks={"b.png": filled((80, 160), (0, 0, 80, 160))})
    is_rectangle(one.right, (58, 30, 198, 120))


def test_the_lungs_of_a_mirrored_radiograph_are_the_patients_own():
    """Stored as its mirror image, the patient's right lung lies on the right of the stored grid."""
    image = Radiograph(np.zeros((ROWS, COLS), np.float32), orientation=Orientation("R", "F"))
    given = filled((ROWS, COLS), (300, 240, 600, 600))
    fields = lungs(ROWS, COLS, "not found", right=None, left=None)
    one = ReadCase(Case("a.dcm", "x", 1, "p"), image, reading(fields=fields), None, given).reduced
    assert np.array_equal(one.right, filled(SMALL, (100, 150, 200, 200)))
    assert np.array_equal(one.left, filled(SMALL, (100, 80, 200, 150)))


def test_files_that_cannot_be_read_are_an_error_at_their_turn(cohort):
    (cohort.root / "b.png").write_bytes(b"no picture")
    reads = read_cases(Told(reading(), reading()), cohort, cohort.cases, workers=1)
    assert next(reads).case.path == "a.png"
    with pytest.raises(RadiographError):
        next(reads)


def test_many_cases_come_in_their_order_whoever_is_first(cohort):
    """Two threads, of which the first waits: the order is that of the cases, and never more than four are ahead."""
    asked = []

    class Slow:
        def read(self, image):
            asked.append(image.cols)
            time.sleep(0.02 if image.cols == COLS else 0)
            return reading(shape=(image.rows, image.cols))

    cases = cohort.cases * 6
    reads = read_cases(Slow(), cohort, cases, workers=2)
    for number, read in enumerate(reads):
        assert read.case is cases[number]
        assert len(asked) <= number + 1 + 4
