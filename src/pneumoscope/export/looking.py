"""The first part of a reader's graph: from a radiograph and its lung fields to the square that the classifier looks at."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pneumoscope.classifier.preprocessing import Preprocessing


class Look(nn.Module):
    """What `pneumoscope.classifier.preprocessing.prepare` does, as tensor arithmetic.

    Takes images float32 (batch, 1, rows, cols) in [0, 1] of any size, their lung fields (batch, 2, cells, cells) in {0, 1}, how many
    of the two were found (batch,), and the edges of the box to look at (batch, 4) in shares. Returns squares (batch, channels,
    side, side).
    """

    def __init__(self, preprocessing: Preprocessing) -> None:
        super().__init__()
        self.wanted = preprocessing

    def forward(self, image: Tensor, lungs: Tensor, found: Tensor, box: Tensor) -> Tensor:
        wanted = self.wanted
        source = wanted.source_px or wanted.side_px
        small = F.interpolate(image, size=(source, source), mode="bilinear", antialias=True)
        if wanted.view == "whole":
            small = F.interpolate(small, size=(wanted.side_px, wanted.side_px), mode="bilinear", antialias=True)
            box = torch.tensor([0.0, 0.0, 1.0, 1.0]).expand(len(box), -1)
        else:
            small = _cropped(small, box, wanted.side_px)
        if not wanted.lungs:
            return small
        # Unless both were found everything counts as lung: no part of the box may be left out on a guess.
        counted = torch.where((found == 2)[:, None, None, None], lungs.amax(1, keepdim=True), 1.0)
        return torch.cat([small, _cropped(counted, box, wanted.side_px)], 1)


def _cropped(image: Tensor, box: Tensor, side: int) -> Tensor:
    """A box (batch, 4) of each image (batch, 1, rows, cols), resampled to a square with an antialiased triangle filter."""
    rows, cols = image.shape[-2:]
    down = _weights(box[:, 0], box[:, 2], rows, side)
    across = _weights(box[:, 1], box[:, 3], cols, side)
    return (down @ image[:, 0] @ across.transpose(1, 2))[:, None]


def _weights(low: Tensor, high: Tensor, cells: int, side: int) -> Tensor:
    """Weights (batch, side, cells) with which a line of `cells` values is resampled between two edges (batch,) in shares.

    The triangle filter of Pillow: as wide as the step between the new cells, and no narrower than the old ones.
    """
    start, step = low * cells, (high - low) * (cells / side)
    centre = start[:, None] + (torch.arange(side) + 0.5) * step[:, None]  # (batch, side)
    distance = (torch.arange(cells) + 0.5 - centre[..., None]).abs() / step.clamp(min=1)[:, None, None]
    weight = torch.relu(1 - distance)
    return weight / weight.sum(2, keepdim=True)
