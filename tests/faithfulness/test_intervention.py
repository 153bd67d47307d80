"""Pixels removed by a map's order, and maps of changed radiographs, with a model whose every answer follows by hand."""

import math

import numpy as np
import pytest
from PIL import Image
from scipy import stats
from scipy.special import expit

from pneumoscope import radiograph
from pneumoscope.classifier import Calibration, Preprocessing
from pneumoscope.cohort import Case, Cohort
from pneumoscope.faithfulness import intervention, perturbation
from pneumoscope.faithfulness.intervention import Intervention
from pneumoscope.faithfulness.stability import CHANGES, Stability, changed_maps
from pneumoscope.localization.case import ReadCase, read_cases
from pneumoscope.radiograph import Orientation, Radiograph
from pneumoscope.reader import Reader
from tests.reader.builders import glass_bundle, graph

SIDE = 28  # fourteen cells of two pixels
TEMPERATURE = 2.0
NAMES = (
    "deletion AUC",
    "insertion AUC",
    "ROAD most relevant first",
    "ROAD least relevant first",
    "faithfulness correlation",
)
UNMOVED = ("gamma 0.8", "brighter by 0.1", "JPEG quality 50")


@pytest.fixture(scope="module")
def clear(tmp_path_factory):
    """Glass of 28 pixels a side, calibrated: probability = 1 / (1 + exp(−log-odds / 2))."""
    folder, calibration = tmp_path_factory.mktemp("glass28") / "bundle", Calibration("temperature", TEMPERATURE)
    content = graph(SIDE, temperature=TEMPERATURE)
    return Reader.load(glass_bundle(folder, content, preprocessing=Preprocessing(SIDE), calibration=calibration), threads=1)


def bands(*greys, height=32, cols=128):
    """Flat bands of these greys, from above: whole blocks of JPEG in even greys, which quality 50 keeps (steps of 16 of 8·v)."""
    return np.repeat(np.array(greys, np.uint8), height)[:, None].repeat(cols, 1)


def saved(root, *pictures, patients=None):
    for k, pixels in enumerate(pictures):
        Image.fromarray(pixels).save(root / f"{k}.png")
    patients = patients or [f"p{k}" for k in range(len(pictures))]
    return Cohort(root, tuple(Case(f"{k}.png", "x", 1, p) for k, p in enumerate(patients)))


def spots(seed):
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 200, (7, 7)).astype(np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((112, 112), Image.Resampling.BILINEAR)).copy()


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    return saved(tmp_path_factory.mktemp("spots"), *(spots(k) for k in range(3)), patients=["a", "a", "b"])


@pytest.fixture(scope="module")
def found(clear, cohort):
    return intervened(clear, cohort)


def intervention_of(reader, cohort, cases=None, seed=0):
    measure = Intervention(reader, cohort.cases, seed)
    for read in read_cases(reader, cohort, cases or cohort.cases, workers=1):
        measure.add(read)
    return measure


def intervened(reader, cohort, **more):
    return intervention_of(reader, cohort, **more).baselines(draws=10)


def stability(reader, cohort, cases, draws):
    measure = Stability(reader, cases)
    for read in read_cases(reader, cohort, cases, workers=1):
        measure.add(read)
    (table,) = measure.tables(draws).values()
    return table


# Intervention


def test_the_figures_have_their_names_and_a_difference_each(clear, cohort, found):
    assert tuple(found) == NAMES
    ((title, rows),) = intervention_of(clear, cohort).tables(draws=10).items()
    assert title == intervention.TITLE
    assert list(rows) == [n for name in NAMES for n in (name, f"{name}, minus a shuffled map's")]
    for name in NAMES:
        assert rows[name] == found[name].value
        assert rows[f"{name}, minus a shuffled map's"] == found[name].difference
    assert {e.n for e in rows.values()} == {2}  # patients


def test_a_map_that_is_the_score_itself_beats_its_shuffled_copy_by_every_figure(found):
    """Glass's score is the mean of its map: no order of pixels takes more away, or brings more, than the map's own."""
    for name, sign in zip(NAMES, (-1, 1, -1, 1, 1), strict=True):
        assert found[name].difference.value * sign > 0, name


def test_each_figure_is_that_of_the_map_minus_that_of_a_shuffled_one(clear, cohort, found):
    """Independently of the code: the prepared square, glass's map by pooling 2 × 2 pixels, glass's probability by hand."""
    rng = np.random.default_rng(0)

    def probability(grey):
        log_odds = 8 * grey.mean((1, 2), dtype=np.float64) - 1
        return expit(log_odds / TEMPERATURE)

    own, shuffled = [], []
    for case in cohort.cases:
        square = clear.prepare(radiograph.read(cohort.file(case))).pixels[0]
        cells = square.reshape(14, 2, 14, 2).mean((1, 3)).astype(np.float32)
        values = np.asarray(Image.fromarray(cells).resize((SIDE, SIDE), Image.Resampling.BILINEAR))
        own.append(perturbation.deletion_auc(square, values, probability))
        shuffled.append(perturbation.deletion_auc(square, perturbation.random_ranking(values, rng), probability))
    assert found["deletion AUC"].value.value == pytest.approx(np.mean(own), abs=1e-3)
    assert found["deletion AUC"].difference.value == pytest.approx(np.mean(own) - np.mean(shuffled), abs=1e-3)


