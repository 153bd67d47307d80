"""Evaluation with the settings of a population: its cases, its calibration, its threshold, and never what those were fixed on."""

import dataclasses
import math

import numpy as np
import pytest

from pneumoscope.classifier import Calibration, CardError, FixedOn, OperatingPoint, PopulationSettings
from pneumoscope.evaluation import EvaluationError, TestedOnItselfError, evaluate, predict, prediction_files, tables
from pneumoscope.evaluation.population import common_population, of_population
from pneumoscope.evaluation.predictions import FittedOn
from tests.evaluation.conftest import predictions
from tests.evaluation.models import Answering
from tests.evaluation.test_predictions import CARD, flat, folder

__all__ = ["flat", "folder"]


def settings(intercept: float, threshold: float, sha256: str) -> PopulationSettings:
    return PopulationSettings(
        Calibration("logistic", 1.0, split="tune", split_sha256=sha256, intercept=intercept),
        (OperatingPoint(threshold, "youden", "tune", sha256),),
        None,
        None,
        0.5,
        (FixedOn("a", "tune", sha256, 9, 9, 4), FixedOn("b", "all", f"{sha256} too", 9, 9, 0)),
    )


BOTH = dataclasses.replace(CARD, populations={"child": settings(0.0, 0.5, "c"), "adult": settings(-2.0, 0.25, "a")})
"""Thresholds on the log-odds: 0 for children, 2 − log 3 = 0.90 for adults."""


def model(card=BOTH) -> Answering:
    return Answering(card, lambda squares: np.arange(len(squares)) - 0.5)


def known(cohort, *populations):
    """The cohort with populations, repeated in the order of its cases."""
    cases = tuple(dataclasses.replace(case, population=populations[k % len(populations)]) for k, case in enumerate(cohort.cases))
    return dataclasses.replace(cohort, cases=cases)


@pytest.mark.parametrize(("population", "intercept", "threshold"), [("child", 0.0, 0.5), ("adult", -2.0, 0.25)])
def test_cases_of_one_population_are_predicted_with_its_settings(flat, population, intercept, threshold):
    for cohort, stated in ((known(flat, population), None), (flat, population), (known(flat, "", population), population)):
        answered = predict(cohort, "test", model(), population=stated)
        expected = [1 / (1 + math.exp(-(z + intercept))) for z in (-0.5, 0.5)]
        assert [row.probability for row in answered.rows] == pytest.approx(expected)
        assert [point.threshold for point in answered.operating_points] == [threshold]
        assert answered.population == population
        sha256 = population[0]
        assert answered.fixed_on == (FittedOn("tune", sha256), FittedOn("all", f"{sha256} too"))


def test_cases_of_unknown_population_are_predicted_with_the_cautious_settings(flat):
    answered = predict(flat, "test", model())
    assert answered.operating_points[0].threshold == 0.5
    assert answered.population == "unknown (cautious settings: child)"
    assert {one.split_sha256 for one in answered.fixed_on} == {"c", "c too", "a", "a too"}


def test_several_populations_are_not_measured_together(flat):
    with pytest.raises(EvaluationError, match=r"'m' has a threshold for each population, but these images are .* of children"):
        predict(known(flat, "child", "adult"), "train", model())
    with pytest.raises(EvaluationError, match="of unknown age"):
        predict(known(flat, "child", ""), "train", model())


def test_a_model_without_populations_takes_all_together_or_one_population_alone(flat):
    mixed = known(flat, "child", "adult")
    together = predict(mixed, "train", model(CARD))
    adults = predict(mixed, "train", model(CARD), population="adult")
    assert len(together.rows) == 2 * len(adults.rows) == 18
    assert (together.population, adults.population, adults.fixed_on) == ("", "", ())
    assert adults.operating_points == CARD.operating_points


def test_cases_of_a_population_without_settings_are_refused(flat):
    adults = dataclasses.replace(BOTH, populations={"adult": BOTH.populations["adult"]})
    with pytest.raises(CardError, match="none for children"):
        predict(known(flat, "child"), "test", model(adults))
    with pytest.raises(EvaluationError, match="no case of children"):
        predict(known(flat, "adult"), "test", model(), population="child")


def test_selection_keeps_the_split_and_the_cases_of_unknown_population(flat):
    some = of_population(known(flat, "child", "adult", ""), "adult")
    assert {case.population for case in some.cases} == {"adult", ""}
    assert some.partition == flat.partition
    assert of_population(flat, None) is flat


@pytest.mark.parametrize(
    ("populations", "stated", "common"),
    [
        (["adult"], None, "adult"),
        (["adult", ""], "adult", "adult"),
        ([""], "child", "child"),
        ([""], None, None),
        ([], "adult", "adult"),
    ],
)
def test_the_common_population_is_that_of_every_case(flat, populations, stated, common):
    cases = [dataclasses.replace(flat.cases[0], population=population) for population in populations]
    assert common_population(BOTH, cases, stated) == common
    assert common_population(CARD, cases, stated) is None


@pytest.mark.parametrize("split_sha256", ["abc", "another"])
def test_figures_are_not_given_on_what_the_settings_were_fixed_on(split_sha256):
    rows = dataclasses.replace(
        predictions(), split_sha256=split_sha256, population="adult",
        fixed_on=(FittedOn("tune", "x"), FittedOn("test", "another")),
    )  # fmt: skip
    if split_sha256 == "another":
        with pytest.raises(TestedOnItselfError):
            evaluate(rows, draws=50)
        assert evaluate(rows, on_itself="leave-out", draws=50).operating_point is None
    else:
        assert "Population: adult." in tables.as_markdown(evaluate(rows, draws=50))


def test_population_and_what_its_settings_were_fixed_on_are_stored(tmp_path):
    rows = dataclasses.replace(predictions(), population="adult", fixed_on=(FittedOn("tune", "x"),))
    prediction_files.write(rows, tmp_path / "p.csv")
    assert prediction_files.read(tmp_path / "p.csv") == rows
