"""Write lines of readings as a CSV table."""

import itertools
from collections.abc import Iterable
from pathlib import Path

from pneumoscope import atomic_files, csv_cells
from pneumoscope.readings.line import FindingLine, Line

COLUMNS = (
    "path", "target", "probability", "decision", "threshold", "abstains",
    "population", "population_source", "population_settings", "outside_domain", "cautions", "findings", "boxes",
    "severity", "severity_low", "severity_high", "model", "error",
)  # fmt: skip


def write_csv(path: Path, lines: Iterable[Line]) -> None:
    """Write a CSV table atomically, with one row for each line of ``readings.jsonl``.

    Parameters
    ----------
    path : Path
        File of the table.
    lines : iterable of Line
        Lines of ``readings.jsonl``. The column ``boxes`` has ``top left bottom right rating laterality zone`` of each finding,
        separated by semicolons. The columns ``population…`` are empty for a model that has the same settings for all patients.
        ``severity`` is the opacity severity by the heat map, 0 to 18, not a radiologist's score, with
        its prediction interval; empty where it is undefined.
    """
    with atomic_files.text(path) as stream:
        csv_cells.write_rows(stream, itertools.chain([COLUMNS], map(row, lines)))


def row(line: Line) -> list[object]:
    """Make the row of a line.

    Parameters
    ----------
    line : Line
        A line of ``readings.jsonl``.

    Returns
    -------
    list of object
        One cell for each of `COLUMNS`; None for an empty one.
    """
    threshold = line.operating_point and line.operating_point.threshold
    read_as = line.population
    population = (read_as.value, read_as.source, read_as.settings) if read_as else (None, None, None)
    boxes = "; ".join(_as_text(finding) for finding in line.findings)
    severity = (line.severity.score, line.severity.low, line.severity.high) if line.severity else (None, None, None)
    error = line.error and line.error.message
    return [
        line.path, line.target, line.probability, line.decision, threshold, line.abstains,
        *population, line.outside_domain, "; ".join(line.cautions), len(line.findings), boxes, *severity, line.model.name, error,
    ]  # fmt: skip


def _as_text(finding: FindingLine) -> str:
    box = finding.box
    numbers = " ".join(f"{v:g}" for v in (box.top, box.left, box.bottom, box.right, finding.rating))
    return " ".join(part for part in (numbers, finding.laterality, finding.zone) if part)
