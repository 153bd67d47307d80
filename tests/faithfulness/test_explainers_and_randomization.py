"""Methods that answer what they were told, and maps beside those of random networks: figures by hand."""

import math
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from pneumoscope import radiograph
from pneumoscope.classifier import Card, Preprocessing
from pneumoscope.cohort import Case, Cohort
from pneumoscope.faithfulness import explainer_benchmark
from pneumoscope.faithfulness.explainer_benchmark import TITLES, ExplainerBenchmark
from pneumoscope.faithfulness.pairing import of_other_patients
from pneumoscope.faithfulness.randomization_test import FLOOR, against_random, similarity
from tests.evaluation.models import Answering
from tests.localization.builders import case, filled

SIDE = 64
REGION, LUNGS = (16, 8, 32, 24), (8, 4, 56, 60)
MASK = filled((SIDE, SIDE), REGION)
CARD = Card("told", "mobilenet_v2", "linear", ("normal", "pneumonia"), Preprocessing(SIDE), "scratch")


@pytest.fixture
def told(tmp_path):
    """Two radiographs of the square's own size, so that a map needs no resampling; the cases' lungs and regions by hand."""
    rng = np.random.default_rng(0)
    for k in range(2):
        Image.fromarray(rng.integers(0, 255, (SIDE, SIDE)).astype(np.uint8)).save(tmp_path / f"p{k}.png")
    cohort = Cohort(tmp_path, tuple(Case(f"p{k}.png", "x", 1, f"p{k}") for k in range(2)))
    lungs = filled((SIDE, SIDE), LUNGS)
    cases = [case(np.zeros((SIDE, SIDE)), MASK, patient=f"p{k}", right=lungs, left=~lungs & lungs) for k in range(2)]
    return cohort, cases


def answers(name, square):
    """By the method's name; the lungs' part of the inverse is 48 · 56 − 256 of 64² − 256 pixels."""
    return {
        "mask": MASK,
        "inverse": ~MASK,
        "flat": np.ones_like(MASK),
        "against": np.where(MASK, -1.0, -2.0),
        "image": square[0],
    }[name].astype(np.float32)


def compared(told, *names, attribute=answers):
    benchmark = ExplainerBenchmark(attribute, names, Answering(CARD, lambda s: np.zeros(len(s))))
    for read in reads(*told):
        benchmark.add(read)
    return summarized(benchmark, names)


def reads(cohort, cases):
    """The cases as they come from one pass: with the decoded radiograph and, made by hand, the case on its reduced grid."""
    by_path = {c.path: c for c in cohort.cases}
    for one in cases:
        member = by_path[one.path]
        yield SimpleNamespace(case=member, radiograph=radiograph.read(cohort.file(member)), reduced=one)


def summarized(benchmark, names):
    """By method, its estimates by attribute and its median time."""
    tables = benchmark.tables(draws=20)
    found = {}
    for k, name in enumerate(names):
        rows = {figure: list(tables[f"{title} by explanation method"].items())[k] for figure, title in TITLES.items()}
        seconds = float(rows["hit"][0].removeprefix(f"{name} (").removesuffix(" s)"))
        found[name] = SimpleNamespace(seconds=seconds, **{figure: estimate for figure, (_, estimate) in rows.items()})
    return found


def test_a_method_that_knows_the_region_hits_always_and_its_inverse_never(told):
    found = compared(told, "mask", "inverse")
    assert list(found) == ["mask", "inverse"]
    assert (found["mask"].hit.value, found["mask"].pixel_ap.value) == (1, 1)
    assert found["inverse"].hit.value == 0
    assert found["inverse"].pixel_ap.value == pytest.approx(256 / 64**2)  # the region is the lower of two steps


def test_energy_and_peak_in_the_lungs_by_hand(told):
    found = compared(told, "mask", "inverse", "flat")
    assert found["mask"].lung_energy.value == pytest.approx(1)
    assert found["mask"].lung_peak.value == 1
    assert found["inverse"].lung_energy.value == pytest.approx((48 * 56 - 256) / (64**2 - 256), rel=1e-5)
    assert found["inverse"].lung_peak.value == 0  # not all of the highest pixels are lung
    assert found["flat"].lung_energy.value == pytest.approx(48 * 56 / 64**2, rel=1e-5)
    assert found["flat"].hit.value == 0


