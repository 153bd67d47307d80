"""Compute the answers of a model from its log-odds: the last part of a reader's graph."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from pneumoscope.classifier import Calibration, Card, PopulationSettings
from pneumoscope.classifier.score import OTHER, TARGET
from pneumoscope.heatmap.heatmap import EVIDENCE
from pneumoscope.reader.settings import settings_of


class Deciding(nn.Module):
    """A module that computes probability, decision, abstention and domain under each of the settings of a card, and scaled maps.

    It implements `pneumoscope.reader.settings` and `pneumoscope.heatmap.heatmap.scaled` with tensor operations. Thresholds are
    rounded so that a comparison in single precision has the same result as the reader's comparison in double precision.

    Parameters
    ----------
    card
        Card of the model.
    """

    threshold: Tensor
    low: Tensor
    high: Tensor
    limit: Tensor

    def __init__(self, card: Card) -> None:
        super().__init__()
        self.card = card
        self.settings: Mapping[str, PopulationSettings] = settings_of(card)
        each = self.settings.values()
        zones = [(z.low, z.high) if (z := one.grey_zone) else (0.0, 0.0) for one in each]
        limits = [one.domain.distance if one.domain else math.inf for one in each]
        self.register_buffer("threshold", _rounded([one.operating_point.threshold for one in each], up=True), persistent=False)
        self.register_buffer("low", _rounded([low for low, _ in zones], up=True), persistent=False)
        self.register_buffer("high", _rounded([high for _, high in zones], up=True), persistent=False)
        self.register_buffer("limit", _rounded(limits, up=False), persistent=False)

    def forward(self, logits: Tensor, distance: Tensor, lungs_found: Tensor, *maps: Tensor) -> tuple[Tensor, ...]:
        """Compute the answers.

        Parameters
        ----------
        logits
            Logits, shape (n, classes).
        distance
            Distance from the training images, shape (n,).
        lungs_found
            Number of lungs that count as found, shape (n,).
        maps
            Raw heat maps of all classes by each method of the card, each of shape (n, classes, h, w).

        Returns
        -------
        tuple of Tensor
            Probability, decision, abstention and domain, each of shape (n, settings), the last three in {0, 1}; and for each
            method the scaled heat maps of all classes, shape (n, classes, h, w).
        """
        probability = self.probability(logits[:, TARGET] - logits[:, OTHER])
        decision = probability >= self.threshold
        abstains = (probability >= self.low) & (probability < self.high)
        inside = (lungs_found[:, None] > 0) & (distance[:, None] <= self.limit)
        scaled = [self.scaled(raw, method) for raw, method in zip(maps, self.card.map_scales, strict=True)]
        return probability, *(flag.to(probability.dtype) for flag in (decision, abstains, inside)), *scaled

    def probability(self, log_odds: Tensor) -> Tensor:
        """Calibrate log-odds under each of the settings.

        Parameters
        ----------
        log_odds
            Log-odds of the target, shape (n,).

        Returns
        -------
        Tensor
            Probability of the target, shape (n, settings), in [0, 1].
        """
        return torch.stack([calibrated(log_odds, one.calibration) for one in self.settings.values()], 1)

    def scaled(self, raw: Tensor, method: str) -> Tensor:
        """Scale raw maps in the same way as `pneumoscope.heatmap.heatmap.scaled`.

        Parameters
        ----------
        raw
            Raw maps of all classes, shape (n, classes, h, w).
        method
            Method of the maps.

        Returns
        -------
        Tensor
            Scaled maps, same shape.
        """
        scale = self.card.map_scales[method]
        if method != EVIDENCE:
            return raw / scale
        if self.card.calibration.method in ("none", "temperature"):
            return torch.sigmoid(raw / scale)
        target = calibrated(raw[:, TARGET], self.card.calibration)
        return torch.stack([1 - target, target], 1)


def calibrated(log_odds: Tensor, calibration: Calibration) -> Tensor:
    """Calibrate log-odds in the same way as `Calibration`.

    Parameters
    ----------
    log_odds
        Log-odds of the target, any shape.
    calibration
        The calibration.

    Returns
    -------
    Tensor
        Probability of the target, same shape, in [0, 1].
    """
    if calibration.method != "isotonic":
        return torch.sigmoid(log_odds / calibration.temperature + calibration.intercept)
    at, value = (torch.tensor(v, dtype=log_odds.dtype) for v in zip(*calibration.knots, strict=True))
    width = (at[1:] - at[:-1]).clamp(min=1e-12)
    share = ((log_odds[..., None] - at[:-1]) / width).clamp(0, 1)
    return (value[0] + (share * (value[1:] - value[:-1])).sum(-1)).clamp(0, 1)


def _rounded(values: Sequence[float], *, up: bool) -> Tensor:
    """Round values to single precision upwards or downwards."""
    wide = np.array(values)
    nearest = wide.astype(np.float32)
    wrong = nearest < wide if up else nearest > wide
    return torch.from_numpy(np.where(wrong, np.nextafter(nearest, np.float32(np.inf if up else -np.inf)), nearest))
