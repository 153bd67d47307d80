"""Readings as JSON lines and CSV, in a versioned form (``readings.schema.json``)."""

import csv
import json
from collections.abc import Iterable, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from pneumoscope import storage
from pneumoscope.findings import Finding, ModelIdentity, Reading

SCHEMA_VERSION = 1


def schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of one line."""
    text = (resources.files("pneumoscope.reports") / "readings.schema.json").read_text(encoding="utf-8")
    value: dict[str, Any] = json.loads(text)
    return value


def as_json(path: str, reading: Reading) -> dict[str, Any]:
    """One line of ``readings.jsonl`` for a radiograph that was read."""
    return {
        "schema": SCHEMA_VERSION,
        "path": path,
        "target": reading.score.target,
        "probability": round(reading.score.probability, 6),
        "log_odds": round(reading.score.log_odds, 6),
        "decision": reading.decision,
        "operating_point": {"threshold": reading.operating_point.threshold, "rule": reading.operating_point.rule},
        "findings": [_finding(f) for f in reading.findings],
        "map": {"target": reading.heatmap.target, "method": reading.heatmap.method, "scale": reading.heatmap.scale},
        "rows": reading.heatmap.values.shape[0],
        "cols": reading.heatmap.values.shape[1],
        "model": {"name": reading.model.name, "sha256": reading.model.sha256},
        "error": None,
    }


def _finding(finding: Finding) -> dict[str, Any]:
    box = finding.box
    return {
        "box": {"top": box.top, "left": box.left, "bottom": box.bottom, "right": box.right},
        "peak": {"row": finding.peak[0], "col": finding.peak[1]},
        "area_px": finding.area_px,
        "rating": finding.rating,
    }


def as_error(path: str, target: str, model: ModelIdentity, kind: str, message: str) -> dict[str, Any]:
    """One line for a file that could not be read."""
    return {
        "schema": SCHEMA_VERSION,
        "path": path,
        "target": target,
        "probability": None,
        "log_odds": None,
        "decision": None,
        "operating_point": None,
        "findings": [],
        "map": None,
        "rows": None,
        "cols": None,
        "model": {"name": model.name, "sha256": model.sha256},
        "error": {"kind": kind, "message": message},
    }


CSV_COLUMNS = ("path", "target", "probability", "decision", "threshold", "findings", "boxes", "model", "error")


def write_csv(path: Path, lines: Iterable[Mapping[str, Any]]) -> None:
    """One row a file; boxes as ``top left bottom right rating``, separated by semicolons."""
    with storage.text(path) as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(CSV_COLUMNS)
        for line in lines:
            point, error = line["operating_point"] or {}, line["error"] or {}
            boxes = "; ".join(" ".join(f"{v:g}" for v in (*f["box"].values(), f["rating"])) for f in line["findings"])
            writer.writerow(
                [
                    line["path"], line["target"], line["probability"], line["decision"], point.get("threshold"),
                    len(line["findings"]), boxes, line["model"]["name"], error.get("message"),
                ]
            )  # fmt: skip
