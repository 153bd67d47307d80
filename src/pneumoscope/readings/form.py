"""Write and parse readings as JSON, in a versioned form; lines of earlier versions are parsed too."""

import json
import re
from pathlib import Path
from typing import Any, Literal

import msgspec

from pneumoscope import PneumoscopeError, strict_json
from pneumoscope.classifier import PopulationChoice
from pneumoscope.heatmap import Heatmap
from pneumoscope.lung_fields import LungFields
from pneumoscope.readings.case_key import CaseKey
from pneumoscope.readings.finding import Finding
from pneumoscope.readings.line import (
    DomainLine,
    ErrorLine,
    FindingLine,
    Line,
    LungFieldsLine,
    MapLine,
    OperatingPointLine,
    Pixel,
    PopulationLine,
    SeverityLine,
    ZoneLine,
)
from pneumoscope.readings.model_reading import DomainCheck, ModelIdentity, ModelReading
from pneumoscope.readings.reading import Reading
from pneumoscope.readings.severity import SEVERITY_NAME, Severity, ZoneOpacity

SCHEMA_VERSION: Literal[5] = 5
_READ_VERSIONS = (1, 2, 3, 4, 5)
_HIGHEST_QUOTED = 999
"""A higher version, or text, is no version, and may be anything of a patient."""
_UNKNOWN_WORD = re.compile(r"Invalid enum value .*(?= - at `)")
"""What msgspec says of a word that is none of those of a field; the word may be anything of a patient."""
_RATING_DECIMALS = 4


class FormError(PneumoscopeError):
    """A line is no reading, or has a form that this version does not read."""


class TornLineError(FormError):
    """A line is no valid JSON: it was cut while it was written."""


def schema(of: Literal["model", "human"] = "model") -> dict[str, Any]:
    """Load the JSON Schema (2020-12) of one line.

    Parameters
    ----------
    of : {"model", "human"}
        Whether the line is a model's (``readings.jsonl``) or a human reader's.

    Returns
    -------
    dict
        The schema.
    """
    name = "form.schema.json" if of == "model" else "human_form.schema.json"
    text = Path(__file__).with_name(name).read_text(encoding="utf-8")
    value: dict[str, Any] = json.loads(text)
    return value


def line_of(case: CaseKey, reading: ModelReading) -> Line:
    """Keep what one line holds of a model's reading.

    Parameters
    ----------
    case : CaseKey
        The image that was read.
    reading : ModelReading
        The answer.

    Returns
    -------
    Line
        The answer without arrays; probability and log-odds have six decimals, all other measures four.
    """
    score, point, placement = reading.score, reading.operating_point, reading.heatmap.placement
    return Line(
        schema=SCHEMA_VERSION,
        path=case.path,
        file_sha256=case.file_sha256 or None,
        target=score.target,
        probability=round(score.probability, 6),
        log_odds=round(score.log_odds, 6),
        decision=reading.decision,
        abstains=reading.abstains,
        population=_population(reading.population) if reading.population else None,
        operating_point=OperatingPointLine(point.threshold, point.rule),
        domain=_domain(reading.domain) if reading.domain else None,
        cautions=tuple(caution.value for caution in reading.cautions),
        findings=tuple(_finding(finding) for finding in reading.findings),
        severity=_severity(reading.severity) if reading.severity else None,
        lung_fields=_lung_fields(reading.lung_fields),
        map=_map(reading.heatmap),
        rows=placement.rows,
        cols=placement.cols,
        model=reading.model,
        error=None,
        decoded_scale=reading.decoded_scale if reading.decoded_scale < 1 else None,
    )


def error_line(case: CaseKey, target: str, model: ModelIdentity, kind: str, message: str) -> Line:
    """Make the line of a file that could not be read.

    Parameters
    ----------
    case : CaseKey
        The file.
    target : str
        What was asked for.
    model : ModelIdentity
        The model that should have answered.
    kind : str
        Class of the error.
    message : str
        One sentence without an identifier.

    Returns
    -------
    Line
        The line; every answer is None.
    """
    return Line(
        schema=SCHEMA_VERSION,
        path=case.path,
        file_sha256=case.file_sha256 or None,
        target=target,
        probability=None,
        log_odds=None,
        decision=None,
        abstains=None,
        population=None,
        operating_point=None,
        domain=None,
        cautions=(),
        findings=(),
        severity=None,
        lung_fields=None,
        map=None,
        rows=None,
        cols=None,
        model=model,
        error=ErrorLine(kind, message),
    )


def to_json(line: Line | Reading) -> str:
    """Write a line, or the reading of a human reader, as JSON.

    Parameters
    ----------
    line : Line or Reading
        The line of a model, or a human reader's answer.

    Returns
    -------
    str
        One JSON object without a line end.

    Examples
    --------
    >>> to_json(Reading("reader 1", CaseKey("a.png"), "pneumonia", 0.5))[:36]
    '{"schema": 5, "reader": "reader 1", '
    """
    tree = msgspec.to_builtins(line)
    if tree.get("decoded_scale", 1.0) is None:  # only radiographs that were not decoded in full have it
        del tree["decoded_scale"]
    return json.dumps(tree if isinstance(line, Line) else {"schema": SCHEMA_VERSION, **tree}, ensure_ascii=False)


