"""The outputs of a network for prepared squares, batch by batch, in single precision on the network's device."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from pneumoscope.classifier import device as devices
from pneumoscope.classifier.checkpoint import evaluating
from pneumoscope.training.compute import in_unit_interval

BATCH = 64
"""Images of a batch outside training."""


def as_tensor(squares: NDArray[np.uint8]) -> Tensor:
    """Convert grey levels to a tensor.

    Parameters
    ----------
    squares
        uint8, any shape.

    Returns
    -------
    Tensor
        float32, same shape, in [0, 1].
    """
    return torch.from_numpy(squares.astype(np.float32) / np.float32(255))


def outputs(network: nn.Module, of: Callable[[Tensor], Tensor], squares: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Compute a function of a network for all squares, in evaluation mode and without gradients.

    Parameters
    ----------
    network
        The network; its modes are the same afterwards.
    of
        Squares on the network's device, float32 (batch, channels, size_px, size_px) in [0, 1], to a tensor of as many rows.
    squares
        uint8, shape (n, channels, size_px, size_px).

    Returns
    -------
    ndarray of float32
        The rows of all batches, in the order of the squares.
    """
    device = devices.of(network)
    with evaluating(network), torch.inference_mode(), devices.exact(device):
        copies = (torch.from_numpy(np.array(squares[k : k + BATCH])) for k in range(0, len(squares), BATCH))
        sent = (devices.send(copy, device) for copy in copies)
        parts = [of(in_unit_interval(batch)).cpu() for batch in sent]
    return np.concatenate([part.numpy() for part in parts])


def predict(network: nn.Module, squares: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Compute the logits of squares, in evaluation mode and without gradients.

    Parameters
    ----------
    network
        The network; its modes are the same afterwards.
    squares
        uint8, shape (n, channels, size_px, size_px).

    Returns
    -------
    ndarray of float32
        n rows.
    """
    return outputs(network, network, squares)
