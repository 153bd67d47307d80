"""The severity scale of a model: grades and interval by hand, and the coverage of the interval on simulated patients."""

import hashlib
import math
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.isotonic import IsotonicRegression

from pneumoscope.localization.errors import LocalizationError
from pneumoscope.localization.severity_calibration import fit, fit_knots, masks_reference, readers_reference
from pneumoscope.lung_fields.lung_fields import ZONES
from pneumoscope.readings import Severity, ZoneOpacity
from pneumoscope.reference.zone_tables import ZoneScores
from tests.radiograph.builders import property_test


def read_case(patient: str, densities, path: str = "") -> SimpleNamespace:
    zones = tuple(ZoneOpacity(*name, 0.0, float(density)) for name, density in zip(ZONES, densities, strict=True))
    case = SimpleNamespace(path=path or patient, patient_id=patient)
    return SimpleNamespace(case=case, reading=SimpleNamespace(severity=Severity(zones, reason="no scale")))


def by_hash(n: int) -> list[str]:
    """Patients in the order of the hash that divides them: the first half gives the grades."""
    return sorted((f"p{k}" for k in range(n)), key=lambda patient: hashlib.sha256(patient.encode()).hexdigest())


def test_grades_and_interval_by_hand():
    """Twice the density in the first half, errors of the sum 0.1, 0.2, …, 1.1 in the second: the ⌈0.9 · 12⌉ = 11th is 1.1."""
    densities, patients = np.array([0, 0.2, 0.4, 0.6, 0.8, 1.0]), by_hash(21)
    scores = dict.fromkeys(patients[:10], 2 * densities)
    for k, patient in enumerate(patients[10:], start=1):
        scores[patient] = 2 * densities + [(-1) ** k * 0.1 * k, 0, 0, 0, 0, 0]
        scores[patient][0], scores[patient][5] = max(scores[patient][0], 0), scores[patient][5] + min(scores[patient][0], 0)
    fitted = fit([read_case(p, densities) for p in patients], lambda read: scores[read.case.path], "by hand", "ab")
    scale = fitted.scale
    assert scale.grade(densities) == pytest.approx(2 * densities, abs=1e-3)
    assert scale.half_width == pytest.approx(1.1, abs=1e-2)
    assert fitted.mean_error == pytest.approx(0.6, abs=1e-2)
    assert (scale.n_fitted, scale.n_patients, scale.coverage) == (10, 11, 0.9)
    assert (scale.reference, scale.split, scale.split_sha256) == ("by hand", "tune", "ab")
    assert (fitted.n_images, fitted.left_out) == (21, 0)


def test_of_several_images_of_a_patient_the_largest_error_counts():
    densities, patients = np.array([0, 0.2, 0.4, 0.6, 0.8, 1.0]), by_hash(18)
    cases = [read_case(p, densities) for p in patients] + [read_case(patients[-1], densities, "second")]
    references = dict.fromkeys(patients, 2 * densities) | {"second": 2 * densities + [0, 0.5, 0, 0, 0, 0]}
    scale = fit(cases, lambda read: references[read.case.path], "", "").scale
    assert (scale.n_patients, scale.half_width) == (9, pytest.approx(0.5, abs=1e-3))


def test_images_without_a_reference_or_both_lungs_are_left_out_and_counted():
    densities, patients = np.linspace(0, 1, 6), by_hash(20)
    cases = [read_case(p, densities) for p in patients]
    cases[0].reading.severity = Severity(reason="lungs not found")
    fitted = fit(cases, lambda read: None if read.case.path == patients[1] else densities, "", "")
    assert (fitted.n_images, fitted.left_out) == (18, 2)


def test_too_few_patients_for_the_coverage_are_refused():
    """Of 16 patients 8 give the interval, and ⌈0.9 · 9⌉ = 9 is more than 8."""
    cases = [read_case(p, np.linspace(0, 1, 6)) for p in by_hash(17)]
    assert fit(cases, lambda read: np.zeros(6), "", "").scale.n_patients == 9
    with pytest.raises(LocalizationError, match=r"16 patients of the tune split .* 90% needs at least 17"):
        fit(cases[1:], lambda read: np.zeros(6), "", "")


