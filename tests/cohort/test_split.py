"""Splits: disjoint, stratified, the same everywhere, and named by a hash. Invariants after scikit-learn's test_split.py."""

import hashlib
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given, reject
from hypothesis import strategies as st

from pneumoscope.cohort import SPLITS, CohortError
from pneumoscope.cohort.case import split_sha256
from pneumoscope.cohort.split import agreed, by_ratio, crossing, folds, official, parse_ratios, read_fixed, warnings_about
from tests.cohort.conftest import case, cohort, property_test, sides

ratios = st.sampled_from([(0.70, 0.15, 0.15), (0.8, 0.1, 0.1), (0.34, 0.33, 0.33), (0.5, 0.0, 0.5), (0.0, 0.0, 1.0)])
seeds = st.integers(0, 2**32)


@st.composite
def cohorts(draw, shared_pixels: bool = False):
    """Patients of one label with one to six images each; with `shared_pixels` some images are filed twice."""
    cases = []
    for patient in range(draw(st.integers(1, 40))):
        label = draw(st.sampled_from(["NORMAL", "PNEUMONIA"]))
        for image in range(draw(st.integers(1, 6))):
            path = f"{patient}/{image}"
            pixels = f"twin {draw(st.integers(0, 3))}" if shared_pixels and draw(st.integers(0, 9)) == 0 else path
            cases.append(case(path, f"p{patient}", label, pixel_sha256=pixels))
    return cohort(*cases)


def singles(n: int, label: str = "NORMAL"):
    return [case(f"{label}/{k}", f"{label}{k}", label) for k in range(n)]


# The draw


def test_golden_assignment_of_twenty_single_patients_at_seventy_fifteen_fifteen():
    # Shares 14, 3, 3. In the order of SHA-256 the train side is furthest below its share (or first of equals) until it holds
    # twelve; from then on the three lack 2, 3, 3 and are served in turn: counted by hand.
    drawn = sorted((f"NORMAL{k}" for k in range(20)), key=lambda p: hashlib.sha256(f"42:{p}".encode()).hexdigest())
    expected = ["train"] * 12 + ["tune", "test", "train"] * 2 + ["tune", "test"]
    split = by_ratio(cohort(*singles(20)))
    assert {c.patient_id: c.split for c in split.cases} == dict(zip(drawn, expected, strict=True))


def test_golden_assignment_of_a_patient_with_three_images():
    # SHA-256 of "1:big", "1:x" … begins with these digits, so the order is x, z, big, y. Of halves of three images each, x
    # goes to train (first of equals), z to test, big to train (both lack two), y to test.
    digits = {p: hashlib.sha256(f"1:{p}".encode()).hexdigest()[:4] for p in ("big", "x", "y", "z")}
    assert digits == {"x": "553f", "z": "5adb", "big": "8d40", "y": "bb53"}
    cases = [case(f"{p}{k}", p) for p, n in (("big", 3), ("x", 1), ("y", 1), ("z", 1)) for k in range(n)]
    split = by_ratio(cohort(*cases), ratios=(0.5, 0.0, 0.5), seed=1)
    assert {c.patient_id: c.split for c in split.cases} == {"x": "train", "z": "test", "big": "train", "y": "test"}


def test_default_is_seventy_fifteen_fifteen_with_seed_42():
    whole = cohort(*singles(100), *singles(60, "PNEUMONIA"))
    split = by_ratio(whole)
    assert Counter(c.split for c in split.cases) == {"train": 112, "tune": 24, "test": 24}
    assert (split.partition.ratios, split.partition.seed) == ((0.70, 0.15, 0.15), 42)
    assert split == by_ratio(whole, ratios=(0.70, 0.15, 0.15), seed=42)


@property_test
@given(cohorts(shared_pixels=True), ratios, seeds)
def test_no_patient_and_no_image_is_on_two_sides(whole, ratios, seed):
    assert crossing(by_ratio(whole, ratios=ratios, seed=seed).cases) == ({}, {})


@property_test
@given(cohorts(shared_pixels=True), ratios, seeds)
def test_the_parts_make_the_whole(whole, ratios, seed):
    split = by_ratio(whole, ratios=ratios, seed=seed)
    assert [replace(c, split="") for c in split.cases] == list(whole.cases)
    assert {c.split for c in split.cases} <= set(SPLITS)


@property_test
@given(cohorts(), ratios, seeds)
def test_each_label_is_within_its_largest_patient_of_its_share_on_every_side(whole, ratios, seed):
    split = by_ratio(whole, ratios=ratios, seed=seed)
    for label in ("NORMAL", "PNEUMONIA"):
        members = [c for c in split.cases if c.label == label]
        largest = max(Counter(c.patient_id for c in members).values(), default=0)
        for side, ratio in zip(SPLITS, ratios, strict=True):
            assert abs(sum(c.split == side for c in members) - ratio * len(members)) <= largest


