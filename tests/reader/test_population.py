"""Readings of a model with settings by population: by hand on a model of glass.

A white quarter has log-odds 1 and distance ¼. Children: threshold ½ on the log-odds themselves, domain up to 0.3. Adults: the
log-odds less 2, so that their threshold of ½ lies at log-odds 2; domain up to 0.2.
"""

import math

import numpy as np
import pytest

from pneumoscope.classifier import (
    Calibration,
    CardError,
    DomainLimit,
    FixedOn,
    GreyZone,
    OperatingPoint,
    PopulationChoice,
    PopulationError,
    PopulationSettings,
)
from pneumoscope.radiograph import Caution, Radiograph
from pneumoscope.reader import Reader
from tests.reader.builders import glass_bundle, quadrant, spot


def settings(intercept: float, limit: float, threshold: float) -> PopulationSettings:
    return PopulationSettings(
        Calibration("logistic", 1.0, split="tune", split_sha256="abc", intercept=intercept),
        (OperatingPoint(0.5, "youden", "tune", "abc"),),
        GreyZone(0.2, 0.3, "", "tune", "abc"),
        DomainLimit(limit, "", "tune", "abc"),
        threshold,
        (FixedOn("cohort", "tune", "abc", 9, 9, 4),),
    )


POPULATIONS = {"child": settings(0.0, 0.3, 0.75), "adult": settings(-2.0, 0.2, 0.25)}
CHILD, ADULT = PopulationChoice("child", "user", "child"), PopulationChoice("adult", "user", "adult")
CAUTIOUS = PopulationChoice(None, "unknown", "child")


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """The folder of a model of glass with settings for children and for adults."""
    folder = tmp_path_factory.mktemp("both") / "bundle"
    return glass_bundle(folder, domain=DomainLimit(9.0, "", "tune", "abc"), populations=POPULATIONS)


@pytest.fixture(scope="module")
def reader(both):
    return Reader.load(both, threads=1)


def film(pixels=None, **known) -> Radiograph:
    return Radiograph((quadrant() if pixels is None else pixels).astype(np.float32) / 255, **known)


def test_a_child_is_read_with_the_settings_of_children(reader):
    reading = reader.read(film(), population="child")
    assert reading.score.probability == pytest.approx(1 / (1 + math.exp(-1)), abs=1e-3)
    assert (reading.decision, reading.population, reading.domain.limit) == ("positive", CHILD, 0.3)
    assert (reading.heatmap.threshold, len(reading.findings), reading.abstains) == (0.75, 1, False)


def test_an_adult_is_read_with_the_settings_of_adults(reader):
    """log-odds 1 − 2: a probability of 0.27, in the grey zone from 0.2 to 0.3."""
    reading = reader.read(film(), population="adult")
    assert reading.score.probability == pytest.approx(1 / (1 + math.exp(1)), abs=1e-3)
    assert reading.score.log_odds == pytest.approx(1, abs=1e-3)
    assert (reading.decision, reading.population, reading.domain.limit) == ("negative", ADULT, 0.2)
    assert (reading.heatmap.threshold, reading.findings, reading.abstains) == (0.25, (), True)


def test_the_scale_of_the_heat_map_is_the_same_for_all(reader):
    child, adult = (reader.read(film(), population=population) for population in ("child", "adult"))
    np.testing.assert_array_equal(child.heatmap.values, adult.heatmap.values)


def test_an_unknown_patient_is_read_with_the_sensitive_threshold_and_the_smaller_domain(reader):
    reading = reader.read(film())
    assert (reading.decision, reading.population, reading.domain.limit) == ("positive", CAUTIOUS, 0.2)
    assert reading.cautions == ()


@pytest.mark.parametrize(("age", "population"), [(17.9, "child"), (18, "adult")])
@pytest.mark.parametrize("agreeing", [True, False])
def test_the_age_decides_whether_or_not_the_user_says_so_too(reader, age, population, agreeing):
    reading = reader.read(film(age_years=age, age_stated=True), population=population if agreeing else None)
    assert reading.population == PopulationChoice(population, "age", population)


@pytest.mark.parametrize(("age", "population"), [(17.9, "adult"), (18, "child")])
def test_a_contradiction_of_age_and_user_is_refused(reader, age, population):
    with pytest.raises(PopulationError, match=r"the file's Patient's Age \(0010,1010\) is that of"):
        reader.read(film(age_years=age), population=population)


def test_an_age_that_was_not_readable_is_a_caution_where_it_would_have_decided(reader, glass):
    odd = film(age_stated=True)
    assert reader.read(odd).cautions == (Caution.AGE,)
    assert reader.read(odd).population == CAUTIOUS
    assert reader.read(odd, population="adult").cautions == ()
    assert Reader.load(glass).read(odd).cautions == ()


def test_the_readers_own_population_stands_where_neither_file_nor_call_says(both):
    adults = Reader.load(both, threads=1, population="adult")
    assert adults.read(film()).population == ADULT
    assert adults(film()).population == ADULT
    assert adults.read(film(), population="child").population == CHILD
    with pytest.raises(PopulationError, match="is that of a child"):
        adults.read(film(age_years=3))


def test_of_many_each_is_read_as_its_age_says_and_a_contradiction_is_its_own_error(reader):
    films = [film(age_years=3), film(), film(age_years=40), film(spot(), age_years=41)]
    outcomes = list(reader.read_many(films, batch=3, population="adult"))
    assert [type(outcome.error) for outcome in outcomes] == [PopulationError, type(None), type(None), type(None)]
    assert [outcome.reading.population.source for outcome in outcomes[1:]] == ["user", "age", "age"]
    alone = [reader.read(one, population="adult").score for one in films[1:]]
    assert [outcome.reading.score for outcome in outcomes[1:]] == alone


def test_a_model_without_populations_reads_any_age_as_before_and_takes_no_population(glass):
    reader = Reader.load(glass)
    reading = reader.read(film(age_years=40))
    assert reading.population is None
    assert reading.score == reader.read(film()).score
    with pytest.raises(CardError, match="the same settings for all patients"):
        reader.read(film(), population="adult")
    with pytest.raises(CardError, match="the same settings for all patients"):
        next(reader.read_many([film()], population="adult"))
    with pytest.raises(CardError, match="the same settings for all patients"):
        Reader.load(glass, population="adult")


def test_a_patient_of_a_population_without_settings_is_refused(tmp_path):
    adults = {"adult": POPULATIONS["adult"]}
    bundle = glass_bundle(tmp_path / "adults", domain=DomainLimit(9.0, "", "tune", "abc"), populations=adults)
    reader = Reader.load(bundle)
    with pytest.raises(CardError, match="settings for adults, but none for children"):
        reader.read(film(age_years=3))
    (outcome,) = reader.read_many([film(age_years=3)])
    assert isinstance(outcome.error, CardError)
    assert reader.read(film()).population == PopulationChoice(None, "unknown", "adult")


def test_the_settings_of_populations_are_part_of_the_models_identity(both, glass):
    assert Reader.load(both).model.sha256 != Reader.load(glass).model.sha256
