"""Severity by zone against readers' scores: SciPy and scikit-learn on the same numbers, averaged and counted by hand."""

import math
from itertools import combinations
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import cohen_kappa_score

from pneumoscope.cohort import Case
from pneumoscope.localization.errors import LocalizationError
from pneumoscope.localization.zone_agreement import (
    ALL_ZONES,
    GLOBAL,
    KAPPA,
    MEASURED,
    ORDERED,
    WITHIN,
    ZoneAgreement,
    zone_agreement,
)
from pneumoscope.lung_fields.lung_fields import ZONES
from pneumoscope.readings import Severity, ZoneOpacity
from pneumoscope.reference.zone_tables import ZoneScores

MEDIAN = "severity by zone, model and the readers' median"
EACH = "severity by zone, model and each reader, mean of 3"
AMONG = "severity by zone, readers among themselves, mean of 3 pairs"
N = 12


def severity(densities, *, graded=True) -> Severity:
    """Grades are three times the density."""
    zones = tuple(
        ZoneOpacity(*name, 0.0, float(density), 3 * float(density) if graded else None)
        for name, density in zip(ZONES, densities, strict=True)
    )
    return Severity(zones, 3 * float(np.sum(densities)) if graded else None, reason="" if graded else "none")


def measured(scores, severities, *, highest=3, patients=None, draws=200):
    """The tables of images a0, a1, … with scores (n, readers, 6)."""
    readers = tuple(f"R{k}" for k in range(scores.shape[1]))
    measure = ZoneAgreement(ZoneScores(readers, {f"a{k}": given for k, given in enumerate(scores)}, highest))
    for k, one in enumerate(severities):
        case = SimpleNamespace(path=f"a{k}", patient_id=patients[k] if patients else f"p{k}")
        measure.add(SimpleNamespace(case=case, reading=SimpleNamespace(severity=one)))
    return measure.tables(draws)


@pytest.fixture(scope="module")
def drawn():
    """Densities (12, 6) in steps of 1/24 and three readers who score them with errors."""
    rng = np.random.default_rng(3)
    densities = rng.integers(0, 25, (N, 6)) / 24
    scores = np.clip(np.rint(3 * densities[:, None] + rng.normal(0, 0.8, (N, 3, 6))), 0, 3)
    return densities, scores


@pytest.fixture(scope="module")
def tables(drawn):
    densities, scores = drawn
    return measured(scores, [severity(row) for row in densities])


def film(densities) -> np.ndarray:
    """Sums whose ties do not depend on rounding errors."""
    return np.round(densities.sum(1), 9)


def rho(first, second) -> float:
    return float(stats.spearmanr(np.ravel(first), np.ravel(second)).statistic)


def kappa(first, second) -> float:
    return float(cohen_kappa_score(np.ravel(first), np.ravel(second), labels=[0, 1, 2, 3], weights="quadratic"))


def test_the_model_against_the_readers_median(drawn, tables):
    densities, scores = drawn
    median, table = np.median(scores, axis=1), tables[MEDIAN]  # of three readers, so that no half occurs
    assert table[GLOBAL].value == pytest.approx(rho(film(densities), median.sum(1)))
    assert table[ALL_ZONES].value == pytest.approx(rho(densities, median))
    assert table[WITHIN].value == pytest.approx(np.mean([rho(a, b) for a, b in zip(densities, median, strict=True)]))
    assert table[KAPPA].value == pytest.approx(kappa(np.floor(3 * densities + 0.5), median))
    assert (table[MEASURED].value, table[MEASURED].n) == (1, N)
    assert all(one.low < one.value < one.high for name, one in table.items() if name not in (MEASURED, ORDERED))


def test_the_model_against_each_reader_and_their_mean(drawn, tables):
    densities, scores = drawn
    table, grades = tables[EACH], np.floor(3 * densities + 0.5)
    each = [kappa(grades, scores[:, k]) for k in range(3)]
    assert [table[f"{KAPPA}, R{k}"].value for k in range(3)] == pytest.approx(each)
    assert table[KAPPA].value == pytest.approx(np.mean(each))
    assert table[ALL_ZONES].value == pytest.approx(np.mean([rho(densities, scores[:, k]) for k in range(3)]))
    assert table[GLOBAL].value == pytest.approx(np.mean([rho(film(densities), scores[:, k].sum(1)) for k in range(3)]))


def test_the_readers_among_themselves_are_averaged_over_their_pairs(drawn, tables):
    _, scores = drawn
    pairs, table = list(combinations(range(3), 2)), tables[AMONG]
    assert table[KAPPA].value == pytest.approx(np.mean([kappa(scores[:, a], scores[:, b]) for a, b in pairs]))
    assert table[ALL_ZONES].value == pytest.approx(np.mean([rho(scores[:, a], scores[:, b]) for a, b in pairs]))
    within = [np.mean([rho(one[a], one[b]) for a, b in pairs]) for one in scores]
    assert table[WITHIN].value == pytest.approx(np.mean(within))


