"""Augmentation of radiographs together with their lung masks."""

import torch
from torch import Tensor
from torch.nn import functional as F

from pneumoscope.training.random_images import Draws, affine


def augmented(images: Tensor, masks: Tensor, opaque: float) -> tuple[Tensor, Tensor]:
    """Turn, stretch, shift and mirror images with their masks; change the images' tone and sharpness.

    A mirrored image has its two lung masks exchanged, because right and left are the patient's.

    Parameters
    ----------
    images
        float32, shape (n, 1, size_px, size_px), in [0, 1].
    masks
        float32, shape (n, 2, size_px, size_px), 0 or 1: right and left lung.
    opaque
        Probability in [0, 1] that opaque spots are painted onto an image.

    Returns
    -------
    images, masks : Tensor
        Of the same shapes and ranges.
    """
    draw = Draws.like(images)
    mirrored = (draw.share(draw.n) < 0.5)[:, None, None, None]
    images = torch.where(mirrored, images.flip(3), images)
    masks = torch.where(mirrored, masks.flip(3).flip(1), masks)
    grid = F.affine_grid(_maps(draw), list(images.shape), align_corners=False)
    images = F.grid_sample(images, grid, align_corners=False)
    masks = F.grid_sample(masks, grid, mode="nearest", align_corners=False)
    images = images.clamp(0, 1) ** torch.exp(draw.uniform(-0.6, 0.6))
    images = images * draw.uniform(0.7, 1.3) + draw.uniform(-0.15, 0.15)
    images = torch.where(draw.share(draw.n, 1, 1, 1) < 0.3, F.avg_pool2d(images, 3, 1, 1), images)
    images = torch.where(draw.share(draw.n, 1, 1, 1) < opaque, _with_spots(images), images)
    return images.clamp(0, 1), masks


def _maps(draw: Draws) -> Tensor:
    """Random maps (n, 2, 3): ±14°, size ±35 %, aspect ±30 %, shift ±10 % of the side."""
    turn, scale = draw.symmetric(0.25), 1 + draw.symmetric(0.35)
    down = scale * (1 + draw.symmetric(0.3))
    return affine(turn, scale, down, (draw.share(draw.n, 2) * 2 - 1) * 0.2)


def _with_spots(images: Tensor) -> Tensor:
    """Paint two smooth spots onto each image, a little brighter than its mean and up to opaque."""
    draw = Draws.like(images)
    axis = torch.linspace(-1, 1, images.shape[-1], device=images.device, dtype=images.dtype)
    for _ in range(2):
        row, col = draw.share(2, draw.n, 1, 1) * 2 - 1
        radius, stretch = draw.share(draw.n, 1, 1) * 0.3 + 0.075, torch.exp(draw.normal(draw.n, 1, 1) * 0.4)
        distance = ((axis[None, None] - col) * stretch) ** 2 + ((axis[None, :, None] - row) / stretch) ** 2
        alpha = torch.exp(-distance / (2 * radius**2))[:, None] * draw.uniform(0, 0.85)
        bright = images.mean((2, 3), keepdim=True) + 0.2 + 0.15 * draw.normal(draw.n, 1, 1, 1)
        images = images * (1 - alpha) + alpha * bright
    return images
