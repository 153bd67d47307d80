"""Define the evidence network, whose score is pooled from its heat map: one evidence value per cell, pooled over the lungs.

The feature pyramid follows PYLON (Preechakul et al. 2022, doi 10.1016/j.patter.2022.100445) and the pooling Pinheiro & Collobert
2015 (arXiv 1411.6228, eq. 6). The restriction of the pooling to lung cells is specific to this project.
"""

from collections.abc import Sequence
from typing import Any

import timm
import torch
import torchvision
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.models.feature_extraction import create_feature_extractor

from pneumoscope.classifier.backbone import EVIDENCE_HEADS as EVIDENCE_HEADS
from pneumoscope.classifier.backbone import Backbone

SHARPNESS = 4.0
"""Sharpness r of the log-sum-exp: r → 0 gives the mean, r → ∞ the maximum."""
_WIDTH = 64
_LEAST = 1e-12  # weight of a cell outside the lungs, so that the score of an empty mask is defined


def over_cells(channel: Tensor, cells: Tensor) -> Tensor:
    """Average a channel over each cell of the evidence.

    Parameters
    ----------
    channel
        Channel of prepared squares, shape (batch, 1, size_px, size_px).
    cells
        Evidence, shape (batch, h, w), of which only the shape is used.

    Returns
    -------
    Tensor
        Means, shape (batch, h, w).
    """
    rows, cols = cells.shape[-2:]
    return F.adaptive_avg_pool2d(channel, (rows, cols))[:, 0]


def pool(evidence: Tensor, lung_share: Tensor) -> Tensor:
    """Pool evidence to log-odds by a weighted log-sum-exp, ``(1/r) · log(Σ w · exp(r · e) / Σ w)``, over all cells.

    Source: Pinheiro & Collobert 2015, arXiv 1411.6228, eq. 6, with weights; r is `SHARPNESS`.

    Parameters
    ----------
    evidence
        Evidence e, shape (batch, h, w).
    lung_share
        Share w of each cell that is lung, shape (batch, h, w), in [0, 1].

    Returns
    -------
    Tensor
        Log-odds, shape (batch,), between the mean and the maximum of the evidence inside the lungs.
    """
    weight = lung_share.flatten(1).clamp(min=_LEAST)
    total = torch.logsumexp(SHARPNESS * evidence.flatten(1) + weight.log(), 1)
    return (total - weight.sum(1).log()) / SHARPNESS


