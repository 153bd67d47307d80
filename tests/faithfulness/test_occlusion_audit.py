"""Views without the disease: each pixel by hand on a drawn scene, and what a model of mean brightness makes of them."""

import math

import numpy as np
import pytest
from PIL import Image

from pneumoscope import radiograph
from pneumoscope.cohort import Case, Cohort, CohortError, Partition
from pneumoscope.faithfulness.occlusion_audit import (
    OCCLUSIONS,
    OcclusionAudit,
    Scene,
    lung_outline,
    occluded_log_odds,
    other_background,
    outer_frame,
    uniform_grey,
    without_lungs,
)
from pneumoscope.localization.case import ReadCase, read_cases
from pneumoscope.radiograph import Orientation, Radiograph
from pneumoscope.reader import Reader
from tests.localization.builders import filled
from tests.lung_fields.builders import lungs

SHAPE = (100, 60)
LUNGS = (40, 20, 60, 40)  # (top, left, bottom, right)


def scene(image=None, lungs=LUNGS, other=None, other_box=LUNGS, box=LUNGS):
    """Without more: grey ramps that differ, and one rectangle of lung in both."""
    rows, cols = np.indices(SHAPE)
    image = (rows / 400 + cols / 600) if image is None else image
    other = (0.9 - rows / 400 - cols / 600) if other is None else other
    return Scene(
        np.asarray(image, np.float32),
        filled(SHAPE, lungs) if lungs else np.zeros(SHAPE, bool),
        box,
        np.asarray(other, np.float32),
        other_box,
    )


@pytest.mark.parametrize("name", OCCLUSIONS)
def test_each_view_is_grey_of_the_radiographs_size_and_leaves_the_scene_as_it_was(name):
    given = scene()
    before = given.image.copy(), given.donor.copy(), given.lungs.copy()
    seen = OCCLUSIONS[name](given)
    assert (seen.shape, seen.dtype) == (SHAPE, np.float32)
    assert 0 <= seen.min() <= seen.max() <= 1
    for now, then in zip((given.image, given.donor, given.lungs), before, strict=True):
        np.testing.assert_array_equal(now, then)


def test_of_the_size_alone_nothing_but_the_size_is_left():
    assert (uniform_grey(scene()) == uniform_grey(scene())[0, 0]).all()
    np.testing.assert_array_equal(uniform_grey(scene()), uniform_grey(scene(image=np.zeros(SHAPE))))


def test_the_lungs_take_the_mean_of_the_ring_around_them_and_nothing_else_changes():
    """A twentieth of the longer side is a ring of five steps, a diamond's corners: above, left, right 5 × 20 each as below.

    Above the lung the ring is 1, elsewhere 0. In it are 4 sides of 100 pixels and 4 corners of 1 + 2 + 3 + 4 = 10.
    Rows above the lung hold one side and two corners: 120 of 440.
    """
    image = np.zeros(SHAPE)
    image[:40] = 1
    image[50, 30] = 0.7  # in the lung: must not count
    image[33] = 0.3  # six and more steps away: must not count
    seen = without_lungs(scene(image=image))
    assert seen[50, 30] == pytest.approx(120 / 440, abs=1e-6)
    assert (seen[40:60, 20:40] == seen[50, 30]).all()
    outside = ~filled(SHAPE, LUNGS)
    np.testing.assert_array_equal(seen[outside], image.astype(np.float32)[outside])


def test_where_everything_is_lung_it_takes_the_images_own_mean():
    image = np.zeros(SHAPE)
    image[:25] = 1
    assert without_lungs(scene(image=image, lungs=(0, 0, *SHAPE))) == pytest.approx(np.full(SHAPE, 0.25))


def test_the_silhouette_is_two_values_whatever_the_radiograph_shows():
    seen = lung_outline(scene())
    assert len(np.unique(seen)) == 2
    assert (seen[40:60, 20:40] == seen.min()).all()
    assert (seen == seen.min()).sum() == 20 * 20
    np.testing.assert_array_equal(seen, lung_outline(scene(image=np.zeros(SHAPE))))


