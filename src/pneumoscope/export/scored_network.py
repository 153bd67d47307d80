"""The last part of a reader's graph: from logits and features to the calibrated probability and the distance."""

import torch
from torch import Tensor, nn

from pneumoscope.classifier import Domain
from pneumoscope.classifier.score import OTHER, TARGET, Calibration


class ScoredNetwork(nn.Module):
    """Squares to logits, probability, distance and heat maps, in float32.

    The arithmetic of `Calibration` and `Domain` as tensor operations, so that it can be part of a graph.

    Parameters
    ----------
    network
        Squares (batch, channels, size_px, size_px) to logits (batch, classes), features (batch, features) and maps, each
        (batch, classes, h, w).
    calibration
        Log-odds of the target to its probability.
    domain
        The domain of the training images; None if it is not known, which makes every distance 0.
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
        """Compute logits, probability, distance and maps of squares.

        Parameters
        ----------
        square
            float32, shape (batch, channels, size_px, size_px), in [0, 1].

        Returns
        -------
        tuple of Tensor
            Logits (batch, classes), probability (batch,), distance (batch,), and maps (batch, classes, h, w) for each method.
        """
        logits, features, *maps = self.network(square)
        return logits, self.probability(logits[:, TARGET] - logits[:, OTHER]), self.distance(features), *maps

    def probability(self, log_odds: Tensor) -> Tensor:
        """Calibrate log-odds as `Calibration` does.

        Parameters
        ----------
        log_odds
            Shape (batch,).

        Returns
        -------
        Tensor
            Probability, shape (batch,).
        """
        fitted = self.calibration
        if fitted.method != "isotonic":
            return torch.sigmoid(log_odds / fitted.temperature)
        at, value = (torch.tensor(v, dtype=torch.float32) for v in zip(*fitted.knots, strict=True))
        width = (at[1:] - at[:-1]).clamp(min=1e-12)
        share = ((log_odds[:, None] - at[:-1]) / width).clamp(0, 1)
        return value[0] + (share * (value[1:] - value[:-1])).sum(1)

    def distance(self, features: Tensor) -> Tensor:
        """Measure the distance of features as `Domain.distance` does; 0 without a domain.

        Parameters
        ----------
        features
            Shape (batch, features).

        Returns
        -------
        Tensor
            Distance, shape (batch,).
        """
        if self.domain is None:
            return features[:, 0] * 0
        scaled = (features - self.mean) / self.scale
        along = scaled @ self.axes
        left = (scaled**2).sum(1) - (along**2).sum(1)
        return ((((along / self.spread) ** 2).mean(1) + left.clamp(min=0) / self.rest) / 2).sqrt()
