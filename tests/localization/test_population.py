"""Maps are measured with the settings of the population that the cohort tells, or that the user states."""

import dataclasses

import pytest

from pneumoscope.classifier import DomainLimit
from pneumoscope.cohort.sample import sample
from pneumoscope.evaluation import EvaluationError
from pneumoscope.localization.localize import for_cases, localize
from pneumoscope.reader import Reader
from tests.reader.builders import glass_bundle
from tests.reader.test_population import POPULATIONS


@pytest.fixture(scope="module")
def reader(tmp_path_factory):
    folder = tmp_path_factory.mktemp("both") / "bundle"
    return Reader.load(glass_bundle(folder, domain=DomainLimit(9.0, "", "tune", "abc"), populations=POPULATIONS), threads=1)


@pytest.fixture(scope="module")
def cohort():
    with sample() as read:
        yield dataclasses.replace(read, cases=tuple(dataclasses.replace(case, population="") for case in read.cases[::4]))


def of(cohort, *populations):
    named = zip(cohort.cases, populations, strict=True)
    return dataclasses.replace(cohort, cases=tuple(dataclasses.replace(case, population=name) for case, name in named))


@pytest.mark.parametrize(("population", "threshold"), [("child", 0.75), ("adult", 0.25)])
def test_the_cohort_tells_the_population_and_with_it_the_threshold_of_findings(reader, cohort, population, threshold):
    result = localize(reader, of(cohort, *[population] * 4), "all", draws=20)
    assert result.threshold == threshold


@pytest.mark.parametrize(("stated", "threshold"), [(None, 0.75), ("child", 0.75), ("adult", 0.25)])
def test_where_the_cohort_does_not_tell_it_the_reader_does_or_caution(reader, cohort, stated, threshold):
    assert localize(reader.assuming(stated), cohort, "all", draws=20).threshold == threshold


def test_the_reader_reads_each_case_as_the_cohort_tells(reader, cohort):
    adults = for_cases(reader, of(cohort, *["adult"] * 4).cases)
    assert adults.population == "adult"
    assert reader.population is None
    assert adults.read(cohort.file(cohort.cases[0])).population.settings == "adult"
    assert for_cases(adults, cohort.cases) is adults


def test_children_and_adults_are_not_measured_with_one_threshold(reader, cohort, glass):
    mixed = of(cohort, "child", "adult", "adult", "")
    with pytest.raises(EvaluationError, match="measure one population at a time"):
        localize(reader, mixed, "all", draws=20)
    assert localize(Reader.load(glass), mixed, "all", draws=20).n_images == 4