def test_what_speaks_against_the_target_is_no_evidence_for_it(told):
    """Values below 0 count as 0: a map of −1 in the region and −2 elsewhere is flat and points nowhere."""
    found = compared(told, "against")["against"]
    assert found.hit.value == 0
    assert found.lung_energy.value == 0
    assert found.pixel_ap.value == pytest.approx(256 / 64**2)


def test_each_method_is_asked_once_a_case_with_the_models_own_square(told):
    cohort, cases = told
    asked = []

    def attribute(name, square):
        asked.append((name, square))
        return square[0]

    benchmark = ExplainerBenchmark(attribute, ["image", "again"], Answering(CARD, len))
    for read in reads(cohort, cases[::-1]):
        benchmark.add(read)
    assert [name for name, _ in asked] == ["image", "again"] * 2
    for (_, square), path in zip(asked, ["p1.png", "p1.png", "p0.png", "p0.png"], strict=True):
        pixels = np.asarray(Image.open(cohort.root / path), np.float32) / 255
        assert square.shape == (1, SIDE, SIDE)
        assert square[0] == pytest.approx(pixels, abs=1e-6)


def test_a_map_on_the_square_returns_to_the_radiographs_blocks(tmp_path):
    """A radiograph of 700 × 900 has blocks of 3 × 3. The region is the square's upper left quarter, so 350 × 450 pixels."""
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 255, (700, 900)).astype(np.uint8)).save(tmp_path / "p.png")
    cohort = Cohort(tmp_path, (Case("p.png", "x", 1, "p"),))
    mask = filled((234, 300), (0, 0, 117, 150))
    quarter = filled((SIDE, SIDE), (0, 0, SIDE // 2, SIDE // 2)).astype(np.float32)
    told = cohort, [case(np.zeros((234, 300)), mask, patient="p", right=mask)]
    found = compared(told, "quarter", attribute=lambda name, square: quarter)["quarter"]
    assert found.hit.value == 1
    assert found.pixel_ap.value > 0.99
    assert found.lung_energy.value == pytest.approx(1, abs=0.04)  # linear interpolation spreads it by half a cell


def test_a_case_without_lungs_is_left_out_of_their_figures(told):
    cohort, cases = told
    bare = replace(cases[1], right=~MASK & MASK)
    found = compared((cohort, [cases[0], bare]), "mask")["mask"]
    for figure, n in ((found.hit, 2), (found.pixel_ap, 2), (found.lung_energy, 1), (found.lung_peak, 1)):
        assert (figure.value, figure.n) == (pytest.approx(1), n)


def test_the_time_is_the_median_over_the_cases_of_the_method_alone(told, monkeypatch):
    """A clock that a call moves by 2 s for the first case, by 4 s for the second."""
    now, took = [0.0], iter([2.0, 4.0])

    def attribute(name, square):
        now[0] += next(took)
        return square[0]

    monkeypatch.setattr(explainer_benchmark.time, "perf_counter", lambda: now[0])
    assert compared(told, "image", attribute=attribute)["image"].seconds == 3


# Beside random networks


def maps(n=4, side=16, seed=0):
    return np.random.default_rng(seed).random((n, side, side), np.float32)


def test_a_map_is_like_itself_in_any_unit_and_its_negative_ranks_the_other_way():
    (a,) = maps(1)
    assert similarity(a, a) == pytest.approx((1, 1), abs=1e-6)
    assert similarity(a, 5 * a + 3) == pytest.approx((1, 1), abs=1e-4)
    ssim, rank = similarity(a, -a)
    assert rank == pytest.approx(-1)
    assert ssim < 0
    assert all(abs(value) < 0.2 for value in similarity(a, maps(1, seed=1)[0]))


def test_a_flat_map_is_like_nothing():
    (a,) = maps(1)
    flat = np.full_like(a, 0.3)
    for pair in ((a, flat), (flat, a), (flat, flat)):
        assert all(math.isnan(value) for value in similarity(*pair))


def test_similarity_by_the_formula_where_one_window_fits():
    """Wang et al. 2004, eq. 13, with C1 = 0.01², C2 = 0.03² and the unbiased variances of the whole map, as windows of 7 × 7 in
    the middle of a map of 8 × 8 (four of them) without weights; ranks without ties by 1 − 6 Σd² / (n (n² − 1))."""
    a, b = maps(2, side=8, seed=3).astype(np.float64)
    x, y = ((m - m.min()) / (m.max() - m.min()) for m in (a, b))
    windows = []
    for top in (0, 1):
        for left in (0, 1):
            p, q = (m[top : top + 7, left : left + 7].ravel() for m in (x, y))
            cov = np.cov(p, q)
            windows.append(
                (2 * p.mean() * q.mean() + 1e-4) * (2 * cov[0, 1] + 9e-4)
                / ((p.mean() ** 2 + q.mean() ** 2 + 1e-4) * (cov[0, 0] + cov[1, 1] + 9e-4))
            )  # fmt: skip
    ranks = [m.ravel().argsort().argsort() for m in (a, b)]
    spearman = 1 - 6 * ((ranks[0] - ranks[1]) ** 2).sum() / (64 * (64**2 - 1))
    found = similarity(a.astype(np.float32), b.astype(np.float32))
    assert found == (pytest.approx(np.mean(windows), abs=1e-5), pytest.approx(spearman, abs=1e-9))


@pytest.mark.parametrize("side", [7, 5, 4, 3])
def test_small_maps_have_a_smaller_window(side):
    (a,) = maps(1, side)
    assert similarity(a, a) == pytest.approx((1, 1), abs=1e-6)


def test_rows_come_with_the_floor_of_maps_of_different_patients_first():
    trained = maps()
    others = (("one", trained.copy()), ("turned", -trained))
    found = against_random(trained, others, ["a", "b", "c", "d"], draws=20)
    assert list(found) == [f"{name}: {what}" for name in (FLOOR, "one", "turned") for what in ("SSIM", "rank correlation")]
    assert FLOOR == "maps of different patients"
    assert found["one: SSIM"].value == pytest.approx(1, abs=1e-6)
    assert found["one: rank correlation"].value == pytest.approx(1)
    assert found["turned: rank correlation"].value == pytest.approx(-1)


def test_the_floor_pairs_each_image_with_another_one():
    """Two images, one the other's negative: each is paired with the other, never with itself."""
    (a,) = maps(1)
    found = against_random(np.stack([a, -a]), (), ["a", "b"], draws=20)
    assert found[f"{FLOOR}: rank correlation"].value == pytest.approx(-1)
    assert found[f"{FLOOR}: rank correlation"].n == 2


def test_images_of_one_patient_are_never_a_pair_of_the_floor():
    """Images of a, a, b in a circle: the nearest before the first is b, before the second, past the first, b again."""
    assert of_other_patients(["a", "a", "b"]) == [2, 2, 1]
    assert of_other_patients(["a", "b", "b", "a"]) == [2, 0, 0, 2]
    (one,) = maps(1)
    found = against_random(np.stack([one, one, -one]), (), ["a", "a", "b"], draws=20)[f"{FLOOR}: rank correlation"]
    assert (found.value, found.n) == (pytest.approx(-1), 2)


@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=9))
def test_partners_are_of_other_patients(patients):
    partners = of_other_patients(patients)
    if len(set(patients)) == 1:
        assert partners is None
    else:
        assert all(patients[k] != patient for k, patient in zip(partners, patients, strict=True))


@pytest.mark.parametrize("n", [1, 3])
def test_one_patient_alone_has_no_floor_and_says_why(n):
    trained = maps(n)
    found = against_random(trained, [("same", trained)], ["p"] * n, draws=20)
    for what in ("SSIM", "rank correlation"):
        assert math.isnan(found[f"{FLOOR}: {what}"].value)
        assert found[f"{FLOOR}: {what}"].reason == "one patient alone gives no pair of different patients"
        assert found[f"same: {what}"].value == pytest.approx(1)


def test_flat_maps_are_left_out_and_counted_and_patients_are_the_units():
    trained = maps()
    other = trained.copy()
    other[0] = 0.5
    found = against_random(trained, [("forgot", other)], ["a", "a", "b", "c"], draws=20)["forgot: rank correlation"]
    assert (found.value, found.n) == (pytest.approx(1), 3)
    assert "undefined in 1 cases" in found.method


def test_maps_of_another_number_of_images_are_refused():
    with pytest.raises(ValueError, match="shorter"):
        against_random(maps(4), [("three", maps(3))], list("abcd"), draws=5)