@property_test
@given(cohorts(shared_pixels=True), ratios, seeds)
def test_a_side_of_share_zero_gets_no_case(whole, ratios, seed):
    split = by_ratio(whole, ratios=ratios, seed=seed)
    assert {c.split for c in split.cases}.isdisjoint(s for s, r in zip(SPLITS, ratios, strict=True) if r == 0)


@property_test
@given(cohorts(shared_pixels=True), seeds, st.randoms())
def test_order_of_the_files_does_not_matter(whole, seed, random):
    shuffled = random.sample(whole.cases, len(whole.cases))
    one, other = by_ratio(whole, seed=seed), by_ratio(cohort(*shuffled), seed=seed)
    assert sides(one) == sides(other)
    assert one.partition == other.partition


def test_another_seed_gives_another_split():
    whole = cohort(*singles(40))
    assert sides(by_ratio(whole, seed=1)) != sides(by_ratio(whole, seed=2))


@pytest.mark.parametrize("ratios", [(0.7, 0.2, 0.2), (1.2, -0.1, -0.1), (70, 15, 15), (0.5, 0.2, 0.2)])
def test_ratios_that_are_no_shares_of_one_are_refused(ratios):
    with pytest.raises(CohortError, match="add up to 1"):
        by_ratio(cohort(*singles(3)), ratios=ratios)


# Images filed under several patients


def test_pixel_identical_images_under_two_patient_ids_end_on_one_side():
    twins = [case(f"{k}", f"p{k}", pixel_sha256=f"pixels {k // 2}") for k in range(60)]
    for seed in range(10):
        placed = sides(by_ratio(cohort(*twins), seed=seed))
        assert all(placed[f"{k}"] == placed[f"{k + 1}"] for k in range(0, 60, 2))


def test_patients_linked_by_a_chain_of_shared_images_stay_together():
    # a and b share an image, b and c another, c and d a third; a and d share none.
    chain = [case(f"{p}{n}", p, pixel_sha256=f"link {n}") for p, n in zip("abbccd", (1, 1, 2, 2, 3, 3), strict=True)]
    for seed in range(10):
        split = by_ratio(cohort(*chain, *singles(30)), seed=seed)
        assert len({c.split for c in split.cases if c.patient_id in "abcd"}) == 1


def test_cases_without_a_pixel_hash_are_not_taken_for_one_image():
    bare = [case(f"{k}", f"p{k}", pixel_sha256="") for k in range(20)]
    assert Counter(c.split for c in by_ratio(cohort(*bare)).cases) == {"train": 14, "tune": 3, "test": 3}


# Patients fixed to a side


@property_test
@given(cohorts(), seeds, st.dictionaries(st.integers(0, 45).map("p{}".format), st.sampled_from(SPLITS), min_size=1))
def test_fixed_patients_are_on_their_side_and_the_rule_counts_them(whole, seed, fixed):
    present = {c.patient_id for c in whole.cases} & set(fixed)
    split = by_ratio(whole, seed=seed, fixed=fixed)
    assert all(c.split == fixed.get(c.patient_id, c.split) for c in split.cases)
    assert split.partition.rule == f"by ratio, stratified by label, {len(present)} patients fixed of {len(fixed)} named"


def test_what_is_fixed_counts_towards_the_share_of_its_side():
    fixed = {f"NORMAL{k}": "test" for k in range(3)}
    split = by_ratio(cohort(*singles(20)), fixed=fixed)
    assert {c.patient_id for c in split.cases if c.split == "test"} == set(fixed)


def test_who_shares_an_image_with_a_fixed_patient_goes_along():
    twins = [case("a", "a", pixel_sha256="same"), case("b", "b", pixel_sha256="same")]
    for side in SPLITS:
        placed = sides(by_ratio(cohort(*twins, *singles(20)), fixed={"a": side}))
        assert placed["b"] == side


def test_patients_fixed_to_two_sides_who_share_an_image_are_refused():
    twins = [case("a", "a", pixel_sha256="same"), case("b", "b", pixel_sha256="same")]
    with pytest.raises(CohortError, match="test and train share a pixel-identical image"):
        by_ratio(cohort(*twins), fixed={"a": "train", "b": "test"})


def test_fixed_patients_are_read_from_a_file(tmp_path):
    path = tmp_path / "a:b.csv"
    path.write_text("note,patient_id\nx,p1\ny,p2\n")
    assert read_fixed(f"{path}:tune") == {"p1": "tune", "p2": "tune"}


