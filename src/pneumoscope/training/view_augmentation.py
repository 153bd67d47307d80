"""Augmentation ``views``: as if the radiograph were of another child, of an adult, or from another machine."""

import torch
from torch import Tensor
from torch.nn import functional as F

from pneumoscope.training.random_images import affine, chance, symmetric, uniform


def moved(squares: Tensor) -> Tensor:
    """Turn (±15°), stretch (size and aspect ±20 %), shift (±6 %) and mirror squares.

    Parameters
    ----------
    squares
        float32, shape (batch, channels, size_px, size_px), in [0, 1], grey first.

    Returns
    -------
    Tensor
        Same shape and range; beyond the edge grey repeats itself, and the other channels are 0.
    """
    n = len(squares)
    grid = F.affine_grid(_maps(n), [n, 1, *squares.shape[2:]], align_corners=False)
    grey = F.grid_sample(squares[:, :1], grid, padding_mode="border", align_corners=False)
    return torch.cat([grey, F.grid_sample(squares[:, 1:], grid, align_corners=False)], 1).clamp(0, 1)


def _maps(n: int) -> Tensor:
    """Random maps from output to input, (n, 2, 3)."""
    turn, scale = symmetric(n, 0.26), 1 + symmetric(n, 0.2)
    down = scale * (1 + symmetric(n, 0.2))
    across = torch.where(torch.rand(n) < 0.5, -scale, scale)
    return affine(turn, across, down, (torch.rand(n, 2) * 2 - 1) * 0.12)


def toned(grey: Tensor) -> Tensor:
    """Change gamma, local contrast, sharpness, noise, illumination and overlying shadows.

    All changes but gamma are applied to a part of the images. Values may leave [0, 1]: the network normalizes each image.

    Parameters
    ----------
    grey
        float32, shape (batch, 1, size_px, size_px), in [0, 1].

    Returns
    -------
    Tensor
        Same shape.
    """
    n = len(grey)
    x = grey.clamp(0, 1) ** torch.exp(uniform(n, -0.7, 0.7))
    x = x + chance(n, 0.5) * uniform(n, -0.45, 0.6) * (x - smooth(x, 10))
    near = F.avg_pool2d(F.pad(x, (1, 1, 1, 1), mode="replicate"), 3, 1)
    x = x + chance(n, 0.5) * uniform(n, -1, 0.8) * (x - near)
    x = x + chance(n, 0.3) * uniform(n, 0, 0.04) * torch.randn_like(x)
    x = x + chance(n, 0.5) * uniform(n, 0, 0.15) * noise(n, 3, x.shape[-1])
    for _ in range(2):
        x = x + chance(n, 0.5) * uniform(n, -0.06, 0.15) * veils(n, x.shape[-1])
    return x


def veils(n: int, size_px: int) -> Tensor:
    """Draw shadows: half of the square behind a straight or slightly bent soft edge.

    Scapula, breast, arm, skin fold, clothing: a shadow over the lungs that goes on outside them is no opacity.

    Parameters
    ----------
    n
        Number of images.
    size_px
        Edge of the square in pixels.

    Returns
    -------
    Tensor
        Shape (n, 1, size_px, size_px), in [0, 1].
    """
    axis = (torch.arange(size_px) + 0.5) / size_px
    rows, cols = axis[None, None, :, None], axis[None, None, None]
    angle = uniform(n, 0, 6.2832)
    along = (rows - 0.5) * angle.sin() + (cols - 0.5) * angle.cos()
    across = (rows - 0.5) * angle.cos() - (cols - 0.5) * angle.sin()
    edge = along - uniform(n, -0.4, 0.4) - uniform(n, -1, 1) * across**2
    return torch.sigmoid(edge * torch.exp(uniform(n, 2.0, 4.5)))


def noise(n: int, cells: int, size_px: int) -> Tensor:
    """Draw smooth random fields of mean 0 and standard deviation 1.

    Parameters
    ----------
    n
        Number of images.
    cells
        Edge of the coarse grid of random numbers.
    size_px
        Edge of the square in pixels.

    Returns
    -------
    Tensor
        Shape (n, 1, size_px, size_px).
    """
    field = F.interpolate(torch.randn(n, 1, cells, cells), size=(size_px, size_px), mode="bilinear", align_corners=False)
    return (field - field.mean((2, 3), keepdim=True)) / field.std((2, 3), keepdim=True)


def smooth(grey: Tensor, cells: int) -> Tensor:
    """Apply a low-pass filter: average over a coarse grid, then interpolate back.

    Parameters
    ----------
    grey
        Shape (batch, 1, rows, cols).
    cells
        Edge of the coarse grid.

    Returns
    -------
    Tensor
        Same shape.
    """
    coarse = F.interpolate(grey, size=(cells, cells), mode="area")
    return F.interpolate(coarse, size=grey.shape[-2:], mode="bilinear", align_corners=False)
