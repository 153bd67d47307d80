"""Prepare the classifier's square from a radiograph and its lung fields: the first part of a reader's graph."""

import torch
from torch import Tensor, nn

from pneumoscope.classifier.preprocessing import Preprocessing
from pneumoscope.lung_fields.triangle_filter import cropped, resampled


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
        return resampled(image, self.side)


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
        return torch.cat([cropped(image, box, self.side), cropped(counted, box, self.side)], 1)
