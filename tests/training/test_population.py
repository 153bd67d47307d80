"""Settings of a population: fixed on the right cases, by hand where they can be, and written into the card alone."""

import csv
import dataclasses
import json

import numpy as np
import pytest
from PIL import Image

from pneumoscope.classifier import (
    Calibration,
    Card,
    Domain,
    DomainLimit,
    FixedOn,
    OperatingPoint,
    PopulationSettings,
    Preprocessing,
)
from pneumoscope.classifier import card as cards
from pneumoscope.classifier.preprocessing import prepare
from pneumoscope.cohort import CohortError, build, split
from pneumoscope.cohort.fingerprint import fingerprint
from pneumoscope.cohort.label_rules import LabelRules
from pneumoscope.cohort.layouts import csv_table
from pneumoscope.evaluation import EvaluationError
from pneumoscope.evaluation.errors import TrainingPatientsError
from pneumoscope.heatmap.heatmap import scaled
from pneumoscope.radiograph.radiograph import Radiograph
from pneumoscope.training.population import CohortPart, Measured, calibrate, fix

POINTS = (OperatingPoint(0.5, "youden", "tune", "abc"),)
CARD = Card(
    name="glass", backbone="mobilenet_v2", head="linear", classes=("normal", "pneumonia"), preprocessing=Preprocessing(8),
    init="scratch", operating_points=POINTS, domain=DomainLimit(9.0, "", "tune", "abc"),
)  # fmt: skip
EVIDENCE = dataclasses.replace(
    CARD, head="evidence", map_method="evidence", map_scale=0.5, calibration=Calibration("temperature", 0.5)
)
CHILD = PopulationSettings(Calibration(), POINTS, None, DomainLimit(1.0, "", "tune", "abc"), 0.5)
FIXED = (FixedOn("adults", "tune", "12ab", 400, 300, 100),)


class MeanDistance(Domain):
    """A domain whose distance is the one feature."""

    def distance(self, features):
        return features[:, 0].astype(np.float64)


_ONE = np.ones(1, np.float32)
MEANS = MeanDistance(_ONE, _ONE, np.ones((1, 1), np.float32), _ONE, 1.0)


@dataclasses.dataclass(frozen=True)
class Glass:
    """A classifier whose log-odds are 10 times the mean of the square less 3, and whose distance is the mean itself."""

    card: Card = CARD
    trained_on: tuple = ()
    domain: Domain | None = MEANS

    def prepare(self, radiograph: Radiograph):
        return prepare(radiograph, self.card.preprocessing)

    def log_odds(self, squares):
        return 10.0 * squares.mean((1, 2, 3), dtype=np.float64) - 3

    def features(self, squares):
        return squares.mean((2, 3))