def test_the_interval_covers_new_patients_of_the_same_kind():
    """Mean coverage over 200 scales and 200 new patients each, between 0.9 and 0.9 + 1/(n + 1), within four standard errors."""
    rng = np.random.default_rng(1)

    def patient(name):
        densities = rng.random(6)
        noise = rng.normal(0, 0.2 + densities, 6)
        return read_case(name, densities), np.clip(3 * densities**2 + noise, 0, 3)

    covered = []
    for _ in range(200):
        cases, references = zip(*(patient(f"p{k}") for k in range(60)), strict=True)
        of = {case.case.path: reference for case, reference in zip(cases, references, strict=True)}
        scale = fit(cases, lambda read, of=of: of[read.case.path], "", "").scale
        new = [patient("new") for _ in range(200)]
        densities = np.array([[zone.density for zone in case.reading.severity.zones] for case, _ in new])
        error = np.abs(scale.grade(densities).sum(1) - np.array([reference.sum() for _, reference in new]))
        covered.append((error <= scale.half_width).mean())
    slack = 4 * np.std(covered) / math.sqrt(len(covered))
    assert 0.9 - slack <= np.mean(covered) <= 0.9 + 1 / 31 + slack


@property_test
@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 3)), min_size=3, max_size=40).filter(lambda rows: max(rows)[0] > 1e-3))
def test_the_grades_never_decrease_and_stay_in_their_range(rows):
    density, score = np.array(rows).T
    knots = fit_knots(density, score)
    assert all(x < later and 0 <= grade <= later_grade <= 3 for (x, grade), (later, later_grade) in pairwise(knots))


def test_the_curve_follows_the_true_one_and_is_no_closer_to_the_scores_than_isotonic_regression():
    """scikit-learn's isotonic regression is the closest monotone function of all."""
    rng = np.random.default_rng(2)
    density = rng.random(400)
    score = np.clip(3 * np.sqrt(density) + rng.normal(0, 0.3, 400), 0, 3)
    densities, grades = np.array(fit_knots(density, score)).T
    curve = ((np.interp(density, densities, grades) - score) ** 2).mean()
    closest = ((IsotonicRegression().fit_transform(density, score) - score) ** 2).mean()
    assert closest <= curve
    assert np.abs(np.interp(density, densities, grades) - 3 * np.sqrt(density)).mean() < 0.1


def test_a_map_of_zeros_cannot_be_graded():
    with pytest.raises(LocalizationError, match="the heat map is 0 in every lung zone"):
        fit_knots(np.zeros(60), np.ones(60))


def test_the_reference_of_masks_is_three_times_the_opaqueness():
    opaqueness = {"a": np.array([0, 0.5, 1, 0, 0, 0]), "b": None}
    masks = SimpleNamespace(zone_opaqueness=lambda path, fields: opaqueness[path])
    reads = [SimpleNamespace(case=SimpleNamespace(path=p), reading=SimpleNamespace(lung_fields=None)) for p in "ab"]
    assert masks_reference(masks)(reads[0]).tolist() == [0, 1.5, 3, 0, 0, 0]
    assert masks_reference(masks)(reads[1]) is None


def test_the_reference_of_readers_is_their_mean_on_the_scale_of_the_grades():
    given_scores = {"a": np.array([[0, 2, 4, 0, 0, 0], [0, 4, 4, 2, 0, 0.0]]), "b": np.full((2, 6), math.nan)}
    reference = readers_reference(ZoneScores(("x", "y"), given_scores, 4))
    reads = [SimpleNamespace(case=SimpleNamespace(path=p)) for p in "abc"]
    assert reference(reads[0]).tolist() == [0, 2.25, 3, 0.75, 0, 0]
    assert (reference(reads[1]), reference(reads[2])) == (None, None)
