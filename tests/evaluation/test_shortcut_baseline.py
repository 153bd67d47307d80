"""The shortcut audit finds what was planted, finds nothing where nothing is, and is not fooled by patients or small numbers."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict

from pneumoscope.cohort import Case, Cohort, CohortError
from pneumoscope.cohort.shortcut_features import features
from pneumoscope.evaluation import EvaluationError
from pneumoscope.evaluation.shortcut_baseline import audit
from tests.cohort.conftest import from_folders


def built(root, change=lambda pixels, positive: pixels, n=80):
    """A cohort of noise of random size, every second picture positive, with something planted by `change`."""
    rng = np.random.default_rng(1)
    for k in range(n):
        pixels = rng.integers(60, 200, rng.integers(40, 61, 2)).astype(np.uint8)
        path = root / ("opacity" if k % 2 else "clear") / f"p{k}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(change(pixels, bool(k % 2))).save(path)
    return from_folders(root, positive=["opacity"], patient_pattern=r"(?P<patient>p\d+)")


def table(reference, patients):
    """A cohort without files, for features that are made up."""
    rows = enumerate(zip(reference, patients, strict=True))
    return Cohort(Path("images"), tuple(Case(f"{k}", "", int(r), f"p{p}") for k, (r, p) in rows))


def bright_corner(pixels, positive):
    pixels[-6:, -6:] = 255 if positive else pixels[-6:, -6:]
    return pixels


def larger(pixels, positive):
    return np.pad(pixels, ((0, 25), (0, 25)), "reflect") if positive else pixels


def brighter(pixels, positive):
    return pixels + np.uint8(50) if positive else pixels


@pytest.mark.parametrize(
    ("change", "group"), [(bright_corner, "border and corners"), (larger, "native size"), (brighter, "global histogram")]
)
def test_a_planted_shortcut_is_found_by_its_group(tmp_path, change, group):
    cohort = built(tmp_path, change)
    assert audit(cohort, {group: features(cohort)[group]}, draws=50)[group].value > 0.97


def test_files_of_positives_saved_at_another_quality_are_found_by_their_size(tmp_path):
    cohort = built(tmp_path)
    cases = tuple(dataclasses.replace(c, file_bytes=15_000 + 5_000 * c.reference + k) for k, c in enumerate(cohort.cases))
    values = features(dataclasses.replace(cohort, cases=cases))
    assert audit(cohort, {"file size": values["file size"]}, draws=50)["file size"].value > 0.97


@pytest.mark.parametrize(
    ("options", "group"),
    [
        (({"icc_profile": b"made up"}, {}), "colour profile"),
        (({"quality": 90}, {"quality": 85}), "JPEG compression"),
        (({"progressive": True}, {}), "JPEG compression"),
        (({"comment": "saved by an editor"}, {}), "metadata"),
    ],
)
def test_files_of_positives_written_in_another_way_are_found_by_their_container(tmp_path, options, group):
    rng = np.random.default_rng(0)
    for k in range(40):
        path = tmp_path / ("opacity" if k % 2 else "clear") / f"p{k}.jpeg"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(rng.integers(60, 200, (40, 40)).astype(np.uint8)).save(path, **options[1 - k % 2])
    cohort = from_folders(tmp_path, positive=["opacity"], patient_pattern=r"(?P<patient>p\d+)")
    values = features(cohort)
    found = audit(cohort, {name: values[name] for name in ("file format", group, "container")}, draws=50)
    assert (found[group].value, found["container"].value) == (1, 1)
    assert found["file format"].reason == "the same for every image"


def test_where_nothing_is_planted_nothing_is_found(tmp_path):
    cohort = built(tmp_path)
    found = audit(cohort, features(cohort), draws=200)
    alike = ["file format", "colour profile", "JPEG compression", "metadata", "container"]
    assert list(found) == ["file size", "native size", "border and corners", "global histogram", *alike, "all of these"]
    assert {name: found.pop(name).reason for name in alike} == dict.fromkeys(alike, "the same for every image") | {
        "JPEG compression": "known for fewer than 5 patients of a class"
    }
    assert all(0.3 < estimate.value < 0.7 for estimate in found.values())
    assert all((estimate.n, estimate.unit) == (80, "patient") for estimate in found.values())
    # Near one half an interval misses the truth once in ten or so, and the groups are related.
    assert sum(estimate.low < 0.5 < estimate.high for estimate in found.values()) >= 3


def test_knowing_the_patient_is_no_shortcut():
    # Three images of each of sixty patients, told apart by a number that has nothing to do with the label: without grouping
    # a classifier recognizes the patient and so the label.
    rng = np.random.default_rng(0)
    patients = np.repeat(np.arange(60), 3)
    reference = np.repeat(rng.permutation(np.arange(60) % 2), 3)
    values = rng.random(60)[patients][:, None]
    forest = HistGradientBoostingClassifier(min_samples_leaf=2, random_state=0)
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    ungrouped = cross_val_predict(forest, values, reference, cv=folds, method="predict_proba")
    assert roc_auc_score(reference, ungrouped[:, 1]) > 0.9
    grouped = audit(table(reference, patients), {"number": values}, draws=200)["number"]
    assert grouped.low < 0.5 < grouped.high


@pytest.mark.parametrize("n", [14, 30])
def test_a_planted_shortcut_is_found_in_a_small_cohort_too(n):
    reference = np.arange(n) % 2
    values = (reference + np.random.default_rng(0).normal(0, 0.1, n))[:, None]
    assert audit(table(reference, range(n)), {"number": values}, draws=50)["number"].value > 0.9


def test_a_group_that_is_the_same_everywhere_or_mostly_unknown_is_undefined_with_the_reason():
    cohort = table(np.arange(40) % 2, range(40))
    unknown = np.full((40, 1), np.nan)
    unknown[:8] = 1
    values = {"flat": np.ones((40, 1)), "unknown": unknown, "number": np.random.default_rng(0).random((40, 1))}
    found = audit(cohort, values, draws=20)
    assert np.isnan(found["flat"].value)
    assert found["flat"].reason == "the same for every image"
    assert np.isnan(found["unknown"].value)
    assert found["unknown"].reason.startswith("known for fewer than 5 patients")
    assert found["unknown"].n == 8


def test_a_group_that_some_cases_lack_is_measured_on_the_others_and_kept_out_of_all():
    reference = np.arange(40) % 2
    partly = reference.astype(float)[:, None].copy()
    partly[30:] = np.nan
    values = {"partly": partly, "number": np.random.default_rng(0).random((40, 1))}
    found = audit(table(reference, range(40)), values, draws=20)
    assert (found["partly"].value, found["partly"].n) == (1, 30)
    assert found["all of these"] == found["number"]


def test_one_class_or_too_few_patients_are_refused():
    values = {"number": np.random.default_rng(0).random((20, 1))}
    with pytest.raises(CohortError, match="positive cases only"):
        audit(table(np.ones(20), range(20)), values)
    with pytest.raises(EvaluationError, match="at least 5 patients of each class"):
        audit(table(np.arange(20) % 2, np.arange(20) % 2 + 2 * (np.arange(20) % 4)), values)
