"""What can be wrong with an evaluation."""

from pneumoscope import PneumoscopeError


class EvaluationError(PneumoscopeError):
    """Predictions cannot be evaluated."""


class TestedOnItselfError(EvaluationError):
    """A threshold or a calibration was fitted on the very split that it should be tested on."""

    __test__ = False  # pytest would collect a class of this name
