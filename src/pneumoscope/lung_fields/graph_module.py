"""From a radiograph to its lung fields, as plain tensor arithmetic that any graph can hold; needs PyTorch."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pneumoscope.lung_fields.lung_fields import FALLBACK, MARGIN, MAX_AREA_SHARE, MIN_AREA_SHARE
from pneumoscope.lung_fields.network import LungNetwork

_COARSE = 4  # cells of the network's square in one of the grid on which a lung is followed
_SEED = 11  # side, in coarse cells, of the neighbourhood whose densest place a lung is followed from; as wide as a lung
_STEPS = 24  # coarse cells that a lung may reach from there; a lung as high as the radiograph is 40 of them


class LungFieldModule(nn.Module):
    """A radiograph, float32 (batch, 1, rows, cols) in [0, 1] and of any size, to its lung fields.

    Returns, each for a batch:
    lungs: right and left lung field over the whole radiograph, float32 (batch, 2, side, side) in {0, 1}.
    quality: agreement of the probabilities with those (a Dice coefficient), (batch, 2) in [0, 1].
    found: how many of the two count as found, float32 (batch,).
    box: top, left, bottom and right edge of what a reader looks at, in shares of the radiograph, (batch, 4).
    """

    def __init__(self, network: LungNetwork, side: int, threshold: float) -> None:
        super().__init__()
        self.network = network
        self.side = side
        self.threshold = threshold
        self.register_buffer("edges", torch.arange(side + 1) / side, persistent=False)

    edges: Tensor

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        # Antialiased, as `Placement.pixels_to_square` resamples.
        square = F.interpolate(image, size=(self.side, self.side), mode="bilinear", antialias=True)
        probability = self.network(square).sigmoid()
        lungs = filled(connected((probability >= 0.5).float()))
        quality = 2 * (probability * lungs).sum((2, 3)) / (probability.sum((2, 3)) + lungs.sum((2, 3)))
        area = lungs.mean((2, 3))
        sound = (quality >= self.threshold) & (area >= MIN_AREA_SHARE) & (area <= MAX_AREA_SHARE)
        found = sound.float().sum(1)
        return lungs, quality, found, self.box(lungs.amax(1), found)

    def box(self, mask: Tensor, found: Tensor) -> Tensor:
        """The edges (batch, 4) around a mask (batch, side, side) with a margin; the central part unless both lungs were found."""
        low, high = zip(*(self.extent(mask.amax(axis)) for axis in (2, 1)), strict=True)
        margins = [MARGIN * (b - a) for a, b in zip(low, high, strict=True)]
        tight = torch.stack([low[0] - margins[0], low[1] - margins[1], high[0] + margins[0], high[1] + margins[1]], 1)
        outer = torch.tensor([1 - FALLBACK, 1 - FALLBACK, 1 + FALLBACK, 1 + FALLBACK]) / 2
        return torch.where((found == 2)[:, None], tight.clamp(0, 1), outer)

    def extent(self, line: Tensor) -> tuple[Tensor, Tensor]:
        """First and last edge (batch,) of the cells of a line (batch, side) that are 1."""
        first = (self.edges[:-1] * line + 2 * (1 - line)).amin(1)
        return first, (self.edges[1:] * line).amax(1)


def connected(mask: Tensor) -> Tensor:
    """The part of each mask (batch, channels, side, side) that hangs together with its densest place; what is apart goes.

    It is followed on a grid of four by four cells: parts that are nearer than that count as one.
    """
    coarse = F.max_pool2d(mask, _COARSE)
    dense = F.avg_pool2d(mask, _COARSE)
    around = F.avg_pool2d(dense, _SEED, 1, _SEED // 2) * coarse
    reached = _last_maximum(around) * coarse
    for _ in range(_STEPS):
        reached = F.max_pool2d(reached, 3, 1, 1) * coarse
    return mask * F.interpolate(reached, scale_factor=float(_COARSE), mode="nearest")


def _last_maximum(values: Tensor) -> Tensor:
    """1 at one place of each (batch, channels, side, side), a place of its maximum: two parts may be equally dense."""
    number = torch.arange(1, values.shape[2] * values.shape[3] + 1).reshape(values.shape[2:])
    numbered = (values >= values.amax((2, 3), keepdim=True)) * number
    return (numbered >= numbered.amax((2, 3), keepdim=True)).float()


def filled(mask: Tensor) -> Tensor:
    """Cells that a mask (batch, channels, side, side) has on all four sides belong to it: holes, and what is folded in."""
    return _between(mask, 2) * _between(mask, 3)


def _between(mask: Tensor, axis: int) -> Tensor:
    """1 where the mask lies on both sides along an axis, or is there itself."""
    upto = mask.cumsum(axis)
    return ((upto > 0) & (upto - mask < mask.sum(axis, keepdim=True))).float()
