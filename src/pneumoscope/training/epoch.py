"""The noun `Epoch`: one row of the learning curves of a classifier."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Epoch:
    """An epoch of a training, one row of its learning curves.

    Parameters
    ----------
    epoch
        Number of the epoch, from 1.
    loss, tune_loss
        Mean loss over the steps, and over the tune images afterwards.
    tune_auc
        ROC-AUC on tune, in [0, 1]; the mean over the sources that have both classes.
    rate
        Learning rate of the last step.
    images_per_s
        Training images a second.
    seconds
        Duration of the steps.
    processes
        Number of processes that shared the batches.
    device, device_name, precision, libraries
        What computed the steps: device, name of the hardware, precision, and versions of libraries; empty if unknown.
    """

    epoch: int
    loss: float
    tune_loss: float
    tune_auc: float
    rate: float
    images_per_s: float
    seconds: float
    processes: int = 1
    device: str = ""
    device_name: str = ""
    precision: str = ""
    libraries: str = ""

    @property
    def quality(self) -> float:
        """The figure by which epochs are compared."""
        return self.tune_auc