def test_of_the_border_a_tenth_of_each_side_is_left_and_its_mean_fills_the_rest():
    """Ten rows above and below, six columns at the sides: of 6,000 pixels 80 × 48 lie inside, 2,160 in the frame.

    Six columns at the left are 1 and the rest of the frame 0: 600 of 2,160. What lies inside is another grey.
    """
    image = np.zeros(SHAPE)
    image[10:90, 6:54] = 0.6
    image[:, :6] = 1
    seen = outer_frame(scene(image=image))
    assert (seen[:, :6] == 1).all()
    assert seen[10:90, 6:54] == pytest.approx(np.full((80, 48), 600 / 2160), abs=1e-6)
    assert (seen[:10, 6:] == 0).all()
    assert (seen[90:, 6:] == 0).all()
    assert (seen[:, 54:] == 0).all()


def test_inside_the_lungs_the_case_remains_and_far_outside_it_is_the_other_case():
    given = scene()
    seen = other_background(given)
    np.testing.assert_array_equal(seen[given.lungs], given.image[given.lungs])
    far = ~filled(SHAPE, (28, 8, 72, 52))  # six deviations of two pixels away
    np.testing.assert_allclose(seen[far], given.donor[far], atol=1e-5)
    at_edge = seen[39, 30]  # feathered: between both
    assert given.image[39, 30] < at_edge < given.donor[39, 30]


def test_the_others_lung_box_is_brought_to_this_ones():
    """The other's box is half as high and wide and begins at (10, 30) where this begins at (40, 20): pixel (r, c) of the view
    shows the other at (10 + (r − 40) / 2, 30 + (c − 20) / 2), and the nearest edge where that lies outside of it."""
    rows, cols = np.indices((80, 90)) + 0.5
    other = (rows / 200 + cols / 200).astype(np.float32)
    seen = other_background(scene(image=np.zeros(SHAPE), other=other, other_box=(10, 30, 20, 40)))
    for r, c in ((25, 10), (80, 55), (95, 3), (99, 59), (28, 50)):
        y, x = 10 + (r + 0.5 - 40) / 2, 30 + (c + 0.5 - 20) / 2
        assert seen[r, c] == pytest.approx(max(y, 0.5) / 200 + x / 200, abs=2e-3), (r, c)
    y_above = 10 + (5 + 0.5 - 40) / 2
    assert y_above < 0  # the other does not reach that far up: its first row goes on
    assert seen[5, 30] == pytest.approx(0.5 / 200 + (30 + (30.5 - 20) / 2) / 200, abs=2e-3)


def test_boxes_of_another_proportion_are_stretched_and_sizes_may_differ():
    """The other's box is twice as high and as wide as this one's: a bright row at its lower edge lands at this one's."""
    other = np.zeros((150, 120), np.float32)
    other[100:] = 1  # from the other's lower edge on
    seen = other_background(scene(image=np.full(SHAPE, 0.5), other=other, other_box=(60, 30, 100, 50)))
    assert (seen[:28, 5] < 0.01).all()
    assert seen[57, 2] == pytest.approx(0, abs=0.01)
    assert seen[63, 2] == pytest.approx(1, abs=0.01)
    assert (seen[72:, 5] > 0.99).all()


# With a reader


def audit(reader, cohort, cases, draws):
    measure = OcclusionAudit(reader, cohort, cases)
    for read in read_cases(reader, cohort, cases, workers=1):
        measure.add(read)
    (table,) = measure.tables(draws).values()
    return table


ROWS, COLS = 80, 100


