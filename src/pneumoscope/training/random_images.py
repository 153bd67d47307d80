"""Random numbers and random maps of the plane for a batch of images, from PyTorch's global generator."""

import torch
from torch import Tensor


def uniform(n: int, low: float, high: float) -> Tensor:
    """Draw one value for each image, evenly from an interval.

    Parameters
    ----------
    n
        Number of images.
    low, high
        Ends of the interval; `high` does not occur.

    Returns
    -------
    Tensor
        Shape (n, 1, 1, 1).
    """
    return torch.rand(n, 1, 1, 1) * (high - low) + low


def chance(n: int, p: float) -> Tensor:
    """Draw 1 or 0 for each image.

    Parameters
    ----------
    n
        Number of images.
    p
        Probability of 1, in [0, 1].

    Returns
    -------
    Tensor
        Shape (n, 1, 1, 1).
    """
    return (torch.rand(n, 1, 1, 1) < p).float()


def symmetric(n: int, limit: float) -> Tensor:
    """Draw one value for each image, evenly from [−limit, limit).

    Parameters
    ----------
    n
        Number of images.
    limit
        Upper end of the interval.

    Returns
    -------
    Tensor
        Shape (n,).
    """
    return (torch.rand(n) * 2 - 1) * limit


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
