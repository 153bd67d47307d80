"""Augmentation ``views``: as if the radiograph were of another child, of an adult, or from another machine."""

import torch
from torch import Tensor
from torch.nn import functional as F

from pneumoscope.training.random_images import Draws, affine, centres


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
    grid = F.affine_grid(_maps(Draws.like(squares)), [len(squares), 1, *squares.shape[2:]], align_corners=False)
    grey = F.grid_sample(squares[:, :1], grid, padding_mode="border", align_corners=False)
    return torch.cat([grey, F.grid_sample(squares[:, 1:], grid, align_corners=False)], 1).clamp(0, 1)


def _maps(draw: Draws) -> Tensor:
    """Random maps from output to input, (n, 2, 3)."""
    turn, scale = draw.symmetric(0.26), 1 + draw.symmetric(0.2)
    down = scale * (1 + draw.symmetric(0.2))
    across = torch.where(draw.share(draw.n) < 0.5, -scale, scale)
    return affine(turn, across, down, (draw.share(draw.n, 2) * 2 - 1) * 0.12)


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
    draw = Draws.like(grey)
    x = grey.clamp(0, 1) ** torch.exp(draw.uniform(-0.7, 0.7))
    x = x + draw.chance(0.5) * draw.uniform(-0.45, 0.6) * (x - smooth(x, 10))
    near = F.avg_pool2d(F.pad(x, (1, 1, 1, 1), mode="replicate"), 3, 1)
    x = x + draw.chance(0.5) * draw.uniform(-1, 0.8) * (x - near)
    x = x + draw.chance(0.3) * draw.uniform(0, 0.04) * draw.normal(*x.shape)
    x = x + draw.chance(0.5) * draw.uniform(0, 0.15) * noise(draw, 3, x.shape[-1])
    for _ in range(2):
        x = x + draw.chance(0.5) * draw.uniform(-0.06, 0.15) * veils(x)
    return x


def veils(images: Tensor) -> Tensor:
    """Draw shadows: half of the square behind a straight or slightly bent soft edge.

    Scapula, breast, arm, skin fold, clothing: a shadow over the lungs that goes on outside them is no opacity.

    Parameters
    ----------
    images
        The images that the shadows are for, shape (n, channels, size_px, size_px).

    Returns
    -------
    Tensor
        Shape (n, 1, size_px, size_px), in [0, 1].
    """
    draw, axis = Draws.like(images), centres(images.shape[-1], images)
    rows, cols = axis[None, None, :, None], axis[None, None, None]
    angle = draw.uniform(0, 6.2832)
    along = (rows - 0.5) * angle.sin() + (cols - 0.5) * angle.cos()
    across = (rows - 0.5) * angle.cos() - (cols - 0.5) * angle.sin()
    edge = along - draw.uniform(-0.4, 0.4) - draw.uniform(-1, 1) * across**2
    return torch.sigmoid(edge * torch.exp(draw.uniform(2.0, 4.5)))


def noise(draw: Draws, cells: int, size_px: int) -> Tensor:
    """Draw smooth random fields of mean 0 and standard deviation 1.

    Parameters
    ----------
    draw
        Random numbers of the images.
    cells
        Edge of the coarse grid of random numbers.
    size_px
        Edge of the square in pixels.

    Returns
    -------
    Tensor
        Shape (n, 1, size_px, size_px).
    """
    coarse = draw.normal(draw.n, 1, cells, cells)
    field = F.interpolate(coarse, size=(size_px, size_px), mode="bilinear", align_corners=False)
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
