"""The eight backbones, each split into features and head, with preprocessing, weights and card.

Only nouns that need no PyTorch are exported here; `network`, `weights` and `checkpoint` are imported by full name.
"""

from pneumoscope.classifier.backbone import BACKBONES, Backbone
from pneumoscope.classifier.card import Card
from pneumoscope.classifier.domain import Domain, DomainLimit
from pneumoscope.classifier.errors import CardError, CheckpointError, ClassifierError, WeightsError
from pneumoscope.classifier.preprocessing import ModelInput, Preprocessing
from pneumoscope.classifier.score import Calibration, GreyZone, OperatingPoint, Score

__all__ = [
    "BACKBONES",
    "Backbone",
    "Calibration",
    "Card",
    "CardError",
    "CheckpointError",
    "ClassifierError",
    "Domain",
    "DomainLimit",
    "GreyZone",
    "ModelInput",
    "OperatingPoint",
    "Preprocessing",
    "Score",
    "WeightsError",
]
