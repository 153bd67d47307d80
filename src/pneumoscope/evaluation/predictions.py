"""The noun `Predictions`: one row a case, from which every figure can be computed again without the model."""

import csv
import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from pneumoscope import atomic_files, radiograph
from pneumoscope.classifier import Card, OperatingPoint
from pneumoscope.classifier.preprocessing import ModelInput
from pneumoscope.cohort import Case, Cohort
from pneumoscope.evaluation.errors import EvaluationError
from pneumoscope.radiograph import Radiograph
from pneumoscope.radiograph.radiograph import Grey
from pneumoscope.statistics.metrics import Array


class Model(Protocol):
    """A classifier or a reader."""

    @property
    def card(self) -> Card: ...
    def prepare(self, radiograph: Radiograph) -> ModelInput: ...
    def log_odds(self, squares: NDArray[np.float32]) -> NDArray[np.float64]:
        """Log-odds (n,) of prepared squares float32 (n, channels, side, side)."""


_BATCH = 16
_RENAMED = {"side": "split"}
"""Fields that files of earlier versions name otherwise."""


@dataclass(frozen=True)
class Prediction:
    """One case: what it is and what the model said."""

    path: str
    patient_id: str
    label: str
    subtype: str
    reference: int
    log_odds: float
    probability: float


@dataclass(frozen=True)
class Predictions:
    """Predictions of one model on one side of one split, with what was fitted elsewhere."""

    rows: tuple[Prediction, ...]
    split: str
    split_sha256: str
    model: str
    operating_points: tuple[OperatingPoint, ...]
    calibrated_on: str

    @property
    def reference(self) -> Array:
        return np.array([row.reference for row in self.rows], float)

    @property
    def probability(self) -> Array:
        return np.array([row.probability for row in self.rows], float)

    @property
    def patients(self) -> tuple[str, ...]:
        return tuple(row.patient_id for row in self.rows)


def predict(cohort: Cohort, side: str, model: Model, *, show_progress: bool = False) -> Predictions:
    """Predict every case of a side, in the cohort's order."""
    cases = cohort.on(side)
    assert cohort.partition is not None
    values = np.concatenate(
        [
            model.log_odds(np.stack(squares))
            for squares in tqdm(
                _batches(cohort, cases, model), total=-(-len(cases) // _BATCH), desc=f"predicting {side}",
                unit=f"×{_BATCH} images", disable=None if show_progress else True,
            )
        ]
    )  # fmt: skip
    card = model.card
    probability = card.calibration(values)
    rows = tuple(
        Prediction(c.path, c.patient_id, c.label, c.subtype, c.reference, float(z), float(p))
        for c, z, p in zip(cases, values, probability, strict=True)
    )
    return Predictions(rows, side, cohort.partition.sha256, card.name, card.operating_points, card.calibration.fitted_on)


def _batches(cohort: Cohort, cases: Sequence[Case], model: Model) -> Iterator[list[Grey]]:
    def square(case: Case) -> Grey:
        return model.prepare(radiograph.read(cohort.file(case))).pixels

    with ThreadPoolExecutor(4) as pool:
        for start in range(0, len(cases), _BATCH):
            yield list(pool.map(square, cases[start : start + _BATCH]))


def write(predictions: Predictions, path: Path) -> None:
    """Write a CSV, and beside it a JSON of the same name with what a row cannot hold."""
    with atomic_files.text(path) as stream:
        writer = csv.DictWriter(stream, list(asdict(predictions.rows[0])), lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(row) for row in predictions.rows)
    head = {k: v for k, v in asdict(predictions).items() if k != "rows"}
    with atomic_files.text(path.with_suffix(".json")) as stream:
        stream.write(json.dumps(head, indent=2) + "\n")


def read(path: Path) -> Predictions:
    """Read what `write` wrote; EvaluationError where it is not that."""
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            rows = tuple(
                Prediction(
                    row["path"], row["patient_id"], row["label"], row["subtype"], int(row["reference"]),
                    float(row["log_odds"]), float(row["probability"]),
                )
                for row in csv.DictReader(stream)
            )  # fmt: skip
        head = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        head = {_RENAMED.get(name, name): value for name, value in head.items()}
        points = tuple(
            OperatingPoint(**{_RENAMED.get(name, name): value for name, value in point.items()})
            for point in head.pop("operating_points")
        )
        return Predictions(rows, operating_points=points, **head)
    except (OSError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise EvaluationError(
            f"'{path}' is no predictions.csv with its .json beside it ({type(error).__name__}); evaluate the model again"
        ) from error
