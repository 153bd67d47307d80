"""The noun `SquareStore`: prepared squares where a training uses them."""

from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pneumoscope.training.compute import Compute, in_unit_interval
from pneumoscope.training.prepared import Squares


class SquareStore:
    """The squares of a split, on the device if they fit into a share of its memory, else in the memory-mapped file.

    Parameters
    ----------
    squares
        uint8, shape (n, channels, size_px, size_px).
    compute
        The device, and the type of the numbers on it.
    """

    def __init__(self, squares: Squares, compute: Compute) -> None:
        self.squares, self.compute = squares, compute
        self.resident = compute.holds(squares)

    @cached_property
    def _on_device(self) -> Tensor:
        return torch.from_numpy(np.array(self.squares)).to(self.compute.device)

    def rows(self, chosen: NDArray[np.intp]) -> Tensor:
        """Return some squares on the device.

        Parameters
        ----------
        chosen
            Indices of squares, shape (m,).

        Returns
        -------
        Tensor
            Shape (m, channels, size_px, size_px), in [0, 1].
        """
        if not len(chosen):
            return torch.empty((0, *self.squares.shape[1:]), device=self.compute.device, dtype=self.compute.dtype)
        if self.resident:
            return in_unit_interval(self._on_device[self.compute.send(chosen)], self.compute.dtype)
        return self.compute.send_squares(self.squares[chosen])
