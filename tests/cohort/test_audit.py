"""The audit: what lies on two sides, what is there twice, what contradicts itself, what cannot be read."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from pneumoscope import radiograph
from pneumoscope.cohort import image_summary
from pneumoscope.cohort.audit import audit
from pneumoscope.cohort.image_summary import summarize
from pneumoscope.cohort.sample import sample
from pneumoscope.cohort.shortcut_features import features
from pneumoscope.cohort.split import official
from tests.cohort.conftest import case, cohort, field, from_folders, picture

SOURCE = field(0)


def resized(pixels, rows, cols):
    return np.asarray(Image.fromarray(np.rint(pixels).astype(np.uint8)).resize((cols, rows), Image.Resampling.BILINEAR))


ALMOST = {
    "brighter with less contrast": lambda p: 60 + 0.6 * p,
    "another gamma": lambda p: 255 * (p / 255) ** 0.8,
    "with noise": lambda p: np.clip(p + np.random.default_rng(1).normal(0, 2, p.shape), 0, 255),
    "smaller": lambda p: resized(p, p.shape[0] // 2, p.shape[1] // 2),
    "squashed": lambda p: resized(p, 224, 224),
    "one pixel to the left": lambda p: np.roll(p, -1, 1),
}


@pytest.fixture(scope="module")
def real():
    """The shipped radiographs at a third of their size, and nothing but their pixels."""
    with sample() as shipped:
        images = [radiograph.read(shipped.file(c)) for c in shipped.cases]
    return [resized(i.pixels * 255, i.rows // 3, i.cols // 3).astype(float) for i in images]


@pytest.fixture
def given(tmp_path):
    """Build a cohort from pictures by file name; the patient is what stands before the dash."""

    def build(pictures, **sides):
        for name, pixels in pictures.items():
            picture(tmp_path / name, pixels, **({"quality": 60} if name.endswith("jpeg") else {}))
        built = from_folders(tmp_path, positive=["opacity"], patient_pattern="(?P<patient>[^-]+)-")
        return replace(built, cases=tuple(replace(c, split=sides.get(c.patient_id, c.official_split)) for c in built.cases))

    return build


def test_a_clean_cohort_has_nothing_to_say_but_its_counts(given):
    found = audit(given({"clear/p1-a.png": field(1), "clear/p1-b.png": field(2), "opacity/p2-a.png": field(3)}))
    assert (found.n_images, found.n_patients) == (3, 2)
    assert found.identical == found.near == found.patients_with_both_labels == found.unreadable == ()
    assert not found.leaks


def test_identical_pixels_are_found_under_two_patients_labels_and_sides(given):
    found = audit(given({"train/clear/p1-a.png": SOURCE, "test/opacity/p2-a.png": SOURCE, "train/clear/p3-a.png": field(1)}))
    (pair,) = found.identical
    assert {pair.first, pair.second} == {"train/clear/p1-a.png", "test/opacity/p2-a.png"}
    assert (pair.correlation, pair.same_patient, pair.same_label, set(pair.splits)) == (1.0, False, False, {"train", "test"})
    assert found.near == ()


@pytest.mark.parametrize("almost", ALMOST.values(), ids=ALMOST)
def test_near_duplicates_of_a_radiograph_are_found(given, real, almost):
    found = audit(given({"clear/p1-a.png": real[0], "clear/p2-a.png": almost(real[0]), "clear/p3-a.png": real[1]}))
    (pair,) = found.near
    assert (pair.first, pair.second, pair.same_patient, pair.same_label) == ("clear/p1-a.png", "clear/p2-a.png", False, True)
    assert 0.995 <= pair.correlation <= 1
    assert found.identical == ()


def test_a_copy_saved_as_jpeg_is_a_near_duplicate(given, real):
    (pair,) = audit(given({"clear/p1-a.png": real[0], "clear/p2-a.jpeg": real[0]})).near
    assert not pair.same_patient


def test_strange_pictures_are_no_near_duplicates(given):
    assert audit(given({f"clear/p{k}-a.png": field(k) for k in range(40)})).near == ()


def test_real_radiographs_of_two_children_and_two_of_one_child_are_no_duplicates():
    with sample() as shipped:
        found = audit(shipped)
    assert found.identical == found.near == ()
    assert (found.n_images, found.n_patients) == (16, 15)


def test_patients_in_two_splits_are_named(given):
    pictures = {"train/clear/p1-a.png": field(1), "test/clear/p1-b.png": field(2), "test/clear/p2-a.png": field(3)}
    found = audit(official(given(pictures)))
    assert found.patients_in_two_splits == ("p1",)
    assert found.leaks


@pytest.mark.parametrize(("other", "leaks"), [("train", False), ("tune", True), ("test", True)])
@pytest.mark.parametrize("change", [lambda p: p, ALMOST["with noise"]], ids=["identical", "near"])
def test_an_image_leaks_exactly_if_its_double_is_on_another_side(given, change, other, leaks):
    pictures = {"clear/p1-a.png": SOURCE, "clear/p2-a.png": change(SOURCE)}
    found = audit(given(pictures, p1="train", p2=other))
    assert len(found.identical) + len(found.near) == 1
    assert found.leaks is leaks


def test_without_a_split_nothing_is_said_about_sides(given):
    found = audit(given({"clear/p1-a.png": field(1), "clear/p1-b.png": field(2)}))
    assert found.patients_in_two_splits == ()
    assert "not split" in found.notes[0]


def test_patients_with_both_labels_are_named(given):
    found = audit(given({"clear/p1-a.png": field(1), "opacity/p1-b.png": field(2), "opacity/p2-a.png": field(3)}))
    assert found.patients_with_both_labels == ("p1",)


def test_unreadable_files_are_passed_on(given, tmp_path):
    (tmp_path / "clear").mkdir()
    (tmp_path / "clear" / "p9-a.png").write_bytes(b"")
    (line,) = audit(given({"clear/p1-a.png": field(1)})).unreadable
    assert line.startswith("clear/p9-a.png: ")


def test_classes_are_counted_by_label_germ_and_side(tmp_path):
    for name in "abcde":
        picture(tmp_path / name, field(ord(name), 8, 8), format="PNG")
    cases = (
        case("a", "p1", split="train"),
        case("b", "p1", split="train"),
        case("c", "p2", split="test"),
        case("d", "p3", "PNEUMONIA", subtype="virus", split="tune"),
        case("e", "p4", "PNEUMONIA", subtype="bacteria"),
    )
    assert audit(cohort(*cases, root=tmp_path)).by_label == {
        "NORMAL": {"images": 3, "patients": 2, "train": 2, "test": 1},
        "PNEUMONIA virus": {"images": 1, "patients": 1, "tune": 1},
        "PNEUMONIA bacteria": {"images": 1, "patients": 1, "not split": 1},
    }


def test_sizes_are_medians_over_the_cases_whose_size_is_known(tmp_path):
    for name in "abcde":
        picture(tmp_path / name, field(ord(name), 8, 8), format="PNG")
    cases = (
        case("a", "p1", rows=10, cols=20, file_bytes=1),
        case("b", "p2", rows=20, cols=20, file_bytes=5),
        case("c", "p3", rows=40, cols=20, file_bytes=6),
        case("d", "p4", file_bytes=1000),
        case("e", "p5", "PNEUMONIA"),
    )
    assert audit(cohort(*cases, root=tmp_path)).by_size == {"NORMAL": {"rows": 20, "cols": 20, "aspect": 1, "file_bytes": 5}}


def test_audit_and_shortcut_features_open_every_file_once(given, monkeypatch):
    cohort_ = given({"clear/p1-a.png": field(1), "opacity/p2-a.png": field(2)})
    opened, content_of = [], image_summary.content_of
    monkeypatch.setattr(image_summary, "content_of", lambda path: opened.append(path.name) or content_of(path))
    summaries = summarize(cohort_)
    assert audit(cohort_, summaries).n_images == 2
    assert features(cohort_, summaries)["global histogram"].shape == (2, 32)
    assert features(cohort_, summaries)["container"].shape[0] == 2
    assert sorted(opened) == ["p1-a.png", "p2-a.png"]
