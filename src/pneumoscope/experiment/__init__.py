"""Resumable training and measurement of many backbones under the same conditions. Running an experiment needs PyTorch."""

from pneumoscope.experiment.errors import ComparisonError
from pneumoscope.experiment.experiment import Experiment
from pneumoscope.experiment.plan import Plan, Unit

__all__ = ["ComparisonError", "Experiment", "Plan", "Unit"]
