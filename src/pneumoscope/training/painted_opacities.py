"""Opacities painted into lungs: they train where the evidence lies without pixel labels or boxes."""

import torch
from torch import Tensor

from pneumoscope.training.random_images import Draws, centres
from pneumoscope.training.view_augmentation import noise, smooth

OPACITIES = 3
VISIBLE, CHANGED = 0.12, 0.02
"""Least opaqueness and least change of grey of a pixel that counts as painted."""


def paint(grey: Tensor, lungs: Tensor) -> tuple[Tensor, Tensor]:
    """Paint up to three opacities into the lungs of each image, and sometimes a bright decoy outside them.

    Parameters
    ----------
    grey
        float32, shape (batch, 1, size_px, size_px), in [0, 1].
    lungs
        What counts as lung, same shape, in [0, 1].

    Returns
    -------
    grey : Tensor
        The painted images.
    painted : Tensor
        1 where an opacity is visible, else 0, same shape; decoys are no opacities.
    """
    draw, painted = Draws.like(grey), torch.zeros_like(grey)
    for number in range(OPACITIES):
        present = draw.chance(0.55 if number == 0 else 0.35)
        opaque = present * _shapes(lungs) * lungs * draw.uniform(0.12, 0.85)
        new = grey * (1 - opaque) + opaque * _substance(grey)
        visible = (opaque > VISIBLE) & ((new - grey).abs() > CHANGED)
        grey, painted = new, torch.maximum(painted, visible.to(grey.dtype))
    return _decoys(grey, lungs), painted


def _shapes(lungs: Tensor) -> Tensor:
    """Soft outlines in [0, 1], (batch, 1, side, side): ragged patches, or on one image of ten the shadow of a lung base."""
    draw, axis = Draws.like(lungs), centres(lungs.shape[-1], lungs)
    rows, cols = axis[None, None, :, None], axis[None, None, None]
    half = torch.where(draw.chance(0.5) > 0, (cols < 0.5).to(cols.dtype), (cols >= 0.5).to(cols.dtype))
    level = rows - draw.uniform(0.45, 0.95) + 0.25 * (cols - 0.5).abs() + 0.04 * noise(draw, 6, lungs.shape[-1])
    base = torch.sigmoid(level * draw.uniform(8, 30)) * half
    return torch.where(draw.share(draw.n, 1, 1, 1) < 0.1, base, _patches(lungs))


def _patches(lungs: Tensor) -> Tensor:
    """Ragged ellipses about a random point of the lungs, with radii of 7 to 35 % of the side before they are stretched."""
    draw, axis, side = Draws.like(lungs), centres(lungs.shape[-1], lungs), lungs.shape[-1]
    centre = _points(lungs)
    radius, stretch = draw.uniform(0.07, 0.35), torch.exp(draw.uniform(-0.6, 0.6))
    down = ((axis[None, None, :, None] - centre[:, 0, None, None, None]) / (radius * stretch)) ** 2
    across = ((axis[None, None, None] - centre[:, 1, None, None, None]) / (radius / stretch)) ** 2
    ragged = 1 - down - across + 0.6 * noise(draw, 8, side) + 0.3 * noise(draw, 24, side)
    return torch.sigmoid(ragged * draw.uniform(2, 6))


def _points(lungs: Tensor) -> Tensor:
    """A random point (row, col) inside the lungs of each image, (batch, 2) in shares of the side; the centre without lungs."""
    flat, side = (lungs.flatten(1) > 0.5).to(lungs.dtype), lungs.shape[-1]
    middle = side // 2 * side + side // 2
    flat[:, middle] = torch.where(flat.sum(1) == 0, torch.ones_like(flat[:, middle]), flat[:, middle])
    index = Draws.like(lungs).index(flat)
    return torch.stack([index // side, index % side], 1).to(lungs.dtype) / side


def _substance(grey: Tensor) -> Tensor:
    """The grey levels of an opacity: textured grey, grey under the image's own ribs and vessels, or another image's lung."""
    draw, side = Draws.like(grey), grey.shape[-1]
    bright = torch.quantile(grey.flatten(1)[:, ::7], 0.85, dim=1)[:, None, None, None] + draw.uniform(-0.1, 0.1)
    plain = bright + 0.06 * noise(draw, 48, side) + 0.05 * noise(draw, 16, side)
    fine = grey - smooth(grey, 12)
    through = bright + 0.04 * noise(draw, 16, side) + 0.03 * noise(draw, 40, side) + draw.uniform(0.2, 1) * fine
    other = torch.maximum(grey.roll(int(torch.randint(1, max(draw.n, 2), (1,), device="cpu")), 0), grey)
    textured = torch.where(draw.share(draw.n, 1, 1, 1) < 0.6, through, plain)
    return torch.where(draw.share(draw.n, 1, 1, 1) < 0.65, textured, other)


def _decoys(grey: Tensor, lungs: Tensor) -> Tensor:
    """A small rectangle of even grey outside of the lungs on 40 % of the images: a letter, a clip, an electrode."""
    draw, axis = Draws.like(grey), centres(grey.shape[-1], grey)
    top, left = draw.uniform(0, 0.95), draw.uniform(0, 0.95)
    rows = ((axis[None, None, :, None] - top) / draw.uniform(0.02, 0.08)).clamp(-1, 2)
    cols = ((axis[None, None, None] - left) / draw.uniform(0.02, 0.08)).clamp(-1, 2)
    inside = ((rows >= 0) & (rows < 1) & (cols >= 0) & (cols < 1)).to(grey.dtype) * (lungs < 0.3) * draw.chance(0.4)
    return grey * (1 - inside) + inside * draw.share(draw.n, 1, 1, 1)