def made(root, levels, labels, *, ratios=None):
    """A cohort of even images, one for each grey level from 0 to 255; patients of two images."""
    root.mkdir(parents=True)
    with (root / "table.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["path", "label", "patient_id"])
        for k, (level, label) in enumerate(zip(levels, labels, strict=True)):
            image = np.full((8, 8), level, np.uint8)
            image[0, 0] = k  # a picture of its own
            Image.fromarray(image).save(root / f"{k}.png")
            writer.writerow([f"{k}.png", "PNEUMONIA" if label else "NORMAL", f"{root.name}{k // 2}"])
    cohort = build.build(csv_table.read(root / "table.csv"), LabelRules(allow_no_positive=True)).cohort
    return split.by_ratio(cohort, ratios=ratios) if ratios else cohort


@pytest.fixture
def mixed(tmp_path):
    """Twenty negatives that grow brighter, and ten positives above most of them; not split."""
    return CohortPart(
        made(tmp_path / "mixed", [*range(20, 120, 5), *range(110, 210, 10)], [0] * 20 + [1] * 10), "all", "mixed", "adult"
    )


@pytest.fixture
def run(tmp_path):
    """The folder of a checkpoint that knows children."""
    cards.write(dataclasses.replace(CARD, populations={"child": CHILD}), tmp_path / "run")
    return tmp_path / "run"


# Which cases


def test_settings_are_never_fixed_on_a_test_split(tmp_path):
    cohort = made(tmp_path / "c", range(0, 200, 10), [0, 0, 1, 1] * 5, ratios=(0.4, 0.3, 0.3))
    with pytest.raises(CohortError, match="cannot be fixed on the test split of 'c', on which results are reported"):
        CohortPart(cohort, "test", "c", "adult")
    with pytest.raises(CohortError, match="would include the test split"):
        CohortPart(cohort, "all", "c", "adult")
    part = CohortPart(cohort, "tune", "c", "adult")
    assert {case.split for case in part.cases} == {"tune"}
    assert part.fixed_on == FixedOn("c", "tune", cohort.partition.sha256, 6, 3, sum(case.reference for case in part.cases))


def test_a_cohort_without_a_split_is_named_by_the_hash_of_its_cases(mixed, tmp_path):
    assert (mixed.fixed_on.split, mixed.fixed_on.n_images, mixed.fixed_on.n_patients, mixed.fixed_on.n_positive) == (
        "all",
        30,
        15,
        10,
    )
    other = CohortPart(made(tmp_path / "other", [50, 60], [0, 1]), "all", "other", "adult")
    assert len(mixed.split_sha256) == 64
    assert mixed.split_sha256 != other.split_sha256
    with pytest.raises(CohortError, match="no split yet"):
        CohortPart(mixed.cohort, "tune", "mixed", "adult")


def test_cases_that_the_model_was_trained_on_are_refused_and_nothing_is_written(mixed, run):
    before = (run / "card.json").read_bytes()
    known = fingerprint(mixed.cases[:2])
    with pytest.raises(TrainingPatientsError, match=r"trained on 2 of these images \(1 patients, 2 identical images\)"):
        calibrate(Glass(trained_on=(known,)), run, [mixed])
    assert (run / "card.json").read_bytes() == before


def test_whether_the_model_says_what_it_was_trained_on_is_told(mixed, run):
    assert str(calibrate(Glass(), run, [mixed]).training_overlap).startswith("The model does not say")
    other = fingerprint([dataclasses.replace(mixed.cases[0], patient_id="x", pixel_sha256="y")])
    assert str(calibrate(Glass(trained_on=(other,)), run, [mixed]).training_overlap).endswith(
        "none of these patients and images."
    )


@pytest.mark.parametrize(("label", "missing"), [(0, "positive"), (1, "negative")])
def test_one_class_alone_is_refused_with_the_way_out(tmp_path, run, label, missing):
    part = CohortPart(made(tmp_path / "one", [10, 20], [label] * 2), "all", "one", "adult")
    with pytest.raises(EvaluationError, match=rf"these adults have no {missing} image.* add a cohort of {missing} adults"):
        calibrate(Glass(), run, [part])


def test_an_image_that_is_given_twice_is_refused(mixed, run):
    with pytest.raises(CohortError, match="30 images are in two of the cohorts"):
        calibrate(Glass(), run, [mixed, mixed])


def test_positives_and_negatives_may_come_from_two_cohorts(tmp_path, run):
    healthy = CohortPart(made(tmp_path / "healthy", range(20, 120, 5), [0] * 20), "all", "healthy", "adult")
    sick = CohortPart(made(tmp_path / "sick", range(130, 230, 10), [1] * 10), "all", "sick", "adult")
    calibrated = calibrate(Glass(), run, [healthy, sick])
    settings = calibrated.settings
    assert calibrated.measured.reference.tolist() == [0] * 20 + [1] * 10
    assert 10 * 115 / 255 - 3 < settings.log_odds_threshold < 10 * 130 / 255 - 3 + 0.1  # between the classes
    assert settings.fixed_on == (healthy.fixed_on, sick.fixed_on)
    assert [one.n_positive for one in settings.fixed_on] == [0, 10]
    assert settings.operating_point.split == "all"
    assert settings.operating_point.split_sha256 not in (healthy.split_sha256, sick.split_sha256)


def test_cases_of_the_other_population_are_left_out(mixed):
    """Of every three cases one is a child, one an adult, and of one the cohort does not tell it."""
    known = tuple(
        dataclasses.replace(case, population=("child", "adult", "")[k % 3]) for k, case in enumerate(mixed.cohort.cases)
    )
    cohort = dataclasses.replace(mixed.cohort, cases=known)
    adults, children = (CohortPart(cohort, "all", "c", population) for population in ("adult", "child"))
    assert [case.population for case in adults.cases] == ["adult", ""] * 10
    assert (adults.n_left_out, adults.n_taken, adults.fixed_on.n_images) == (10, 10, 20)
    assert {case.population for case in children.cases} == {"child", ""}
    assert adults.split_sha256 == children.split_sha256
    adult = dataclasses.replace(cohort, cases=tuple(case for case in known if case.population == "adult"))
    with pytest.raises(CohortError, match=r"'c' \(all\) has no case of children"):
        CohortPart(adult, "all", "c", "child")


def test_parts_for_two_populations_are_refused(mixed, run):
    with pytest.raises(ValueError, match="too many values"):
        calibrate(Glass(), run, [mixed, dataclasses.replace(mixed, population="child")])


# What is written


def test_only_the_settings_of_this_population_are_written(mixed, run):
    before = cards.read(run)
    settings = calibrate(Glass(), run, [mixed]).settings
    assert cards.read(run) == dataclasses.replace(before, populations={"child": CHILD, "adult": settings})
    again = calibrate(Glass(), run, [mixed], rule="specificity>=0.9").settings
    assert cards.read(run).populations["adult"] == again != settings
    assert [path.name for path in run.iterdir()] == ["card.json"]


def test_the_settings_are_those_of_the_log_odds_of_the_radiographs(mixed, run):
    calibrated = calibrate(Glass(), run, [mixed])
    levels = np.array([*range(20, 120, 5), *range(110, 210, 10)]) / 255
    np.testing.assert_allclose(calibrated.measured.log_odds, 10 * levels - 3, atol=0.2)  # one pixel of 64 is another
    np.testing.assert_allclose(calibrated.measured.distance, levels, atol=0.02)
    assert calibrated.settings.domain.distance == pytest.approx(np.quantile(levels, 0.99), abs=0.02)


def test_log_odds_that_are_not_finite_are_refused(mixed, run, monkeypatch):
    monkeypatch.setattr(Glass, "log_odds", lambda self, squares: np.full(len(squares), np.nan))
    with pytest.raises(EvaluationError, match="30 log-odds or distances that are not finite"):
        calibrate(Glass(), run, [mixed])


# What is fixed

RNG = np.random.default_rng(7)
REFERENCE = np.repeat([0.0, 1.0], [300, 100])
LOG_ODDS = np.where(REFERENCE == 1, 1.0, -5.0) + RNG.normal(0, 2, 400)
MEASURED = Measured(REFERENCE, LOG_ODDS, RNG.gamma(2, 1, 400))


def test_the_default_point_is_that_of_the_rule_and_holds_on_the_negatives():
    settings = fix(CARD, MEASURED, FIXED, "specificity>=0.97", "logistic")
    assert [point.rule for point in settings.operating_points] == [
        "specificity>=0.97", "youden", "sensitivity>=0.95", "specificity>=0.95",
    ]  # fmt: skip
    negative = settings.calibration(LOG_ODDS[REFERENCE == 0]) < settings.operating_point.threshold
    assert negative.sum() == 291  # 97 of 100 of 300; as sensitive as that allows
    assert settings.log_odds_threshold == pytest.approx(np.sort(LOG_ODDS[REFERENCE == 0])[290:292].mean(), abs=0.2)


def test_each_rule_is_fixed_once():
    assert len(fix(CARD, MEASURED, FIXED, "youden", "logistic").operating_points) == 3


def test_the_limit_of_the_domain_is_the_distance_below_which_99_percent_lie():
    settings = fix(CARD, MEASURED, FIXED, "youden", "logistic")
    assert (MEASURED.distance <= settings.domain.distance).sum() == 396
    assert settings.domain.rule == "99% of the images that the settings were fixed on lie nearer"
    assert fix(CARD, dataclasses.replace(MEASURED, distance=None), FIXED, "youden", "logistic").domain is None


def test_calibration_follows_a_shift_of_the_log_odds():
    """A population whose log-odds lie 4 lower has the same probabilities, decisions and grey zone after calibration."""
    here = fix(CARD, MEASURED, FIXED, "youden", "logistic")
    there = fix(CARD, dataclasses.replace(MEASURED, log_odds=LOG_ODDS - 4), FIXED, "youden", "logistic")
    assert there.log_odds_threshold == pytest.approx(here.log_odds_threshold - 4, abs=1e-5)
    assert there.operating_point.threshold == pytest.approx(here.operating_point.threshold, abs=1e-6)
    assert (there.grey_zone.low, there.grey_zone.high) == pytest.approx((here.grey_zone.low, here.grey_zone.high), abs=1e-6)


@pytest.mark.parametrize("method", ["logistic", "temperature", "isotonic", "none"])
def test_a_cell_is_part_of_a_finding_where_an_image_of_its_evidence_is_positive(method):
    settings = fix(EVIDENCE, MEASURED, FIXED, "youden", method)
    evidence = np.linspace(-6, 6, 49, dtype=np.float32)
    shown = scaled(evidence, EVIDENCE) >= settings.finding_threshold
    positive = settings.calibration(evidence) >= settings.operating_point.threshold
    assert 0 < positive.sum() < 49
    assert (shown == positive).all()


def test_other_maps_keep_the_threshold_of_the_card():
    assert fix(CARD, MEASURED, FIXED, "youden", "logistic").finding_threshold == CARD.finding_threshold


def test_everything_names_the_split_that_it_was_fixed_on():
    settings = fix(CARD, MEASURED, FIXED, "youden", "logistic")
    for one in (settings.calibration, *settings.operating_points, settings.grey_zone, settings.domain):
        assert (one.split, one.split_sha256) == ("tune", "12ab")
    assert settings.fixed_on == FIXED


def test_the_settings_come_back_from_the_card():
    written = dataclasses.replace(CARD, populations={"adult": fix(CARD, MEASURED, FIXED, "youden", "isotonic")})
    assert cards.parse(json.dumps(dataclasses.asdict(written))) == written


def test_copies_of_an_image_within_one_cohort_are_accepted(tmp_path, run):
    levels, labels = [*range(20, 120, 5), *range(110, 210, 10)], [0] * 20 + [1] * 10
    cohort = made(tmp_path / "c", levels, labels)
    copied = dataclasses.replace(cohort, cases=(*cohort.cases, dataclasses.replace(cohort.cases[0], path=cohort.cases[0].path)))
    assert len(calibrate(Glass(), run, [CohortPart(copied, "all", "c", "adult")]).measured.reference) == 31


def test_a_stated_prevalence_changes_probabilities_and_no_decision(mixed, run):
    as_drawn = calibrate(Glass(), run, [mixed])
    moved = calibrate(Glass(), run, [mixed], prevalence=0.1)
    assert moved.settings.prevalence == 0.1
    log_odds = as_drawn.measured.log_odds
    before, after = (one.settings.calibration(log_odds) for one in (as_drawn, moved))
    assert (after < before).all()  # a third of the images is positive
    decisions = [p >= one.settings.operating_point.threshold for p, one in ((before, as_drawn), (after, moved))]
    assert (decisions[0] == decisions[1]).all()
