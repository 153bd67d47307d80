"""What can be wrong with a training run."""

from pneumoscope import PneumoscopeError


class TrainingError(PneumoscopeError):
    """A recipe or a run folder is not usable."""