def noisy(level, seed):
    """Grey about a level: the mean is what the glass model scores by."""
    rng = np.random.default_rng(seed)
    return np.clip(rng.normal(level, 12, (ROWS, COLS)), 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def clear(glass):
    return Reader.load(glass, threads=1)


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    """Eight images of four patients, the positives brighter in the frame's tenth alone; the last two are on another side."""
    root = tmp_path_factory.mktemp("views")
    cases = []
    for k in range(10):
        positive = k % 4 >= 2
        pixels = noisy(100, k)
        frame = ~filled((ROWS, COLS), (8, 10, 72, 90))
        pixels[frame] = 200 if positive else 60
        Image.fromarray(pixels).save(root / f"{k}.png")
        side = "test" if k < 8 else "tune"
        cases.append(Case(f"{k}.png", "x", int(positive), f"p{k // 2}", split=side))
    return Cohort(root, tuple(cases), partition=Partition("by hand", None, None, "0" * 64))


@pytest.fixture(scope="module")
def found(clear, cohort):
    return audit(clear, cohort, cohort.on("test"), draws=25)


def test_every_view_has_its_figure_beside_that_of_the_radiographs_themselves(found):
    assert list(found) == [
        "unchanged",
        "size only",
        "lungs removed",
        "lung outline only",
        "lungs on the other class's background",
        "outer tenth only",
    ]


def test_a_model_that_sees_nothing_but_the_size_has_equal_scores_and_no_interval(found):
    size = found["size only"]
    assert size.value == 0.5
    assert math.isnan(size.low)
    assert "the same in every bootstrap draw" in size.reason


def test_a_model_that_goes_by_the_frame_is_as_good_without_the_rest_and_is_led_astray_by_another_background(found):
    """Nothing but the frame differs, so brightness separates all as they are and by the frame, and on the other's frame none.

    No lung was found in noise, so that nothing of the case remains there but the box.
    """
    assert found["unchanged"].value == 1
    assert found["outer tenth only"].value == 1
    assert found["lungs on the other class's background"].value == 0


def test_units_are_the_patients_of_that_side(found):
    assert {e.n for e in found.values()} == {4}
    assert {e.unit for e in found.values()} == {"patient"}


def test_scores_are_those_of_the_reader_on_the_radiograph_as_it_is(clear, cohort):
    """With one positive patient as dark as the negatives the AUC counts the pairs: by the reader's own readings."""
    from_pairs = []
    scores = {c.path: clear.read(radiograph.read(cohort.file(c))).score.log_odds for c in cohort.on("test")}
    for one in cohort.on("test"):
        for other in cohort.on("test"):
            if one.reference and not other.reference:
                from_pairs.append((scores[one.path] > scores[other.path]) + (scores[one.path] == scores[other.path]) / 2)
    assert audit(clear, cohort, cohort.on("test"), draws=5)["unchanged"].value == pytest.approx(np.mean(from_pairs))


def test_of_lungs_alone_nothing_is_left_where_they_are_removed_and_all_of_it_on_another_background(glass, tmp_path):
    """Even grey but for the lungs, brighter with the target; the lungs are those that were drawn, not those of a network."""

    class Drawn:
        def find(self, image):
            return lungs(image.rows, image.cols)

    reader = Reader.load(glass, threads=1)
    reader.finder = Drawn()
    mask = lungs(ROWS, COLS).mask
    for k in range(6):
        Image.fromarray(np.where(mask, 150 if k % 2 else 30, 80).astype(np.uint8)).save(tmp_path / f"{k}.png")
    cases = tuple(Case(f"{k}.png", "x", k % 2, f"p{k}", split="test") for k in range(6))
    found = audit(reader, Cohort(tmp_path, cases), cases, draws=5)
    assert {name: e.value for name, e in found.items()} == {
        "unchanged": 1,
        "size only": 0.5,
        "lungs removed": 0.5,
        "lung outline only": 0.5,
        "lungs on the other class's background": 1,
        "outer tenth only": 0.5,
    }


def test_the_same_seed_gives_the_same_partners_and_intervals(clear, cohort, found):
    again = audit(clear, cohort, cohort.on("test"), draws=25)
    assert [(e.value, str(e)) for e in again.values()] == [(e.value, str(e)) for e in found.values()]


def test_a_side_of_one_class_is_refused(clear, cohort):
    with pytest.raises(CohortError, match="both classes are needed"):
        OcclusionAudit(clear, cohort, cohort.on("tune"))


@pytest.mark.parametrize("donor_is_mirrored", [False, True])
def test_a_mirrored_file_is_occluded_as_the_picture_that_it_shows(clear, donor_is_mirrored):
    """A radiograph that is stored as its mirror image, and a donor stored so, give the log-odds of the displayed pictures."""
    picture, other = (noisy(level, 5).astype(np.float32) / 255 for level in (90, 140))
    picture[:, :30] += 0.2  # not symmetric
    mirrored = Orientation("R", "F")

    def stored(pixels, turn):
        return Radiograph(np.ascontiguousarray(pixels[:, ::-1]), orientation=mirrored) if turn else Radiograph(pixels)

    def log_odds(turn, turn_donor):
        image = stored(np.clip(picture, 0, 1), turn)
        read = ReadCase(Case("a.dcm", "x", 1, "p"), image, clear.read(image))
        return occluded_log_odds(read, stored(other, turn_donor), clear)

    assert log_odds(True, donor_is_mirrored) == pytest.approx(log_odds(False, False), abs=1e-4)