def parse(text: str | bytes) -> Line | Reading:
    """Parse one line of any version of the form.

    Parameters
    ----------
    text : str or bytes
        One JSON object.

    Returns
    -------
    Line or Reading
        The line of a model (lines of forms 1 to 4 in the present form), or the answer of a human reader.

    Raises
    ------
    TornLineError
        The text is no JSON.
    FormError
        The JSON is no reading, or has a form of a later version.

    Examples
    --------
    >>> parse('{"schema": 5, "reader": "R1", "case": {"path": "a.png"}, "target": "pneumonia", "rating": 3}').rating
    3.0
    """
    try:
        tree = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise TornLineError("this is no reading of Pneumoscope's (no valid JSON)") from error
    try:
        version = tree.get("schema") if isinstance(tree, dict) else None
        if version not in _READ_VERSIONS or isinstance(version, bool):
            quoted = version is None or (isinstance(version, int) and 0 <= version <= _HIGHEST_QUOTED)
            stated = version if quoted else "unknown"
            raise FormError(f"a reading of form {stated} cannot be read, only of forms 1 to {SCHEMA_VERSION}; update pneumoscope")
        if "reader" in tree:
            return strict_json.convert({name: part for name, part in tree.items() if name != "schema"}, Reading)
        return strict_json.convert(tree, Line, upgrade=_upgraded)
    except strict_json.StrictJsonError as error:
        raise FormError(f"this is no reading of Pneumoscope's ({_UNKNOWN_WORD.sub('Invalid enum value', str(error))})") from error


def parse_line(text: str | bytes) -> Line:
    """Parse one line of a model.

    Parameters
    ----------
    text : str or bytes
        One JSON object.

    Returns
    -------
    Line
        The line in the present form.

    Raises
    ------
    FormError
        As `parse`, or the reading is a human reader's.
    """
    line = parse(text)
    if isinstance(line, Reading):
        raise FormError("this is the reading of a human reader, not of a model")
    return line


def _upgraded(tree: dict[str, Any]) -> dict[str, Any]:
    """A line of an earlier form in the present one: what was not asked then is None."""
    if tree["schema"] == SCHEMA_VERSION:
        return tree
    absent: dict[str, Any] = {"population": None, "severity": None}
    if tree["schema"] == 4:
        return absent | tree | {"schema": SCHEMA_VERSION}
    absent |= {"file_sha256": None, "abstains": None, "domain": None, "lung_fields": None, "cautions": []}
    findings, shown = tree.get("findings", []), tree.get("map")
    changes = {
        "schema": SCHEMA_VERSION,
        "findings": [_renamed(finding) for finding in findings] if isinstance(findings, list) else findings,
        "map": {"threshold": None, **shown} if isinstance(shown, dict) else shown,
    }
    return absent | tree | changes


def _renamed(finding: Any) -> Any:
    """A finding of an earlier form: `laterality` was called `side`, and was not there in form 1."""
    if not isinstance(finding, dict):
        return finding  # refused with its place
    rest = {name: part for name, part in finding.items() if name != "side"}
    return {"laterality": finding.get("side"), "zone": None, **rest}


def _population(choice: PopulationChoice) -> PopulationLine:
    return PopulationLine(choice.value, choice.source, choice.settings, choice.cautious)


def _domain(domain: DomainCheck) -> DomainLine:
    return DomainLine(domain.inside, round(domain.distance, 4), round(domain.limit, 4), domain.reason or None)


def _map(heatmap: Heatmap) -> MapLine:
    return MapLine(heatmap.target, heatmap.method, heatmap.scale, heatmap.threshold)


def _lung_fields(fields: LungFields) -> LungFieldsLine:
    return LungFieldsLine(fields.state, round(fields.quality, 4), round(fields.area_share, 4), fields.box)


def _severity(severity: Severity) -> SeverityLine:
    score, low, high = (None if part is None else round(part, 2) for part in (severity.score, severity.low, severity.high))
    scale = severity.scale
    return SeverityLine(
        name=SEVERITY_NAME,
        score=score,
        low=low,
        high=high,
        coverage=scale.coverage if scale else None,
        n_patients=scale.n_patients if scale else None,
        reference=scale.reference if scale else None,
        reason=severity.reason or None,
        zones=tuple(_zone(zone) for zone in severity.zones),
    )


def _zone(zone: ZoneOpacity) -> ZoneLine:
    grade = None if zone.grade is None else round(zone.grade, 4)
    return ZoneLine(zone.laterality, zone.zone, round(zone.share_opaque, 4), round(zone.density, 4), grade)


def _finding(finding: Finding) -> FindingLine:
    rating = round(finding.rating, _RATING_DECIMALS)
    return FindingLine(finding.box, Pixel(*finding.peak), finding.area_px, rating, finding.laterality, finding.zone)
