"""Predictions on disk: a CSV with a row per case, and a JSON file with the SHA-256 of the CSV and what a row cannot hold."""

import hashlib
import io
import json
import math
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pneumoscope import atomic_files, csv_cells
from pneumoscope.classifier import OperatingPoint
from pneumoscope.evaluation.errors import EvaluationError
from pneumoscope.evaluation.predictions import FittedOn, Prediction, Predictions
from pneumoscope.evaluation.training_overlap import TrainingOverlap

_RENAMED = {"side": "split"}
"""Fields that files of earlier versions name differently."""
_HASH = "csv_sha256"


def write(predictions: Predictions, path: Path) -> None:
    """Write predictions as a CSV and, under the same name, a JSON file.

    The JSON file is replaced last and holds the hash of the CSV, so that after an interruption the two are either of the same
    run or refused by `read`.

    Parameters
    ----------
    predictions
        At least one row.
    path
        The CSV, with any suffix but ``.json``.

    Raises
    ------
    EvaluationError
        If the JSON file would replace a file that is not of predictions.
    """
    other = path.with_suffix(".json")
    if path == other or _foreign(other):
        raise EvaluationError(f"'{other}' would be replaced, but it does not belong to predictions; write to another folder")
    text = io.StringIO()
    csv_cells.write_rows(text, [asdict(predictions.rows[0]), *(asdict(row).values() for row in predictions.rows)])
    content = text.getvalue().encode()
    head = {key: value for key, value in asdict(predictions).items() if key != "rows"}
    with atomic_files.binary(path) as stream:
        stream.write(content)
    with atomic_files.text(other) as stream:
        stream.write(json.dumps({**head, _HASH: hashlib.sha256(content).hexdigest()}, indent=2) + "\n")


def read(path: Path) -> Predictions:
    """Read the predictions that `write` wrote, or those of an earlier version.

    Parameters
    ----------
    path
        The CSV.

    Returns
    -------
    Predictions
        The same as was written.

    Raises
    ------
    EvaluationError
        If a file is missing or damaged, or if the CSV and the JSON file are not of the same run.
    """
    try:
        content = path.read_bytes()
        head = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        expected = head.pop(_HASH, "")
        rows = tuple(_row(row) for row in csv_cells.read_records(io.StringIO(content.decode("utf-8"), newline="")))
        predictions = Predictions(rows=rows, **_fields(head))
    except (OSError, KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise EvaluationError(
            f"'{path}' is not a predictions.csv with its .json file in the same folder ({type(error).__name__}); "
            "evaluate the model again"
        ) from error
    if expected and expected != hashlib.sha256(content).hexdigest():
        raise EvaluationError(
            f"'{path}' and its .json file are not of the same run: one of them was replaced or changed; evaluate the model again"
        )
    return predictions


def _row(row: Mapping[str, str]) -> Prediction:
    made = Prediction(
        path=row["path"],
        patient_id=row["patient_id"],
        label=row["label"],
        subtype=row["subtype"],
        reference=int(row["reference"]),
        log_odds=float(row["log_odds"]),
        probability=float(row["probability"]),
        age_years=float(row["age_years"]) if row.get("age_years") else None,
        sex=row.get("sex", ""),
        view_position=row.get("view_position", ""),
        inside_domain=_flag(row.get("inside_domain", "")),
        abstained=_flag(row.get("abstained", "")),
    )
    if made.reference not in (0, 1) or not 0 <= made.probability <= 1 or not math.isfinite(made.log_odds):
        raise ValueError("a reference, a probability or log-odds outside of its range")
    if made.age_years is not None and not 0 <= made.age_years < math.inf:
        raise ValueError("an age outside of its range")
    return made


def _flag(text: str) -> bool | None:
    """A truth value as CSV has it; empty in files of earlier versions and where it is not known."""
    return {"": None, "True": True, "False": False}[text]


def _fields(head: Mapping[str, Any]) -> dict[str, Any]:
    fields = {_RENAMED.get(name, name): value for name, value in head.items()}
    points = [{_RENAMED.get(name, name): value for name, value in point.items()} for point in fields["operating_points"]]
    return {
        **fields,
        "operating_points": tuple(OperatingPoint(**point) for point in points),
        "calibrated_on": _fitted_on(fields.get("calibrated_on")),
        "fixed_on": tuple(FittedOn(**one) for one in fields.get("fixed_on", ())),
        "training_overlap": TrainingOverlap(**fields.get("training_overlap", {})),
    }


def _fitted_on(value: Mapping[str, str] | str | None) -> FittedOn | None:
    """What a calibration was fitted on; earlier versions said it in a sentence: "tune side of split abc"."""
    if not value:
        return None
    if isinstance(value, str):
        split, between, sha256 = value.partition(" side of split ")
        if not between:
            raise ValueError(f"'{value}' does not say what the calibration was fitted on")
        return FittedOn(split, sha256)
    return FittedOn(**value)


def _foreign(path: Path) -> bool:
    """Whether a file holds JSON of another kind, such as a cohort."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return False
    return bool(value) and "operating_points" not in value