class EvidenceNetwork(nn.Module):
    """A network that computes evidence for the target in each cell and pools it to a score.

    The input is float32 of shape (batch, 2, size_px, size_px) in [0, 1], with the channels grey and lungs. Each grey image is
    normalized by its own mean and standard deviation. The output is logits of shape (batch, 2): 0 and the log-odds.

    Parameters
    ----------
    model
        Feature extractor that returns the levels of the backbone's pyramid, fine to coarse.
    backbone
        Its architecture.
    head
        Kind of the head, one of `EVIDENCE_HEADS`.
    """

    model: Any  # Any, because its attributes differ between libraries

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
            Grey levels, shape (batch, 1, size_px, size_px).

        Returns
        -------
        Tensor
            Three equal channels with mean 0 and standard deviation 1 (less for images of almost no contrast), shape
            (batch, 3, size_px, size_px), in channels-last memory format.
        """
        # Centred twice: ONNX Runtime's mean has an error in the seventh digit, which would shift all evidence.
        centred = _centred(_centred(grey))
        deviation = (centred**2).mean((2, 3), keepdim=True).sqrt()
        return (centred / (deviation + 1e-3)).expand(-1, 3, -1, -1).contiguous(memory_format=torch.channels_last)

    def levels(self, grey: Tensor) -> list[Tensor]:
        """Compute the feature maps of the pyramid.

        Parameters
        ----------
        grey
            Grey levels, shape (batch, 1, size_px, size_px), in [0, 1].

        Returns
        -------
        list of Tensor
            Feature maps, fine to coarse, each of shape (batch, channels, h, w).
        """
        raw = self.model(self.normalized(grey))
        return [_grid(level) for level in (raw.values() if isinstance(raw, dict) else raw)]

    def cells(self, grey: Tensor) -> Tensor:
        """Compute the evidence for the target in each cell, inside and outside the lungs.

        Parameters
        ----------
        grey
            Grey levels, shape (batch, 1, size_px, size_px), in [0, 1].

        Returns
        -------
        Tensor
            Evidence, shape (batch, h, w).
        """
        return self.summed(self.levels(grey))

    def summed(self, levels: Sequence[Tensor]) -> Tensor:
        """Compute the evidence from the levels of the pyramid.

        From coarse to fine, the result of the coarser levels is upsampled, added to a 1 × 1 convolution of the next level, and
        mixed by another 1 × 1 convolution.

        Parameters
        ----------
        levels
            Feature maps, fine to coarse, each of shape (batch, channels, h, w).

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
            Prepared squares with the channels grey and lungs, shape (batch, 2, size_px, size_px), in [0, 1].
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
        """Compute the features by which a `Domain` measures distances: channel means of the pyramid.

        Parameters
        ----------
        square
            Prepared squares with grey first, shape (batch, 1 or 2, size_px, size_px), in [0, 1].

        Returns
        -------
        Tensor
            Features, shape (batch, features).
        """
        return embedding(self.levels(square[:, :1]))

    def lung_share(self, square: Tensor, cells: Tensor) -> Tensor:
        """Compute the share of each cell that counts as lung; 1 in every cell for ``evidence-everywhere``.

        Parameters
        ----------
        square
            Prepared squares with the channels grey and lungs, shape (batch, 2, size_px, size_px), in [0, 1].
        cells
            Evidence, shape (batch, h, w), of which only the shape is used.

        Returns
        -------
        Tensor
            Shares, shape (batch, h, w), in [0, 1].
        """
        if self.everywhere:
            return torch.ones_like(cells)
        return over_cells(square[:, 1:], cells)

    def explain(self, square: Tensor) -> tuple[Tensor, Tensor]:
        """Compute logits and the evidence from which they are pooled.

        Parameters
        ----------
        square
            Prepared squares with the channels grey and lungs, shape (batch, 2, size_px, size_px), in [0, 1].

        Returns
        -------
        logits : Tensor
            Logits, shape (batch, 2): 0 and the log-odds.
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
            Prepared squares with the channels grey and lungs, shape (batch, 2, size_px, size_px), in [0, 1].

        Returns
        -------
        Tensor
            Logits, shape (batch, 2): 0 and the log-odds.
        """
        return self.explain(square)[0]


def _centred(images: Tensor) -> Tensor:
    """Subtract the mean over rows and columns from each image."""
    return images - images.mean((2, 3), keepdim=True)


def _grid(features: Tensor) -> Tensor:
    """Reshape tokens without the class token to feature maps; return feature maps unchanged."""
    if features.ndim == 4:
        return features
    side = round((features.shape[1] - 1) ** 0.5)
    return features[:, 1:].transpose(1, 2).reshape(features.shape[0], -1, side, side)


def embedding(levels: Sequence[Tensor]) -> Tensor:
    """Average feature maps over positions.

    Parameters
    ----------
    levels
        Feature maps, each of shape (batch, channels, h, w).

    Returns
    -------
    Tensor
        Concatenated channel means, shape (batch, features).
    """
    return torch.cat([level.mean((2, 3)) for level in levels], 1)


def whole_model(backbone: Backbone, size_px: int) -> nn.Module:
    """Build a model of torchvision with random weights, including its classifier.

    Parameters
    ----------
    backbone
        The architecture, one of torchvision's.
    size_px
        Edge of the input square in pixels; used only by vision transformers.

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
        Kind of the head, one of `EVIDENCE_HEADS`.
    size_px
        Edge of the input square in pixels; used only by vision transformers.

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
