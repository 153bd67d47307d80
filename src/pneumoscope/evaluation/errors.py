"""The errors of an evaluation."""

from pneumoscope import PneumoscopeError


class EvaluationError(PneumoscopeError):
    """Predictions cannot be evaluated."""


class TestedOnItselfError(EvaluationError):
    """A threshold or a calibration was fitted on the very part of the split that it should be tested on."""

    __test__ = False  # pytest would collect a class of this name


class TrainingPatientsError(EvaluationError):
    """A model would be tested on patients or images that it was trained on."""
