"""Measure predictions against the reference standard: every figure with its interval, the patient as the unit. No PyTorch."""

from pneumoscope.evaluation.errors import EvaluationError, TestedOnItselfError, TrainingPatientsError
from pneumoscope.evaluation.evaluation import Evaluation, evaluate
from pneumoscope.evaluation.inference import Model, predict
from pneumoscope.evaluation.predictions import Prediction, Predictions
from pneumoscope.statistics.estimate import Estimate

__all__ = [
    "Estimate",
    "Evaluation",
    "EvaluationError",
    "Model",
    "Prediction",
    "Predictions",
    "TestedOnItselfError",
    "TrainingPatientsError",
    "evaluate",
    "predict",
]
