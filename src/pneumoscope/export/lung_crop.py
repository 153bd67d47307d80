"""Prepare the classifier's square from a radiograph and its lung fields: the first part of a reader's graph."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pneumoscope.classifier.preprocessing import Preprocessing


class Whole(nn.Module):
    """A module that resamples whole images of any size to a square.

    Parameters
    ----------
    side
        Edge of the square in pixels.
    """

    def __init__(self, side: int) -> None:
        super().__init__()
        self.side = side

    def forward(self, image: Tensor) -> Tensor:
        """Resample images with an antialiasing filter.

        Parameters
        ----------
        image
            Grey levels, float32, shape (batch, 1, rows, cols), in [0, 1], of any size.

        Returns
        -------
        Tensor
            Squares, shape (batch, 1, side, side).
        """
        return F.interpolate(image, size=(self.side, self.side), mode="bilinear", antialias=True)


class Look(nn.Module):
    """A module that implements `pneumoscope.classifier.preprocessing.prepare` with lungs by tensor operations.

    Parameters
    ----------
    preprocessing
        Preprocessing that names a lung-field model.
    """

    def __init__(self, preprocessing: Preprocessing) -> None:
        super().__init__()
        self.side = preprocessing.size_px
        self.cut = float(preprocessing.crop == "lungs")

    def forward(self, image: Tensor, lungs: Tensor, found: Tensor, box: Tensor) -> Tensor:
        """Crop images and lung masks, and resample them to squares.

        Parameters
        ----------
        image
            Whole images, float32, shape (batch, 1, source_px, source_px), in [0, 1].
        lungs
            Masks of the right and the left lung over the whole image, shape (batch, 2, cells, cells), in {0, 1}.
        found
            Number of lungs that count as found, shape (batch,).
        box
            Top, left, bottom and right edge of the lung box as shares of the image, shape (batch, 4).

        Returns
        -------
        Tensor
            Squares with the channels grey and lungs, shape (batch, 2, size_px, size_px), in [0, 1].
        """
        box = box * self.cut + torch.tensor([0.0, 0.0, 1.0, 1.0]) * (1 - self.cut)
        # Unless both lungs were found, everything counts as lung, so that a doubtful mask excludes no part of the box.
        counted = torch.where((found == 2)[:, None, None, None], lungs.amax(1, keepdim=True), 1.0)
        return torch.cat([_cropped(image, box, self.side), _cropped(counted, box, self.side)], 1)


def _cropped(image: Tensor, box: Tensor, side: int) -> Tensor:
    """Crop each image (batch, 1, rows, cols) to its box (batch, 4) and resample it with an antialiasing triangle filter."""
    rows, cols = image.shape[-2:]
    down = _weights(box[:, 0], box[:, 2], rows, side)
    across = _weights(box[:, 1], box[:, 3], cols, side)
    return (down @ image[:, 0] @ across.transpose(1, 2))[:, None]


def _weights(low: Tensor, high: Tensor, cells: int, side: int) -> Tensor:
    """Compute the weights (batch, side, cells) that resample a line of `cells` values between two edges (batch,), in shares.

    The filter is Pillow's triangle filter: its half-width is the distance between two new cells, but at least one old cell.
    """
    start, step = low * cells, (high - low) * (cells / side)
    centre = start[:, None] + (torch.arange(side) + 0.5) * step[:, None]  # (batch, side)
    distance = (torch.arange(cells) + 0.5 - centre[..., None]).abs() / step.clamp(min=1)[:, None, None]
    weight = torch.relu(1 - distance)
    return weight / weight.sum(2, keepdim=True)
