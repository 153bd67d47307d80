"""The settings of a population: which decide for a patient, and what answer they give."""

import dataclasses
import math

import pytest

from pneumoscope.classifier import (
    Calibration,
    CardError,
    DomainLimit,
    GreyZone,
    OperatingPoint,
    PopulationChoice,
    PopulationError,
    PopulationSettings,
)
from pneumoscope.classifier.identity import identity_sha256
from pneumoscope.classifier.population import population_of
from pneumoscope.classifier.population_settings import cautious_population, choose_population


def settings(threshold=0.5, intercept=0.0, limit=1.0, zone=None):
    return PopulationSettings(
        Calibration("logistic", 1.0, intercept=intercept),
        (OperatingPoint(threshold, "youden", "tune", "abc"),),
        zone,
        DomainLimit(limit, "", "tune", "abc"),
        0.5,
    )


CHILD, ADULT = settings(threshold=0.75, limit=1.5), settings(threshold=0.25, intercept=-3.0, limit=2.0)
"""Thresholds on the log-odds, by hand: log 3 = 1.10 for children; −log 3 + 3 = 1.90 for adults."""
BOTH = {"adult": ADULT, "child": CHILD}


@pytest.mark.parametrize(("age", "population"), [(0, "child"), (17.99, "child"), (18, "adult"), (97, "adult")])
def test_an_adult_is_eighteen_years_or_older(age, population):
    assert population_of(age) == population


def test_the_threshold_on_the_log_odds_is_that_of_the_calibrated_threshold():
    assert CHILD.log_odds_threshold == pytest.approx(math.log(3))
    assert ADULT.log_odds_threshold == pytest.approx(3 - math.log(3))


def test_the_more_sensitive_population_is_the_one_of_the_lower_threshold_on_the_log_odds():
    """Although the threshold of adults on the calibrated probability is the lower one."""
    assert cautious_population(BOTH) == "child"
    assert cautious_population({"adult": ADULT}) == "adult"
    assert cautious_population({"child": settings(), "adult": settings()}) == "adult"  # a tie: the first by name


def test_the_cautious_settings_are_those_of_the_more_sensitive_population_with_the_smallest_domain_limit(card):
    sensitive = settings(threshold=0.01, limit=9.0)
    both = dataclasses.replace(card, populations={"child": CHILD, "adult": sensitive})
    assert both.settings(None) == dataclasses.replace(sensitive, domain=CHILD.domain)
    assert both.settings("adult") == sensitive
    assert both.settings("child") == CHILD


def test_a_model_without_a_domain_has_cautious_settings_without_one(card):
    free = dataclasses.replace(CHILD, domain=None)
    assert dataclasses.replace(card, domain=None, populations={"child": free}).settings() == free


def test_the_settings_of_a_model_without_populations_are_the_fields_of_its_card(card):
    one = dataclasses.replace(card, populations={})
    assert one.settings() == PopulationSettings(
        card.calibration, card.operating_points, card.grey_zone, card.domain, card.finding_threshold
    )
    with pytest.raises(CardError, match="no operating point"):
        dataclasses.replace(one, operating_points=()).settings()


def test_settings_of_a_population_that_the_model_does_not_know_are_refused(card):
    adults = dataclasses.replace(card, populations={"adult": ADULT})
    with pytest.raises(CardError, match=r"settings for adults, but none for children; .*calibrate RUN --population child"):
        adults.settings("child")
    with pytest.raises(CardError, match="the same settings for all patients, none for adults"):
        dataclasses.replace(card, populations={}).settings("adult")


@pytest.mark.parametrize(
    ("age", "stated", "choice"),
    [
        (3.0, None, PopulationChoice("child", "age", "child")),
        (3.0, "child", PopulationChoice("child", "age", "child")),
        (40.0, None, PopulationChoice("adult", "age", "adult")),
        (None, "adult", PopulationChoice("adult", "user", "adult")),
        (None, None, PopulationChoice(None, "unknown", "child")),
    ],
)
def test_the_age_comes_first_then_the_user_then_caution(age, stated, choice):
    assert choose_population(BOTH, age, stated) == choice


@pytest.mark.parametrize(
    ("age", "stated", "says"),
    [
        (3.0, "adult", r"Patient's Age \(0010,1010\) is that of a child, but .* as that of an adult"),
        (18.0, "child", r"is that of an adult, but .* as that of a child"),
    ],
)
def test_a_stated_population_that_contradicts_the_age_is_refused(age, stated, says):
    with pytest.raises(PopulationError, match=says):
        choose_population(BOTH, age, stated)


def test_a_patient_whom_the_model_has_no_settings_for_is_refused():
    with pytest.raises(CardError, match="none for children"):
        choose_population({"adult": ADULT}, 3.0, None)
    with pytest.raises(CardError, match="none for children"):
        choose_population({"adult": ADULT}, None, "child")


def test_a_model_with_one_population_reads_patients_of_any_age_but_takes_no_stated_population():
    assert choose_population({}, 3.0, None) is None
    with pytest.raises(CardError, match="leave the population out"):
        choose_population({}, None, "adult")


def test_settings_without_an_operating_point_are_refused():
    with pytest.raises(ValueError, match="at least one operating point"):
        dataclasses.replace(CHILD, operating_points=())


@pytest.mark.parametrize(
    "change",
    [
        {"calibration": Calibration("logistic", 1.0, intercept=0.1)},
        {"calibration": Calibration("logistic", 1.1)},
        {"operating_points": (OperatingPoint(0.8, "youden", "tune", "abc"),)},
        {"grey_zone": GreyZone(0.1, 0.2, "", "tune", "abc")},
        {"domain": DomainLimit(1.6, "", "tune", "abc")},
        {"finding_threshold": 0.6},
    ],
    ids=lambda change: next(iter(change)),
)
def test_every_setting_of_a_population_enters_the_identity(card, change):
    before = dataclasses.replace(card, populations={"child": CHILD})
    after = dataclasses.replace(card, populations={"child": dataclasses.replace(CHILD, **change)})
    assert identity_sha256(before, "ab") != identity_sha256(after, "ab")


def test_what_settings_were_fixed_on_does_not_enter_the_identity(card):
    point = dataclasses.replace(CHILD.operating_point, split_sha256="def")
    before, after = (
        dataclasses.replace(card, populations={"child": dataclasses.replace(CHILD, operating_points=(one,))})
        for one in (CHILD.operating_point, point)
    )
    assert identity_sha256(before, "ab") == identity_sha256(after, "ab")
    assert identity_sha256(before, "ab") != identity_sha256(dataclasses.replace(before, populations={}), "ab")
    assert identity_sha256(before, "ab") != identity_sha256(dataclasses.replace(before, populations={"adult": CHILD}), "ab")
