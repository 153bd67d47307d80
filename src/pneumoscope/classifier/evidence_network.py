"""A classifier whose score is pooled from its own map: one evidence value for each cell, pooled over the cells that are lung.

After PYLON (Preechakul et al. 2022, doi 10.1016/j.patter.2022.100445) in its pyramid, and Pinheiro & Collobert 2015
(arXiv 1411.6228, eq. 6) in its pooling; pooling over lung cells alone is this project's.
"""

from collections.abc import Sequence
from typing import Any

import timm
import torch
import torchvision
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.models.feature_extraction import create_feature_extractor

from pneumoscope.classifier.backbone import Backbone

EVIDENCE_HEADS = ("evidence", "evidence-everywhere", "evidence-coarse")
"""Pooled over the lungs; pooled over all cells; pooled over the lungs, from the coarsest layer alone."""
SHARPNESS = 4.0
"""r of the log-sum-exp: r → 0 gives the mean, r → ∞ the maximum."""
_WIDTH = 64
_LEAST = 1e-12  # weight of a cell outside of the lungs, so that an empty mask still has a score


def over_cells(channel: Tensor, cells: Tensor) -> Tensor:
    """Average a channel over the cells of evidence.

    Parameters
    ----------
    channel
        Shape (batch, 1, size_px, size_px).
    cells
        Evidence, shape (batch, h, w); gives the grid.

    Returns
    -------
    Tensor
        Shape (batch, h, w).
    """
    rows, cols = cells.shape[-2:]
    return F.adaptive_avg_pool2d(channel, (rows, cols))[:, 0]


def pool(evidence: Tensor, lung_share: Tensor) -> Tensor:
    """Pool evidence to log-odds by a weighted log-sum-exp: ``(1/r) · log(Σ w · exp(r · e) / Σ w)`` over cells.

    Parameters
    ----------
    evidence
        Shape (batch, h, w).
    lung_share
        Share w of each cell that is lung, same shape, in [0, 1].

    Returns
    -------
    Tensor
        Log-odds, shape (batch,), between the mean and the maximum of the evidence inside the lungs.
    """
    weight = lung_share.flatten(1).clamp(min=_LEAST)
    total = torch.logsumexp(SHARPNESS * evidence.flatten(1) + weight.log(), 1)
    return (total - weight.sum(1).log()) / SHARPNESS