@pytest.mark.parametrize("text", ["patients.csv", "patients.csv:validation", ":test"])
def test_a_text_that_is_no_file_with_a_side_is_refused(text):
    with pytest.raises(CohortError, match="FILE:SPLIT"):
        read_fixed(text)


def test_a_file_of_fixed_patients_that_is_missing_or_has_no_patients_is_refused(tmp_path):
    with pytest.raises(CohortError, match="could not be read"):
        read_fixed(f"{tmp_path / 'nowhere.csv'}:test")
    (tmp_path / "p.csv").write_text("name\nx\n")
    with pytest.raises(CohortError, match="no column patient_id"):
        read_fixed(f"{tmp_path / 'p.csv'}:test")


def test_labels_of_few_patients_are_drawn_together():
    """A set with several labels an image has thousands of combinations; each used to go to train alone."""
    rare = [case(f"r{k}", f"r{k}", f"Effusion|{k}") for k in range(300)]
    rare += [replace(case(f"q{k}", f"q{k}", f"Pneumonia|{k}"), reference=1) for k in range(100)]
    divided = by_ratio(cohort(*rare))
    counts = {name: Counter(c.reference for c in divided.on(name)) for name in SPLITS}
    assert {name: (count[0], count[1]) for name, count in counts.items()} == {
        "train": (210, 70),
        "tune": (45, 15),
        "test": (45, 15),
    }
    parts = folds(cohort(*rare), 5)
    assert [Counter(c.reference for c in part.on("test")) for part in parts] == [Counter({0: 60, 1: 20})] * 5


def test_warnings_name_empty_splits_and_splits_of_one_class():
    whole = cohort(*singles(30), *singles(30, "PNEUMONIA"))
    assert warnings_about(by_ratio(whole)) == ()
    assert warnings_about(by_ratio(whole, ratios=(0.5, 0, 0.5))) == ()
    few = by_ratio(cohort(*singles(2), *singles(2, "PNEUMONIA")))
    assert warnings_about(few) == ("the tune split is empty", "the test split is empty")
    fixed = {"NORMAL0": "tune", "PNEUMONIA0": "test"}
    assert warnings_about(by_ratio(cohort(*singles(2), *singles(2, "PNEUMONIA")), fixed=fixed)) == (
        "the tune split has negative images only",
        "the test split has positive images only",
    )


@pytest.mark.parametrize(
    ("text", "ratios"), [("70/15/15", (0.7, 0.15, 0.15)), ("0/50/50", (0, 0.5, 0.5)), ("100/0/0", (1, 0, 0))]
)
def test_ratios_are_read_as_percentages(text, ratios):
    assert parse_ratios(text) == pytest.approx(ratios)


@pytest.mark.parametrize(
    ("text", "complaint"), [("70/30", "three percentages"), ("a/b/c", "three percentages"), ("70/15/10", "100 percent")]
)
def test_other_ratios_are_refused(text, complaint):
    with pytest.raises(CohortError, match=complaint):
        parse_ratios(text)


# The source's own split


def test_official_split_is_taken_as_it_is_and_says_how_many_patients_it_leaks():
    whole = cohort(
        case("1", "person1", official_split="train"),
        case("2", "person1", official_split="test"),
        case("3", "person2", official_split="tune"),
    )
    split = official(whole)
    assert sides(split) == {"1": "train", "2": "test", "3": "tune"}
    assert split.partition.rule == "official, 1 patients on two sides"


def test_official_split_leaves_a_file_that_is_listed_on_two_sides_on_both():
    split = official(cohort(case("1", "p", official_split="train"), case("1", "p", official_split="test")))
    assert [c.split for c in split.cases] == ["train", "test"]
    assert split.partition.rule == "official, 1 patients on two sides"


def test_official_split_needs_a_side_for_every_case():
    with pytest.raises(CohortError, match="1 of 2 cases have no official split"):
        official(cohort(case("1", "p", official_split="train"), case("2", "q")))


# Sides and hash


def test_crossing_finds_patients_and_images_on_two_sides():
    cases = [
        case("1", "p", split="train", pixel_sha256="a"),
        case("2", "p", split="test", pixel_sha256="b"),
        case("3", "q", split="train", pixel_sha256="b"),
        case("4", "r", split="tune", pixel_sha256=""),
        case("5", "s", split="test", pixel_sha256=""),
    ]
    assert crossing(cases) == ({"p": {"train", "test"}}, {"b": {"train", "test"}})


