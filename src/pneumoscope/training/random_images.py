"""Random numbers for a batch of images, and random maps of the plane."""

from dataclasses import dataclass

import torch
from torch import Tensor

from pneumoscope.classifier import device as devices


@dataclass(frozen=True)
class Draws:
    """Random numbers for the images of a batch, from PyTorch's global generator on the CPU.

    Every number is drawn on the CPU and then sent to the device of the images, so that a seed gives the same numbers on every
    device.

    Parameters
    ----------
    n
        Number of images.
    device, dtype
        Where the numbers go, and as what type.
    """

    n: int
    device: torch.device
    dtype: torch.dtype

    @classmethod
    def like(cls, images: Tensor) -> "Draws":
        """Return the draws for images.

        Parameters
        ----------
        images
            Shape (n, ...), whose device and type the numbers have.

        Returns
        -------
        Draws
            Random numbers for n images.
        """
        return cls(len(images), images.device, images.dtype)

    def sent(self, drawn: Tensor) -> Tensor:
        """Send numbers to the device.

        Parameters
        ----------
        drawn
            Drawn on the CPU.

        Returns
        -------
        Tensor
            Same shape, of the type of the images.
        """
        return devices.send(drawn, self.device, self.dtype)

    def share(self, *shape: int) -> Tensor:
        """Draw evenly from [0, 1).

        Parameters
        ----------
        *shape
            Shape of the result.

        Returns
        -------
        Tensor
            The numbers.
        """
        return self.sent(torch.rand(shape, device="cpu"))

    def normal(self, *shape: int) -> Tensor:
        """Draw from the standard normal distribution.

        Parameters
        ----------
        *shape
            Shape of the result.

        Returns
        -------
        Tensor
            The numbers.
        """
        return self.sent(torch.randn(shape, device="cpu"))

    def uniform(self, low: float, high: float) -> Tensor:
        """Draw one value for each image, evenly from an interval.

        Parameters
        ----------
        low, high
            Ends of the interval; `high` does not occur.

        Returns
        -------
        Tensor
            Shape (n, 1, 1, 1).
        """
        return self.share(self.n, 1, 1, 1) * (high - low) + low

    def chance(self, p: float) -> Tensor:
        """Draw 1 or 0 for each image.

        Parameters
        ----------
        p
            Probability of 1, in [0, 1].

        Returns
        -------
        Tensor
            Shape (n, 1, 1, 1).
        """
        return self.sent((torch.rand(self.n, 1, 1, 1, device="cpu") < p).float())

    def symmetric(self, limit: float) -> Tensor:
        """Draw one value for each image, evenly from [−limit, limit).

        Parameters
        ----------
        limit
            Upper end of the interval.

        Returns
        -------
        Tensor
            Shape (n,).
        """
        return (self.share(self.n) * 2 - 1) * limit

    def index(self, weights: Tensor) -> Tensor:
        """Draw one index for each image, with probabilities in proportion to weights.

        The index has the largest ratio of its weight to an exponential random number (Efraimidis & Spirakis 2006,
        doi 10.1016/j.ipl.2005.11.003), which is how `torch.multinomial` draws a single index on the CPU.

        Parameters
        ----------
        weights
            Shape (n, k), ≥ 0, at least one above 0 in each row.

        Returns
        -------
        Tensor
            int64, shape (n,).
        """
        exponential = torch.empty(weights.shape, device="cpu").exponential_()
        return (weights / self.sent(exponential)).argmax(1)


def affine(turn: Tensor, across: Tensor, down: Tensor, shift: Tensor) -> Tensor:
    """Assemble affine maps from output to input, as `torch.nn.functional.affine_grid` takes them.

    Parameters
    ----------
    turn
        Angles in radians, shape (n,).
    across, down
        Factors along columns and rows, shape (n,); a negative factor mirrors.
    shift
        Translation of (column, row) in half sides of the image, shape (n, 2).

    Returns
    -------
    Tensor
        Shape (n, 2, 3).
    """
    rows = [
        torch.stack([across * turn.cos(), -down * turn.sin(), shift[:, 0]], 1),
        torch.stack([across * turn.sin(), down * turn.cos(), shift[:, 1]], 1),
    ]
    return torch.stack(rows, 1)


def centres(size_px: int, like: Tensor) -> Tensor:
    """Return the centres of pixels along an edge of length 1.

    Parameters
    ----------
    size_px
        Number of pixels.
    like
        Tensor whose device and type the result has.

    Returns
    -------
    Tensor
        Shape (size_px,), in (0, 1).
    """
    return (torch.arange(size_px, device=like.device, dtype=like.dtype) + 0.5) / size_px
