"""Compute the calibrated probability and the distance from the training images: the last part of a reader's graph."""

import torch
from torch import Tensor, nn

from pneumoscope.classifier import Domain
from pneumoscope.classifier.score import OTHER, TARGET, Calibration


class ScoredNetwork(nn.Module):
    """A module that computes logits, probability, distance and heat maps in float32.

    It implements `Calibration` and `Domain` with tensor operations, so that they can be part of a graph.

    Parameters
    ----------
    network
        Module from prepared squares (batch, channels, size_px, size_px) to logits (batch, classes), features (batch, features)
        and raw maps, each (batch, classes, h, w).
    calibration
        Calibration of the log-odds of the target.
    domain
        Domain of the training images; if None, all distances are 0.
    """

    mean: Tensor
    scale: Tensor
    axes: Tensor
    spread: Tensor
    rest: Tensor

    def __init__(self, network: nn.Module, calibration: Calibration, domain: Domain | None) -> None:
        super().__init__()
        self.network = network
        self.calibration = calibration
        self.domain = domain
        for name, value in vars(domain).items() if domain else ():
            self.register_buffer(name, torch.as_tensor(value, dtype=torch.float32), persistent=False)

    def forward(self, square: Tensor) -> tuple[Tensor, ...]:
        """Compute logits, probability, distance and heat maps.

        Parameters
        ----------
        square
            Prepared squares, float32, shape (batch, channels, size_px, size_px), in [0, 1].

        Returns
        -------
        tuple of Tensor
            Logits (batch, classes), probability (batch,), distance (batch,), and raw maps (batch, classes, h, w) for
            each method.
        """
        logits, features, *maps = self.network(square)
        return logits, self.probability(logits[:, TARGET] - logits[:, OTHER]), self.distance(features), *maps

    def probability(self, log_odds: Tensor) -> Tensor:
        """Calibrate log-odds in the same way as `Calibration`.

        Parameters
        ----------
        log_odds
            Log-odds of the target, shape (batch,).

        Returns
        -------
        Tensor
            Probability of the target, shape (batch,), in [0, 1].
        """
        fitted = self.calibration
        if fitted.method != "isotonic":
            scaled = log_odds / fitted.temperature
            return torch.sigmoid(scaled + fitted.intercept if fitted.intercept else scaled)
        at, value = (torch.tensor(v, dtype=log_odds.dtype) for v in zip(*fitted.knots, strict=True))
        width = (at[1:] - at[:-1]).clamp(min=1e-12)
        share = ((log_odds[:, None] - at[:-1]) / width).clamp(0, 1)
        return value[0] + (share * (value[1:] - value[:-1])).sum(1)

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