def test_hash_of_a_split_is_sha256_of_its_sorted_lines():
    # The hash is in cards that were handed out: it must never change for a split that has not.
    cases = [
        case("b.png", "p2", "PNEUMONIA", split="test", pixel_sha256="ff"),
        case("a.png", "p1", split="train", pixel_sha256=""),
    ]
    lines = "p1\ta.png\t0\ttrain\np2\tff\t1\ttest"
    assert split_sha256(cases) == hashlib.sha256(lines.encode()).hexdigest()


@property_test
@given(cohorts(), st.data())
def test_hash_changes_whenever_a_case_changes_side(whole, data):
    split = by_ratio(whole)
    k = data.draw(st.integers(0, len(split.cases) - 1))
    side = data.draw(st.sampled_from([s for s in SPLITS if s != split.cases[k].split]))
    moved = [replace(c, split=side) if k == n else c for n, c in enumerate(split.cases)]
    assert split_sha256(split.cases) == split.partition.sha256 != split_sha256(moved)


def test_cases_of_a_side_are_given_only_where_there_are_some():
    split = by_ratio(cohort(*singles(4)), ratios=(0.5, 0, 0.5))
    assert len(split.on("train")) == len(split.on("test")) == 2
    with pytest.raises(CohortError, match="no case in the tune split"):
        split.on("tune")
    with pytest.raises(CohortError, match="'val' is none of them"):
        split.on("val")
    with pytest.raises(CohortError, match="no split yet"):
        cohort(*singles(4)).on("train")


@property_test
@given(cohorts(shared_pixels=True), st.integers(3, 5), st.integers(0, 3))
def test_in_folds_every_case_is_tested_once_by_a_model_that_never_saw_its_patient(whole, count, seed):
    try:
        parts = folds(whole, count, seed=seed)
    except CohortError:  # fewer patients of a label than folds
        reject()
    assert len(parts) == count
    tested = [c.path for part in parts for c in part.on("test")]
    assert sorted(tested) == sorted(c.path for c in whole.cases)
    for k, part in enumerate(parts):
        assert crossing(part.cases) == ({}, {})
        assert {c.path for c in part.on("tune")} == {c.path for c in parts[(k + 1) % count].on("test")}
    assert len({part.partition.sha256 for part in parts}) == count


def test_folds_of_single_patients_are_even_and_need_three():
    whole = cohort(*singles(10), *singles(7, "PNEUMONIA"))
    sizes = [Counter(c.label for c in part.on("test")) for part in folds(whole, 3)]
    assert sorted(size["NORMAL"] for size in sizes) == [3, 3, 4]
    assert sorted(size["PNEUMONIA"] for size in sizes) == [2, 2, 3]
    with pytest.raises(CohortError, match="at least 3 folds are needed, not 2"):
        folds(whole, 2)
    rare = cohort(*singles(10), *singles(10, "PNEUMONIA"), case("x", "both", "NORMAL"), case("y", "both", "PNEUMONIA"))
    assert sorted(len(part.on("test")) for part in folds(rare, 5)) == [4, 4, 4, 4, 6]
    with pytest.raises(CohortError, match="7 patients have an image with the target: too few for 8 folds"):
        folds(whole, 8)


def test_of_the_official_split_the_test_side_can_be_kept_and_tune_drawn_from_the_rest_by_patient():
    cases = [case(f"t{k}", f"t{k}", label=["NORMAL", "PNEUMONIA"][k % 2], official_split="test") for k in range(4)]
    cases += [
        case(f"{k}{part}", f"p{k}", label=["NORMAL", "PNEUMONIA"][k % 2], official_split="tune" if k == 0 else "train")
        for k in range(40)
        for part in "ab"
    ]
    split = official(cohort(*cases), tune=0.25)
    found = sides(split)
    assert all(found[f"t{k}"] == "test" for k in range(4))
    assert all(found[f"{k}a"] == found[f"{k}b"] != "test" for k in range(40))
    drawn = [k for k in range(40) if found[f"{k}a"] == "tune"]
    assert (len(drawn), sum(k % 2 for k in drawn)) == (10, 5)
    assert split.partition.rule == "official test side, the rest by ratio, stratified by label, 0 patients on two sides"
    assert sides(official(cohort(*cases), tune=0.25)) == found
    with pytest.raises(CohortError, match="at least 0 and below 1, got 1"):
        official(cohort(*cases), tune=1)


def test_patients_who_are_put_on_two_sides_are_refused_by_their_number_not_their_names():
    assert agreed([{"p1": "tune"}, {"p1": "tune", "p2": "test"}]) == {"p1": "tune", "p2": "test"}
    with pytest.raises(CohortError, match=r"^2 of the patients") as told:
        agreed([{"p1": "tune", "p2": "test", "p3": "test"}, {"p1": "test", "p2": "train", "p3": "test"}])
    assert "p1" not in str(told.value)
