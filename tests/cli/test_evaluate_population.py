"""``pneumoscope evaluate --population``: one population of a mixed cohort at its own threshold, recorded under its own name."""

import json

import pytest

from pneumoscope.classifier import DomainLimit
from pneumoscope.classifier import card as cards
from pneumoscope.cohort import Case, Cohort, table
from pneumoscope.cohort.case import Partition, split_sha256
from tests.cli.run import run
from tests.radiograph.builders import png
from tests.reader.builders import glass_bundle, quadrant, spot
from tests.reader.test_population import POPULATIONS


@pytest.fixture
def both(tmp_path):
    return glass_bundle(tmp_path / "bundle", domain=DomainLimit(9.0, "", "tune", "abc"), populations=POPULATIONS)


@pytest.fixture
def cohort(tmp_path):
    """Four children and four adults; of each, two positives with a white quarter (log-odds 1) and two negatives with a spot."""
    cases = []
    for k in range(8):
        (tmp_path / f"{k}.png").write_bytes(png(quadrant() if k % 2 else spot()))
        label = "PNEUMONIA" if k % 2 else "NORMAL"
        population = "adult" if k < 4 else "child"
        cases.append(Case(f"{k}.png", label, k % 2, f"p{k}", split="test", population=population))
    whole = Cohort(tmp_path, tuple(cases), partition=Partition("by hand", None, None, split_sha256(cases)))
    table.write(whole, tmp_path / "cohort.csv")
    return tmp_path / "cohort.csv"


@pytest.mark.parametrize(("population", "confusion"), [("child", [2, 0, 0, 2]), ("adult", [2, 0, 2, 0])])
def test_each_population_is_measured_at_its_own_threshold(both, cohort, tmp_path, population, confusion):
    """The white quarter is positive for a child, whose threshold is 0, and negative for an adult, whose threshold is 2."""
    ran = run("evaluate", both, "--cohort", cohort, "--population", population, "-o", tmp_path / "out", "--draws", 20, "--record")
    assert ran.code == 0, ran.err
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text(encoding="utf-8"))
    assert (metrics["population"], metrics["n_images"], metrics["confusion"]) == (population, 4, confusion)
    assert f"Population: {population}." in ran.out
    assert list(cards.read(both).results) == [f"test, {population}"]


def test_both_together_are_refused(both, cohort, tmp_path):
    ran = run("evaluate", both, "--cohort", cohort, "-o", tmp_path / "out", "--draws", 20)
    assert ran.code == 2
    assert "these images are 4 of adults, 4 of children; measure one population at a time" in ran.err


def test_stored_predictions_take_no_population(tmp_path):
    (tmp_path / "p.csv").write_text("")
    ran = run("evaluate", "--predictions", tmp_path / "p.csv", "--population", "adult", "-o", tmp_path / "out")
    assert ran.code == 2
    assert "stored predictions have their population already" in ran.err
