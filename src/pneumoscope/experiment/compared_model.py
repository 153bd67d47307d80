"""The noun `ComparedModel`: a network of a comparison, or several taken together, as it was measured."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from pneumoscope.classifier.score import Calibration, OperatingPoint
from pneumoscope.evaluation import Evaluation, Predictions, calibration, evaluate, prediction_files
from pneumoscope.experiment.plan import Unit
from pneumoscope.experiment.run_settings import LOCALIZATION, REGIONS, UNIT_NAME
from pneumoscope.statistics.metrics import Array

RULES = ("youden", "sensitivity>=0.95", "specificity>=0.95", "sensitivity>=0.9", "specificity>=0.9")
"""Operating points that a comparison reports, each fixed on tune."""
By = Literal["probability", "log-odds"]
WAYS: tuple[By, ...] = ("probability", "log-odds")


@dataclass(frozen=True, eq=False)
class ComparedModel:
    """Predictions on tune and test with what follows from them.

    Attributes
    ----------
    name: of the backbone, or of the ensemble.
    tune, test: predictions, with an operating point for each of `RULES`: the model's own, else fixed on tune.
    evaluation: of the test side at the point by ``youden``.
    told: what was noted when it was made; empty for an ensemble.
    localization: of its heat maps on the test side, by group; empty for an ensemble.
    regions: the same against what radiologists marked; empty where nothing was.
    """

    name: str
    seed: int
    fold: int
    tune: Predictions
    test: Predictions
    evaluation: Evaluation
    told: dict[str, Any]
    localization: dict[str, Any]
    regions: dict[str, Any]

    @property
    def threshold(self) -> float:
        """Of the calibrated probability, by ``youden``."""
        point = self.evaluation.operating_point
        assert point is not None
        return point.threshold

    @property
    def decisions(self) -> Array:
        """On the test side, 0 or 1, shape (n,)."""
        return (self.test.probability >= self.threshold).astype(float)


def read(unit: Unit, folder: Path, draws: int, marked: bool = False) -> ComparedModel:
    """A unit that is finished; `marked` if it was measured against regions as well."""
    tune, test = (prediction_files.read(folder / f"{side}.csv") for side in ("tune", "test"))
    told = json.loads((folder / UNIT_NAME).read_text(encoding="utf-8"))
    found = json.loads((folder / LOCALIZATION).read_text(encoding="utf-8"))["found"]
    regions = json.loads((folder / REGIONS).read_text(encoding="utf-8"))["found"] if marked else {}
    return replace(
        _member(unit.backbone, unit.seed, unit.fold, tune, test, draws), told=told, localization=found, regions=regions
    )


def _member(
    name: str,
    seed: int,
    fold: int,
    tune: Predictions,
    test: Predictions,
    draws: int,
) -> ComparedModel:
    points = tuple(_point(rule, tune) for rule in RULES)
    tune, test = replace(tune, operating_points=points), replace(test, operating_points=points)
    return ComparedModel(name, seed, fold, tune, test, evaluate(test, draws=draws), {}, {}, {})


def _point(rule: str, tune: Predictions) -> OperatingPoint:
    """The model's own, else one that is fixed on its predictions of tune."""
    own = [point for point in tune.operating_points if point.rule == rule]
    return own[0] if own else calibration.choose(rule, tune.reference, tune.probability, "tune", tune.split_sha256)


def ensemble(members: Sequence[ComparedModel], by: By, draws: int) -> ComparedModel:
    """Members of one seed and fold as one: the mean of their probabilities, or of their calibrated log-odds.

    Its operating points are fixed on tune as a member's are, and so is a temperature of its own for the mean of log-odds.
    """
    first = members[0]
    sides = [_mean([m.tune for m in members], by), _mean([m.test for m in members], by)]
    fitted = Calibration()
    if by == "log-odds":
        tune = sides[0]
        log_odds = np.array([row.log_odds for row in tune.rows])
        fitted = calibration.fit("temperature", tune.reference, log_odds, "tune", first.tune.split_sha256)
    tune, test = (_calibrated(side, fitted) for side in sides)
    name = f"mean {by} of {', '.join(m.name for m in members)}"
    return _member(name, first.seed, first.fold, tune, test, draws)


def _mean(sides: Sequence[Predictions], by: By) -> Predictions:
    """Log-odds of the means, case by case."""
    probability = np.clip(np.stack([side.probability for side in sides]), 1e-9, 1 - 1e-9)
    logit = np.log(probability / (1 - probability))
    if by == "probability":
        mean = probability.mean(0)
        logit = np.log(mean / (1 - mean))[None]
    rows = tuple(replace(row, log_odds=float(z)) for row, z in zip(sides[0].rows, logit.mean(0), strict=True))
    return replace(sides[0], rows=rows, model="ensemble", operating_points=())


def _calibrated(side: Predictions, fitted: Calibration) -> Predictions:
    probability = fitted(np.array([row.log_odds for row in side.rows]))
    rows = tuple(replace(row, probability=float(p)) for row, p in zip(side.rows, probability, strict=True))
    return replace(side, rows=rows)