class EvidenceNetwork(nn.Module):
    """Squares with their lung channel to logits, by way of the evidence.

    Input: float32 (batch, 2, side, side), grey and lungs, both in [0, 1]. Grey is normalized by its own mean and deviation.
    Logits (batch, 2) are 0 and the log-odds.
    """

    model: Any  # its attributes are the library's

    def __init__(self, model: nn.Module, backbone: Backbone, head: str) -> None:
        super().__init__()
        self.model = model
        self.everywhere = head == "evidence-everywhere"
        self.levels_used = 1 if head == "evidence-coarse" else len(backbone.pyramid)
        channels = [c for _, c in backbone.pyramid][-self.levels_used :]
        self.drop = nn.Dropout2d(0.1)
        self.lateral = nn.ModuleList(nn.Conv2d(c, _WIDTH, 1) for c in channels)
        self.mix = nn.ModuleList(
            nn.Sequential(nn.Conv2d(_WIDTH, _WIDTH, 1, bias=False), nn.BatchNorm2d(_WIDTH), nn.ReLU()) for _ in channels[1:]
        )
        self.evidence = nn.Conv2d(_WIDTH, 1, 1)

    def normalized(self, grey: Tensor) -> Tensor:
        """Normalize each image by its own mean and standard deviation.

        Parameters
        ----------
        grey
            Shape (batch, 1, size_px, size_px).

        Returns
        -------
        Tensor
            Three equal channels of mean 0 and deviation 1, shape (batch, 3, size_px, size_px), channels last.
        """
        centred = _centred(_centred(grey))  # ONNX Runtime's mean is off in the seventh digit, which shifts all evidence
        deviation = (centred**2).mean((2, 3), keepdim=True).sqrt()
        return (centred / (deviation + 1e-3)).expand(-1, 3, -1, -1).contiguous(memory_format=torch.channels_last)

    def levels(self, grey: Tensor) -> list[Tensor]:
        """Compute the feature maps of the pyramid.

        Parameters
        ----------
        grey
            Shape (batch, 1, size_px, size_px), in [0, 1].

        Returns
        -------
        list of Tensor
            Fine to coarse, each (batch, channels, h, w).
        """
        raw = self.model(self.normalized(grey))
        return [_grid(level) for level in (raw.values() if isinstance(raw, dict) else raw)]

    def cells(self, grey: Tensor) -> Tensor:
        """Compute the evidence for the target in each cell, without regard to the lungs.

        Parameters
        ----------
        grey
            Shape (batch, 1, size_px, size_px), in [0, 1].

        Returns
        -------
        Tensor
            Shape (batch, h, w).
        """
        return self.summed(self.levels(grey))

    def summed(self, levels: Sequence[Tensor]) -> Tensor:
        """Sum the levels of the pyramid to evidence.

        Parameters
        ----------
        levels
            Feature maps, fine to coarse.

        Returns
        -------
        Tensor
            Evidence, shape (batch, h, w).
        """
        *finer, coarsest = levels[-self.levels_used :]
        x = self.lateral[-1](self.drop(coarsest))
        for level in range(len(finer) - 1, -1, -1):
            up = F.interpolate(x, size=finer[level].shape[-2:], mode="bilinear")
            x = self.mix[level](self.lateral[level](finer[level]) + up)
        cells: Tensor = self.evidence(x)[:, 0]
        return cells

    def pooled(self, square: Tensor, cells: Tensor) -> Tensor:
        """Pool evidence to logits.

        Parameters
        ----------
        square
            Grey and lungs, shape (batch, 2, size_px, size_px), in [0, 1].
        cells
            Evidence, shape (batch, h, w).

        Returns
        -------
        Tensor
            Logits, shape (batch, 2): 0 and the log-odds.
        """
        log_odds = pool(cells, self.lung_share(square, cells))
        return torch.stack([torch.zeros_like(log_odds), log_odds], 1)

    def embed(self, square: Tensor) -> Tensor:
        """Compute the features by which the domain is known: means of the pyramid's channels.

        Parameters
        ----------
        square
            Shape (batch, 1 or 2, size_px, size_px), in [0, 1].

        Returns
        -------
        Tensor
            Shape (batch, features).
        """
        return embedding(self.levels(square[:, :1]))

    def lung_share(self, square: Tensor, cells: Tensor) -> Tensor:
        """Compute the share of each cell that counts as lung.

        Parameters
        ----------
        square
            Grey and lungs, shape (batch, 2, size_px, size_px), in [0, 1].
        cells
            Evidence, shape (batch, h, w); gives the grid.

        Returns
        -------
        Tensor
            Shape (batch, h, w), in [0, 1].
        """
        if self.everywhere:
            return torch.ones_like(cells)
        return over_cells(square[:, 1:], cells)

    def explain(self, square: Tensor) -> tuple[Tensor, Tensor]:
        """Compute logits and the evidence that they are pooled from.

        Parameters
        ----------
        square
            Grey and lungs, shape (batch, 2, size_px, size_px), in [0, 1].

        Returns
        -------
        logits : Tensor
            Shape (batch, 2).
        cells : Tensor
            Evidence, shape (batch, h, w).
        """
        cells = self.cells(square[:, :1])
        return self.pooled(square, cells), cells

    def forward(self, square: Tensor) -> Tensor:
        """Compute logits.

        Parameters
        ----------
        square
            Grey and lungs, shape (batch, 2, size_px, size_px), in [0, 1].

        Returns
        -------
        Tensor
            Shape (batch, 2).
        """
        return self.explain(square)[0]


def _centred(images: Tensor) -> Tensor:
    """Less the mean of each, over rows and columns."""
    return images - images.mean((2, 3), keepdim=True)


def _grid(features: Tensor) -> Tensor:
    """Feature maps as they are; tokens without the class token, as maps."""
    if features.ndim == 4:
        return features
    side = round((features.shape[1] - 1) ** 0.5)
    return features[:, 1:].transpose(1, 2).reshape(features.shape[0], -1, side, side)


def embedding(levels: Sequence[Tensor]) -> Tensor:
    """Average feature maps over positions.

    Parameters
    ----------
    levels
        Feature maps, each (batch, channels, h, w).

    Returns
    -------
    Tensor
        The means of all channels, shape (batch, features).
    """
    return torch.cat([level.mean((2, 3)) for level in levels], 1)


def whole_model(backbone: Backbone, size_px: int) -> nn.Module:
    """Build torchvision's model with random weights, classifier included.

    Parameters
    ----------
    backbone
        The architecture.
    size_px
        Edge of the square in pixels.

    Returns
    -------
    Module
        The model.
    """
    sized = {"image_size": size_px} if backbone.patch_px else {}
    model: nn.Module = getattr(torchvision.models, backbone.name)(**sized)
    return model


def build(backbone: Backbone, head: str, size_px: int) -> EvidenceNetwork:
    """Build an evidence network with random weights.

    Parameters
    ----------
    backbone
        The architecture.
    head
        One of `EVIDENCE_HEADS`.
    size_px
        Edge of the square in pixels.

    Returns
    -------
    EvidenceNetwork
        The network.
    """
    names = [name for name, _ in backbone.pyramid]
    if backbone.library == "timm":
        model: nn.Module = timm.create_model(f"tf_{backbone.name}", features_only=True, out_indices=(2, 3, 4))
    else:
        model = create_feature_extractor(whole_model(backbone, size_px), {name: str(level) for level, name in enumerate(names)})
    return EvidenceNetwork(model, backbone, head)
