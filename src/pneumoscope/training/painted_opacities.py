"""Opacities painted into lungs: they train where the evidence lies without pixel labels or boxes."""

import torch
from torch import Tensor

from pneumoscope.training.random_images import chance, uniform
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
    painted = torch.zeros_like(grey)
    for number in range(OPACITIES):
        present = chance(len(grey), 0.55 if number == 0 else 0.35)
        opaque = present * _shapes(lungs) * lungs * uniform(len(grey), 0.12, 0.85)
        new = grey * (1 - opaque) + opaque * _substance(grey)
        visible = (opaque > VISIBLE) & ((new - grey).abs() > CHANGED)
        grey, painted = new, torch.maximum(painted, visible.float())
    return _decoys(grey, lungs), painted


def _shapes(lungs: Tensor) -> Tensor:
    """Soft outlines in [0, 1], (batch, 1, side, side): ragged patches, or on one image of ten the shadow of a lung base."""
    n, side = len(lungs), lungs.shape[-1]
    axis = (torch.arange(side) + 0.5) / side
    rows, cols = axis[None, None, :, None], axis[None, None, None]
    half = torch.where(chance(n, 0.5) > 0, (cols < 0.5).float(), (cols >= 0.5).float())
    level = rows - uniform(n, 0.45, 0.95) + 0.25 * (cols - 0.5).abs() + 0.04 * noise(n, 6, side)
    base = torch.sigmoid(level * uniform(n, 8, 30)) * half
    return torch.where(torch.rand(n, 1, 1, 1) < 0.1, base, _patches(lungs))


def _patches(lungs: Tensor) -> Tensor:
    """Ragged ellipses about a random point of the lungs, with radii of 7 to 35 % of the side before they are stretched."""
    n, side = len(lungs), lungs.shape[-1]
    axis = (torch.arange(side) + 0.5) / side
    centre = _points(lungs)
    radius, stretch = uniform(n, 0.07, 0.35), torch.exp(uniform(n, -0.6, 0.6))
    down = ((axis[None, None, :, None] - centre[:, 0, None, None, None]) / (radius * stretch)) ** 2
    across = ((axis[None, None, None] - centre[:, 1, None, None, None]) / (radius / stretch)) ** 2
    ragged = 1 - down - across + 0.6 * noise(n, 8, side) + 0.3 * noise(n, 24, side)
    return torch.sigmoid(ragged * uniform(n, 2, 6))


def _points(lungs: Tensor) -> Tensor:
    """A random point (row, col) inside the lungs of each image, (batch, 2) in shares of the side; the centre without lungs."""
    flat = (lungs.flatten(1) > 0.5).float()
    side = lungs.shape[-1]
    flat[flat.sum(1) == 0, side // 2 * side + side // 2] = 1
    index = torch.multinomial(flat, 1)[:, 0]
    return torch.stack([index // side, index % side], 1).float() / side


def _substance(grey: Tensor) -> Tensor:
    """The grey levels of an opacity: textured grey, grey under the image's own ribs and vessels, or another image's lung."""
    n, side = grey.shape[0], grey.shape[-1]
    bright = torch.quantile(grey.flatten(1)[:, ::7], 0.85, dim=1)[:, None, None, None] + uniform(n, -0.1, 0.1)
    plain = bright + 0.06 * noise(n, 48, side) + 0.05 * noise(n, 16, side)
    fine = grey - smooth(grey, 12)
    through = bright + 0.04 * noise(n, 16, side) + 0.03 * noise(n, 40, side) + uniform(n, 0.2, 1) * fine
    other = torch.maximum(grey.roll(int(torch.randint(1, max(n, 2), (1,))), 0), grey)
    textured = torch.where(torch.rand(n, 1, 1, 1) < 0.6, through, plain)
    return torch.where(torch.rand(n, 1, 1, 1) < 0.65, textured, other)


def _decoys(grey: Tensor, lungs: Tensor) -> Tensor:
    """A small rectangle of even grey outside of the lungs on 40 % of the images: a letter, a clip, an electrode."""
    n, side = len(grey), grey.shape[-1]
    axis = (torch.arange(side) + 0.5) / side
    top, left = uniform(n, 0, 0.95), uniform(n, 0, 0.95)
    rows = ((axis[None, None, :, None] - top) / uniform(n, 0.02, 0.08)).clamp(-1, 2)
    cols = ((axis[None, None, None] - left) / uniform(n, 0.02, 0.08)).clamp(-1, 2)
    inside = ((rows >= 0) & (rows < 1) & (cols >= 0) & (cols < 1)).float() * (lungs < 0.3) * chance(n, 0.4)
    return grey * (1 - inside) + inside * torch.rand(n, 1, 1, 1)
