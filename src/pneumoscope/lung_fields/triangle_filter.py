"""Resample images by products with the weights of Pillow's triangle filter, which every runtime computes alike; needs PyTorch.

ONNX has an antialiased ``Resize`` for this, but OpenVINO and MNN ignore the antialiasing without a warning, and WebGPU refuses
the operation.
"""

import torch
from torch import Tensor


def resampled(image: Tensor, side: int) -> Tensor:
    """Resample whole images to a square.

    Parameters
    ----------
    image : Tensor
        Images, shape (batch, channels, rows, cols), of any size.
    side : int
        Edge of the square in pixels, >= 1.

    Returns
    -------
    Tensor
        Squares, shape (batch, channels, side, side).
    """
    return cropped(image, torch.tensor([[0.0, 0.0, 1.0, 1.0]], dtype=image.dtype), side)


def cropped(image: Tensor, box: Tensor, side: int) -> Tensor:
    """Crop images to boxes and resample the crops to squares.

    Parameters
    ----------
    image : Tensor
        Images, shape (batch, channels, rows, cols).
    box : Tensor
        Top, left, bottom and right edge of the box as shares of the image, shape (batch, 4) or (1, 4).
    side : int
        Edge of the square in pixels, >= 1.

    Returns
    -------
    Tensor
        Squares, shape (batch, channels, side, side).
    """
    rows, cols = image.shape[-2:]
    down = _weights(box[:, 0], box[:, 2], rows, side)
    across = _weights(box[:, 1], box[:, 3], cols, side)
    return down[:, None] @ image @ across[:, None].transpose(2, 3)


def _weights(low: Tensor, high: Tensor, cells: int, side: int) -> Tensor:
    """Compute the weights (batch, side, cells) that resample a line of `cells` values between two edges (batch,), in shares.

    The half-width of the triangle is the distance between two new cells, but at least one old cell.
    """
    start, step = low * cells, (high - low) * (cells / side)
    centre = start[:, None] + (torch.arange(side) + 0.5) * step[:, None]  # (batch, side)
    distance = (torch.arange(cells) + 0.5 - centre[..., None]).abs() / step.clamp(min=1)[:, None, None]
    weight = torch.relu(1 - distance)
    return weight / weight.sum(2, keepdim=True)
