"""What can be wrong with a classifier, its weights or its card.

PneumoscopeError
└── ClassifierError
    ├── WeightsError      pretrained weights cannot be had or do not fit
    ├── CardError         a card is missing, damaged or of another format
    └── CheckpointError   a checkpoint is damaged, foreign or does not match its card
"""

from pneumoscope import PneumoscopeError


class ClassifierError(PneumoscopeError):
    """A classifier could not be made or loaded."""


class WeightsError(ClassifierError):
    """Weights cannot be had, or are not this backbone's."""


class CardError(ClassifierError):
    """A card is missing, damaged or of another format."""


class CheckpointError(ClassifierError):
    """A checkpoint is damaged, foreign, or does not match its card."""
