"""Define the errors of classifiers, their weights and their cards.

PneumoscopeError
└── ClassifierError
    ├── WeightsError      pretrained weights are not available or do not fit
    ├── CardError         a card is missing, damaged or has an unknown format
    ├── CheckpointError   a checkpoint is damaged or does not match its card
    ├── PopulationError   a patient's age contradicts the population that the user states
    └── DeviceError       a device does not exist, lacks a precision, or runs out of memory
"""

from pneumoscope import PneumoscopeError


class ClassifierError(PneumoscopeError):
    """A classifier could not be built or loaded."""


class WeightsError(ClassifierError):
    """Weights are not available, or do not fit the backbone."""


class CardError(ClassifierError):
    """A card is missing, damaged or has an unknown format."""


class CheckpointError(ClassifierError):
    """A checkpoint is damaged or does not match its card."""


class PopulationError(ClassifierError):
    """The age of a patient contradicts the population that the user states."""


class DeviceError(ClassifierError):
    """A device does not exist, cannot compute in a precision, or runs out of memory."""
