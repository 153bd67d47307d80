"""Compute the lung fields of a radiograph with tensor operations that ONNX can express; needs PyTorch."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pneumoscope.lung_fields.lung_fields import FALLBACK, MARGIN, MAX_AREA_SHARE, MIN_AREA_SHARE
from pneumoscope.lung_fields.network import LungNetwork
from pneumoscope.lung_fields.triangle_filter import resampled

_COARSE = 4  # edge, in cells of the mask, of one cell of the coarse grid on which a lung is grown
_SEED = 11  # edge, in coarse cells, of the window whose densest position is the seed; about the width of a lung
_STEPS = 24  # dilation steps from the seed; a lung as high as the radiograph has 40 coarse cells


class LungFieldModule(nn.Module):
    """A module that computes the lung fields of radiographs from the probabilities of a `LungNetwork`.

    Parameters
    ----------
    network : LungNetwork
        The network.
    size_px : int
        Edge of the network's square input in pixels, a multiple of 4.
    threshold : float
        Lowest quality, in [0, 1], at which a lung counts as found.
    """

    def __init__(self, network: LungNetwork, size_px: int, threshold: float) -> None:
        super().__init__()
        self.network = network
        self.size_px = size_px
        self.threshold = threshold
        self.register_buffer("edges", torch.arange(size_px + 1) / size_px, persistent=False)

    edges: Tensor

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Segment the lung fields of a batch of radiographs.

        Parameters
        ----------
        image : Tensor
            Radiographs in the displayed order, float32, shape (batch, 1, rows, cols), in [0, 1], of any size.

        Returns
        -------
        lungs : Tensor
            Masks of the right and the left lung over the whole radiograph, float32, (batch, 2, size_px, size_px), in {0, 1}.
        quality : Tensor
            Soft Dice coefficient of each lung's probabilities with its mask, shape (batch, 2), in [0, 1].
        n_found : Tensor
            Number of lungs that count as found, float32, shape (batch,), in {0, 1, 2}.
        box : Tensor
            Top, left, bottom and right edge of the lung box, as shares of the radiograph, shape (batch, 4), in [0, 1].
        """
        probability = self.network(resampled(image, self.size_px)).sigmoid()
        lungs = filled(connected((probability >= 0.5).float()))
        quality = 2 * (probability * lungs).sum((2, 3)) / (probability.sum((2, 3)) + lungs.sum((2, 3)))
        area = lungs.mean((2, 3))
        sound = (quality >= self.threshold) & (area >= MIN_AREA_SHARE) & (area <= MAX_AREA_SHARE)
        n_found = sound.float().sum(1)
        return lungs, quality, n_found, self.box(lungs.amax(1), n_found)

    def box(self, mask: Tensor, n_found: Tensor) -> Tensor:
        """Compute the lung box: both lungs with a margin, or the central part of the radiograph unless both lungs were found.

        Parameters
        ----------
        mask : Tensor
            Union of both lungs, shape (batch, size_px, size_px), in {0, 1}.
        n_found : Tensor
            Number of lungs that count as found, shape (batch,).

        Returns
        -------
        Tensor
            Top, left, bottom and right edge, as shares of the radiograph, shape (batch, 4), in [0, 1].
        """
        low, high = zip(*(self.extent(mask.amax(axis)) for axis in (2, 1)), strict=True)
        margins = [MARGIN * (b - a) for a, b in zip(low, high, strict=True)]
        tight = torch.stack([low[0] - margins[0], low[1] - margins[1], high[0] + margins[0], high[1] + margins[1]], 1)
        outer = torch.tensor([1 - FALLBACK, 1 - FALLBACK, 1 + FALLBACK, 1 + FALLBACK]) / 2
        return torch.where((n_found == 2)[:, None], tight.clamp(0, 1), outer)

    def extent(self, line: Tensor) -> tuple[Tensor, Tensor]:
        """Find the first and the last edge of the cells that are 1 along an axis.

        Parameters
        ----------
        line : Tensor
            Projection of a mask on the axis, shape (batch, size_px), in {0, 1}.

        Returns
        -------
        first, last : Tensor
            Edges as shares of the axis, each of shape (batch,); 2 and 0 for an empty line.
        """
        first = (self.edges[:-1] * line + 2 * (1 - line)).amin(1)
        return first, (self.edges[1:] * line).amax(1)


def connected(mask: Tensor) -> Tensor:
    """Extract the connected component that contains the densest position of each mask.

    The component is grown by dilation on a coarse grid of 4 × 4 cells: parts in neighbouring coarse cells count as connected.

    Parameters
    ----------
    mask : Tensor
        Masks, shape (batch, channels, size_px, size_px), in {0, 1}; size_px is a multiple of 4.

    Returns
    -------
    Tensor
        The masks without all other components, same shape.
    """
    coarse = F.max_pool2d(mask, _COARSE)
    dense = F.avg_pool2d(mask, _COARSE)
    around = F.avg_pool2d(dense, _SEED, 1, _SEED // 2) * coarse
    reached = _last_maximum(around) * coarse
    for _ in range(_STEPS):
        reached = F.max_pool2d(reached, 3, 1, 1) * coarse
    return mask * F.interpolate(reached, scale_factor=float(_COARSE), mode="nearest")


def _last_maximum(values: Tensor) -> Tensor:
    """Mark one position of the maximum of each channel with 1; of several equal maxima the last."""
    number = torch.arange(1, values.shape[2] * values.shape[3] + 1).reshape(values.shape[2:])
    numbered = (values >= values.amax((2, 3), keepdim=True)) * number
    return (numbered >= numbered.amax((2, 3), keepdim=True)).float()


def filled(mask: Tensor) -> Tensor:
    """Fill the holes of masks: every cell that has cells of the mask on all four sides along its row and its column.

    Parameters
    ----------
    mask : Tensor
        Masks, shape (batch, channels, size_px, size_px), in {0, 1}.

    Returns
    -------
    Tensor
        The filled masks, same shape; narrow concavities are filled too.
    """
    return _between(mask, 2) * _between(mask, 3)


def _between(mask: Tensor, axis: int) -> Tensor:
    """Mark with 1 the cells of the mask and the cells that have cells of the mask on both sides along an axis."""
    upto = mask.cumsum(axis)
    return ((upto > 0) & (upto - mask < mask.sum(axis, keepdim=True))).float()
