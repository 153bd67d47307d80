"""Pure parts of measuring, and the page that comes from the published figures."""

import json
from pathlib import Path

import numpy as np
from full_comparison.measure import most_accurate
from full_comparison.page import by_tune, of_backbones, page

ROOT = Path(__file__).parents[2]
FULL = ROOT / "docs" / "results" / "full"
FIGURES, SHIPPED = (json.loads((FULL / name).read_text(encoding="utf-8")) for name in ("figures.json", "shipped.json"))


def test_the_threshold_of_the_highest_accuracy_by_hand() -> None:
    reference = np.array([0.0, 0, 1, 0, 1, 1])
    probability = np.array([0.1, 0.2, 0.3, 0.6, 0.7, 0.9])
    # Below 0.3: five right of six, as many as above 0.6; the lowest of equal ones counts, halfway between 0.2 and 0.3.
    assert most_accurate(reference, probability) == 0.25


def test_one_class_only_is_decided_for_all() -> None:
    assert most_accurate(np.ones(3), np.array([0.2, 0.5, 0.8])) == 0.0
    assert most_accurate(np.zeros(2), np.array([0.2, 0.5])) > 0.5


def test_the_page_is_made_of_the_published_figures() -> None:
    assert (ROOT / "docs" / "full_comparison.md").read_text(encoding="utf-8") == page(FIGURES, SHIPPED)


def test_every_backbone_is_in_both_tables() -> None:
    for crop in ("whole", "lungs"):
        assert len({t["job"]["backbone"] for t in of_backbones(FIGURES, crop)}) == 8


def test_published_predictions_give_the_published_roc_auc() -> None:
    lines = (FULL / "predictions.csv").read_text(encoding="utf-8").splitlines()
    head, *rows = [line.split(",") for line in lines]
    tested = [row for row in rows if row[2] == "test"]
    reference = np.array([int(row[3]) for row in tested])
    for crop in ("whole", "lungs"):
        name, training = next(iter(by_tune(FIGURES, crop).items()))
        score = np.array([float(row[head.index(name)]) for row in tested])
        pairs = np.subtract.outer(score[reference == 1], score[reference == 0])
        by_pairs = ((pairs > 0) + 0.5 * (pairs == 0)).mean()
        assert abs(by_pairs - training["test"]["ROC-AUC"]["value"]) < 2e-4
