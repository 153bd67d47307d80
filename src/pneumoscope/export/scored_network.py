"""Compute logits, distance from the training images and heat maps: the part of a reader's graph after the square."""

import torch
from torch import Tensor, nn

from pneumoscope.classifier import Domain


class ScoredNetwork(nn.Module):
    """A module that computes logits, distance and heat maps in float32.

    It implements `Domain` with tensor operations, so that it can be part of a graph.

    Parameters
    ----------
    network
        Module from prepared squares (batch, channels, size_px, size_px) to logits (batch, classes), features (batch, features)
        and raw maps, each (batch, classes, h, w).
    domain
        Domain of the training images; if None, all distances are 0.
    """

    mean: Tensor
    scale: Tensor
    axes: Tensor
    spread: Tensor
    rest: Tensor

    def __init__(self, network: nn.Module, domain: Domain | None) -> None:
        super().__init__()
        self.network = network
        self.domain = domain
        for name, value in vars(domain).items() if domain else ():
            self.register_buffer(name, torch.as_tensor(value, dtype=torch.float32), persistent=False)

    def forward(self, square: Tensor) -> tuple[Tensor, ...]:
        """Compute logits, distance and heat maps.

        Parameters
        ----------
        square
            Prepared squares, float32, shape (batch, channels, size_px, size_px), in [0, 1].

        Returns
        -------
        tuple of Tensor
            Logits (batch, classes), distance (batch,), and raw maps (batch, classes, h, w) for each method.
        """
        logits, features, *maps = self.network(square)
        return logits, self.distance(features), *maps

    def distance(self, features: Tensor) -> Tensor:
        """Compute the distance of features from the training images in the same way as `Domain.distance`.

        Parameters
        ----------
        features
            Features of the network, shape (batch, features).

        Returns
        -------
        Tensor
            Distance, shape (batch,), ≥ 0; 0 without a domain.
        """
        if self.domain is None:
            return features[:, 0] * 0
        scaled = (features - self.mean) / self.scale
        along = scaled @ self.axes
        left = (scaled**2).sum(1) - (along**2).sum(1)
        return ((((along / self.spread) ** 2).mean(1) + left.clamp(min=0) / self.rest) / 2).sqrt()
