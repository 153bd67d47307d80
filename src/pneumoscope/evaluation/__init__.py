"""Compare readings with the reference standard: every figure with its interval, the patient as the unit. No PyTorch."""

from pneumoscope.evaluation.errors import EvaluationError, TestedOnItselfError
from pneumoscope.statistics.estimate import Estimate

__all__ = ["Estimate", "EvaluationError", "TestedOnItselfError"]
