"""``pneumoscope calibrate``: what it prints and writes, and what it refuses."""

import dataclasses

import numpy as np
import pytest
import torch

from pneumoscope import radiograph
from pneumoscope.classifier import BACKBONES, Card, Domain, DomainLimit, OperatingPoint, Preprocessing
from pneumoscope.classifier import card as cards
from pneumoscope.classifier.checkpoint import Classifier, save
from pneumoscope.classifier.network import build
from pneumoscope.cohort import table
from tests.cli.run import run
from tests.training.test_population import made


@pytest.fixture(scope="module")
def classifier():
    """A small classifier with random weights and a domain."""
    torch.manual_seed(0)
    network = build(BACKBONES["mobilenet_v2"], "linear").train()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 1.0
    grey = torch.linspace(0, 1, 40).reshape(40, 1, 1, 1)
    with torch.no_grad():
        network(grey + 0.1 * torch.rand(40, 1, 32, 32))
        features = network.eval().embed(torch.rand(40, 1, 32, 32)).numpy()
    card = Card(
        name="small", backbone="mobilenet_v2", head="linear", classes=("normal", "pneumonia"), preprocessing=Preprocessing(32),
        init="scratch", operating_points=(OperatingPoint(0.5, "youden", "tune", "abc"),),
        domain=DomainLimit(2.0, "", "tune", "abc"),
    )  # fmt: skip
    return Classifier(network, card, domain=Domain.fit(features))


@pytest.fixture(scope="module")
def cohorts(classifier, tmp_path_factory):
    """Folder with the cohorts: split; healthy and sick, not split. The brighter half by the classifier's own score is sick."""
    root = tmp_path_factory.mktemp("cohorts")
    levels = np.arange(10, 250, 6)
    plain = made(root / "plain", levels, [0] * 20 + [1] * 20)
    squares = np.stack([classifier.prepare(radiograph.read(plain.file(case))).pixels for case in plain.cases])
    log_odds = classifier.log_odds(squares)
    labels = (log_odds > np.median(log_odds)).astype(int)
    labels[[np.argmin(log_odds), np.argmax(log_odds)]] = 1, 0  # one mistake in each class
    table.write(made(root / "a", levels, labels, ratios=(0.2, 0.6, 0.2)), root / "adults.csv")
    for name, label in (("healthy", 0), ("sick", 1)):
        table.write(made(root / name[0], levels[labels == label] + 1, labels[labels == label]), root / f"{name}.csv")
    return root


@pytest.fixture
def checkpoint(classifier, tmp_path):
    save(classifier, tmp_path / "run")
    return tmp_path / "run"


def test_the_settings_are_printed_and_written_into_the_card(checkpoint, cohorts):
    weights = (checkpoint / "weights.safetensors").read_bytes()
    before = cards.read(checkpoint)

    ran = run("calibrate", checkpoint, "--cohort", cohorts / "adults.csv", "--population", "adult", "--rule", "specificity>=0.9")

    assert (ran.code, ran.err) == (0, "")
    card = cards.read(checkpoint)
    assert dataclasses.replace(card, populations={}) == before
    (settings,) = card.populations.values()
    assert (settings.fixed_on[0].source, settings.fixed_on[0].split) == ("adults", "tune")
    assert settings.operating_point.rule == "specificity>=0.9"
    assert f"adults (tune): {settings.fixed_on[0].n_images} images" in ran.out
    assert f"specificity>=0.9 (default): threshold {settings.operating_point.threshold:.4f}" in ran.out
    assert "adults: 0 images of another population left out; " in ran.out
    assert "The model does not say which patients it was trained on." in ran.out
    assert f"domain: up to a distance of {settings.domain.distance:.3f}; 99% of the images" in ran.out
    assert (checkpoint / "weights.safetensors").read_bytes() == weights


def test_negatives_and_positives_may_come_from_two_cohorts_each_with_its_part(checkpoint, cohorts):
    ran = run("calibrate", checkpoint, "--cohort", f"{cohorts / 'healthy.csv'}:all", "--cohort", f"{cohorts / 'sick.csv'}:all",
              "--population", "adult", "--calibration", "isotonic")  # fmt: skip
    assert (ran.code, ran.err) == (0, "")
    settings = cards.read(checkpoint).populations["adult"]
    assert [(one.source, one.split, one.n_positive) for one in settings.fixed_on] == [("healthy", "all", 0), ("sick", "all", 20)]
    assert settings.calibration.method == "isotonic"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--cohort", "adults.csv:test"], "cannot be fixed on the test split of 'adults'"),
        (["--cohort", "adults.csv", "--split", "test"], "cannot be fixed on the test split"),
        (["--cohort", "adults.csv:all"], "would include the test split"),
        (["--cohort", "adults.csv", "--split", "half"], "'half' is no part of a split"),
        (["--cohort", "healthy.csv"], "no split yet"),
        (["--cohort", "healthy.csv:all"], "these adults have no positive image"),
        (["--cohort", "nowhere.csv"], "there is no cohort"),
        (["--cohort", "adults.csv", "--rule", "best"], "'best' is not a rule"),
        ([], "Missing option '--cohort'"),
    ],
    ids=str,
)
def test_what_cannot_be_done_is_one_sentence_and_changes_nothing(checkpoint, cohorts, monkeypatch, arguments, says):
    before = (checkpoint / "card.json").read_bytes()
    monkeypatch.chdir(cohorts)
    ran = run("calibrate", checkpoint, "--population", "adult", *arguments)
    assert ran.code == 2
    assert says in ran.err
    assert (checkpoint / "card.json").read_bytes() == before


def test_a_bundle_is_refused(glass, cohorts):
    ran = run("calibrate", glass, "--cohort", cohorts / "adults.csv", "--population", "adult")
    assert ran.code == 2
    assert "this command needs a checkpoint and does not accept a bundle" in ran.err
