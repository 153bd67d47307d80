"""Readings as JSON lines and CSV, in a versioned form (``form.schema.json``)."""

import csv
import json
from collections.abc import Iterable, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from pneumoscope import atomic_files
from pneumoscope.heatmap import Heatmap
from pneumoscope.lung_fields import LungFields
from pneumoscope.radiograph import Region
from pneumoscope.readings import DomainCheck, Finding, ModelIdentity, Reading

SCHEMA_VERSION = 3


def schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of one line."""
    text = (resources.files("pneumoscope.readings") / "form.schema.json").read_text(encoding="utf-8")
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
        "abstains": reading.abstains,
        "operating_point": {"threshold": reading.operating_point.threshold, "rule": reading.operating_point.rule},
        "domain": reading.domain and _domain(reading.domain),
        "findings": [_finding(f) for f in reading.findings],
        "lung_fields": _lung_fields(reading.lung_fields),
        "map": _map(reading.heatmap),
        "rows": reading.heatmap.placement.rows,
        "cols": reading.heatmap.placement.cols,
        "model": {"name": reading.model.name, "sha256": reading.model.sha256},
        "error": None,
    }


def _domain(domain: DomainCheck) -> dict[str, Any]:
    return {
        "inside": domain.inside,
        "distance": round(domain.distance, 4),
        "limit": round(domain.limit, 4),
        "reason": domain.reason or None,
    }


def _map(heatmap: Heatmap) -> dict[str, Any]:
    return {
        "target": heatmap.target,
        "method": heatmap.method,
        "scale": heatmap.scale,
        "threshold": heatmap.threshold,
    }


def _lung_fields(fields: LungFields) -> dict[str, Any]:
    return {
        "state": fields.state,
        "quality": round(fields.quality, 4),
        "area_share": round(fields.area_share, 4),
        "box": _box(fields.box),
    }


def _box(box: Region) -> dict[str, float]:
    return {"top": box.top, "left": box.left, "bottom": box.bottom, "right": box.right}


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "box": _box(finding.box),
        "peak": {"row": finding.peak[0], "col": finding.peak[1]},
        "area_px": finding.area_px,
        "rating": finding.rating,
        "side": finding.side or None,
        "zone": finding.zone or None,
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
        "abstains": None,
        "operating_point": None,
        "domain": None,
        "findings": [],
        "lung_fields": None,
        "map": None,
        "rows": None,
        "cols": None,
        "model": {"name": model.name, "sha256": model.sha256},
        "error": {"kind": kind, "message": message},
    }


CSV_COLUMNS = (
    "path", "target", "probability", "decision", "threshold", "abstains", "outside_domain", "findings", "boxes", "model", "error",
)  # fmt: skip


def write_csv(path: Path, lines: Iterable[Mapping[str, Any]]) -> None:
    """One row a file; boxes as ``top left bottom right rating side zone``, separated by semicolons."""
    with atomic_files.text(path) as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(CSV_COLUMNS)
        for line in lines:
            point, error, domain = line["operating_point"] or {}, line["error"] or {}, line["domain"] or {}
            boxes = "; ".join(_told(f) for f in line["findings"])
            writer.writerow(
                [
                    line["path"], line["target"], line["probability"], line["decision"], point.get("threshold"),
                    line["abstains"], domain.get("reason"), len(line["findings"]), boxes, line["model"]["name"],
                    error.get("message"),
                ]
            )  # fmt: skip


def _told(finding: Mapping[str, Any]) -> str:
    numbers = " ".join(f"{v:g}" for v in (*finding["box"].values(), finding["rating"]))
    return " ".join(part for part in (numbers, finding["side"], finding["zone"]) if part)
