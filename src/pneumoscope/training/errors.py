"""The error of a training run."""

from pneumoscope import PneumoscopeError


class TrainingError(PneumoscopeError):
    """A recipe, the data or the folder of a run cannot be used."""
