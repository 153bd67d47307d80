"""The noun `Reading`: one reader's answer for one radiograph."""

from dataclasses import dataclass
from typing import Literal

from pneumoscope.classifier import OperatingPoint, Score
from pneumoscope.findings.finding import Finding
from pneumoscope.heatmap import Heatmap
from pneumoscope.lung_fields import LungFields


@dataclass(frozen=True)
class ModelIdentity:
    """Which model answered: its name and the SHA-256 of its graph or weights."""

    name: str
    sha256: str


@dataclass(frozen=True, eq=False)
class Reading:
    """Score, decision, heat map, findings and lung fields for one target in one radiograph.

    Findings are reported with a positive decision only: a finding is an opacity that speaks for the target.
    """

    score: Score
    decision: Literal["positive", "negative"]
    operating_point: OperatingPoint
    heatmap: Heatmap
    findings: tuple[Finding, ...]
    lung_fields: LungFields
    model: ModelIdentity
