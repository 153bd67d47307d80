"""Answers of readers: marks and findings, the `Reading` of a human or a model, and their versioned JSON form."""

from pneumoscope.readings.case_key import CaseKey
from pneumoscope.readings.finding import Finding, extract, mask_of
from pneumoscope.readings.mark import Mark
from pneumoscope.readings.model_reading import DomainCheck, ModelIdentity, ModelReading, ReadsRadiographs
from pneumoscope.readings.reading import Reading
from pneumoscope.readings.severity import Severity, ZoneOpacity

__all__ = [
    "CaseKey",
    "DomainCheck",
    "Finding",
    "Mark",
    "ModelIdentity",
    "ModelReading",
    "Reading",
    "ReadsRadiographs",
    "Severity",
    "ZoneOpacity",
    "extract",
    "mask_of",
]
