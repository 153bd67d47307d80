"""Classify radiographs: eight backbones divided into features and head, with preprocessing, weights and card.

This package exports only names that need no PyTorch; import `network`, `weights` and `checkpoint` by their full names.
"""

from pneumoscope.classifier.backbone import BACKBONES, Backbone
from pneumoscope.classifier.card import Card
from pneumoscope.classifier.domain import Domain, DomainLimit
from pneumoscope.classifier.errors import (
    CardError,
    CheckpointError,
    ClassifierError,
    DeviceError,
    PopulationError,
    WeightsError,
)
from pneumoscope.classifier.population import Population, PopulationChoice
from pneumoscope.classifier.population_settings import FixedOn, PopulationSettings
from pneumoscope.classifier.preprocessing import ModelInput, Preprocessing
from pneumoscope.classifier.score import Calibration, GreyZone, OperatingPoint, Score
from pneumoscope.classifier.severity_scale import SeverityScale

__all__ = [
    "BACKBONES",
    "Backbone",
    "Calibration",
    "Card",
    "CardError",
    "CheckpointError",
    "ClassifierError",
    "DeviceError",
    "Domain",
    "DomainLimit",
    "FixedOn",
    "GreyZone",
    "ModelInput",
    "OperatingPoint",
    "Population",
    "PopulationChoice",
    "PopulationError",
    "PopulationSettings",
    "Preprocessing",
    "Score",
    "SeverityScale",
    "WeightsError",
]