def test_scores_are_the_calibrated_probability_of_the_pixels_that_are_left(clear, cohort, monkeypatch):
    """Of even grey m the log-odds are 8 m − 1, and the calibration halves them."""
    seen = []

    def kept(grey, values, score):
        seen.append(score(np.stack([np.full((SIDE, SIDE), m, np.float32) for m in (0, 0.25, 1)])))
        return 0.0

    monkeypatch.setattr(intervention.perturbation, "deletion_auc", kept)
    intervened(clear, cohort, cases=cohort.cases[:1])
    for probability in seen:
        assert probability == pytest.approx([expit(-0.5), expit(0.5), expit(3.5)], abs=1e-6)
    assert len(seen) == 2  # of the map and of the shuffled one


def test_the_lungs_stay_when_grey_is_replaced(clear, monkeypatch):
    """A second channel reaches the model as it was prepared, under every replaced grey."""
    asked = []

    class Watching:
        card, population = clear.card, None

        def log_odds(self, squares):
            asked.append(squares)
            return np.zeros(len(squares))

    square = np.stack([np.zeros((4, 4)), np.eye(4)]).astype(np.float32)
    grey = np.random.default_rng(0).random((3, 4, 4), np.float32)
    intervention.probability_of(Watching(), square)(grey)
    (squares,) = asked
    assert (squares.shape, squares.dtype) == ((3, 2, 4, 4), np.float32)
    np.testing.assert_array_equal(squares[:, 0], grey)
    for lungs in squares[:, 1]:
        np.testing.assert_array_equal(lungs, np.eye(4))


def test_the_seed_draws_the_shuffled_maps(clear, cohort, found):
    again = intervened(clear, cohort, cases=cohort.cases[::-1])
    other = intervened(clear, cohort, seed=1)
    assert again["deletion AUC"].difference.value == pytest.approx(found["deletion AUC"].difference.value, rel=1e-12)
    assert other["deletion AUC"].difference.value != found["deletion AUC"].difference.value
    assert other["deletion AUC"].value.value == found["deletion AUC"].value.value


# Stability


RISING = (20, 60, 100, 140)


@pytest.fixture(scope="module")
def steady(clear, tmp_path_factory):
    """Bands that rise from above, the same upside down, and the first again."""
    cohort = saved(tmp_path_factory.mktemp("bands"), bands(*RISING), bands(*RISING[::-1]), bands(*RISING))
    return stability(clear, cohort, cohort.cases, draws=20)


def test_each_change_has_its_figure_and_a_floor(steady):
    assert list(steady) == ["shifted by 3 %", "rotated by 5°", *UNMOVED, "map of another patient"]


@pytest.mark.parametrize("name", UNMOVED)
def test_a_map_whose_order_stays_is_perfectly_stable(steady, name):
    """JPEG keeps these bands to the last grey level; gamma and brightness keep their order, but for equal pixels' rounding."""
    assert steady[name].value == pytest.approx(1, abs=1e-9 if name.startswith("JPEG") else 1e-3)
    assert steady[name].n == 3


@pytest.mark.parametrize("name", ["shifted by 3 %", "rotated by 5°"])
def test_a_map_that_moves_with_the_radiograph_is_brought_back(clear, tmp_path, name):
    cohort = saved(tmp_path, spots(4), spots(5))
    found = stability(clear, cohort, cohort.cases, draws=20)
    assert 0.9 < found[name].value < 1
    assert found["map of another patient"].value < 0.5


def test_the_floor_is_the_map_of_the_case_before_in_a_circle(steady):
    """The second is the first upside down and the third the second, which correlate by −1; the first and the third are alike."""
    floor = steady["map of another patient"]
    assert floor.value == pytest.approx((1 - 1 - 1) / 3, abs=1e-3)
    assert floor.n == 3


def test_two_radiographs_of_one_patient_are_never_a_pair_of_the_floor(clear, tmp_path):
    """Two like radiographs of a, and the same upside down of b: every pair of different patients is upside down."""
    cohort = saved(tmp_path, bands(*RISING), bands(*RISING), bands(*RISING[::-1]), patients=["a", "a", "b"])
    floor = stability(clear, cohort, cohort.cases, draws=5)["map of another patient"]
    assert floor.value == pytest.approx(-1, abs=1e-3)


