"""The noun `LungRecipe`: everything that decides what a lung-field training gives, apart from the data."""

from dataclasses import dataclass


@dataclass(frozen=True)
class LungRecipe:
    """The settings of a lung-field training.

    Parameters
    ----------
    epochs
        Number of epochs, ≥ 1.
    batch
        Images of a step, ≥ 2.
    rate
        Peak learning rate, > 0: linear warm-up, then half a cosine to zero at the end of `epochs`.
    warmup_epochs
        Length of the warm-up in epochs, ≥ 0.
    weight_decay
        Weight decay of AdamW, ≥ 0.
    repeat
        How often an epoch repeats each image of a set after the first, ≥ 1: those sets are small.
    opaque
        Probability in [0, 1] that opaque spots are painted onto an image, so that consolidated lung is still lung.
    seed
        Seed of the weights, the order and the augmentation.
    """

    epochs: int = 20
    batch: int = 16
    rate: float = 4e-3
    warmup_epochs: float = 4.0
    weight_decay: float = 1e-3
    repeat: int = 6
    opaque: float = 0.7
    seed: int = 0

    @property
    def schedule(self) -> str:
        """The course of the learning rate after the warm-up."""
        return "cosine"
