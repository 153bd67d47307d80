"""The first part of a reader's graph: from a radiograph and its lung fields to the classifier's square."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pneumoscope.classifier.preprocessing import Preprocessing


class Whole(nn.Module):
    """Whole images of any size, resampled to a square."""

    def __init__(self, side: int) -> None:
        super().__init__()
        self.side = side

    def forward(self, image: Tensor) -> Tensor:
        """Resample images, antialiased.

        Parameters
        ----------
        image
            float32, shape (batch, 1, rows, cols), in [0, 1], of any size.

        Returns
        -------
        Tensor
            Shape (batch, 1, size_px, size_px).
        """
        return F.interpolate(image, size=(self.side, self.side), mode="bilinear", antialias=True)


class Look(nn.Module):
    """What `pneumoscope.classifier.preprocessing.prepare` does where lungs count, as tensor arithmetic.

    Takes whole images, float32 (batch, 1, source, source) in [0, 1], their lung fields (batch, 2, cells, cells) in {0, 1}, how
    many of the two were found (batch,), and the edges of the box to look at (batch, 4) in shares. Returns squares
    (batch, 2, side, side).
    """

    def __init__(self, preprocessing: Preprocessing) -> None:
        super().__init__()
        self.side = preprocessing.size_px
        self.cut = float(preprocessing.crop == "lungs")

    def forward(self, image: Tensor, lungs: Tensor, found: Tensor, box: Tensor) -> Tensor:
        """Cut out and resample the square that the classifier looks at.

        Parameters
        ----------
        image
            Whole images, float32, shape (batch, 1, source_px, source_px), in [0, 1].
        lungs
            Lung fields, shape (batch, 2, cells, cells), 0 or 1.
        found
            Number of lungs that count as found, shape (batch,).
        box
            Edges of the box to look at as shares of the image, shape (batch, 4): top, left, bottom, right.

        Returns
        -------
        Tensor
            Grey and what counts as lung, shape (batch, 2, size_px, size_px).
        """
        box = box * self.cut + torch.tensor([0.0, 0.0, 1.0, 1.0]) * (1 - self.cut)
        # Unless both lungs were found, everything counts as lung: a guess must not exclude a part of the box.
        counted = torch.where((found == 2)[:, None, None, None], lungs.amax(1, keepdim=True), 1.0)
        return torch.cat([_cropped(image, box, self.side), _cropped(counted, box, self.side)], 1)


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
