"""Define the network that segments lung fields: a small U-Net (Ronneberger et al. 2015, arXiv 1505.04597); needs PyTorch."""

import itertools

import torch
from torch import Tensor, nn
from torch.nn import functional as F

SIDE_PX = 160
"""Edge of the square input of the network, in pixels."""
_WIDTHS = (12, 24, 48, 64, 64)


def _double(inputs: int, outputs: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for channels in (inputs, outputs):
        layers += [nn.Conv2d(channels, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)


class LungNetwork(nn.Module):
    """A U-Net that maps grey levels to logits of the right and the left lung.

    Right and left are the patient's: the right lung lies on the left of a radiograph in the usual display. The first operation
    turns blocks of 2 × 2 pixels into four channels and the last one reverses it (sub-pixel convolution, Shi et al. 2016, arXiv
    1609.05158), so that no layer works at full resolution.
    """

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.ModuleList(_double(i, o) for i, o in itertools.pairwise((4, *_WIDTHS)))
        deep_first = _WIDTHS[::-1]
        self.up = nn.ModuleList(_double(below + here, here) for below, here in itertools.pairwise(deep_first))
        self.out = nn.Conv2d(_WIDTHS[0], 8, 1)

    def forward(self, image: Tensor) -> Tensor:
        """Compute the logits of both lungs.

        Parameters
        ----------
        image : Tensor
            Grey levels, float32, shape (batch, 1, 160, 160), in [0, 1].

        Returns
        -------
        Tensor
            Logits of the right and the left lung, shape (batch, 2, 160, 160).
        """
        x = F.pixel_unshuffle((image - 0.5) * 4, 2)
        skips = []
        for level, block in enumerate(self.down):
            x = block(x if level == 0 else F.max_pool2d(x, 2))
            skips.append(x)
        x = skips.pop()
        for block in self.up:
            skip = skips.pop()
            x = block(torch.cat([F.interpolate(x, scale_factor=2.0, mode="bilinear"), skip], 1))
        return F.pixel_shuffle(self.out(x), 2)