def test_of_one_patient_alone_the_floor_is_undefined(clear, tmp_path):
    cohort = saved(tmp_path, bands(*RISING), bands(*RISING[::-1]), patients=["a", "a"])
    found = stability(clear, cohort, cohort.cases, draws=5)["map of another patient"]
    assert math.isnan(found.value)
    assert found.reason == "one patient alone gives no pair of different patients"


def test_agreement_is_spearmans_on_means_of_a_coarse_grid(clear, tmp_path):
    """Of two radiographs of 128 pixels: their maps' means over 2 × 2 pixels, ranked by SciPy."""
    cohort = saved(tmp_path, *(np.kron(spots(k)[::14, ::14], np.ones((16, 16))).astype(np.uint8) for k in (6, 7)))
    maps = [clear.read(radiograph.read(cohort.file(c))).heatmap.values for c in cohort.cases]
    small = [m.reshape(64, 2, 64, 2).mean((1, 3)).ravel() for m in maps]
    found = stability(clear, cohort, cohort.cases, draws=5)["map of another patient"]
    assert found.value == pytest.approx(stats.spearmanr(*small).statistic, abs=1e-4)


def test_a_flat_map_agrees_with_nothing(tmp_path):
    """Glass's brightness as evidence on so small a scale that all of it is certain: the map is 1 everywhere."""
    reader = Reader.load(glass_bundle(tmp_path / "flat", map_method="evidence", map_scale=1e-6), threads=1)
    assert (reader.read(radiograph.read(saved(tmp_path, bands(*RISING)).root / "0.png")).heatmap.values == 1).all()
    cohort = saved(tmp_path, bands(*RISING))
    found = stability(reader, cohort, cohort.cases, draws=5)
    assert all(math.isnan(e.value) for e in found.values())


def test_a_changed_radiograph_keeps_the_orientation_of_its_file(clear):
    """Else the map of a mirrored file would be compared with that of its mirror image."""
    asked = []

    class Watching:
        def read(self, image):
            asked.append(image.orientation)
            return clear.read(image)

    pixels = spots(3).astype(np.float32) / 255
    image = Radiograph(pixels, orientation=Orientation("R", "F"))
    changed_maps(ReadCase(Case("a.dcm", "x", 1, "p"), image, clear.read(image)), Watching())
    assert asked == [Orientation("R", "F")] * len(CHANGES)


def test_a_shift_is_down_and_to_the_left_by_three_of_a_hundred_and_comes_back():
    change, back = CHANGES["shifted by 3 %"]
    pixels = np.zeros((100, 200), np.float32)
    pixels[40, 50] = 1
    moved = change(pixels)
    assert np.argwhere(moved == moved.max()).tolist() == [[43, 44]]
    assert back(moved) == pytest.approx(pixels, abs=1e-5)


def test_a_turn_is_by_five_degrees_about_the_middle_and_comes_back():
    """A spot 40 to the right of the middle moves by 40 sin 5° = 3.5 rows and 40 (1 − cos 5°) = 0.15 columns."""
    change, back = CHANGES["rotated by 5°"]
    rows, cols = np.indices((101, 101))
    pixels = np.exp(-((rows - 50) ** 2 + (cols - 90) ** 2) / 18).astype(np.float32)

    def centre(values):
        return (values * rows).sum() / values.sum(), (values * cols).sum() / values.sum()

    down, across = np.subtract(centre(change(pixels)), (50, 90))
    assert abs(down) == pytest.approx(40 * math.sin(math.radians(5)), abs=0.1)
    assert across == pytest.approx(-40 * (1 - math.cos(math.radians(5))), abs=0.1)
    assert centre(back(change(pixels))) == pytest.approx((50, 90), abs=0.1)


def test_changes_of_grey_are_those_that_they_are_called():
    pixels = np.array([[0.0, 0.25, 0.5, 0.95]], np.float32)
    assert CHANGES["gamma 0.8"][0](pixels) == pytest.approx(np.array([[0, 0.25**0.8, 0.5**0.8, 0.95**0.8]]), abs=1e-6)
    assert CHANGES["brighter by 0.1"][0](pixels) == pytest.approx(np.array([[0.1, 0.35, 0.6, 1]]), abs=1e-6)
    even = bands(*RISING).astype(np.float32) / 255
    assert CHANGES["JPEG quality 50"][0](even) == pytest.approx(even, abs=1e-6)
    rough = np.random.default_rng(0).random((32, 32), np.float32)
    assert 0.01 < np.abs(CHANGES["JPEG quality 50"][0](rough) - rough).mean() < 0.2
    for name in UNMOVED:
        assert CHANGES[name][1](rough) is rough


@pytest.mark.parametrize(("side", "cells"), [(192, 12), (224, 14), (28, 14), (96, 12), (97, 1)])
def test_the_grid_has_the_most_cells_that_the_side_divides_into(side, cells):
    assert intervention.grid_cells(side) == cells