def test_the_intervals_resample_patients_with_all_their_images(drawn):
    """The same image twice for each patient: the same figures, the same number of patients, the same intervals."""
    densities, scores = drawn
    once = measured(scores, [severity(row) for row in densities])
    patients = [f"p{k}" for k in range(N)] * 2
    twice = measured(np.concatenate([scores] * 2), [severity(row) for row in densities] * 2, patients=patients)
    for name in (GLOBAL, ALL_ZONES, KAPPA, WITHIN):
        first, second = once[MEDIAN][name], twice[MEDIAN][name]
        assert (second.value, second.low, second.high, second.n) == pytest.approx((first.value, first.low, first.high, N))


def test_grades_are_brought_to_the_scale_of_the_readers():
    """Densities in sixths and a scale to 6: grades 3 · k/6 become k, whatever rounding the readers' scale asks for."""
    scores = np.array([[[0, 1, 2, 3, 4, 5]], [[6, 5, 4, 3, 2, 1]], [[0, 0, 6, 6, 1, 2]]], float)
    tables = measured(scores, [severity(row[0] / 6) for row in scores], highest=6)
    assert tables["severity by zone, model and the reader"][KAPPA].value == pytest.approx(1)


def test_one_reader_cannot_be_compared_with_another(drawn):
    densities, scores = drawn
    tables = measured(scores[:, :1], [severity(row) for row in densities])
    assert list(tables) == [
        "severity by zone, model and the reader",
        "severity by zone, readers among themselves",
    ]
    assert {one.reason for one in tables["severity by zone, readers among themselves"].values()} == {"one reader"}


def test_images_without_both_lungs_are_left_out_and_counted(drawn):
    densities, scores = drawn
    severities = [Severity(reason="lungs not found"), *[severity(row) for row in densities[1:]]]
    table = measured(scores, severities)[MEDIAN]
    assert table[MEASURED].value == pytest.approx(11 / 12)
    assert (table[ALL_ZONES].n, table[ALL_ZONES].value) == (11, pytest.approx(rho(densities[1:], np.median(scores[1:], axis=1))))
    assert table[ALL_ZONES].method.endswith("1 images left out")
    assert table[WITHIN].method.endswith("undefined in 1 cases")


def test_an_image_of_one_score_has_no_order_within_it(drawn):
    densities, scores = drawn
    scores = scores.copy()
    scores[0] = 2
    table = measured(scores, [severity(row) for row in densities])[MEDIAN]
    expected = [rho(a, b) for a, b in zip(densities[1:], np.median(scores, axis=1)[1:], strict=True)]
    assert table[WITHIN].value == pytest.approx(np.mean(expected))
    assert (table[WITHIN].n, table[WITHIN].method[-20:]) == (11, "undefined in 1 cases")
    assert table[ORDERED].value == pytest.approx(11 / 12)


def test_a_missing_score_leaves_out_its_zone_and_the_sum_of_its_image(drawn):
    densities, scores = drawn
    scores = scores[:, :1].copy()
    scores[0, 0, 2] = math.nan
    table = measured(scores, [severity(row) for row in densities])["severity by zone, model and the reader"]
    known = ~np.isnan(scores[:, 0])
    assert table[ALL_ZONES].value == pytest.approx(rho(densities[known], scores[:, 0][known]))
    assert table[GLOBAL].value == pytest.approx(rho(film(densities[1:]), scores[1:, 0].sum(1)))
    assert (table[ALL_ZONES].n, table[GLOBAL].n) == (12, 11)


def test_a_model_without_a_scale_is_ordered_by_density_and_has_no_kappa(drawn):
    densities, scores = drawn
    table = measured(scores, [severity(row, graded=False) for row in densities])[MEDIAN]
    assert table[GLOBAL].value == pytest.approx(rho(film(densities), np.median(scores, axis=1).sum(1)))
    assert (table[KAPPA].defined, table[KAPPA].reason) == (False, "the model has no severity scale, so its zones have no grades")


def test_a_reader_who_gives_one_score_to_all_zones_has_no_correlation(drawn):
    densities, scores = drawn
    table = measured(np.ones_like(scores), [severity(row) for row in densities])[MEDIAN]
    assert not table[ALL_ZONES].defined
    assert table[KAPPA].value == pytest.approx(0)


def test_only_the_images_with_scores_are_taken():
    scores = ZoneScores(("",), {"a.png": np.zeros((1, 6))}, 3)
    cases = [Case(name, "x", 1, name) for name in ("a.png", "b.png")]
    assert zone_agreement(scores, cases).paths == {"a.png"}
    with pytest.raises(LocalizationError, match="none of the 1 images to measure has zone scores"):
        zone_agreement(scores, cases[1:])
